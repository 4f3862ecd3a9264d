/** The contract of UserRooms, kept by the memory twin. */
import { describe } from 'vitest';
import { openMemoryStore } from '../../system/store/room-store-memory.ts';
import { userRoomsContract } from './user-rooms.contract.ts';

describe('UserRooms in memory', () => {
  userRoomsContract({ open: async () => openMemoryStore() });
});
