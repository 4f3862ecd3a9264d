/**
 * RoomList: the rooms of a user, read without starting any room's actor.
 *
 * Guarantees: never truer and never falser than the logs: a pending row is decided by the room's own log, then settled.
 */
import type { RoomId, UserId } from '../system/ids.ts';
import { type Entry, emptyHead } from '../system/store/entry.ts';
import type { RoomLog } from '../system/store/room-log.ts';
import { roomsPerUserMax, type UserRoom, type UserRooms } from '../system/store/user-rooms.ts';
import type { RoomSummary } from './client-command.ts';
import { RoomFold } from './room-fold.ts';
import { foldMessage, readRoom } from './room-history.ts';

export interface RoomListDeps {
  readonly log: RoomLog;
  readonly userRooms: UserRooms;
}

export async function readRoomList(deps: RoomListDeps, user: UserId): Promise<readonly RoomSummary[]> {
  const listed = await deps.userRooms.list(user, roomsPerUserMax);
  const decided = await Promise.all(listed.map((row) => (row.state === 'in' ? row : decide(deps, user, row.room))));
  const rows = decided.filter((row) => row !== undefined);
  const rooms = rows.map((row) => row.room);
  const [heads, lasts] = await Promise.all([deps.log.heads(rooms), deps.log.lastMessages(rooms)]);
  return Promise.all(
    rows.map(async (row, index): Promise<RoomSummary> => {
      const head = heads[index] ?? emptyHead;
      const last = lasts[index];
      const summary = { id: row.room, head: head.seq, read: row.joinedSeq, unread: Math.max(0, head.n - row.joinedN) };
      return last ? { ...summary, last: await foldLast(deps.log, row.room, last, head.seq) } : summary;
    }),
  );
}

/** Only entries after the last message can change it: where there is none, nothing is read. */
async function foldLast(log: RoomLog, room: RoomId, last: Entry, headSeq: number) {
  return foldMessage(last, last.seq === headSeq ? [] : await log.byTarget(room, [last.seq], headSeq));
}

async function decide({ log, userRooms }: RoomListDeps, user: UserId, room: RoomId): Promise<UserRoom | undefined> {
  const { controls } = await readRoom(log, room);
  const fold = new RoomFold();
  for (const entry of controls) fold.apply(entry);
  const membership = fold.membership(user);
  if (!membership) return undefined; // Never was: the change that was about to be made did not happen, or is under way.
  const { joinedSeq, joinedN, changedSeq } = membership;
  const member = membership.status === 'in';
  await userRooms.settle([{ user, room, member, seq: changedSeq, joinedSeq, joinedN }]);
  return member ? { room, state: 'in', joinedSeq, joinedN } : undefined;
}
