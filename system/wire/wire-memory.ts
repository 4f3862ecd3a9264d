/**
 * Wire in memory: a hub that several nodes of one process join. A node that stands alone joins a hub alone.
 *
 * Guarantees: delivery in a later microtask, never inside `publish`; in the order published; not to the publisher.
 * Does not: queue for nodes that have not joined, or drop.
 */
import type { RoomId } from '../ids.ts';
import type { Entry } from '../store/entry.ts';
import type { Wire } from './wire.ts';

interface Subscription {
  readonly node: symbol;
  readonly wants: (room: RoomId) => boolean;
  readonly onEntries: (room: RoomId, entries: readonly Entry[]) => void;
}

export interface MemoryWireHub {
  /** A wire for one node; `node` names it in descriptions. Two joins are two nodes, whatever their names. */
  join(node: string): Wire;
}

export function createMemoryWireHub(): MemoryWireHub {
  const subscriptions = new Set<Subscription>();
  return {
    join(name) {
      const node = Symbol(name);
      let closed = false;
      const deliver = (room: RoomId, entries: readonly Entry[]): void => {
        for (const subscription of [...subscriptions]) {
          if (subscription.node === node || !subscriptions.has(subscription) || !subscription.wants(room)) continue;
          // Each in a microtask of its own, so that one listener that throws does not take the entries from the others.
          queueMicrotask(() => {
            if (subscriptions.has(subscription)) subscription.onEntries(room, entries);
          });
        }
      };
      return {
        description: `in this process (${name})`,
        health: () => (closed ? { degraded: 'is closed: entries of other nodes come by the store' } : 'up'),
        publish(room, entries) {
          if (!closed && entries.length > 0) queueMicrotask(() => deliver(room, entries));
        },
        subscribe(wants, onEntries) {
          const subscription: Subscription = { node, wants, onEntries };
          if (!closed) subscriptions.add(subscription);
          return () => {
            subscriptions.delete(subscription);
          };
        },
        async close() {
          closed = true;
          for (const subscription of subscriptions) if (subscription.node === node) subscriptions.delete(subscription);
        },
      };
    },
  };
}
