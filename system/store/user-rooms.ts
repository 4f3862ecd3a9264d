/**
 * UserRooms: "which rooms is this user in", a projection of the room logs, never truer than them; and how far the user has
 * read each, which no log tells.
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
  /** How far the user has read: their mark, or where they joined when that is later. */
  readonly readSeq: number;
  readonly readN: number;
}

/** How far one user has read one room: an entry's number, and the message count there. */
export interface ReadMark {
  readonly user: UserId;
  readonly seq: number;
  readonly n: number;
}

/** A mark as it stands. `hasMoved`: the call that answers this raised it. */
export interface StandingMark extends ReadMark {
  readonly hasMoved: boolean;
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
  /**
   * Raises read marks of one room, durably, and answers them as they stand then, in the order asked. A mark never goes back:
   * a seq that is not greater than what stands changes nothing, whoever called in between, on any node. Marks outlive
   * pend, settle, leaving and coming back; where somebody joined (again) counts as read, so a mark below it changes nothing.
   * A user without a row gets a pending one. Whether the user is a member is the caller's to know. Lost: a mark whose row is
   * damaged; it stands where the user joined then. Rejects with a Fault: it may have been raised or not, and may be asked again.
   */
  mark(room: RoomId, marks: readonly ReadMark[]): Promise<readonly StandingMark[]>;
  /** Rows of a user that are in or pending, by room id. At most `limit`. */
  list(user: UserId, limit: number): Promise<readonly UserRoom[]>;
}

/** Most rooms that `room:list` shows of a user. */
export const roomsPerUserMax = 10_000;
