/** The contract of StateKeep, kept by the memory twin. */
import { describe } from 'vitest';
import { createMemoryKeepPlace } from '../../system/state/state-keep-memory.ts';
import { stateKeepContract } from './state-keep.contract.ts';

describe('StateKeep in memory', () => {
  stateKeepContract({
    newPlace() {
      const place = createMemoryKeepPlace();
      return { open: async () => place.open() };
    },
  });
});
