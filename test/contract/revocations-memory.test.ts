/** The contract of Revocations, kept by the memory twin. */
import { describe } from 'vitest';
import { openMemoryStore } from '../../system/store/room-store-memory.ts';
import { revocationsContract } from './revocations.contract.ts';

describe('Revocations in memory', () => {
  revocationsContract({ open: async () => openMemoryStore() });
});
