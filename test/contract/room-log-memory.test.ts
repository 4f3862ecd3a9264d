/** The contract of RoomLog, kept by the memory twin. */
import { describe } from 'vitest';
import { openMemoryStore } from '../../system/store/room-store-memory.ts';
import { roomLogContract } from './room-log.contract.ts';
import { roomLogModelContract } from './room-log-model.contract.ts';

describe('RoomLog in memory', () => {
  roomLogContract({ open: async () => openMemoryStore() });
  roomLogModelContract({ open: async () => openMemoryStore() }, 200);
});
