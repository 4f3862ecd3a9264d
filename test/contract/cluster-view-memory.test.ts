/** The contract of ClusterView, kept by the memory twin. */
import { describe } from 'vitest';
import { createMemoryClusterHub } from '../../system/cluster/cluster-view-memory.ts';
import { clusterViewContract } from './cluster-view.contract.ts';

describe('ClusterView in memory', () => {
  clusterViewContract({
    newCluster() {
      const hub = createMemoryClusterHub();
      return { join: async () => hub.join() };
    },
  });
});
