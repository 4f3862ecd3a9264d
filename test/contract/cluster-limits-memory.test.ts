/** The contract of ClusterLimits, kept by the memory twin. */
import { describe } from 'vitest';
import { createMemoryLimitsHub } from '../../system/cluster/cluster-limits-memory.ts';
import { manualClock } from '../support/manual-clock.ts';
import { clusterLimitsContract } from './cluster-limits.contract.ts';

describe('limits of several nodes in memory', () => {
  const clock = manualClock();
  clusterLimitsContract({
    async join(nodes) {
      const hub = createMemoryLimitsHub(clock, 100);
      return Array.from({ length: nodes }, () => hub.join());
    },
    passMs: async (ms) => clock.advance(ms),
  });
});
