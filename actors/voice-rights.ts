/**
 * VoiceRights: who may use the voice channels of a community: whoever is in one of its rooms, or whom the community service lists.
 * A room that belongs to no community is one of its own, for a call of its members.
 *
 * Guarantees: so many questions at once; a service that does not answer lets nobody in who is in no room.
 */
import type { Directory } from '../system/directory/directory.ts';
import type { RoomId, UserId } from '../system/ids.ts';
import type { RoomLog } from '../system/store/room-log.ts';
import { roomsPerUserMax, type UserRoom, type UserRooms } from '../system/store/user-rooms.ts';
import { RoomFold } from './room-fold.ts';
import { readRoom } from './room-history.ts';

export interface VoiceRightsDeps {
  readonly log: RoomLog;
  readonly userRooms: Pick<UserRooms, 'list'>;
  readonly directory?: Pick<Directory, 'communityMembers'> | undefined;
}

/** Rooms whose first entries are read in one call. */
const roomsAtOnce = 500;

/** room: the name is that of a room, and no community's. Rejects with a Fault of the store. */
export async function voiceRight(deps: VoiceRightsDeps, user: UserId, community: string): Promise<'community' | 'room' | undefined> {
  const rows = await deps.userRooms.list(user, roomsPerUserMax);
  if (await isAmong(deps, rows, user, community)) return 'room';
  for (let i = 0; i < rows.length; i += roomsAtOnce) {
    const part = rows.slice(i, i + roomsAtOnce);
    const firsts = await deps.log.at(part.map(({ room }) => ({ room, seq: 1 })));
    for (const [index, first] of firsts.entries()) {
      const row = part[index];
      if (!row || first?.room?.community !== community) continue;
      if (row.state === 'in' || (await isMember(deps.log, user, row.room))) return 'community';
    }
  }
  const listed = await deps.directory?.communityMembers(community);
  return listed?.type === 'listed' && listed.members.has(user) ? 'community' : undefined;
}

/** The name is that of a room the user is in. Rejects with a Fault of the store. */
export async function isOwnRoom(deps: Pick<VoiceRightsDeps, 'log' | 'userRooms'>, user: UserId, name: string): Promise<boolean> {
  return isAmong(deps, await deps.userRooms.list(user, roomsPerUserMax), user, name);
}

async function isAmong({ log }: Pick<VoiceRightsDeps, 'log'>, rows: readonly UserRoom[], user: UserId, name: string): Promise<boolean> {
  const own = rows.find(({ room }) => room === name);
  return own !== undefined && (own.state === 'in' || isMember(log, user, own.room));
}

/** A pending row: the room's log decides. */
async function isMember(log: RoomLog, user: UserId, room: RoomId): Promise<boolean> {
  const fold = new RoomFold();
  for (const entry of (await readRoom(log, room)).controls) fold.apply(entry);
  return fold.isMember(user);
}
