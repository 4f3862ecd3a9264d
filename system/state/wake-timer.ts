/**
 * WakeTimer: one timer for the earliest moment at which something is due.
 *
 * A timer that comes late has waited for a busy event loop. What was heard meanwhile is read before it judges: it waits one turn more.
 */
import type { Clock } from '../clock.ts';

const lateMs = 100;

export class WakeTimer {
  readonly #clock: Clock;
  readonly #wake: () => void;
  #set: { readonly atMs: number; readonly cancel: () => void } | undefined;

  constructor(clock: Clock, wake: () => void) {
    this.#clock = clock;
    this.#wake = wake;
  }

  /** Wakes then or before; whoever is woken sets it again. undefined: not at all. */
  set(atMs: number | undefined): void {
    if (this.#set && atMs !== undefined && this.#set.atMs <= atMs) return;
    this.#set?.cancel();
    this.#set =
      atMs === undefined ? undefined : { atMs, cancel: this.#clock.after(Math.max(0, atMs - this.#clock.nowMs()), () => this.#due(atMs)) };
  }

  #due(atMs: number): void {
    const fire = (): void => {
      this.#set = undefined;
      this.#wake();
    };
    if (this.#clock.nowMs() < atMs + lateMs) fire();
    else this.#set = { atMs, cancel: this.#clock.after(1, fire) };
  }
}
