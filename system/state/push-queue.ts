/**
 * PushQueue: of what one node is to be told: users whose rows have changed, or communities whose voice channels have.
 *
 * Guarantees: each is told at most once each `everyMs`, at once after a pause, with the state of the moment the line is written:
 * the last state wins however long the node does not read. Bounded by what the node watches.
 */
import type { Clock } from '../clock.ts';

export interface PushQueueDeps {
  readonly clock: Pick<Clock, 'nowMs' | 'after'>;
  readonly everyMs: number;
  readonly isFree: () => boolean;
  /** Sends of one or more of these, and takes them out. */
  readonly sendSome: (due: Set<string>) => void;
}

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

  add(name: string): void {
    this.#next.add(name);
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
    const waitMs = Math.max(0, this.#flushedMs + this.#deps.everyMs - this.#deps.clock.nowMs());
    this.#cancel = this.#deps.clock.after(waitMs, () => {
      this.#cancel = undefined;
      [this.#due, this.#next] = [this.#next, this.#due];
      this.#flush();
    });
  }

  #flush(): void {
    while (this.#due.size > 0 && this.#deps.isFree()) this.#deps.sendSome(this.#due);
    if (this.#due.size > 0) return;
    this.#flushedMs = this.#deps.clock.nowMs();
    this.#schedule();
  }
}
