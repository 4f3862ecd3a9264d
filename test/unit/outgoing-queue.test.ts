/**
 * What waits for Kafka: how much, in which order, and who goes when it is full.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { charsWaitingMax, OutgoingQueue, recordsWaitingMax } from '../../system/wire/outgoing-queue.ts';

const items = (taken: readonly { readonly item: number }[]): number[] => taken.map(({ item }) => item);

describe('the outgoing queue', () => {
  it('holds ten thousand records and so much text, and the oldest go', () => {
    const queue = new OutgoingQueue<number>({ countMax: recordsWaitingMax, sizeMax: charsWaitingMax });
    let gone = 0;
    for (let item = 0; item < recordsWaitingMax + 500; item += 1) gone += queue.push(item, 100);
    expect([queue.count, gone]).toEqual([recordsWaitingMax, 500]);
    expect(items(queue.take(1, 1))).toEqual([500]);
    expect(queue.push(-1, charsWaitingMax - 1_000)).toBe(recordsWaitingMax - 11);
    expect(queue.push(-2, charsWaitingMax + 1)).toBe(queue.count + 12); // All, and itself.
  });

  it('gives batches by count and size, one record at least, and takes back what could not be sent as its oldest', () => {
    const queue = new OutgoingQueue<number>({ countMax: 5, sizeMax: 100 });
    for (const item of [1, 2, 3, 4]) queue.push(item, 10);
    expect(items(queue.take(2, 100))).toEqual([1, 2]);
    const taken = queue.take(10, 5);
    expect(items(taken)).toEqual([3]);
    for (const item of [5, 6, 7, 8]) queue.push(item, 10);
    expect(queue.giveBack(taken)).toBe(1); // It is the oldest, and there is no place.
    expect(items(queue.take(10, 1_000))).toEqual([4, 5, 6, 7, 8]);
    expect(queue.take(10, 1_000)).toEqual([]);
  });

  it('keeps order and its bounds, whatever is done in whatever order', () => {
    const step = fc.oneof(
      fc.record({ do: fc.constant('push'), size: fc.integer({ min: 1, max: 60 }) }),
      fc.record({ do: fc.constant('take'), size: fc.integer({ min: 1, max: 60 }) }),
      fc.record({ do: fc.constant('takeAndGiveBack'), size: fc.integer({ min: 1, max: 60 }) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const queue = new OutgoingQueue<number>({ countMax: 8, sizeMax: 100 });
        let next = 0;
        let gone = 0;
        const sent: number[] = [];
        for (const { do: what, size } of steps) {
          if (what === 'push') gone += queue.push(next++, size);
          else {
            const taken = queue.take(3, size);
            if (what === 'take') sent.push(...items(taken));
            else gone += queue.giveBack(taken);
          }
          expect(queue.count).toBeLessThanOrEqual(8);
        }
        expect(sent).toEqual([...sent].sort((a, b) => a - b));
        expect(sent.length + gone + queue.count).toBe(next);
      }),
    );
  });

  it('does not grow with what has passed through it', () => {
    const queue = new OutgoingQueue<number>({ countMax: recordsWaitingMax, sizeMax: charsWaitingMax });
    const begun = performance.now();
    for (let item = 0; item < 300_000; item += 1) {
      queue.push(item, 1);
      if (item >= 5_000) queue.take(1, 1);
    }
    expect(queue.count).toBe(5_000);
    expect((queue as unknown as { items: unknown[] }).items.length).toBeLessThan(20_000);
    expect(performance.now() - begun).toBeLessThan(5_000);
  });
});
