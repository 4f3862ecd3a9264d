/**
 * ClusterView in memory: a hub that several nodes of one process join. A node that stands alone joins a hub alone.
 *
 * Guarantees: a change is known to all who joined when the call that made it returns.
 */
import type { Incarnation } from '../ids.ts';
import type { ClusterNode, ClusterView } from './cluster-view.ts';

export interface MemoryClusterHub {
  join(): ClusterView;
}

export function createMemoryClusterHub(): MemoryClusterHub {
  const nodes = new Map<Incarnation, ClusterNode>();
  const listeners = new Set<() => void>();
  const tellAll = (): void => {
    for (const listener of [...listeners]) listener();
  };
  return {
    join() {
      let self: Incarnation | undefined;
      let isClosed = false;
      const own = new Set<() => void>();
      return {
        description: 'this process only',
        nodes: () => [...nodes.values()],
        find: (incarnation) => nodes.get(incarnation),
        health: () => 'up',
        onChange(listener) {
          const each = (): void => listener();
          listeners.add(each);
          own.add(each);
          return () => {
            listeners.delete(each);
            own.delete(each);
          };
        },
        announce(node) {
          if (isClosed) return;
          self = node.incarnation;
          nodes.set(node.incarnation, node);
          tellAll();
        },
        async close() {
          isClosed = true;
          for (const each of own) listeners.delete(each);
          own.clear();
          if (self !== undefined && nodes.delete(self)) tellAll();
        },
      };
    },
  };
}
