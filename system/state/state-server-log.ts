/**
 * StateServerLog: log lines of the state server, so many in a while at most: whoever connects and talks garbage in a loop fills no disk.
 */
import type { Clock } from '../clock.ts';
import type { Logger } from '../logger.ts';

const windowMs = 10_000;
/** In a window. Further ones are counted, and the first line of a later window says how many. */
const linesMax = 100;

export class StateServerLog {
  readonly #clock: Pick<Clock, 'nowMs'>;
  readonly #log: Logger;
  #windowMs = Number.NEGATIVE_INFINITY;
  #lines = 0;
  #suppressed = 0;

  constructor({ clock, log }: { readonly clock: Pick<Clock, 'nowMs'>; readonly log: Logger }) {
    this.#clock = clock;
    this.#log = log;
  }

  write(level: 'info' | 'warn', ev: string, about: Readonly<Record<string, string | number>>, message: string): void {
    const nowMs = this.#clock.nowMs();
    if (nowMs - this.#windowMs >= windowMs) [this.#windowMs, this.#lines] = [nowMs, 0];
    if (this.#lines >= linesMax) {
      this.#suppressed += 1;
      return;
    }
    this.#lines += 1;
    const suppressed = this.#suppressed > 0 ? { suppressed: this.#suppressed } : undefined;
    this.#suppressed = 0;
    this.#log[level]({ ev, ...about, ...suppressed }, message);
  }
}
