/**
 * VoiceQueue: of which communities one node is to be told who is in their voice channels.
 *
 * Guarantees: a community is told at most once each 150 ms, at once after a pause, as it is when its lines are written: the last
 * state wins however long the node does not read. The lines of one community are written together. Bounded by what the node watches.
 */
import type { Clock } from '../clock.ts';

export interface VoiceQueueDeps {
  readonly clock: Pick<Clock, 'nowMs' | 'after'>;
  readonly isFree: () => boolean;
  readonly send: (community: string) => void;
}

const everyMs = 150;

export class VoiceQueue {
  readonly #deps: VoiceQueueDeps;
  #due = new Set<string>();
  #next = new Set<string>();
  #flushedMs = Number.NEGATIVE_INFINITY;
  #cancel: (() => void) | undefined;

  constructor(deps: VoiceQueueDeps) {
    this.#deps = deps;
  }

  add(community: string): void {
    this.#next.add(community);
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
    for (const community of this.#due) {
      if (!this.#deps.isFree()) return;
      this.#due.delete(community);
      this.#deps.send(community);
    }
    this.#flushedMs = this.#deps.clock.nowMs();
    this.#schedule();
  }
}
