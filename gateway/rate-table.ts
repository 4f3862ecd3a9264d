/**
 * RateTable: a rate for each user, or for each address, whatever connections and requests it comes by.
 *
 * Guarantees: memory is bounded: a key at rest is forgotten as soon as its burst is full again, which is the same as being
 * new; beyond `keysMax` the key that was not seen for the longest time, to a second, is forgotten and would begin with a full burst. Whoever
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
/** By a `take`, so often, so many of the oldest are looked at: what rests goes, also faster than it came. */
const sweepEveryMs = 10;
const restingLookedAt = 256;
const moveEveryMs = 1_000;

interface Kept {
  readonly rate: RateLimit;
  /** When it came to stand where it stands in the table. */
  movedMs: number | undefined;
}

export class RateTable {
  readonly #settings: RateTableSettings;
  readonly #clock: Pick<Clock, 'nowMs'>;
  readonly #shared: SharedRate | undefined;
  /** Seen last comes last, to `moveEveryMs`. */
  readonly #rates = new Map<string, Kept>();
  #sweptMs = Number.NEGATIVE_INFINITY;

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
    const { rate } = this.#seen(
      key,
      this.#rates.get(key) ?? { rate: new RateLimit(perSecondMax, burstMax, this.#clock), movedMs: undefined },
    );
    const verdict = rate.take(sharedFloodBursts);
    this.#forgetResting();
    if (this.#rates.size > keysMax) this.#rates.delete(this.#rates.keys().next().value as string);
    if (verdict.type === 'passed') return this.#shared?.take(key);
    return verdict.type === 'flood' ? floodRetryAfterMs : verdict.retryAfterMs;
  }

  /** So far over its rate that whoever goes on asking pays no heed to refusals. */
  isFlooded(key: string): boolean {
    return this.#rates.get(key)?.rate.isFlooded(sharedFloodBursts) ?? false;
  }

  /** What `take` would answer, without counting anything. */
  waitMs(key: string): number | undefined {
    return this.#rates.get(key)?.rate.waitMs();
  }

  /** To the end of the map, at most once a second: each move leaves a hole, and a map with as many holes as keys is made anew. */
  #seen(key: string, kept: Kept): Kept {
    const nowMs = this.#clock.nowMs();
    if (kept.movedMs !== undefined && nowMs - kept.movedMs < moveEveryMs) return kept;
    kept.movedMs = nowMs;
    this.#rates.delete(key);
    this.#rates.set(key, kept);
    return kept;
  }

  #forgetResting(): void {
    const nowMs = this.#clock.nowMs();
    if (nowMs - this.#sweptMs < sweepEveryMs) return;
    this.#sweptMs = nowMs;
    let looked = 0;
    for (const [key, { rate }] of this.#rates) {
      if (looked === restingLookedAt || !rate.isAtRest()) return;
      this.#rates.delete(key);
      looked += 1;
    }
  }
}
