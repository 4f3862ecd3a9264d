/**
 * Directory in memory: the built-in one, which knows nobody beyond the rooms' logs, and lists for tests.
 */
import type { RoomId, UserId } from '../ids.ts';
import type { Directory, Members, OutsideRoom } from './directory.ts';

export interface MemoryLists {
  readonly communities?: ReadonlyMap<string, readonly UserId[]>;
  readonly rooms?: ReadonlyMap<RoomId, readonly UserId[]>;
  readonly users?: ReadonlyMap<UserId, readonly OutsideRoom[]>;
}

export function createMemoryDirectory(lists?: MemoryLists): Directory {
  const listed = (members: readonly UserId[] | undefined): Members =>
    members === undefined ? { type: 'nothing' } : { type: 'listed', members: new Set(members) };
  let isClosed = false;
  return {
    isOutside: lists !== undefined,
    description: lists === undefined ? 'none' : 'lists in this process',
    communityMembers: async (community) => (isClosed ? { type: 'unavailable' } : listed(lists?.communities?.get(community))),
    roomMembers: async (room) => (isClosed ? { type: 'unavailable' } : listed(lists?.rooms?.get(room))),
    async roomsOf(user) {
      const rooms = lists?.users?.get(user);
      if (isClosed) return { type: 'unavailable' };
      return rooms === undefined ? { type: 'nothing' } : { type: 'listed', rooms };
    },
    forget: async () => true,
    health: () => 'up',
    async close() {
      isClosed = true;
    },
  };
}
