/**
 * StateKeep in memory: a place that outlives the state servers of one process that open it.
 */
import type { KeptSession, KeptSource, StateKeep } from './state-keep.ts';

export interface MemoryKeepPlace {
  open(): StateKeep;
}

export function createMemoryKeepPlace(): MemoryKeepPlace {
  let rows = new Map<string, KeptSession>();
  let keeper: object | undefined;
  const keyOf = (owner: string, id: string): string => JSON.stringify([owner, id]);
  return {
    open() {
      const me = {};
      let source: KeptSource | undefined;
      const write = (owner: string, id: string): void => {
        const session = source?.of(owner).get(id);
        if (session === undefined) rows.delete(keyOf(owner, id));
        else rows.set(keyOf(owner, id), { owner, id, ...session });
      };
      return {
        description: 'kept in this process',
        health: () => (source !== undefined && keeper !== me ? { degraded: 'is kept by another state server' } : 'up'),
        waiting: () => 0,
        load: async () => [...rows.values()],
        follow(given) {
          source = given;
          keeper = me;
          rows = new Map();
          for (const owner of given.owners()) for (const id of given.of(owner).keys()) write(owner, id);
        },
        changed(owner, id) {
          if (keeper === me) write(owner, id);
        },
        async close() {
          if (keeper === me) keeper = undefined;
        },
      };
    },
  };
}
