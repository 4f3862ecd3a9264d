/**
 * ClusterLimits in memory: a hub that several nodes of one process join. What one lets pass the others know at once.
 */
import type { Clock } from '../clock.ts';
import type { ClusterLimits, RateKind, RateLimits, SeatKind } from './cluster-limits.ts';
import { ClusterRateState } from './cluster-rate-state.ts';

export interface MemoryLimitsHub {
  join(): ClusterLimits;
}

export function createMemoryLimitsHub(clock: Pick<Clock, 'nowMs'>, keysMax: number): MemoryLimitsHub {
  const rates = new Map<RateKind, ClusterRateState>();
  /** kind and key → node → seats. */
  const seats = new Map<string, Map<object, number>>();
  return {
    join() {
      const node = {};
      const others = (place: string): number => {
        const taken = seats.get(place);
        if (!taken?.has(node)) return 0;
        return [...taken].reduce((sum, [each, count]) => (each === node ? sum : sum + count), 0);
      };
      const have = (place: string, count: number): void => {
        const taken = seats.get(place) ?? new Map<object, number>();
        if (count > 0) seats.set(place, taken.set(node, count));
        else if (taken.delete(node) && taken.size === 0) seats.delete(place);
      };
      return {
        rate(kind: RateKind, limits: RateLimits) {
          const rate = rates.get(kind) ?? new ClusterRateState(limits, keysMax);
          rates.set(kind, rate);
          return { take: (key) => rate.take(key, clock.nowMs()) };
        },
        seats(kind: SeatKind) {
          return {
            others: (key) => others(`${kind}\n${key}`),
            have: (key, count) => have(`${kind}\n${key}`, count),
            askAgain() {},
          };
        },
        async close() {
          for (const place of [...seats.keys()]) have(place, 0);
        },
      };
    },
  };
}
