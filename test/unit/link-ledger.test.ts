/** Ledger: whatever happens in whatever order, the other side ends with what lives here, and is told of no end it could not know. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Ledger } from '../../system/state/link-ledger-state.ts';

type Step =
  | { readonly do: 'put'; readonly key: string; readonly value: number }
  | { readonly do: 'remove'; readonly key: string }
  | { readonly do: 'queued' | 'changes'; readonly count: number }
  | { readonly do: 'reset' | 'begin' | 'tellAllAgain' };

const key = fc.constantFrom(...'abcdef');
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('put' as const), key, value: fc.nat(9) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('remove' as const), key }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constantFrom('queued' as const, 'changes' as const), count: fc.nat(3) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('reset' as const, 'begin' as const, 'tellAllAgain' as const) }) },
);

/** The other side: what it was told, and what is true here. */
class Pair {
  readonly ledger: Ledger<string, number>;
  readonly here = new Map<string, number>();
  there = new Map<string, number>();
  private isTelling = false;

  constructor(changesMax: number) {
    this.ledger = new Ledger(changesMax);
  }

  run(step: Step): void {
    switch (step.do) {
      case 'put':
        this.ledger.put(step.key, step.value);
        this.here.set(step.key, step.value);
        return;
      case 'remove':
        this.ledger.remove(step.key);
        this.here.delete(step.key);
        return;
      case 'queued':
        return this.takeQueued(step.count);
      case 'changes':
        return this.takeChanges(step.count);
      case 'reset':
        this.ledger.reset();
        this.isTelling = false;
        return;
      case 'begin':
        // A snapshot: what the other side had before is replaced by it.
        this.ledger.reset();
        this.ledger.begin();
        this.there.clear();
        this.isTelling = true;
        return;
      case 'tellAllAgain':
        if (this.isTelling && !this.ledger.isOverfull) this.ledger.begin();
    }
  }

  takeQueued(count: number): void {
    let left = count;
    this.ledger.takeQueued((name, value) => {
      left -= 1;
      if (left >= 0) this.there.set(name, value);
      return left >= 0;
    });
  }

  takeChanges(count: number): void {
    let left = count;
    this.ledger.takeChanges((name, value) => {
      left -= 1;
      if (left < 0) return false;
      if (value !== undefined) this.there.set(name, value);
      else if (!this.there.delete(name)) throw new Error(`told of the end of ${name}, which was never told`);
      return true;
    });
  }
}

describe('a ledger', () => {
  it('brings the other side to what lives here, and tells of no end of what was never told', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), fc.constantFrom(3, 100), (steps, changesMax) => {
        const pair = new Pair(changesMax);
        for (const each of steps) {
          pair.run(each);
          expect(pair.ledger.size).toBe(pair.here.size);
        }
        if (pair.ledger.isOverfull || !steps.some(({ do: what }) => what === 'begin')) pair.run({ do: 'begin' });
        const last = steps.findLast(({ do: what }) => what === 'reset' || what === 'begin');
        if (last?.do === 'reset') pair.run({ do: 'begin' });
        pair.takeQueued(Infinity);
        pair.takeChanges(Infinity);
        expect(Object.fromEntries(pair.there)).toEqual(Object.fromEntries(pair.here));
        expect([pair.ledger.waiting, pair.ledger.hasQueued, pair.ledger.hasChanges]).toEqual([0, false, false]);
      }),
      { numRuns: 3_000 },
    );
  });

  it('tells nothing of what came and went untold, and the last value of what changed often', () => {
    const pair = new Pair(10);
    pair.run({ do: 'begin' });
    for (let value = 0; value < 5; value += 1) pair.run({ do: 'put', key: 'a', value });
    pair.run({ do: 'put', key: 'b', value: 1 });
    pair.run({ do: 'remove', key: 'b' });
    expect(pair.ledger.waiting).toBe(1);
    const told: [string, number | undefined][] = [];
    pair.ledger.takeChanges((name, value) => told.push([name, value]) > 0);
    expect(told).toEqual([['a', 4]]);
    pair.run({ do: 'remove', key: 'a' });
    pair.run({ do: 'put', key: 'a', value: 7 });
    pair.run({ do: 'remove', key: 'a' });
    pair.ledger.takeChanges((name, value) => told.push([name, value]) > 0);
    expect(told.at(-1)).toEqual(['a', undefined]);
  });

  it('goes on with what is queued while that changes: told once, with its last value, without what ended', () => {
    const pair = new Pair(10);
    for (const name of 'abcd') pair.run({ do: 'put', key: name, value: 1 });
    pair.run({ do: 'begin' });
    pair.takeQueued(1);
    pair.run({ do: 'put', key: 'a', value: 2 });
    pair.run({ do: 'put', key: 'c', value: 2 });
    pair.run({ do: 'remove', key: 'd' });
    expect(pair.ledger.waiting).toBe(3);
    const told: [string, number][] = [];
    pair.ledger.takeQueued((name, value) => told.push([name, value]) > 0);
    expect(told).toEqual([
      ['b', 1],
      ['c', 2],
    ]);
    expect(pair.ledger.waiting).toBe(1);
  });

  it('keeps no more than its bound of what ended, forgets all of it beyond, and counts what lives until all is told again', () => {
    const pair = new Pair(100);
    pair.run({ do: 'put', key: 'stays', value: 1 });
    pair.run({ do: 'begin' });
    for (let i = 0; i < 101; i += 1) pair.run({ do: 'put', key: `s${i}`, value: 1 });
    expect([pair.ledger.isOverfull, pair.ledger.hasChanges, pair.ledger.waiting]).toEqual([true, false, 102]);
    for (let i = 0; i < 101; i += 1) pair.run({ do: 'remove', key: `s${i}` });
    expect(pair.ledger.waiting).toBe(1);
    pair.run({ do: 'begin' });
    pair.takeQueued(Infinity);
    expect([pair.ledger.isOverfull, pair.ledger.waiting]).toEqual([false, 0]);
  });

  it('marks nothing while nothing is told: an outage costs memory by what lives', () => {
    const pair = new Pair(100);
    for (let i = 0; i < 10_000; i += 1) {
      pair.run({ do: 'put', key: `s${i}`, value: 1 });
      pair.run({ do: 'remove', key: `s${i}` });
    }
    expect([pair.ledger.waiting, pair.ledger.hasChanges, pair.ledger.isOverfull]).toEqual([0, false, false]);
    for (let i = 0; i < 200; i += 1) pair.run({ do: 'put', key: `s${i}`, value: 1 });
    expect([pair.ledger.waiting, pair.ledger.hasChanges, pair.ledger.isOverfull]).toEqual([200, false, false]);
  });
});
