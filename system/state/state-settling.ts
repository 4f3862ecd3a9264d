/**
 * StateSettling: whether it is too early to say that somebody is offline, and whether the server was away. Pure: time is an argument.
 *
 * Guarantees: after a start, and after a time in which the server stood still, it has not settled for `settleMs`: nodes that lost it come
 * back one after the other. Does not: know who is online.
 */

/** The server looks at its clock at least this often. */
export const tickMs = 250;
/** A look so late means that the process stood still. */
const stoodStillMs = 1_000;

export interface SettlingOptions {
  readonly startedAtMs?: number;
  /** 0: no node has to come back. */
  readonly settleMs?: number;
}

export class StateSettling {
  readonly settleMs: number;
  #untilMs: number;
  #hasTold = false;
  #lookedAtMs: number | undefined;

  constructor({ startedAtMs, settleMs = 0 }: SettlingOptions) {
    this.settleMs = settleMs;
    this.#untilMs = (startedAtMs ?? Number.NEGATIVE_INFINITY) + settleMs;
    this.#lookedAtMs = startedAtMs;
  }

  /** For how long the server was away until now, when it was; else 0. To be asked before anything that comes is looked at. */
  look(nowMs: number): number {
    const lateMs = nowMs - (this.#lookedAtMs ?? nowMs) - tickMs;
    this.#lookedAtMs = nowMs;
    if (lateMs < stoodStillMs) return 0;
    if (this.settleMs > 0) {
      this.#untilMs = nowMs + this.settleMs;
      this.#hasTold = false;
    }
    return lateMs;
  }

  isSettled(nowMs: number): boolean {
    return nowMs >= this.#untilMs;
  }

  /** True once each time it has settled. */
  takeSettled(nowMs: number): boolean {
    if (this.#hasTold || !this.isSettled(nowMs)) return false;
    this.#hasTold = true;
    return true;
  }
}
