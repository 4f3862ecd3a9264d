/**
 * OutgoingQueue: what waits to be sent, bounded by count and by size. Pure.
 *
 * Full: the oldest go. Whoever reads has found them in the store by then; the newest are those that still come in time.
 */

/** Records that wait to be sent; the oldest go when there are more. */
export const recordsWaitingMax = 10_000;
/** Characters of text that wait, of all records together. */
export const charsWaitingMax = 16 * 1_024 * 1_024;

export interface QueueBounds {
  readonly countMax: number;
  readonly sizeMax: number;
}

interface Waiting<Item> {
  readonly item: Item;
  readonly size: number;
}

export class OutgoingQueue<Item> {
  private readonly bounds: QueueBounds;
  private items: Waiting<Item>[] = [];
  /** Of the first that still waits; those before are gone. */
  private start = 0;
  private size = 0;

  constructor(bounds: QueueBounds) {
    this.bounds = bounds;
  }

  get count(): number {
    return this.items.length - this.start;
  }

  /** Returns how many had to go for it: itself, if it alone is too large. */
  push(item: Item, size: number): number {
    this.items.push({ item, size });
    this.size += size;
    return this.trim();
  }

  /** Takes the oldest, as many as fit; one at least. */
  take(countMax: number, sizeMax: number): readonly Waiting<Item>[] {
    const taken: Waiting<Item>[] = [];
    let size = 0;
    for (let next = this.items[this.start]; next && taken.length < countMax; next = this.items[this.start]) {
      if (taken.length > 0 && size + next.size > sizeMax) break;
      this.shift();
      taken.push(next);
      size += next.size;
    }
    return taken;
  }

  /** Gives back what was taken and could not be sent; it is the oldest again. Returns how many had to go. */
  giveBack(taken: readonly Waiting<Item>[]): number {
    this.items = [...taken, ...this.items.slice(this.start)];
    this.start = 0;
    for (const { size } of taken) this.size += size;
    return this.trim();
  }

  private trim(): number {
    let gone = 0;
    while (this.count > 0 && (this.count > this.bounds.countMax || this.size > this.bounds.sizeMax)) {
      this.shift();
      gone += 1;
    }
    return gone;
  }

  private shift(): void {
    this.size -= this.items[this.start]?.size ?? 0;
    this.start += 1;
    // Moved together once most of it is gone: a shift a message would cost the length of the queue each time.
    if (this.start < 1_024 || this.start * 2 < this.items.length) return;
    this.items = this.items.slice(this.start);
    this.start = 0;
  }
}
