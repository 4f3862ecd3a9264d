/**
 * UserRoomRow: what both twins of UserRooms keep for one (user, room), and how pend and settle change it. Pure.
 */
import type { RoomId } from '../ids.ts';
import { openValue, sealValue } from './entry-document.ts';
import type { MembershipRow, UserRoom } from './user-rooms.ts';

export interface UserRoomRow {
  readonly pending: boolean;
  readonly member: boolean;
  /** The control entry that was settled last; 0 when none was. */
  readonly seq: number;
  readonly joinedSeq: number;
  readonly joinedN: number;
}

const unknownRow: UserRoomRow = { pending: true, member: false, seq: 0, joinedSeq: 0, joinedN: 0 };

export const pendRow = (row: UserRoomRow | undefined): UserRoomRow => ({ ...(row ?? unknownRow), pending: true });

/** undefined: the row stays as it is, since something as new was settled already. */
export function settleRow(row: UserRoomRow | undefined, says: MembershipRow): UserRoomRow | undefined {
  if (row && says.seq <= row.seq) return undefined;
  return { pending: false, member: says.member, seq: says.seq, joinedSeq: says.joinedSeq, joinedN: says.joinedN };
}

/** undefined: the user is not in this room, and nothing is pending. */
export function toUserRoom(room: RoomId, row: UserRoomRow): UserRoom | undefined {
  if (!row.pending && !row.member) return undefined;
  return { room, state: row.pending ? 'pending' : 'in', joinedSeq: row.joinedSeq, joinedN: row.joinedN };
}

/** The row as a value under its key. */
export const sealRow = (key: string, row: UserRoomRow): string =>
  sealValue(key, JSON.stringify([row.pending ? 1 : 0, row.member ? 1 : 0, row.seq, row.joinedSeq, row.joinedN]));

/** A row that does not verify counts as pending: then the log is asked, and the row settled anew. */
export function openRow(key: string, value: string | undefined): UserRoomRow | undefined {
  if (value === undefined) return undefined;
  const content = openValue(key, value);
  if (content === undefined) return pendRow(undefined);
  const [pending, member, seq, joinedSeq, joinedN] = JSON.parse(content) as [number, number, number, number, number];
  return { pending: pending === 1, member: member === 1, seq, joinedSeq, joinedN };
}
