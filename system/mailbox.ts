/**
 * Mailbox: a first-in-first-out queue in a ring that grows by doubling and gives its memory back, and whether it is full or nearly.
 *
 * Guarantees: order; push and shift in constant time (amortised); an empty mailbox holds no array at all.
 * Does not: refuse. The actor does, because an actor's own results may go beyond the bound.
 */
const slotsFirst = 2;
/** An emptied ring larger than this is let go, so that one burst does not cost memory for ever. */
const slotsKeptMax = 64;
/** A smaller one too, when less than this share of it was needed since it was empty before. */
const shareNeeded = 1 / 4;
/** It is nearly full from this part of its bound on. */
const highRatio = 0.8;

export class Mailbox {
  #slots: unknown[] = [];
  #head = 0;
  #size = 0;
  /** The most it held since it was empty. */
  #peak = 0;
  #isHigh = false;
  readonly #sizeMax: number;

  constructor(sizeMax: number) {
    this.#sizeMax = sizeMax;
  }

  get isFull(): boolean {
    return this.#size >= this.#sizeMax;
  }

  /** true: it has become nearly full. Once, until `relax` found it below that again. */
  becameHigh(): boolean {
    if (this.#isHigh || this.#size < this.#sizeMax * highRatio) return false;
    this.#isHigh = true;
    return true;
  }

  relax(): void {
    if (this.#size < this.#sizeMax * highRatio) this.#isHigh = false;
  }

  get size(): number {
    return this.#size;
  }

  push(msg: unknown): void {
    if (this.#size === this.#slots.length) this.#grow();
    this.#slots[(this.#head + this.#size) & (this.#slots.length - 1)] = msg;
    this.#size += 1;
    if (this.#size > this.#peak) this.#peak = this.#size;
  }

  /** Only when size > 0; undefined is a message like any other. */
  shift(): unknown {
    const msg = this.#slots[this.#head];
    this.#slots[this.#head] = undefined;
    this.#size -= 1;
    this.#head = (this.#head + 1) & (this.#slots.length - 1);
    if (this.#size === 0) this.#emptied();
    return msg;
  }

  /** Empties it and returns what was in it, in order. */
  clear(): unknown[] {
    const rest: unknown[] = [];
    for (let at = 0; at < this.#size; at += 1) rest.push(this.#slots[(this.#head + at) & (this.#slots.length - 1)]);
    this.#slots = [];
    this.#head = 0;
    this.#size = 0;
    this.#peak = 0;
    return rest;
  }

  #emptied(): void {
    const { length } = this.#slots;
    if (length > slotsKeptMax || (length > slotsFirst && this.#peak < length * shareNeeded)) this.#slots = [];
    this.#head = 0;
    this.#peak = 0;
  }

  #grow(): void {
    const old = this.#slots;
    // The ring is full: from head to the end, then from the start to head. Lengths stay powers of two for the masks above.
    const next = old.length === 0 ? [] : [...old.slice(this.#head), ...old.slice(0, this.#head)];
    next.length = old.length === 0 ? slotsFirst : old.length * 2;
    this.#slots = next;
    this.#head = 0;
  }
}
