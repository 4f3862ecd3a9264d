/** The contract of RoomLog, kept by the memory twin. */
import { describe } from 'vitest';
import { openMemoryStore } from '../../system/store/room-store-memory.ts';
import { roomLogContract } from './room-log.contract.ts';

describe('RoomLog in memory', () => {
  roomLogContract({ open: async () => openMemoryStore() }, 200);
});
