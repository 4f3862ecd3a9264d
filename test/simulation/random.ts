/**
 * Random: a seeded source of chance. The same seed gives the same numbers, on every machine.
 *
 * `fork` gives each concern a stream of its own, so that switching one fault off does not move the others: that is what
 * makes a failing run shrink.
 */
export class Random {
  private state: number;

  constructor(seed: number) {
    this.state = mix(seed | 0);
  }

  fork(label: string): Random {
    let hash = this.state;
    for (let index = 0; index < label.length; index += 1) hash = Math.imul(hash ^ label.charCodeAt(index), 0x01000193);
    return new Random(hash);
  }

  /** At least 0, below 1. */
  next(): number {
    this.state = (this.state + 0x6d2b79f5) | 0;
    const mixed = mix(this.state);
    return (mixed >>> 0) / 4294967296;
  }

  chance(probability: number): boolean {
    return probability > 0 && this.next() < probability;
  }

  /** A whole number, both ends included. */
  int(min: number, max: number): number {
    return min + Math.floor(this.next() * (max - min + 1));
  }

  pick<T>(choices: readonly T[]): T {
    return choices[Math.floor(this.next() * choices.length)] as T;
  }
}

function mix(value: number): number {
  let mixed = Math.imul(value ^ (value >>> 15), 1 | value);
  mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
  return mixed ^ (mixed >>> 14);
}
