/** The contract of FileStore, kept by the memory twin. */
import { describe } from 'vitest';
import { systemClock } from '../../system/clock.ts';
import { MemoryFileStore } from '../../system/files/file-store-memory.ts';
import { fileStoreContract } from './file-store.contract.ts';

describe('FileStore in memory', () =>
  fileStoreContract({
    open: async () => new MemoryFileStore(systemClock),
    leftovers: async (store) => (await store.list('', 100)).map(({ id }) => id),
  }));
