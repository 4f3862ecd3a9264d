/**
 * RateTable: a rate for each user, or for each address, whatever connections and requests it comes by.
 *
 * Guarantees: memory is bounded: a key at rest is forgotten as soon as its burst is full again, which is the same as being
 * new; beyond `keysMax` the key that was not seen for the longest time is forgotten and would begin with a full burst. Whoever
 * has more keys than that (addresses, users with valid tokens) gets more than one key's rate: the node's own bounds remain.
 * Where nodes share the rate, it is this node's first and then what all have left together.
 * Does not: know what is counted.
 */
import type { Clock } from '../system/clock.ts';
import type { SharedRate } from '../system/cluster/cluster-limits.ts';
import { RateLimit, sharedFloodBursts } from './rate-limit.ts';

export interface RateTableSettings {
  readonly perSecondMax: number;
  readonly burstMax: number;
  readonly keysMax: number;
}

/** Whoever asks far over its rate waits as long as it takes the count of that to end. */
const floodRetryAfterMs = 10_000;
/** Looked at by each `take`, the oldest ones, so that what rests goes faster than what comes. */
const restingLookedAt = 2;

export class RateTable {
  readonly #settings: RateTableSettings;
  readonly #clock: Pick<Clock, 'nowMs'>;
  readonly #shared: SharedRate | undefined;
  /** Seen last comes last. */
  readonly #rates = new Map<string, RateLimit>();

  constructor(settings: RateTableSettings, clock: Pick<Clock, 'nowMs'>, shared?: SharedRate) {
    this.#settings = settings;
    this.#clock = clock;
    this.#shared = shared;
  }

  get size(): number {
    return this.#rates.size;
  }

  /** undefined: go on. Else when to come again. */
  take(key: string): number | undefined {
    const { perSecondMax, burstMax, keysMax } = this.#settings;
    const rate = this.#rates.get(key) ?? new RateLimit(perSecondMax, burstMax, this.#clock);
    this.#rates.delete(key);
    this.#rates.set(key, rate);
    const verdict = rate.take(sharedFloodBursts);
    this.#forgetResting();
    if (this.#rates.size > keysMax) this.#rates.delete(this.#rates.keys().next().value as string);
    if (verdict.type === 'passed') return this.#shared?.take(key);
    return verdict.type === 'flood' ? floodRetryAfterMs : verdict.retryAfterMs;
  }

  /** So far over its rate that whoever goes on asking pays no heed to refusals. */
  isFlooded(key: string): boolean {
    return this.#rates.get(key)?.isFlooded(sharedFloodBursts) ?? false;
  }

  /** What `take` would answer, without counting anything. */
  waitMs(key: string): number | undefined {
    return this.#rates.get(key)?.waitMs();
  }

  #forgetResting(): void {
    let looked = 0;
    for (const [key, rate] of this.#rates) {
      if (looked === restingLookedAt || !rate.isAtRest()) return;
      this.#rates.delete(key);
      looked += 1;
    }
  }
}
