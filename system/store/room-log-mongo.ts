/**
 * RoomLog on MongoDB: one document per entry. Any number of nodes append to the same logs; the unique indexes arbitrate.
 *
 * Guarantees: the contract's. Committed means: acknowledged by a majority and journalled; every read asks for that and goes to the
 * primary. No append makes a hole: the entry before it was seen committed by this node, or is looked for first.
 * An append that fails half-way leaves a prefix. Does not: retry beyond the driver's one retry.
 */
import type { mongo } from 'mongoose';
import type { Cid, RoomId, UserId } from '../ids.ts';
import type { Logger } from '../logger.ts';
import { AppendCalls } from './append-calls-mongo.ts';
import { checkCount, checkNumbering, cidKey, countsOn, messagesLimit, readLimit, rejectionOf, windowOf } from './append-rules.ts';
import { decodeRows, hasDelete, markDeletes } from './delete-marks-mongo.ts';
import { type Entry, type EntryRef, emptyHead, type Head, headAfter } from './entry.ts';
import { type EntryRow, encodeRow, isSurelySmall, rowId } from './entry-mongo.ts';
import type { MongoDatabase } from './mongo-database.ts';
import type { AppendOutcome, Range, RoomLog } from './room-log.ts';
import { MongoScrubs } from './scrubs-mongo.ts';
import { MongoTail } from './tail-mongo.ts';
import { TailReads } from './tail-reads-mongo.ts';

/** Rooms whose last committed entry, as far as it was seen, is remembered. Of others the entry before an append is read first. */
const seenRoomsMax = 20_000;
/** Rooms asked about in one aggregation. */
const roomsPerLookupMax = 64;

const nothing = (): void => {};

type Filter = mongo.Filter<EntryRow>;

export class MongoRoomLog implements RoomLog {
  readonly scrubs: MongoScrubs;
  readonly #database: MongoDatabase;
  readonly #calls: AppendCalls;
  readonly #tails: TailReads;
  readonly #tail: MongoTail | undefined;
  /** The last append of each room that has any under way. */
  readonly #inFlight = new Map<RoomId, Promise<void>>();
  /** The highest entry of a room seen committed. In order of use. */
  readonly #seen = new Map<RoomId, Head>();

  constructor(database: MongoDatabase, log: Logger, hasTail = true) {
    this.#database = database;
    this.#calls = new AppendCalls(database);
    this.#tails = new TailReads(database);
    this.scrubs = new MongoScrubs(database, log);
    this.#tail = hasTail ? new MongoTail(database, log) : undefined;
  }

  append(room: RoomId, after: number, entries: readonly Entry[]): Promise<AppendOutcome> {
    const refusal = this.#database.refusal();
    if (refusal) return Promise.resolve({ type: 'unknown', cause: refusal });
    // One after the other in a room: what follows counts on what was asked for before it.
    const before = this.#inFlight.get(room);
    const own = (): Promise<AppendOutcome> => this.#append(room, after, entries);
    const outcome = before === undefined ? own() : before.then(own);
    const end = (): void => {
      if (this.#inFlight.get(room) === settled) this.#inFlight.delete(room);
    };
    const settled: Promise<void> = outcome.then(end, end);
    this.#inFlight.set(room, settled);
    return outcome;
  }

  async #append(room: RoomId, after: number, entries: readonly Entry[]): Promise<AppendOutcome> {
    checkNumbering(room, after, entries);
    const rows = entries.map((entry) => encodeRow(room, entry));
    for (const [index, entry] of entries.entries()) {
      const reason = rejectionOf(entry, isSurelySmall(entry) ? '' : JSON.stringify(rows[index]));
      if (reason !== undefined) return { type: 'rejected', index, reason };
    }
    const [first] = entries;
    if (first === undefined) return { type: 'appended' };
    if (entries.length > 1 && new Set(entries.map(({ by, cid }) => cidKey(by, cid))).size < entries.length) return { type: 'conflict' };
    let before = this.#seenAt(room, after);
    try {
      before ??= await this.#committedAt(room, after);
    } catch (cause) {
      return { type: 'unknown', cause };
    }
    if (before === undefined || before.seq > after) return { type: 'conflict' };
    if (!countsOn(before.n, first)) {
      // A caller that is behind counts from an entry that is not the last any more: it lost the number.
      const [taken] = await this.at([{ room, seq: after + 1 }]);
      if (taken) return { type: 'conflict' };
      checkCount(room, before.n, first);
    }
    const outcome = hasDelete(rows) ? await this.#delete(room, rows) : await this.#calls.submit(room, rows);
    if (outcome.type === 'appended') this.#saw(room, headAfter(entries.at(-1) as Entry));
    return outcome;
  }

