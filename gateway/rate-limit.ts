/**
 * Rate limit: a token bucket for each connection's commands, and the point where refusing is no longer enough.
 *
 * Guarantees: over any span of t seconds at most burst + t × perSecond commands pass. O(1), no timer.
 * Does not: know what a command is, or close anything.
 */
import type { Clock } from '../system/clock.ts';

/** passed; or refused, to come again after that time; or flood: so far over that the connection should be closed (FLOOD). */
export type RateVerdict =
  | { readonly type: 'passed' }
  | { readonly type: 'refused'; readonly retryAfterMs: number }
  | { readonly type: 'flood' };

/** This many bursts refused within the window are a flood: of one connection, and of a user or an address with all their connections. */
const floodBursts = 10;
export const sharedFloodBursts = 5;
const floodWindowMs = 10_000;

const passed: RateVerdict = { type: 'passed' };
const flood: RateVerdict = { type: 'flood' };

export class RateLimit {
  readonly #perSecondMax: number;
  readonly #burstMax: number;
  readonly #clock: Pick<Clock, 'nowMs'>;
  #tokens: number;
  #filledAtMs: number;
  #refused = 0;
  #windowSinceMs = Number.NEGATIVE_INFINITY;

  constructor(perSecondMax: number, burstMax: number, clock: Pick<Clock, 'nowMs'>) {
    this.#perSecondMax = perSecondMax;
    this.#burstMax = burstMax;
    this.#clock = clock;
    this.#tokens = burstMax;
    this.#filledAtMs = clock.nowMs();
  }

  take(bursts = floodBursts): RateVerdict {
    const nowMs = this.#fill();
    if (this.#tokens >= 1) {
      this.#tokens -= 1;
      return passed;
    }
    this.#countRefusal(nowMs);
    if (this.#refused >= bursts * this.#burstMax) return flood;
    return { type: 'refused', retryAfterMs: this.#missingMs() };
  }

  /** Something else refused what this one let pass. true: that was refused so often within the window that no heed is paid to it. */
  refusedElsewhere(): boolean {
    this.#countRefusal(this.#clock.nowMs());
    return this.#refused >= this.#burstMax / 2;
  }

  /** Whether the last `take` with so many bursts was, or would have been, a flood. Counts nothing. */
  isFlooded(bursts: number): boolean {
    return this.#clock.nowMs() - this.#windowSinceMs < floodWindowMs && this.#refused >= bursts * this.#burstMax;
  }

  /** When `take` would pass; undefined: now. Counts nothing. */
  waitMs(): number | undefined {
    this.#fill();
    return this.#tokens >= 1 ? undefined : this.#missingMs();
  }

  /** As good as new: a new one in its place would judge alike. */
  isAtRest(): boolean {
    const nowMs = this.#fill();
    return this.#tokens >= this.#burstMax && nowMs - this.#windowSinceMs >= floodWindowMs;
  }

  #countRefusal(nowMs: number): void {
    if (nowMs - this.#windowSinceMs >= floodWindowMs) {
      this.#windowSinceMs = nowMs;
      this.#refused = 0;
    }
    this.#refused += 1;
  }

  #fill(): number {
    const nowMs = this.#clock.nowMs();
    this.#tokens = Math.min(this.#burstMax, this.#tokens + ((nowMs - this.#filledAtMs) * this.#perSecondMax) / 1_000);
    this.#filledAtMs = nowMs;
    return nowMs;
  }

  #missingMs(): number {
    return Math.max(1, Math.ceil(((1 - this.#tokens) * 1_000) / this.#perSecondMax));
  }
}
