/**
 * RoomStore in memory. Several nodes of one process may share one; it ends with the process.
 */
import { MemoryRevocations } from './revocations-memory.ts';
import { MemoryRoomLog } from './room-log-memory.ts';
import type { RoomStore } from './room-store.ts';
import { MemoryUserRooms } from './user-rooms-memory.ts';

export function openMemoryStore(): RoomStore {
  const log = new MemoryRoomLog();
  const userRooms = new MemoryUserRooms();
  const revocations = new MemoryRevocations();
  return {
    log,
    userRooms,
    revocations,
    description: 'memory (nothing survives the process)',
    async close() {
      log.close();
      userRooms.close();
      revocations.close();
    },
  };
}