  async #delete(room: RoomId, rows: readonly EntryRow[]): Promise<AppendOutcome> {
    try {
      await markDeletes(this.#database, rows);
    } catch (cause) {
      return { type: 'unknown', cause };
    }
    const outcome = await this.#calls.submit(room, rows);
    this.scrubs.queue(room);
    return outcome;
  }

  async read(room: RoomId, range: Range): Promise<readonly Entry[]> {
    const limit = readLimit(range.limit);
    if ('after' in range) return this.#tails.read(room, range.after, limit);
    if ('before' in range) return (await this.#find({ room, seq: { $lt: range.before } }, { seq: -1 }, limit)).reverse();
    const { from, to } = windowOf(range, Number.MAX_SAFE_INTEGER);
    return this.#ascending({ room, seq: { $gte: from, $lte: to } }, limit);
  }

  async at(refs: readonly EntryRef[]): Promise<readonly (Entry | undefined)[]> {
    const rooms = new Map<RoomId, number[]>();
    for (const { room, seq } of refs) {
      const seqs = rooms.get(room);
      if (seqs) seqs.push(seq);
      else rooms.set(room, [seq]);
    }
    const found = new Map<string, Entry>();
    const rows: EntryRow[] = [];
    const filters = [...rooms].map(([room, seqs]): Filter => ({ room, seq: { $in: seqs } }));
    await this.#database.run(async () => {
      if (filters.length === 0) return;
      rows.push(...(await this.#database.entries.find({ $or: filters }).toArray()));
    });
    const entries = await decodeRows(this.#database, rows);
    for (const [index, { room, seq }] of rows.entries()) found.set(`${room}!${seq}`, entries[index] as Entry);
    return refs.map(({ room, seq }) => found.get(`${room}!${seq}`));
  }

  async heads(rooms: readonly RoomId[]): Promise<readonly Head[]> {
    const rows = await this.#lastOf(rooms, 'seq');
    return rooms.map((room) => {
      const row = rows.get(room);
      if (!row) return emptyHead;
      const head = { seq: row.seq, n: row.n, writer: row.writer };
      this.#saw(room, head);
      return head;
    });
  }

  async lastMessages(rooms: readonly RoomId[]): Promise<readonly (Entry | undefined)[]> {
    const rows = await this.#lastOf(rooms, 'm');
    const entries = await decodeRows(this.#database, [...rows.values()]);
    const last = new Map([...rows.keys()].map((room, index) => [room, entries[index]]));
    return rooms.map((room) => last.get(room));
  }

  async byCid(room: RoomId, ids: readonly { readonly by: UserId; readonly cid: Cid }[]): Promise<readonly Entry[]> {
    return this.#find({ _id: { $in: ids.map(({ by, cid }) => rowId(room, by, cid)) } }, { _id: 1 });
  }

  async controls(room: RoomId, after: number, upTo: number): Promise<readonly Entry[]> {
    return this.#find({ room, c: { $gt: after, $lte: upTo } }, { c: 1 });
  }

  async byTarget(room: RoomId, targets: readonly number[], upTo: number): Promise<readonly Entry[]> {
    const found = await this.#find({ room, target: { $in: [...targets] }, seq: { $lte: upTo } }, { target: 1, seq: 1 });
    return found.sort((a, b) => a.seq - b.seq);
  }

  async messages(room: RoomId, range: Range, upTo: number): Promise<readonly Entry[]> {
    const limit = messagesLimit(range.limit);
    const up = (from: number, count: number) => this.#find({ room, m: { $gte: from, $lte: upTo } }, { m: 1 }, count);
    const down = async (before: number, count: number) =>
      (await this.#find({ room, m: { $lt: Math.min(before, upTo + 1) } }, { m: -1 }, count)).reverse();
    if ('after' in range) return up(range.after + 1, limit);
    if ('before' in range) return down(range.before, limit);
    const half = Math.floor(limit / 2);
    const [lower, upper] = await Promise.all([down(range.around, half), up(range.around, limit - half)]);
    return [...lower, ...upper];
  }

  get isTailLive(): boolean {
    return this.#tail?.isLive ?? false;
  }

  tail(onHead: (room: RoomId, head: Head) => void): () => void {
    return this.#tail?.listen(onHead) ?? nothing;
  }

  /** Appends in flight are answered, the texts they deleted are taken out; the tails end. */
  async drain(): Promise<void> {
    await Promise.all(this.#inFlight.values());
    await this.scrubs.drain();
    await this.#tail?.close();
  }

  // ---- reads ----

  #ascending(filter: Filter, limit: number): Promise<Entry[]> {
    return this.#find(filter, { seq: 1 }, limit);
  }

  /** `limit` undefined: all. */
  async #find(filter: Filter, sort: Readonly<Record<string, 1 | -1>>, limit?: number): Promise<Entry[]> {
    const rows = await this.#database.run(async () => {
      if (limit === 0) return []; // To MongoDB it would mean all.
      return this.#database.entries.find(filter, { sort, ...(limit !== undefined && { limit }) }).toArray();
    });
    return decodeRows(this.#database, rows);
  }

  /** The row of each room with the highest of `field`, by an index that ends with it. */
  async #lastOf(rooms: readonly RoomId[], field: 'seq' | 'm'): Promise<ReadonlyMap<RoomId, EntryRow>> {
    const found = new Map<RoomId, EntryRow>();
    const asked = [...new Set(rooms)];
    const [only] = asked;
    if (asked.length === 1 && only !== undefined) {
      // As each room asks when it wakes: a find is a fraction of a lookup.
      const options = { sort: { [field]: -1 }, limit: 1 } as const;
      const [row] = await this.#database.run(() => this.#database.entries.find({ room: only, [field]: { $gt: 0 } }, options).toArray());
      if (row) found.set(only, row);
      return found;
    }
    await this.#database.run(async () => {
      for (let from = 0; from < asked.length; from += roomsPerLookupMax) {
        const group = asked.slice(from, from + roomsPerLookupMax);
        const last = [{ $match: { [field]: { $gt: 0 } } }, { $sort: { [field]: -1 } }, { $limit: 1 }];
        const lookup = {
          from: this.#database.entries.collectionName,
          localField: 'room',
          foreignField: 'room',
          pipeline: last,
          as: 'last',
        };
        const rows = this.#database.db.aggregate<{ readonly room: RoomId; readonly last: readonly EntryRow[] }>([
          { $documents: group.map((room) => ({ room })) },
          { $lookup: lookup },
        ]);
        for await (const {
          room,
          last: [row],
        } of rows)
          if (row) found.set(room, row);
      }
    });
    return found;
  }

  // ---- what was seen committed ----

  /** The highest entry seen committed, if that is at or beyond `seq`. */
  #seenAt(room: RoomId, seq: number): Head | undefined {
    const seen = this.#seen.get(room);
    if (seen && seen.seq >= seq) return seen;
    return seq === 0 ? emptyHead : undefined;
  }

  /** The entry at `seq`, committed; undefined: there is none. */
  async #committedAt(room: RoomId, seq: number): Promise<Head | undefined> {
    const [entry] = await this.at([{ room, seq }]);
    if (!entry) return undefined;
    const head = headAfter(entry);
    this.#saw(room, head);
    return head;
  }

  #saw(room: RoomId, head: Head): void {
    if ((this.#seen.get(room)?.seq ?? -1) > head.seq) return;
    this.#seen.delete(room);
    this.#seen.set(room, head);
    if (this.#seen.size > seenRoomsMax) this.#seen.delete(this.#seen.keys().next().value as RoomId);
  }
}
