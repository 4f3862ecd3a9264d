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
  /** The member entry that brought the user in, and the message count there: the first read mark. Kept while pending; 0 when unknown. */
  readonly joinedSeq: number;
  readonly joinedN: number;
}

/** What the room's log says of one user at one of its entries. */
export interface MembershipRow {
  readonly user: UserId;
  readonly room: RoomId;
  readonly member: boolean;
  /** The control entry that says so. */
  readonly seq: number;
  readonly joinedSeq: number;
  readonly joinedN: number;
}

export interface UserRooms {
  /** Marks (user, room) pending, durably, for each user. Keeps what an earlier settle wrote. Rejects with a Fault when that failed. */
  pend(room: RoomId, users: readonly UserId[]): Promise<void>;
  /**
   * Writes rows as the log says and ends their pending state. A row whose `seq` is not greater than the one last settled for
   * (user, room) changes nothing, the pending state included: so late, doubled and reordered calls are harmless. Rows of
   * users who left are kept for that comparison. Losing a call is harmless (the row stays pending). Rejects with a Fault.
   */
  settle(rows: readonly MembershipRow[]): Promise<void>;
  /** Rows of a user that are in or pending, by room id. At most `limit`. */
  list(user: UserId, limit: number): Promise<readonly UserRoom[]>;
}

/** Most rooms that `room:list` shows of a user. */
export const roomsPerUserMax = 10_000;
