/**
 * UserRooms on MongoDB: a document for each user and room, changed by the rules of `user-room-row.ts`.
 *
 * Guarantees: a change is made to the row it was judged by, or judged anew: each write asks for the version that was read, so that
 * nodes that change a row at once do so one after the other.
 */
import type { mongo } from 'mongoose';
import { Fault } from '../errors.ts';
import { newId, type RoomId, type UserId } from '../ids.ts';
import type { MongoDatabase } from './mongo-database.ts';
import type { UserRoomDocument } from './mongo-documents.ts';
import { markRow, pendRow, settleRow, standingMark, toUserRoom, type UserRoomRow } from './user-room-row.ts';
import type { MembershipRow, ReadMark, StandingMark, UserRoom, UserRooms } from './user-rooms.ts';

interface Change {
  readonly user: UserId;
  readonly room: RoomId;
  /** undefined: the row stays as it is. */
  readonly to: (row: UserRoomRow | undefined) => UserRoomRow | undefined;
}
interface Changed {
  readonly before: UserRoomRow | undefined;
  readonly after: UserRoomRow | undefined;
}

interface Waiting {
  readonly changes: readonly Change[];
  readonly resolve: (changed: readonly Changed[]) => void;
  readonly reject: (cause: unknown) => void;
}

/** Callers that wait. More: STORE_UNAVAILABLE. */
const waitingMax = 10_000;
/** Callers whose changes are written together. */
const changesPerWriteMax = 256;
const rowsPerCallMax = 1_000;
/** A row that others change this often in a row is given up: STORE_UNAVAILABLE. */
const triesMax = 20;
const duplicateKey = 11_000;

export class MongoUserRooms implements UserRooms {
  readonly #database: MongoDatabase;
  readonly #waiting: Waiting[] = [];
  #isWriting = false;

  constructor(database: MongoDatabase) {
    this.#database = database;
  }

  async pend(room: RoomId, users: readonly UserId[]): Promise<void> {
    await this.#make(users.map((user) => ({ user, room, to: pendRow })));
  }

  async settle(rows: readonly MembershipRow[]): Promise<void> {
    await this.#make(rows.map((says) => ({ user: says.user, room: says.room, to: (row) => settleRow(row, says) })));
  }

  async mark(room: RoomId, marks: readonly ReadMark[]): Promise<readonly StandingMark[]> {
    const changed = await this.#make(marks.map((mark) => ({ user: mark.user, room, to: (row) => markRow(row, mark) })));
    return marks.map((mark, index) => {
      const { before, after } = changed[index] as Changed;
      return standingMark(mark, before, after);
    });
  }

  async list(user: UserId, limit: number): Promise<readonly UserRoom[]> {
    if (limit <= 0) return [];
    return this.#database.run(async () => {
      // `"` is the character after `!`.
      const filter = { _id: { $gt: `${user}!`, $lt: `${user}"` }, $or: [{ pending: true }, { member: true }] };
      const rows = await this.#database.userRooms.find(filter, { sort: { _id: 1 }, limit }).toArray();
      return rows.map((row) => toUserRoom(row.room, row)).filter((row) => row !== undefined);
    });
  }

  /** Makes changes, those of one row in their order, and tells what each found and left. What comes meanwhile goes together, next. */
  async #make(changes: readonly Change[]): Promise<readonly Changed[]> {
    const refusal = this.#database.refusal();
    if (refusal) throw refusal;
    if (this.#waiting.length >= waitingMax) throw new Fault('STORE_UNAVAILABLE', 'too many changes of rows wait to be written');
    return new Promise((resolve, reject) => {
      this.#waiting.push({ changes, resolve, reject });
      if (!this.#isWriting) void this.#writeWaiting();
    });
  }

  async #writeWaiting(): Promise<void> {
    this.#isWriting = true;
    while (this.#waiting.length > 0) {
      const group = this.#waiting.splice(0, changesPerWriteMax);
      try {
        const changed = await this.#write(group.flatMap(({ changes }) => [...changes]));
        let from = 0;
        for (const { changes, resolve } of group) {
          resolve(changed.slice(from, from + changes.length));
          from += changes.length;
        }
      } catch (cause) {
        for (const { reject } of group) reject(cause);
      }
    }
    this.#isWriting = false;
  }

  async #write(changes: readonly Change[]): Promise<readonly Changed[]> {
    const results: Changed[] = new Array(changes.length);
    const byRow = new Map<string, number[]>();
    for (const [index, { user, room }] of changes.entries()) {
      const id = `${user}!${room}`;
      const indexes = byRow.get(id);
      if (indexes) indexes.push(index);
      else byRow.set(id, [index]);
    }
    const ids = [...byRow.keys()];
    await this.#database.run(async () => {
      for (let from = 0; from < ids.length; from += rowsPerCallMax) {
        let left = ids.slice(from, from + rowsPerCallMax);
        for (let tries = 0; left.length > 0; tries += 1) {
          if (tries === triesMax) throw new Error('rows of rooms changed too often meanwhile');
          left = await this.#try(left, byRow, changes, results);
        }
      }
    });
    return results;
  }

  /** One read and one write of these rows. Returns those that somebody else changed in between. */
  async #try(
    ids: readonly string[],
    byRow: ReadonlyMap<string, readonly number[]>,
    changes: readonly Change[],
    results: Changed[],
  ): Promise<string[]> {
    const { userRooms } = this.#database;
    const found = new Map<string, UserRoomDocument>();
    for await (const row of userRooms.find({ _id: { $in: [...ids] } })) found.set(row._id, row);
    const change = newId();
    const written: string[] = [];
    const writes = ids.flatMap((id): mongo.AnyBulkWriteOperation<UserRoomDocument>[] => {
      const stored = found.get(id);
      let row = stored && rowOf(stored);
      let isChanged = false;
      for (const index of byRow.get(id) ?? []) {
        const before = row;
        const after = (changes[index] as Change).to(before);
        results[index] = { before, after };
        row = after ?? before;
        isChanged ||= after !== undefined;
      }
      if (!isChanged || !row) return [];
      written.push(id);
      const { room } = changes[byRow.get(id)?.[0] ?? 0] as Change;
      const set = { ...row, room, change };
      return stored
        ? [{ updateOne: { filter: { _id: id, version: stored.version }, update: { $set: set, $inc: { version: 1 } } } }]
        : [{ insertOne: { document: { _id: id, ...set, version: 1 } } }];
    });
    if (writes.length === 0) return [];
    try {
      const done = await userRooms.bulkWrite(writes, { ordered: false });
      if (done.matchedCount + done.insertedCount === writes.length) return [];
    } catch (error) {
      if ((error as { code?: unknown }).code !== duplicateKey) throw error;
    }
    const mine = new Set<string>();
    for await (const { _id } of userRooms.find({ _id: { $in: written }, change }, { projection: { _id: 1 } })) mine.add(_id);
    return written.filter((id) => !mine.has(id));
  }
}

function rowOf({ pending, member, seq, joinedSeq, joinedN, readSeq, readN }: UserRoomDocument): UserRoomRow {
  return { pending, member, seq, joinedSeq, joinedN, readSeq, readN };
}
