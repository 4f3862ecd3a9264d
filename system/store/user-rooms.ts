/**
 * UserRooms: "which rooms is this user in", a projection of the room logs. Never truer than them.
 *
 * A membership change first writes its row as pending, then appends the entry, then settles the row. Whoever meets a
 * pending row asks the room's log and settles it. So a crash in between never hides a room and never invents one.
 */
import type { RoomId, UserId } from '../ids.ts';

export interface UserRoom {
  readonly room: RoomId;
  /** pending: a change was about to be made; whether it was, only the log tells. */
  readonly state: 'pending' | 'in';
  /** The member entry that brought the user in, and the message count there: the first read mark. Kept while pending. */
  readonly joinedSeq: number;
  readonly joinedN: number;
}

export interface MembershipRow {
  readonly user: UserId;
  readonly room: RoomId;
  readonly member: boolean;
  readonly joinedSeq: number;
  readonly joinedN: number;
}

export interface UserRooms {
  /** Marks (user, room) pending, durably, for each user. Keeps joinedSeq and joinedN of a row that is there. Rejects with a Fault when that failed. */
  pend(room: RoomId, users: readonly UserId[]): Promise<void>;
  /** Sets or removes rows as the log says. Idempotent; losing it is harmless (the row stays pending). Rejects with a Fault. */
  settle(rows: readonly MembershipRow[]): Promise<void>;
  /** All rows of a user by room id, pending ones too. At most `limit`. */
  list(user: UserId, limit: number): Promise<readonly UserRoom[]>;
}

/** Most rooms a user can be in; the 10,001st join is refused. */
export const roomsPerUserMax = 10_000;
