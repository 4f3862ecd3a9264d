/**
 * TailReads: what rooms have gained after an entry, read for many rooms in one find.
 *
 * A node with many active rooms hears of each growing room by itself, and a find a room is what most of its reading costs. While two
 * finds are under way what is asked waits, and goes together as the next one. Measured: one new entry in each of 64 rooms, in one find
 * 2 ms of the node's CPU and 6 of the server's; in 64 finds 20 and 30.
 *
 * Guarantees: each gets what a find of its own would have given, begun after it asked: in order, without holes, up to its limit. What the
 * shared find has cut off is read by a find of its own. Bounded. Does not: share a find between two reads of one room.
 */
import { Fault } from '../errors.ts';
import type { RoomId } from '../ids.ts';
import { decodeRows } from './delete-marks-mongo.ts';
import type { Entry } from './entry.ts';
import type { EntryRow } from './entry-mongo.ts';
import type { MongoDatabase } from './mongo-database.ts';

const callsMax = 2;
const roomsPerCallMax = 64;
/** Of one find: rooms that are far behind do not make it a large one. */
export const tailRowsMax = 1_024;
export const tailReadsWaitingMax = 10_000;

interface Waiting {
  readonly room: RoomId;
  readonly after: number;
  readonly limit: number;
  readonly resolve: (entries: Promise<readonly Entry[]>) => void;
}

export class TailReads {
  readonly #database: MongoDatabase;
  #waiting: Waiting[] = [];
  #calls = 0;
  #isWoken = false;

  constructor(database: MongoDatabase) {
    this.#database = database;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /** Up to `limit` entries after `after`. */
  read(room: RoomId, after: number, limit: number): Promise<readonly Entry[]> {
    if (limit === 0) return Promise.resolve([]); // To MongoDB it would mean all.
    if (this.#waiting.length >= tailReadsWaitingMax)
      return Promise.reject(new Fault('STORE_UNAVAILABLE', 'too many reads wait for MongoDB'));
    return new Promise((resolve) => {
      this.#waiting.push({ room, after, limit, resolve });
      if (this.#isWoken) return;
      this.#isWoken = true;
      queueMicrotask(() => {
        this.#isWoken = false;
        this.#pump();
      });
    });
  }

  #pump(): void {
    while (this.#calls < callsMax && this.#waiting.length > 0) {
      this.#calls += 1;
      void this.#run(this.#next()).then(() => {
        this.#calls -= 1;
        this.#pump();
      });
    }
  }

  /** The longest waiting ones, each room once. */
  #next(): readonly Waiting[] {
    const group = new Map<RoomId, Waiting>();
    const left: Waiting[] = [];
    for (const one of this.#waiting) {
      if (group.size < roomsPerCallMax && !group.has(one.room)) group.set(one.room, one);
      else left.push(one);
    }
    this.#waiting = left;
    return [...group.values()];
  }

  /** Never rejects: whoever asked is told. */
  async #run(group: readonly Waiting[]): Promise<void> {
    const [first] = group;
    if (group.length === 1 && first) {
      const own = this.#alone(first);
      first.resolve(own);
      await own.catch(() => {});
      return;
    }
    try {
      this.#share(group, await this.#find(group, tailRowsMax));
    } catch (cause) {
      for (const { resolve } of group) resolve(Promise.reject(cause));
    }
  }

  /** Rows come room by room: of those before the last one all is there, of that one perhaps not, and of rooms without a row nothing is known. */
  #share(group: readonly Waiting[], rows: readonly EntryRow[]): void {
    const byRoom = new Map<RoomId, EntryRow[]>();
    for (const row of rows) {
      const own = byRoom.get(row.room);
      if (own) own.push(row);
      else byRoom.set(row.room, [row]);
    }
    const cutIn = rows.length < tailRowsMax ? undefined : rows.at(-1)?.room;
    for (const one of group) {
      const own = byRoom.get(one.room) ?? [];
      const isComplete = cutIn === undefined || own.length >= one.limit || (own.length > 0 && one.room !== cutIn);
      one.resolve(isComplete ? decodeRows(this.#database, own.slice(0, one.limit)) : this.#alone(one));
    }
  }

  async #alone(one: Waiting): Promise<readonly Entry[]> {
    return decodeRows(this.#database, await this.#find([one], one.limit));
  }

  #find(group: readonly Waiting[], limit: number): Promise<EntryRow[]> {
    const tails = group.map(({ room, after }) => ({ room, seq: { $gt: after } }));
    const [only] = tails;
    const filter = tails.length === 1 && only ? only : { $or: tails };
    return this.#database.run(() => this.#database.entries.find(filter, { sort: { room: 1, seq: 1 }, limit, batchSize: limit }).toArray());
  }
}
