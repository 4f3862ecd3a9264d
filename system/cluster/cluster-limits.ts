/**
 * ClusterLimits: limits of users and addresses over all nodes together. Twins: memory, redis.
 *
 * An accelerator of fairness, never on a command's way: every answer is given at once from what this node knows, and what it let pass is
 * settled with the others behind. So nodes together may let a little more pass for a moment, and less after it; over seconds they
 * grant what one node would. While the others cannot be asked each node goes by itself: its own limits hold in any case.
 */

/** What is counted. A part of keys, and so of a fixed list. */
export type RateKind = 'user-commands' | 'address-commands';
export type SeatKind = 'user-connections' | 'address-connections';

export interface RateLimits {
  readonly perSecondMax: number;
  readonly burstMax: number;
}

export interface SharedRate {
  /** undefined: go on, and it is counted. Else after how many milliseconds to come again; nothing is counted. O(1). */
  take(key: string): number | undefined;
}

export interface SharedSeats {
  /** How many other nodes have, as far as known; 0 for a key of which this node has none itself. A map lookup. */
  others(key: string): number;
  /** This node has so many now. Idempotent; O(1). */
  have(key: string, count: number): void;
  /** Somebody was refused because of the others: ask anew, they may have left. Returns at once. */
  askAgain(key: string): void;
}

export interface ClusterLimits {
  rate(kind: RateKind, limits: RateLimits): SharedRate;
  seats(kind: SeatKind): SharedSeats;
  /** Gives up this node's seats. Never rejects. Idempotent. */
  close(): Promise<void>;
}

/** Users or addresses of one kind that are shared. Further ones are counted by each node alone. */
export const sharedKeysMax = 50_000;
