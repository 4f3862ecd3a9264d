/**
 * SharedCache in memory: a hub that several nodes of one process join. A node that stands alone joins a hub alone.
 *
 * Guarantees: bounded: at `valuesMax` values or `bytesMax` the one put first goes.
 */
import type { Clock } from '../clock.ts';
import { type SharedCache, valueBytesMax } from './shared-cache.ts';

export const valuesMax = 10_000;
export const bytesMax = 32 * 1024 * 1024;

export interface MemoryCacheHub {
  join(): SharedCache;
}

interface Kept {
  /** undefined: cleared, and guarded until it ends. */
  readonly value: string | undefined;
  readonly endsAtMs: number;
}

export function createMemoryCacheHub(clock: Clock): MemoryCacheHub {
  const kept = new Map<string, Kept>();
  const listeners = new Set<(key: string) => void>();
  let bytes = 0;
  let joined = 0;

  const drop = (key: string): void => {
    bytes -= kept.get(key)?.value?.length ?? 0;
    kept.delete(key);
  };
  const live = (key: string): Kept | undefined => {
    const found = kept.get(key);
    if (found && found.endsAtMs > clock.nowMs()) return found;
    drop(key);
    return undefined;
  };
  const keep = (key: string, row: Kept): void => {
    drop(key);
    kept.set(key, row);
    bytes += row.value?.length ?? 0;
    for (const oldest of kept.keys()) {
      if (kept.size <= valuesMax && bytes <= bytesMax) return;
      drop(oldest);
    }
  };

  return {
    join() {
      joined += 1;
      const own = new Set<(key: string) => void>();
      let isClosed = false;
      return {
        get isShared() {
          return joined > 1;
        },
        description: 'in this process',
        health: () => 'up',
        get: async (key) => (isClosed ? undefined : live(key)?.value),
        async put(key, value, ttlMs) {
          const found = live(key);
          if (isClosed || Buffer.byteLength(value) > valueBytesMax || (found && found.value === undefined)) return;
          keep(key, { value, endsAtMs: clock.nowMs() + ttlMs });
        },
        async clear(key, guardMs) {
          if (isClosed) return false;
          keep(key, { value: undefined, endsAtMs: clock.nowMs() + guardMs });
          for (const listener of [...listeners]) listener(key);
          return true;
        },
        onCleared(listener) {
          const each = (key: string): void => listener(key);
          listeners.add(each);
          own.add(each);
          return () => {
            listeners.delete(each);
            own.delete(each);
          };
        },
        async close() {
          isClosed = true;
          for (const each of own) listeners.delete(each);
        },
      };
    },
  };
}
