/**
 * GarbageCount: how many lines of a connection said nothing, within the last minute. Pure.
 */
const garbageMax = 20;
const windowMs = 60_000;

export class GarbageCount {
  #times: number[] = [];

  /** True: that was the 20th within a minute, and the connection is to be closed. */
  add(nowMs: number): boolean {
    this.#times = [...this.#times.filter((at) => nowMs - at < windowMs), nowMs];
    return this.#times.length >= garbageMax;
  }
}
