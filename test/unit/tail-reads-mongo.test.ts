/**
 * TailReads without a server: which reads share a find, and that each gets what its own would have given. On a real server:
 * tail-reads-mongo.test.ts of the integration tests.
 */
import { describe, expect, it } from 'vitest';
import type { RoomId } from '../../system/ids.ts';
import type { Entry } from '../../system/store/entry.ts';
import { type EntryRow, encodeRow } from '../../system/store/entry-mongo.ts';
import type { MongoDatabase } from '../../system/store/mongo-database.ts';
import { TailReads, tailReadsWaitingMax, tailRowsMax } from '../../system/store/tail-reads-mongo.ts';
import { cidOf, messageEntry, userOf } from '../bench/sample-entries.ts';
import { turns } from '../support/manual-clock.ts';

interface Tail {
  readonly room: RoomId;
  readonly seq: { readonly $gt: number };
}
type Filter = Tail | { readonly $or: readonly Tail[] };

const room = (index: number): RoomId => `r${String(index).padStart(5, '0')}` as RoomId;

/** Rooms with so many entries each, and finds that the test answers. */
class Stage {
  readonly rows: EntryRow[] = [];
  readonly finds: { readonly rooms: number; answer(): void; fail(cause: Error): void }[] = [];
  /** Of all finds ever. */
  readonly sizes: number[] = [];
  readonly reads: TailReads;

  constructor() {
    const find = (filter: Filter, { limit }: { readonly limit: number }) => ({ toArray: () => this.find(filter, limit) });
    const run = <T>(call: () => Promise<T>): Promise<T> => call();
    this.reads = new TailReads({ entries: { find }, run } as unknown as MongoDatabase);
  }

  fill(index: number, count: number): void {
    for (let seq = 1; seq <= count; seq += 1)
      this.rows.push(encodeRow(room(index), messageEntry(seq, seq, userOf(1), cidOf(seq), `text ${seq}`)));
  }

  tailOf(index: number, after: number, limit: number): number[] {
    return this.rows.filter((row) => row.room === room(index) && row.seq > after).slice(0, limit).map(({ seq }) => seq); // biome-ignore format: one thought
  }

  async answerAll(): Promise<void> {
    for (await turns(); this.finds.length > 0; await turns()) this.finds.shift()?.answer();
  }

  private find(filter: Filter, limit: number): Promise<EntryRow[]> {
    const tails = '$or' in filter ? filter.$or : [filter];
    this.sizes.push(tails.length);
    return new Promise((resolve, reject) => {
      this.finds.push({
        rooms: tails.length,
        answer: () => {
          const found = this.rows.filter((row) => tails.some((tail) => tail.room === row.room && row.seq > tail.seq.$gt));
          found.sort((a, b) => (a.room < b.room ? -1 : a.room > b.room ? 1 : a.seq - b.seq));
          resolve(found.slice(0, limit));
        },
        fail: reject,
      });
    });
  }
}

const seqsOf = (entries: readonly Entry[]): number[] => entries.map(({ seq }) => seq);

describe('Reads of what rooms have gained', () => {
  it('that are asked for together go in one find, and each gets its own', async () => {
    const stage = new Stage();
    for (let index = 0; index < 40; index += 1) stage.fill(index, index);
    const read = Promise.all(Array.from({ length: 40 }, (_, index) => stage.reads.read(room(index), 10, 5)));
    await stage.answerAll();
    expect(stage.sizes).toEqual([40]);
    expect((await read).map(seqsOf)).toEqual(Array.from({ length: 40 }, (_, index) => stage.tailOf(index, 10, 5)));
  });

  it('wait while two finds are under way, and go as the next one, 64 rooms at most', async () => {
    const stage = new Stage();
    for (let index = 0; index < 100; index += 1) {
      stage.fill(index, 1);
      void stage.reads.read(room(index), 0, 10);
      if (index < 2) await turns();
    }
    await turns();
    expect(stage.finds.map(({ rooms }) => rooms)).toEqual([1, 1]);
    await stage.answerAll();
    expect(stage.sizes).toEqual([1, 1, 64, 34]);
  });

  it('of one room are never in the same find: the later may ask from elsewhere', async () => {
    const stage = new Stage();
    stage.fill(1, 9);
    const read = Promise.all([stage.reads.read(room(1), 2, 3), stage.reads.read(room(1), 6, 10), stage.reads.read(room(2), 0, 10)]);
    await stage.answerAll();
    expect((await read).map(seqsOf)).toEqual([[3, 4, 5], [7, 8, 9], []]);
    expect(stage.sizes).toEqual([2, 1]);
  });

  it('that the shared find cut off are read alone, so that none comes back with a part of its limit', async () => {
    const stage = new Stage();
    const counts = [3, tailRowsMax - 10, 300, 0, 40];
    for (const [index, count] of counts.entries()) stage.fill(index, count);
    const read = Promise.all(counts.map((_, index) => stage.reads.read(room(index), 0, 256)));
    await stage.answerAll();
    expect((await read).map(seqsOf)).toEqual(counts.map((_, index) => stage.tailOf(index, 0, 256)));
    // The first two were whole; of the third, whatever is after it and the empty one nothing was known.
    expect(stage.sizes).toEqual([5, 1, 1, 1]);
  });

  it('are all told when their find failed, and the next ones are asked for', async () => {
    const stage = new Stage();
    const read = Promise.allSettled([stage.reads.read(room(1), 0, 10), stage.reads.read(room(2), 0, 10)]);
    await turns();
    stage.finds.shift()?.fail(new Error('no answer'));
    expect((await read).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    const next = stage.reads.read(room(1), 0, 10);
    await stage.answerAll();
    expect(await next).toEqual([]);
  });

  it('are refused beyond so many that wait', async () => {
    const stage = new Stage();
    const read = Promise.allSettled(Array.from({ length: tailReadsWaitingMax + 1 }, (_, index) => stage.reads.read(room(index), 0, 1)));
    await expect(stage.reads.read(room(1), 0, 1)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
    await stage.answerAll();
    expect((await read).filter(({ status }) => status === 'rejected')).toHaveLength(1);
    expect(stage.reads.waiting).toBe(0);
  });
});
