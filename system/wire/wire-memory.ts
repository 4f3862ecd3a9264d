/**
 * Wire in memory: a hub that several nodes of one process join. A node that stands alone joins a hub alone.
 *
 * Guarantees: delivery in a later microtask, never inside `publish`; in the order published; not to the publisher.
 * Does not: queue for nodes that have not joined, or drop.
 */
import type { RoomId } from '../ids.ts';
import type { RoomSignal, Wire, WireListener } from './wire.ts';

interface Subscription {
  readonly node: symbol;
  readonly listener: WireListener;
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
      const tell = (wants: (listener: WireListener) => boolean, give: (listener: WireListener) => void): void => {
        if (closed) return;
        queueMicrotask(() => {
          for (const subscription of [...subscriptions]) {
            const { listener } = subscription;
            if (subscription.node === node || !subscriptions.has(subscription) || !wants(listener)) continue;
            // Each in a microtask of its own, so that one listener that throws does not take the event from the others.
            queueMicrotask(() => {
              if (subscriptions.has(subscription)) give(listener);
            });
          }
        });
      };
      return {
        description: `in this process (${name})`,
        health: () => (closed ? { degraded: 'is closed: entries of other nodes come by the store' } : 'up'),
        publish(room, _kind, entries) {
          if (entries.length === 0) return;
          tell(
            (listener) => listener.wants(room),
            (listener) => listener.onEntries(room, entries),
          );
        },
        signal(room, _kind, signal) {
          tell(
            (listener) => wantsSignal(listener, room, signal),
            (listener) => listener.onSignal?.(room, signal),
          );
        },
        state(event) {
          tell(
            () => true,
            (listener) => listener.onState?.(event),
          );
        },
        subscribe(listener) {
          const subscription: Subscription = { node, listener };
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

function wantsSignal(listener: WireListener, room: RoomId, signal: RoomSignal): boolean {
  return listener.wants(room) || (signal.type === 'read' && listener.wantsUser?.(signal.mark.user) === true);
}
