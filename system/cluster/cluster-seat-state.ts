/**
 * ClusterSeatState: how many of something this node has of each key, what others have, and of which keys they are to be told. Pure.
 *
 * Guarantees: of a key of which this node has none, nothing is held once the others were told so.
 */
interface Seats {
  own: number;
  others: number;
}

export class ClusterSeatState {
  readonly #keysMax: number;
  readonly #seats = new Map<string, Seats>();
  readonly #due = new Set<string>();

  constructor(keysMax: number) {
    this.#keysMax = keysMax;
  }

  get size(): number {
    return this.#seats.size;
  }

  others(key: string): number {
    return this.#seats.get(key)?.others ?? 0;
  }

  have(key: string, count: number): void {
    const seats = this.#seats.get(key);
    if (seats === undefined && (count <= 0 || this.#seats.size >= this.#keysMax)) return;
    if (seats?.own === count) return;
    this.#seats.set(key, { own: count, others: seats?.others ?? 0 });
    this.#due.add(key);
  }

  askAgain(key: string): void {
    if (this.#seats.has(key)) this.#due.add(key);
  }

  askAll(): void {
    for (const key of this.#seats.keys()) this.#due.add(key);
  }

  /** To be told now. What changes from here on is due again. */
  due(): readonly (readonly [key: string, count: number])[] {
    const due = [...this.#due].map((key) => [key, this.#seats.get(key)?.own ?? 0] as const);
    this.#due.clear();
    return due;
  }

  answered(key: string, others: number): void {
    const seats = this.#seats.get(key);
    if (seats === undefined) return;
    if (seats.own <= 0 && !this.#due.has(key)) this.#seats.delete(key);
    else if (Number.isFinite(others)) seats.others = others;
  }
}
