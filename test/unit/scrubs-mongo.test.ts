/**
 * MongoScrubs without a server: what waits, what is left to the sweep, what is said when it fails. On a real server: delete-mongo.test.ts.
 */
import { describe, expect, it } from 'vitest';
import type { RoomId } from '../../system/ids.ts';
import { createLogger } from '../../system/logger.ts';
import type { MongoDatabase } from '../../system/store/mongo-database.ts';
import { MongoScrubs, scrubRoomsWaitingMax } from '../../system/store/scrubs-mongo.ts';
import { room } from '../support/entries.ts';
import { manualClock, turns } from '../support/manual-clock.ts';

const gatherMs = 250;

interface Asked {
  readonly rooms: readonly RoomId[] | 'sweep';
  readonly answer: (rows: readonly object[]) => void;
  readonly fail: (cause: Error) => void;
}

/** A collection whose searches the test answers. */
function stage() {
  const clock = manualClock();
  const lines: string[] = [];
  const log = createLogger({ level: 'info', base: {}, destination: { write: (line: string) => void lines.push(line) } });
  const asked: Asked[] = [];
  const find = ({ room: of }: { readonly room: { readonly $in?: readonly RoomId[] } }) => {
    const rows = new Promise<readonly object[]>((answer, fail) => asked.push({ rooms: of.$in ?? 'sweep', answer, fail }));
    return {
      async *[Symbol.asyncIterator]() {
        yield* await rows;
      },
    };
  };
  const scrubs = new MongoScrubs({ clock, entries: { find } } as unknown as MongoDatabase, log);
  /** Answers what is asked and what that leads to. */
  const answerAll = async (): Promise<void> => {
    for (let next = 0; next < asked.length; next += 1) {
      asked[next]?.answer([]);
      await turns();
    }
  };
  const gather = (): void => clock.advance(gatherMs);
  return { clock, lines, asked, scrubs, answerAll, gather };
}

describe('scrubs', () => {
  it('holds so many rooms; further ones are left to the sweep, counted', async () => {
    const { scrubs, answerAll, asked, gather } = stage();
    for (let index = 0; index < scrubRoomsWaitingMax + 7; index += 1) scrubs.queue(room(`room-${index}`));
    expect(scrubs.waiting).toBe(scrubRoomsWaitingMax);
    expect(scrubs.rooms).toEqual({ settled: 0, failed: 0, full: 7 });
    // One that waits already needs no place.
    scrubs.queue(room('room-0'));
    expect(scrubs.rooms.full).toBe(7);
    gather();
    await answerAll();
    expect(scrubs.rooms).toEqual({ settled: scrubRoomsWaitingMax, failed: 0, full: 7 });
    const named = asked.flatMap(({ rooms }) => (rooms === 'sweep' ? [] : rooms));
    expect(new Set(named).size).toBe(scrubRoomsWaitingMax);
    scrubs.queue(room('room-1000'));
    expect(scrubs.waiting).toBe(1);
    expect(scrubs.rooms.full).toBe(7);
  });

  it('gather rooms for a quarter of a second, and ask once for all of them', async () => {
    const { scrubs, answerAll, asked, clock } = stage();
    await answerAll();
    for (const id of ['a', 'b', 'a']) scrubs.queue(room(id));
    clock.advance(gatherMs - 1);
    expect(asked).toHaveLength(1);
    clock.advance(1);
    expect(asked[1]?.rooms).toEqual(['a', 'b']);
  });

  it('sweeps at the start and 10 s after each sweep, whether that failed or not', async () => {
    const { clock, scrubs, asked } = stage();
    expect(asked.map(({ rooms }) => rooms)).toEqual(['sweep']);
    clock.advance(60_000);
    expect(asked).toHaveLength(1);
    asked[0]?.fail(new Error('away'));
    await turns();
    clock.advance(9_999);
    expect(asked).toHaveLength(1);
    clock.advance(1);
    expect(asked.map(({ rooms }) => rooms)).toEqual(['sweep', 'sweep']);
    asked[1]?.answer([]);
    await turns();
    const ended = scrubs.drain();
    clock.advance(60_000);
    await ended;
    expect(asked).toHaveLength(2);
    expect(clock.pending()).toBe(0);
  });

  it('leave what failed, and what waits behind it, to the sweep, and say so once in a row of failures', async () => {
    const { clock, scrubs, asked, lines } = stage();
    const failAll = async (): Promise<void> => {
      for (let tries = 0; tries < 4; tries += 1) {
        asked.at(-1)?.fail(new TypeError('what was said'));
        await turns();
        clock.advance(10_000);
      }
    };
    scrubs.queue(room('a'));
    scrubs.queue(room('b'));
    await failAll();
    expect(scrubs.rooms).toEqual({ settled: 0, failed: 2, full: 0 });
    expect(scrubs.waiting).toBe(0);
    expect(lines).toHaveLength(1);
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({ ev: 'store.scrubs', cause: 'TypeError' });
    expect(lines[0]).not.toContain('what was said');
    asked.at(-1)?.answer([]);
    await turns();
    clock.advance(10_000);
    await failAll();
    expect(lines).toHaveLength(2);
  });

  it('that drain wait for the rooms that wait', async () => {
    const { scrubs, asked, answerAll, clock } = stage();
    scrubs.queue(room('a'));
    let isDrained = false;
    const drained = scrubs.drain().then(() => {
      isDrained = true;
    });
    asked[0]?.answer([]);
    await turns();
    expect(isDrained).toBe(false);
    expect(asked[1]?.rooms).toEqual(['a']);
    await answerAll();
    await drained;
    expect(clock.pending()).toBe(0);
    expect(scrubs.rooms.settled).toBe(1);
  });
});
