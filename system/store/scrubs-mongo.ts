/**
 * MongoScrubs: takes the texts of deleted messages out of their documents, after their delete was acknowledged, whoever acknowledged it.
 *
 * Rooms in which this node deleted are gathered for a moment and come one call at a time, so that nobody's append waits for them; what a
 * lost node or a failure left is found by a sweep, at the start and every 10 s. Nobody waits for it: what is deleted is hidden from every read before (`delete-marks-mongo.ts`).
 * Bounds: so many rooms wait, further ones are left to the sweep; a sweep settles so many rows, the next one goes on behind them.
 */
import type { RoomId } from '../ids.ts';
import type { Logger } from '../logger.ts';
import { type MarkedRow, settleRows } from './delete-marks-mongo.ts';
import type { MongoDatabase } from './mongo-database.ts';
import { deleteMarksIndex } from './mongo-indexes.ts';

export const scrubRoomsWaitingMax = 1_000;
/** Much longer than an append: what is deleted one after the other goes in one call. */
const gatherMs = 250;
const roomsPerCallMax = 64;
/** Rows settled together. */
const rowsPerCallMax = 256;
/** Rows of one sweep, and of one call for rooms. */
const rowsMax = 4_096;
const sweepMs = 10_000;
/** Failures in a row before a line is logged. */
const failuresMax = 3;

const rowFields = { room: 1, seq: 1, kind: 1, target: 1, deleteAt: 1 } as const;

export class MongoScrubs {
  /** Rooms settled, and rooms left to the sweep: because a call failed, because too many waited. */
  readonly rooms = { settled: 0, failed: 0, full: 0 };
  readonly #database: MongoDatabase;
  readonly #log: Logger;
  readonly #waiting = new Set<RoomId>();
  #isSweepDue = true;
  /** The last room that the sweep came to; '' at its end. */
  #sweptTo = '' as RoomId;
  #work: Promise<void> | undefined;
  #failures = 0;
  #isEnding = false;
  #cancelSweep = (): void => {};
  /** Set while rooms are gathered. */
  #cancelGather: (() => void) | undefined;

  constructor(database: MongoDatabase, log: Logger) {
    this.#database = database;
    this.#log = log;
    this.#wake();
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /** A delete of this room came to an outcome, whatever that is. */
  queue(room: RoomId): void {
    if (this.#waiting.size >= scrubRoomsWaitingMax && !this.#waiting.has(room)) {
      this.rooms.full += 1;
      return;
    }
    this.#waiting.add(room);
    this.#cancelGather ??= this.#database.clock.after(gatherMs, () => {
      this.#cancelGather = undefined;
      this.#wake();
    });
  }

  /** No sweep begins any more; resolves when every room that waits was settled, or when that failed. */
  async drain(): Promise<void> {
    this.#isEnding = true;
    this.#isSweepDue = false;
    this.#cancelSweep();
    this.#cancelGather?.();
    this.#wake();
    await this.#work;
  }

  #wake(): void {
    if (this.#work || (this.#waiting.size === 0 && !this.#isSweepDue)) return;
    this.#work = this.#run();
  }

  async #run(): Promise<void> {
    while (this.#waiting.size > 0 || this.#isSweepDue) {
      const rooms = [...this.#waiting].slice(0, roomsPerCallMax);
      for (const room of rooms) this.#waiting.delete(room);
      try {
        if (rooms.length > 0) await this.#settle({ $in: rooms });
        else await this.#sweep();
        this.rooms.settled += rooms.length;
        this.#failures = 0;
      } catch (cause) {
        // Others would fail as well: the sweep tries again later.
        this.rooms.failed += rooms.length + this.#waiting.size;
        this.#waiting.clear();
        this.#failed(cause);
      }
    }
    // In the turn in which nothing was left: whoever comes after it wakes anew.
    this.#work = undefined;
  }

  async #sweep(): Promise<void> {
    this.#isSweepDue = false;
    try {
      const { count, last } = await this.#settle({ $gt: this.#sweptTo });
      this.#sweptTo = count < rowsMax ? ('' as RoomId) : last;
    } finally {
      if (!this.#isEnding)
        this.#cancelSweep = this.#database.clock.after(sweepMs, () => {
          this.#isSweepDue = true;
          this.#wake();
        });
    }
  }

  /** Settles what is marked in these rooms, in their order. */
  async #settle(room: { readonly $in: RoomId[] } | { readonly $gt: RoomId }): Promise<{ readonly count: number; readonly last: RoomId }> {
    const options = { projection: rowFields, sort: { room: 1 }, limit: rowsMax, hint: deleteMarksIndex } as const;
    const found = this.#database.entries.find({ room, deleteAt: { $gt: 0 } }, options);
    let count = 0;
    let last = '' as RoomId;
    let rows: MarkedRow[] = [];
    for await (const row of found) {
      count += 1;
      last = row.room;
      if (rows.push(row) < rowsPerCallMax) continue;
      await settleRows(this.#database, rows);
      rows = [];
    }
    await settleRows(this.#database, rows);
    return { count, last };
  }

  #failed(cause: unknown): void {
    this.#failures += 1;
    if (this.#failures !== failuresMax) return;
    this.#log.warn(
      { ev: 'store.scrubs', cause: cause instanceof Error ? cause.name : 'unknown' },
      'texts of deleted messages are hidden, but cannot be taken out of MongoDB; it is tried again every 10 s',
    );
  }
}
