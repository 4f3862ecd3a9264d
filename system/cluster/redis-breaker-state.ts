/**
 * RedisBreaker: after five failures within 2 s nobody asks Redis for a second, then one call tries. Pure: time is an argument.
 *
 * Guarantees: while it is open a call costs nothing and fails at once; of those that come after the rest only one is let through
 * until its outcome is known.
 * Does not: know what a failure is.
 */
export interface BreakerLimits {
  readonly failuresMax: number;
  readonly windowMs: number;
  readonly restMs: number;
}

export const breakerLimits: BreakerLimits = { failuresMax: 5, windowMs: 2_000, restMs: 1_000 };

export class RedisBreaker {
  readonly #limits: BreakerLimits;
  #failedAtMs: number[] = [];
  /** undefined: closed. */
  #openUntilMs: number | undefined;
  #isTrying = false;

  constructor(limits: BreakerLimits = breakerLimits) {
    this.#limits = limits;
  }

  get isOpen(): boolean {
    return this.#openUntilMs !== undefined;
  }

  /** Whether a call may be made now. Who is told yes makes it, and says how it went. */
  takes(nowMs: number): boolean {
    if (this.#openUntilMs === undefined) return true;
    if (nowMs < this.#openUntilMs || this.#isTrying) return false;
    this.#isTrying = true;
    return true;
  }

  succeeded(): void {
    this.#failedAtMs = [];
    this.#openUntilMs = undefined;
    this.#isTrying = false;
  }

  /** True: that opened it, or kept it open. */
  failed(nowMs: number): boolean {
    const { failuresMax, windowMs, restMs } = this.#limits;
    this.#failedAtMs = [...this.#failedAtMs.filter((at) => nowMs - at < windowMs), nowMs].slice(-failuresMax);
    const wasTrying = this.#isTrying;
    this.#isTrying = false;
    // Calls that were made before it opened fail after it: they are no news.
    if (this.#openUntilMs !== undefined && !wasTrying) return false;
    if (!wasTrying && this.#failedAtMs.length < failuresMax) return false;
    this.#openUntilMs = nowMs + restMs;
    return true;
  }
}
