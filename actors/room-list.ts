/**
 * RoomList: the rooms of a user, read without starting any room's actor.
 *
 * Guarantees: never truer and never falser than the logs: a pending row is decided by the room's own log, then settled.
 */
import type { RoomId, UserId } from '../system/ids.ts';
import { type Entry, type EntryRef, emptyHead } from '../system/store/entry.ts';
import type { RoomLog } from '../system/store/room-log.ts';
import { roomsPerUserMax, type UserRoom, type UserRooms } from '../system/store/user-rooms.ts';
import type { RoomSummary } from './client-command.ts';
import { RoomFold } from './room-fold.ts';
import { foldMessage, readRoom } from './room-history.ts';

export interface RoomListDeps {
  readonly log: RoomLog;
  readonly userRooms: UserRooms;
}

/** Entries after a last message that are read one by one; more of them, and the changes of that message are looked up. */
const entriesAfterMax = 16;

/** `onRooms` hears which rooms it are before their heads are read: whoever watches from then on misses nothing. */
export async function readRoomList(
  deps: RoomListDeps,
  user: UserId,
  onRooms: (rooms: readonly RoomId[]) => void = () => {},
): Promise<readonly RoomSummary[]> {
  const rows = await decidedRooms(deps, user);
  const rooms = rows.map((row) => row.room);
  onRooms(rooms);
  const heads = await deps.log.heads(rooms);
  const lasts = await deps.log.lastMessages(rooms);
  const changes = await changesOf(
    deps.log,
    lasts.map((last, index) => ({ last, room: rooms[index] as RoomId, headSeq: heads[index]?.seq ?? 0 })),
  );
  return rows.map((row, index): RoomSummary => {
    const head = heads[index] ?? emptyHead;
    const last = lasts[index];
    // What one wrote oneself is read, also when the mark that says so is still on its way.
    const isOwn = last !== undefined && last.by === user && last.seq > row.readSeq;
    const { seq: read, n: readN } = isOwn ? last : { seq: row.readSeq, n: row.readN };
    const summary = { id: row.room, head: head.seq, n: head.n, read, unread: Math.max(0, head.n - readN) };
    return last ? { ...summary, last: foldMessage(last, changes[index] ?? []) } : summary;
  });
}

/** The rooms a user is in: what the projection only supposes is asked of the room's log. */
export async function decidedRooms(deps: RoomListDeps, user: UserId): Promise<readonly UserRoom[]> {
  const listed = await deps.userRooms.list(user, roomsPerUserMax);
  const decided = await Promise.all(listed.map((row) => (row.state === 'in' ? row : decide(deps, user, row))));
  return decided.filter((row) => row !== undefined);
}

interface LastMessage {
  readonly room: RoomId;
  readonly last: Entry | undefined;
  readonly headSeq: number;
}

/** The changes of each room's last message. Only entries after it can be some, mostly none or a few: those are read in one call for all rooms. */
async function changesOf(log: RoomLog, messages: readonly LastMessage[]): Promise<readonly (readonly Entry[])[]> {
  const near: EntryRef[] = [];
  const answers = messages.map(({ room, last, headSeq }) => {
    if (!last) return [];
    if (headSeq - last.seq > entriesAfterMax) return log.byTarget(room, [last.seq], headSeq);
    const from = near.length;
    for (let seq = last.seq + 1; seq <= headSeq; seq += 1) near.push({ room, seq });
    return { target: last.seq, from, to: near.length };
  });
  const entries = await log.at(near);
  return Promise.all(
    answers.map((answer) => {
      if (!('from' in answer)) return answer;
      return entries.slice(answer.from, answer.to).filter((entry) => entry !== undefined && entry.target === answer.target) as Entry[];
    }),
  );
}

async function decide({ log, userRooms }: RoomListDeps, user: UserId, row: UserRoom): Promise<UserRoom | undefined> {
  const { room } = row;
  const { controls } = await readRoom(log, room);
  const fold = new RoomFold();
  for (const entry of controls) fold.apply(entry);
  const membership = fold.membership(user);
  if (!membership) return undefined; // Never was: the change that was about to be made did not happen, or is under way.
  const { joinedSeq, joinedN, changedSeq } = membership;
  const member = membership.status === 'in';
  await userRooms.settle([{ user, room, member, seq: changedSeq, joinedSeq, joinedN }]);
  if (!member) return undefined;
  const { readSeq, readN } = row.readSeq > joinedSeq ? row : { readSeq: joinedSeq, readN: joinedN };
  return { room, state: 'in', joinedSeq, joinedN, readSeq, readN };
}
