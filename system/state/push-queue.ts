/**
 * PushQueue: whose rows are to be pushed to one node.
 *
 * Guarantees: a user is pushed at most once each 50 ms, at once after a pause, with the state of the moment the line is written:
 * the last state wins however long the node does not read. Bounded by the users the node watches.
 */
import type { Clock } from '../clock.ts';
import type { StateRow } from './state-lines.ts';
import { takeRows } from './state-rows.ts';

export interface PushQueueDeps {
  readonly clock: Pick<Clock, 'nowMs' | 'after'>;
  readonly rowOf: (user: string) => StateRow;
  readonly isFree: () => boolean;
  readonly send: (states: readonly StateRow[]) => void;
}

const everyMs = 50;

export class PushQueue {
  readonly #deps: PushQueueDeps;
  /** Those of the flush under way, and those of the next one. */
  #due = new Set<string>();
  #next = new Set<string>();
  #flushedMs = Number.NEGATIVE_INFINITY;
  #cancel: (() => void) | undefined;

  constructor(deps: PushQueueDeps) {
    this.#deps = deps;
  }

  get size(): number {
    return this.#due.size + this.#next.size;
  }

  add(user: string): void {
    this.#next.add(user);
    this.#schedule();
  }

  /** The node reads again. */
  resume(): void {
    if (this.#due.size > 0) this.#flush();
  }

  stop(): void {
    this.#cancel?.();
    this.#due.clear();
    this.#next.clear();
  }

  #schedule(): void {
    if (this.#cancel !== undefined || this.#due.size > 0 || this.#next.size === 0) return;
    const waitMs = Math.max(0, this.#flushedMs + everyMs - this.#deps.clock.nowMs());
    this.#cancel = this.#deps.clock.after(waitMs, () => {
      this.#cancel = undefined;
      [this.#due, this.#next] = [this.#next, this.#due];
      this.#flush();
    });
  }

  #flush(): void {
    while (this.#due.size > 0 && this.#deps.isFree()) this.#deps.send(takeRows(this.#due, this.#deps.rowOf));
    if (this.#due.size > 0) return;
    this.#flushedMs = this.#deps.clock.nowMs();
    this.#schedule();
  }
}
