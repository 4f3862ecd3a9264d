/**
 * UserRoomRow: what both twins of UserRooms keep for one (user, room), and how pend, settle and mark change it. Pure.
 */
import type { RoomId } from '../ids.ts';
import { openValue, sealValue } from './entry-document.ts';
import type { MembershipRow, ReadMark, StandingMark, UserRoom } from './user-rooms.ts';

export interface UserRoomRow {
  readonly pending: boolean;
  readonly member: boolean;
  /** The control entry that was settled last; 0 when none was. */
  readonly seq: number;
  readonly joinedSeq: number;
  readonly joinedN: number;
  /** The read mark as it was last raised; 0: never. */
  readonly readSeq: number;
  readonly readN: number;
}

const unknownRow: UserRoomRow = { pending: true, member: false, seq: 0, joinedSeq: 0, joinedN: 0, readSeq: 0, readN: 0 };

export const pendRow = (row: UserRoomRow | undefined): UserRoomRow => ({ ...(row ?? unknownRow), pending: true });

/** undefined: the row stays as it is, since something as new was settled already. */
export function settleRow(row: UserRoomRow | undefined, says: MembershipRow): UserRoomRow | undefined {
  if (row && says.seq <= row.seq) return undefined;
  const { readSeq, readN } = row ?? unknownRow;
  return { pending: false, member: says.member, seq: says.seq, joinedSeq: says.joinedSeq, joinedN: says.joinedN, readSeq, readN };
}

/** undefined: the row stays as it is, since as much was read already. */
export function markRow(row: UserRoomRow | undefined, { seq, n }: ReadMark): UserRoomRow | undefined {
  if (seq <= readOf(row ?? unknownRow).readSeq) return undefined;
  return { ...(row ?? unknownRow), readSeq: seq, readN: n };
}

/** What a mark became: `before` it was asked, `after` undefined when it changed nothing. */
export function standingMark(mark: ReadMark, before: UserRoomRow | undefined, after: UserRoomRow | undefined): StandingMark {
  const { readSeq, readN } = readOf(after ?? before ?? unknownRow);
  return { user: mark.user, seq: readSeq, n: readN, hasMoved: after !== undefined };
}

/** Where somebody joined counts as read. */
function readOf({ joinedSeq, joinedN, readSeq, readN }: UserRoomRow): Pick<UserRoom, 'readSeq' | 'readN'> {
  return readSeq > joinedSeq ? { readSeq, readN } : { readSeq: joinedSeq, readN: joinedN };
}

/** undefined: the user is not in this room, and nothing is pending. */
export function toUserRoom(room: RoomId, row: UserRoomRow): UserRoom | undefined {
  if (!row.pending && !row.member) return undefined;
  return { room, state: row.pending ? 'pending' : 'in', joinedSeq: row.joinedSeq, joinedN: row.joinedN, ...readOf(row) };
}

/** The row as a value under its key. */
export const sealRow = (key: string, row: UserRoomRow): string =>
  sealValue(key, JSON.stringify([row.pending ? 1 : 0, row.member ? 1 : 0, row.seq, row.joinedSeq, row.joinedN, row.readSeq, row.readN]));

/**
 * A row that does not verify counts as pending: then the log is asked, and the row settled anew. Rows of before there were
 * read marks are two numbers shorter.
 */
export function openRow(key: string, value: string | undefined): UserRoomRow | undefined {
  if (value === undefined) return undefined;
  const content = openValue(key, value);
  if (content === undefined) return pendRow(undefined);
  const [pending, member, seq = 0, joinedSeq = 0, joinedN = 0, readSeq = 0, readN = 0] = JSON.parse(content) as number[];
  return { pending: pending === 1, member: member === 1, seq, joinedSeq, joinedN, readSeq, readN };
}
