/**
 * MoveTarget on MongoDB: what a move writes and reads there.
 *
 * Guarantees: entries of a room go in ordered calls, so what is there is always a prefix; every write is acknowledged by a majority and
 * journalled. A call that fails, however it fails, is looked up and tried again, for `patienceMs`; then MOVE_STOPPED says to come back.
 */
import type { mongo } from 'mongoose';
import type { Clock } from '../clock.ts';
import { Fault } from '../errors.ts';
import type { RoomId } from '../ids.ts';
import { decodeRows } from './delete-marks-mongo.ts';
import type { Entry } from './entry.ts';
import { type EntryRow, encodeRow, rowId } from './entry-mongo.ts';
import type { MongoDatabase } from './mongo-database.ts';
import { movingId } from './mongo-indexes.ts';
import type { MovedRow, MoveTarget } from './move.ts';
import { firstDifference } from './move-compare.ts';
import type { Revocation } from './revocations.ts';
import { MongoRevocations } from './revocations-mongo.ts';
import type { UserRoomRow } from './user-room-row.ts';

const patienceMs = 60_000;
const pauseMinMs = 250;
const pauseMaxMs = 2_000;
/** Rooms whose heads are asked for at once. */
const headsAtOnce = 64;
const duplicateKey = 11_000;

export interface MongoMoveOptions {
  readonly database: MongoDatabase;
  readonly clock: Clock;
  /** What the operator is to know of a move that was begun here. */
  readonly from: string;
  /** MongoDB does not answer; it is tried again. */
  readonly onWait: () => void;
}

export class MongoMoveTarget implements MoveTarget {
  readonly #options: MongoMoveOptions;
  readonly #database: MongoDatabase;
  readonly #revocations: MongoRevocations;

  constructor(options: MongoMoveOptions) {
    this.#options = options;
    this.#database = options.database;
    this.#revocations = new MongoRevocations(options.database);
  }

  async begin(): Promise<void> {
    const { from, clock } = this.#options;
    const set = { $set: { from, atMs: clock.wallMs() } };
    await this.#patiently(() => this.#database.moves.updateOne({ _id: movingId }, set, { upsert: true }));
  }

  async end(): Promise<void> {
    await this.#patiently(() => this.#database.moves.deleteOne({ _id: movingId }));
  }

  async heads(rooms: readonly RoomId[]): Promise<readonly number[]> {
    const heads: number[] = [];
    for (let from = 0; from < rooms.length; from += headsAtOnce) {
      const part = rooms.slice(from, from + headsAtOnce).map((room) => this.#patiently(() => this.#headOf(room)));
      heads.push(...(await Promise.all(part)));
    }
    return heads;
  }

  async #headOf(room: RoomId): Promise<number> {
    const last = await this.#database.run(() => this.#database.entries.findOne({ room }, { sort: { seq: -1 }, projection: { seq: 1 } }));
    return last?.seq ?? 0;
  }

  entries(room: RoomId, after: number, limit: number): Promise<readonly Entry[]> {
    return this.#patiently(async () => {
      const found = this.#database.entries.find({ room, seq: { $gt: after } }, { sort: { seq: 1 }, limit });
      return decodeRows(this.#database, await found.toArray());
    });
  }

  async insert(room: RoomId, after: number, entries: readonly Entry[]): Promise<void> {
    let left = entries;
    await this.#patiently(async () => {
      try {
        const rows = left.map((entry) => encodeRow(room, entry)) as mongo.OptionalUnlessRequiredId<EntryRow>[];
        await this.#database.entries.insertMany(rows, { ordered: true });
      } catch (cause) {
        // What is there decides, not what the error says: an earlier try of these may be what was met.
        const there = await this.entries(room, after + entries.length - left.length, left.length);
        if (firstDifference(left.slice(0, there.length), there) !== undefined)
          throw new Fault('MOVE_CONFLICT', `somebody else writes to room ${room} in MongoDB; stop every node on that database`);
        left = left.slice(there.length);
        if (left.length === 0) return;
        if ((cause as { readonly code?: unknown }).code === duplicateKey) await this.#refuseTaken(room, left);
        throw cause;
      }
    });
  }

  /** Client ids of these that stand there under other numbers; what is not committed yet is not there. */
  async #refuseTaken(room: RoomId, entries: readonly Entry[]): Promise<void> {
    const seqs = new Map(entries.map(({ by, cid, seq }) => [rowId(room, by, cid), seq]));
    for await (const { _id, seq } of this.#database.entries.find({ _id: { $in: [...seqs.keys()] } }))
      if (seqs.get(_id) !== seq)
        throw new Fault('MOVE_CONFLICT', `a client id of room ${room} stands in MongoDB under number ${seq}, here under ${seqs.get(_id)}`);
  }

  async insertRows(rows: readonly MovedRow[]): Promise<void> {
    if (rows.length === 0) return;
    const writes = rows.map(({ user, room, row }) => {
      const $setOnInsert = { ...row, room, change: 'moved', version: 1 };
      return { updateOne: { filter: { _id: rowKey(user, room) }, update: { $setOnInsert }, upsert: true } };
    });
    await this.#patiently(() => this.#database.userRooms.bulkWrite(writes, { ordered: false }));
  }

  async rows(rows: readonly MovedRow[]): Promise<readonly (UserRoomRow | undefined)[]> {
    const ids = rows.map(({ user, room }) => rowKey(user, room));
    const found = await this.#patiently(() => this.#database.userRooms.find({ _id: { $in: ids } }).toArray());
    const byId = new Map(found.map((row) => [row._id, row]));
    return ids.map((id) => byId.get(id));
  }

  addRevocation(revocation: Revocation): Promise<void> {
    return this.#patiently(() => this.#revocations.add(revocation));
  }

  async revocations(): Promise<readonly Revocation[]> {
    return (await this.#patiently(() => this.#revocations.read())).revocations;
  }

  async #patiently<T>(call: () => Promise<T>): Promise<T> {
    const { clock, onWait } = this.#options;
    const endMs = clock.nowMs() + patienceMs;
    for (let waitMs = pauseMinMs; ; waitMs = Math.min(2 * waitMs, pauseMaxMs)) {
      try {
        return await call();
      } catch (cause) {
        if (cause instanceof Fault && cause.code !== 'STORE_UNAVAILABLE') throw cause;
        if (clock.nowMs() > endMs)
          throw new Fault('MOVE_STOPPED', `MongoDB did not take it for ${patienceMs / 1_000} s; the same command goes on from here`, cause);
        onWait();
        await new Promise<void>((resolve) => clock.after(waitMs, resolve));
      }
    }
  }
}

const rowKey = (user: string, room: RoomId): string => `${user}!${room}`;
