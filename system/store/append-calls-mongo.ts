/**
 * AppendCalls: appends of many rooms as few calls to MongoDB.
 *
 * Rooms with one entry waiting share one *unordered* call: at most one entry of a room in it, so no room can get a hole, and each
 * room reads its own outcome. A room with more entries has an *ordered* call of its own, which stops at the first that is refused.
 * Measured: 64 rooms in a call do 12 × the appends of one call a room.
 *
 * Guarantees: never two calls for one room at a time; a few calls in flight; order of appends of one room is the order they came.
 */
import type { mongo } from 'mongoose';
import { Fault } from '../errors.ts';
import type { RoomId } from '../ids.ts';
import type { EntryRow } from './entry-mongo.ts';
import type { MongoDatabase } from './mongo-database.ts';
import type { AppendOutcome } from './room-log.ts';

/** Measured with 64 rooms a call: 2 in flight 22,500 entries/s, 4 in flight 32,200; more gained nothing. */
const callsMax = 4;
/** Rooms that share one call, unless so many wait that all calls are full with it: */
const roomsPerCallUsual = 64;
/** Then what waits is spread over the calls that are free. 256 rooms in a call do twice the work of 64 in the server's same time. */
const roomsPerCallMax = 256;
/** Waiting beyond this are answered unknown: the callers, a room each, try again. */
const waitingMax = 20_000;
const duplicateKey = 11_000;

interface Waiting {
  readonly room: RoomId;
  readonly rows: readonly EntryRow[];
  readonly settle: (outcome: AppendOutcome) => void;
}

interface BulkError {
  readonly code?: number;
  readonly writeErrors?: readonly { readonly index: number; readonly code: number }[];
  readonly insertedCount?: number;
  readonly result?: { readonly insertedCount?: number; getWriteConcernError?(): unknown };
}

export class AppendCalls {
  readonly #database: MongoDatabase;
  #waiting: Waiting[] = [];
  readonly #busyRooms = new Set<RoomId>();
  #calls = 0;
  #isWoken = false;

  constructor(database: MongoDatabase) {
    this.#database = database;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  submit(room: RoomId, rows: readonly EntryRow[]): Promise<AppendOutcome> {
    if (this.#waiting.length >= waitingMax)
      return Promise.resolve({ type: 'unknown', cause: new Fault('STORE_UNAVAILABLE', 'too many appends wait for MongoDB') });
    return new Promise((settle) => {
      this.#waiting.push({ room, rows, settle });
      // At the end of the turn, so that rooms whose appends come together share a call.
      if (this.#isWoken) return;
      this.#isWoken = true;
      queueMicrotask(() => {
        this.#isWoken = false;
        this.#pump();
      });
    });
  }

  #pump(): void {
    while (this.#calls < callsMax) {
      const group = this.#next();
      if (group.length === 0) break;
      this.#calls += 1;
      for (const { room } of group) this.#busyRooms.add(room);
      void this.#run(group).finally(() => {
        this.#calls -= 1;
        for (const { room } of group) this.#busyRooms.delete(room);
        this.#pump();
      });
    }
  }

  /** The longest waiting append of a room that is free, and with it, if it has one entry, others like it. */
  #next(): readonly Waiting[] {
    const group: Waiting[] = [];
    const left: Waiting[] = [];
    const seen = new Set<RoomId>();
    const share = Math.ceil(this.#waiting.length / (callsMax - this.#calls));
    const roomsMax = Math.min(Math.max(share, roomsPerCallUsual), roomsPerCallMax);
    for (const [index, append] of this.#waiting.entries()) {
      const [first] = group;
      if (group.length >= roomsMax || (first && !isShareable(first))) {
        left.push(...this.#waiting.slice(index));
        break;
      }
      const isFree = !this.#busyRooms.has(append.room) && !seen.has(append.room);
      seen.add(append.room);
      if (isFree && (first === undefined || isShareable(append))) group.push(append);
      else left.push(append);
    }
    if (group.length > 0) this.#waiting = left;
    return group;
  }

  async #run(group: readonly Waiting[]): Promise<void> {
    const outcomes = await this.#outcomes(group);
    for (const [index, { settle }] of group.entries()) settle(outcomes[index] as AppendOutcome);
  }

  async #outcomes(group: readonly Waiting[]): Promise<readonly AppendOutcome[]> {
    try {
      await this.#database.entries.insertMany(group.flatMap(({ rows }) => [...rows]) as mongo.OptionalUnlessRequiredId<EntryRow>[], {
        ordered: group.length === 1,
      });
      return group.map(() => ({ type: 'appended' }));
    } catch (cause) {
      return group.map((_append, index) => outcomeOf(cause as BulkError, group.length, index));
    }
  }
}

const isShareable = ({ rows }: Waiting): boolean => rows.length === 1;

/**
 * Whose number or id was taken is told for each entry. Everything else is unknown, also for the rooms that the error does not name:
 * a write concern that was not met, a connection that broke, a time-out say nothing of what is in.
 */
function outcomeOf(error: BulkError, appends: number, index: number): AppendOutcome {
  const unknown: AppendOutcome = { type: 'unknown', cause: error };
  const { writeErrors } = error;
  if (!writeErrors || writeErrors.length === 0) {
    if (appends === 1 && error.code === duplicateKey) return { type: 'conflict' };
    return unknown;
  }
  if (appends === 1) return writeErrors[0]?.code === duplicateKey ? { type: 'conflict' } : unknown;
  const own = writeErrors.find((writeError) => writeError.index === index);
  if (own) return own.code === duplicateKey ? { type: 'conflict' } : unknown;
  const inserted = error.insertedCount ?? error.result?.insertedCount;
  const isComplete = inserted === appends - writeErrors.length && error.result?.getWriteConcernError?.() === undefined;
  return isComplete ? { type: 'appended' } : unknown;
}
