/**
 * StateTransitionQueue: who came and who went, also in voice channels, waiting to be told to other services. Pure: no I/O, time is an argument.
 *
 * Guarantees: what became of one user is given out in order, one at a time; of different users many may be under way.
 * Bounded: when it is full, the oldest of all goes, so that what counts in the end is still told; so goes what has waited for too long.
 */
import type { StateNews } from './state-voice-moves.ts';

export interface TransitionQueueLimits {
  readonly waitingMax: number;
  /** Under way at once. */
  readonly inFlightMax: number;
  /** Older ones are no news any more. */
  readonly keptMs: number;
  /** After a failure, which is the store's and not the user's, all wait for so long. */
  readonly retryMs: number;
}

interface Waiting {
  readonly news: { readonly what: StateNews; readonly sinceMs: number }[];
  isInFlight: boolean;
}

export class StateTransitionQueue {
  readonly #limits: TransitionQueueLimits;
  /** Those who wait the longest come first. */
  readonly #byUser = new Map<string, Waiting>();
  #waiting = 0;
  #inFlight = 0;
  #pausedUntilMs = Number.NEGATIVE_INFINITY;

  constructor(limits: TransitionQueueLimits) {
    this.#limits = limits;
  }

  get size(): number {
    return this.#waiting;
  }

  /** When something may be taken again; undefined: now, or nothing waits. */
  pausedUntilMs(nowMs: number): number | undefined {
    return this.#waiting > 0 && this.#pausedUntilMs > nowMs ? this.#pausedUntilMs : undefined;
  }

  /** How many were dropped for it. */
  push(news: readonly StateNews[], nowMs: number): number {
    let dropped = 0;
    for (const what of news) {
      if (this.#waiting >= this.#limits.waitingMax && this.#dropOldest()) dropped += 1;
      const waiting = this.#byUser.get(what.user) ?? { news: [], isInFlight: false };
      this.#byUser.set(what.user, waiting);
      waiting.news.push({ what, sinceMs: nowMs });
      this.#waiting += 1;
    }
    return dropped;
  }

  /** The next one that nothing is under way for; it is until `done` or `failed`. */
  take(nowMs: number): StateNews | undefined {
    if (nowMs < this.#pausedUntilMs || this.#inFlight >= this.#limits.inFlightMax) return undefined;
    for (const waiting of this.#byUser.values()) {
      const [next] = waiting.news;
      if (waiting.isInFlight || next === undefined) continue;
      waiting.isInFlight = true;
      this.#inFlight += 1;
      return next.what;
    }
    return undefined;
  }

  /** It was told. */
  done(user: string): void {
    const waiting = this.#land(user);
    if (waiting !== undefined) this.#shift(user, waiting);
  }

  /** It could not be told yet. How many were dropped because they have waited for too long. */
  failed(user: string, nowMs: number): number {
    this.#land(user);
    this.#pausedUntilMs = nowMs + this.#limits.retryMs;
    let dropped = 0;
    for (const [old, waiting] of this.#byUser) {
      while (!waiting.isInFlight && waiting.news[0] !== undefined && nowMs - waiting.news[0].sinceMs >= this.#limits.keptMs) {
        this.#shift(old, waiting);
        dropped += 1;
      }
    }
    return dropped;
  }

  #land(user: string): Waiting | undefined {
    const waiting = this.#byUser.get(user);
    if (waiting?.isInFlight !== true) return undefined;
    waiting.isInFlight = false;
    this.#inFlight -= 1;
    return waiting;
  }

  #shift(user: string, waiting: Waiting): void {
    if (waiting.news.shift() !== undefined) this.#waiting -= 1;
    this.#byUser.delete(user);
    // Behind the others: a user who comes and goes all the time holds nobody up.
    if (waiting.news.length > 0) this.#byUser.set(user, waiting);
  }

  /** False: all there is, is under way. */
  #dropOldest(): boolean {
    for (const [user, waiting] of this.#byUser) {
      if (waiting.isInFlight) continue;
      this.#shift(user, waiting);
      return true;
    }
    for (const { news } of this.#byUser.values()) {
      if (news.length === 1) continue;
      news.splice(1, 1);
      this.#waiting -= 1;
      return true;
    }
    return false;
  }
}
