/**
 * MoveState: when the clients of a node without its store are told to go to another one. Pure: time is an argument.
 *
 * Guarantees: only after it was so for `awayMs` that the store was away here and another node was ready: nodes that lost the store together
 * learn of each other first, and one that has it back a moment before the others draws nobody. Never twice within `pauseMs`.
 */
export interface MoveTimes {
  readonly awayMs: number;
  readonly pauseMs: number;
}

export class MoveState {
  readonly #times: MoveTimes;
  #sinceMs: number | undefined;
  #movedMs = Number.NEGATIVE_INFINITY;

  constructor(times: MoveTimes) {
    this.#times = times;
  }

  /** true: now. To be asked several times within `awayMs`. */
  look(isBetterElsewhere: boolean, nowMs: number): boolean {
    if (!isBetterElsewhere) {
      this.#sinceMs = undefined;
      return false;
    }
    this.#sinceMs ??= nowMs;
    if (nowMs - this.#sinceMs < this.#times.awayMs || nowMs - this.#movedMs < this.#times.pauseMs) return false;
    this.#movedMs = nowMs;
    return true;
  }
}
