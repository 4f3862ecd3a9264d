/**
 * RoomLog: the contract of the durable, numbered logs of all rooms. Twins: memory, embedded, MongoDB.
 *
 * Committed means: it survives kill -9 of every process and a power cut of this machine, and it can never roll back.
 * Every read returns committed data only. Every method may be called concurrently for any rooms.
 * Faults: reads reject with `Fault` STORE_UNAVAILABLE when the store cannot answer, and with `LogCorrupt` when what is
 * stored for this room does not verify (other rooms are unaffected; an append to it is `unknown` with that as cause).
 * A limit above the stated one is cut to it. Nothing here retries; callers do.
 */
import type { Cid, RoomId, UserId } from '../ids.ts';
import type { Entry, EntryRef, Head } from './entry.ts';

/**
 * - appended: all entries are committed.
 * - conflict: a number or a (room, sender, cid) was taken, by anybody, perhaps by an earlier try of the same caller.
 *   A prefix of the entries may be in. Says nothing about the head: take that from a committed read.
 * - rejected: the store will never take entry `index` (too large, malformed). A prefix before it may be in.
 * - unknown: anything else. All, a prefix, or none may be in or may still get in later. Never to be read as "failed".
 */
export type AppendOutcome =
  | { readonly type: 'appended' }
  | { readonly type: 'conflict' }
  | { readonly type: 'rejected'; readonly index: number; readonly reason: string }
  | { readonly type: 'unknown'; readonly cause: unknown };

/**
 * Which entries: those after a seq (exclusive), those before one (exclusive), or those around one (inclusive).
 * `around`: floor(limit / 2) places before that seq, the rest from it on; an end of the log is not made up for on the
 * other side. Always answered in ascending order.
 */
export type Range =
  | { readonly after: number; readonly limit: number }
  | { readonly before: number; readonly limit: number }
  | { readonly around: number; readonly limit: number };

export interface RoomLog {
  /**
   * Appends entries numbered after+1, after+2 …: `entries[i].seq === after + 1 + i`, `n` and `cid` set by the caller
   * (a caller that numbers them otherwise gets a TypeError: it is a bug).
   * Atomicity: all of them or a prefix, never with a hole, never reordered. Resolves only when the outcome is durable.
   * Uniqueness: no two entries of a room share a seq; no two share (by, cid), at any age.
   * A `delete` entry removes the texts of its target and of the target's edits, and what it says of a file: once the
   * delete is acknowledged no read of any kind that begins then shows them, on any node.
   * Never rejects: a failure is an outcome.
   */
  append(room: RoomId, after: number, entries: readonly Entry[]): Promise<AppendOutcome>;

  /** Up to `limit` (≤ 1,000) raw entries, contiguous. Empty when there are none in that direction, or no room. */
  read(room: RoomId, range: Range): Promise<readonly Entry[]>;

  /** The entries at these numbers, in the order asked; undefined where there is none. */
  at(refs: readonly EntryRef[]): Promise<readonly (Entry | undefined)[]>;

  /**
   * Heads, one for each room asked, in that order; `emptyHead` for a room without entries. Cost does not grow with a log's length.
   * A damaged room answers with the head that can still be read of it, so that one room cannot stop a poll of many.
   */
  heads(rooms: readonly RoomId[]): Promise<readonly Head[]>;

  /**
   * The last message (messageKinds) of each room asked, in that order, deleted ones included; undefined for a room without
   * messages and for a damaged one. Never beyond what `heads` would answer. Cost grows with the number of rooms only.
   */
  lastMessages(rooms: readonly RoomId[]): Promise<readonly (Entry | undefined)[]>;

  /** The entries that carry these (room, sender, cid), for the retry of a command at any age. Missing ones are left out. */
  byCid(room: RoomId, ids: readonly { readonly by: UserId; readonly cid: Cid }[]): Promise<readonly Entry[]>;

  /** Control entries (room, member) with after < seq ≤ upTo, ascending, all of them. Cost grows with their number only. */
  controls(room: RoomId, after: number, upTo: number): Promise<readonly Entry[]>;

  /** Entries whose target is one of these seqs, with seq ≤ upTo, ascending by seq. Cost grows with their number only. */
  byTarget(room: RoomId, targets: readonly number[], upTo: number): Promise<readonly Entry[]>;

  /**
   * Up to `limit` (≤ 100) entries of messageKinds only, ascending, none with seq > upTo. `around` includes the message at that
   * seq if it is one, with half of the limit on each side. Cost does not grow with the log's length, nor with the
   * number of other entries between the messages.
   */
  messages(room: RoomId, range: Range, upTo: number): Promise<readonly Entry[]>;

  /**
   * Calls `onHead` after each commit, in commit order within a room, with the new head. A hint: at most once, may be
   * lost or late, carries no text. Never called before the commit is durable. Returns a function that ends it.
   */
  tail(onHead: (room: RoomId, head: Head) => void): () => void;

  /** Whether `tail` tells of commits now, as far as is known. While it does not, whoever needs heads asks for them. */
  readonly isTailLive: boolean;
}

/** Most entries and bytes a caller puts into one `append`. */
export const batchEntriesMax = 512;
export const batchBytesMax = 256 * 1024;
/** The largest encoded entry a store takes; more is `rejected`. */
export const entryBytesMax = 64 * 1024;
