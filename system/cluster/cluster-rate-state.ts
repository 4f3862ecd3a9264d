/**
 * ClusterRateState: a rate over several nodes, as one of them sees it. Pure: time is an argument.
 *
 * What is left for a key is guessed here from what the last settling said, filled up at the rate since, less what passed here since. What
 * passed is settled within `soonMs` where it is much, within `lateMs` where it is little; what all nodes let pass too much becomes a
 * debt at the settling, and is waited for.
 * Guarantees: what is not settled is at most a burst for each node; a key that is full again is forgotten.
 */
import type { RateLimits } from './cluster-limits.ts';

interface Guess {
  tokens: number;
  atMs: number;
  /** Passed here and not settled. */
  used: number;
  usedSinceMs: number;
  /** Is being settled. */
  sent: number;
}

export interface Report {
  readonly key: string;
  readonly used: number;
}

export interface SettleTimes {
  readonly soonMs: number;
  readonly lateMs: number;
}
export const settleTimes: SettleTimes = { soonMs: 100, lateMs: 1_000 };
/** Of a burst, from which it is much. */
const muchShare = 1 / 8;
/** Each time something is settled: all keys there may be within half a minute. */
const lookedAtOnce = 200;

export class ClusterRateState {
  readonly #limits: RateLimits;
  readonly #keysMax: number;
  readonly #times: SettleTimes;
  /** Looked at last comes last. */
  readonly #guesses = new Map<string, Guess>();
  /** Keys of which something passed here. */
  readonly #unsettled = new Set<string>();

  constructor(limits: RateLimits, keysMax: number, times: SettleTimes = settleTimes) {
    this.#limits = limits;
    this.#keysMax = keysMax;
    this.#times = times;
  }

  get size(): number {
    return this.#guesses.size;
  }

  take(key: string, nowMs: number): number | undefined {
    let guess = this.#guesses.get(key);
    if (guess === undefined) {
      // One too many: its node's own limit has to do.
      if (this.#guesses.size >= this.#keysMax) return undefined;
      guess = { tokens: this.#limits.burstMax, atMs: nowMs, used: 0, usedSinceMs: nowMs, sent: 0 };
      this.#guesses.set(key, guess);
    }
    this.#fill(guess, nowMs);
    if (guess.tokens < 1) return Math.max(1, Math.ceil(((1 - guess.tokens) * 1_000) / this.#limits.perSecondMax));
    guess.tokens -= 1;
    if (guess.used === 0) guess.usedSinceMs = nowMs;
    guess.used += 1;
    this.#unsettled.add(key);
    return undefined;
  }

  /** What is to be settled now; it counts as being settled from here on. Called every `soonMs`. */
  due(nowMs: number): readonly Report[] {
    const { lateMs } = this.#times;
    const much = this.#limits.burstMax * muchShare;
    const reports: Report[] = [];
    for (const key of this.#unsettled) {
      const guess = this.#guesses.get(key);
      if (guess === undefined || guess.used === 0) {
        this.#unsettled.delete(key);
        continue;
      }
      if (guess.sent > 0) continue;
      this.#fill(guess, nowMs);
      if (guess.used < much && guess.tokens > much && nowMs - guess.usedSinceMs < lateMs) continue;
      reports.push({ key, used: guess.used });
      guess.sent = guess.used;
      guess.used = 0;
      this.#unsettled.delete(key);
    }
    this.#forgetFull(nowMs);
    return reports;
  }

  /** The report was taken: so much is left for all nodes; less than nothing where they let too much pass. */
  settled(key: string, left: number, nowMs: number): void {
    const guess = this.#guesses.get(key);
    if (guess === undefined) return;
    guess.sent = 0;
    guess.tokens = Math.min(this.#limits.burstMax, left) - guess.used;
    guess.atMs = nowMs;
  }

  /** The report was lost, or taken without an answer: it is not made again, since twice would be worse than never. */
  lost(key: string): void {
    const guess = this.#guesses.get(key);
    if (guess) guess.sent = 0;
  }

  /** The others cannot be asked: nothing is known of them. */
  forget(): void {
    this.#guesses.clear();
    this.#unsettled.clear();
  }

  /** A full one says nothing. A few at a time, in turn. */
  #forgetFull(nowMs: number): void {
    let looked = 0;
    for (const [key, guess] of this.#guesses) {
      if (looked === lookedAtOnce) return;
      looked += 1;
      this.#fill(guess, nowMs);
      this.#guesses.delete(key);
      if (guess.used > 0 || guess.sent > 0 || guess.tokens < this.#limits.burstMax) this.#guesses.set(key, guess);
    }
  }

  #fill(guess: Guess, nowMs: number): void {
    const { perSecondMax, burstMax } = this.#limits;
    guess.tokens = Math.min(burstMax, guess.tokens + ((nowMs - guess.atMs) * perSecondMax) / 1_000);
    guess.atMs = nowMs;
  }
}
