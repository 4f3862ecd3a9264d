/**
 * Stats: medians, spreads and latencies. Pure.
 *
 * Guarantees: a value of few rounds is always shown with its spread; latencies are kept in fixed memory, however many come.
 */

/** NaN of an empty list. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  if (sorted.length % 2 === 1) return sorted[middle] ?? Number.NaN;
  return ((sorted[middle - 1] ?? Number.NaN) + (sorted[middle] ?? Number.NaN)) / 2;
}

export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
  /** One value per round, in the order of the rounds. */
  readonly rounds: readonly number[];
}

export function spreadOf(rounds: readonly number[]): Spread {
  return { median: median(rounds), min: Math.min(...rounds), max: Math.max(...rounds), rounds };
}

/** Ratio of each round, never of medians: what disturbed a round disturbed both arms of it. */
export function ratiosOf(ours: readonly number[], theirs: readonly number[]): number[] {
  if (ours.length !== theirs.length) throw new TypeError(`${ours.length} rounds against ${theirs.length}`);
  return ours.map((value, round) => value / (theirs[round] as number));
}

/** Latencies up to 1 s by 0.1 ms, up to 60 s by 10 ms; beyond counts as 60 s. */
export class Latencies {
  readonly #fine = new Float64Array(10_000);
  readonly #coarse = new Float64Array(5_901);
  #count = 0;

  add(latencyMs: number): void {
    this.#count += 1;
    if (latencyMs < 1_000) increment(this.#fine, latencyMs <= 0 ? 0 : Math.floor(latencyMs * 10));
    else increment(this.#coarse, Math.min(5_900, Math.floor((latencyMs - 1_000) / 10)));
  }

  addAll(other: Latencies): void {
    this.#count += other.#count;
    for (const [bin, count] of other.#fine.entries()) this.#fine[bin] = (this.#fine[bin] as number) + count;
    for (const [bin, count] of other.#coarse.entries()) this.#coarse[bin] = (this.#coarse[bin] as number) + count;
  }

  get count(): number {
    return this.#count;
  }

  /** The upper end of the bin that holds it: never better than it was. 0 when there are none. */
  percentile(share: number): number {
    let left = Math.max(1, Math.ceil(this.#count * share));
    if (this.#count === 0) return 0;
    for (const [bin, count] of this.#fine.entries()) {
      left -= count;
      if (left <= 0) return (bin + 1) / 10;
    }
    for (const [bin, count] of this.#coarse.entries()) {
      left -= count;
      if (left <= 0) return 1_000 + (bin + 1) * 10;
    }
    return 60_000;
  }
}

function increment(bins: Float64Array, bin: number): void {
  bins[bin] = (bins[bin] as number) + 1;
}

export interface Climb<Step> {
  /** The highest healthy step; undefined when not even the lowest was. */
  readonly best: Step | undefined;
  readonly firstUnhealthy: Step | undefined;
}

/**
 * Goes down from `start` by `factor` until a step is healthy, then up until one is unhealthy twice (once may be somebody else on the
 * machine; every arm gets the same second chance). Gives up below `least`.
 */
export async function climb<Step extends { readonly healthy: boolean }>(
  start: number,
  factor: number,
  least: number,
  run: (rate: number) => Promise<Step>,
): Promise<Climb<Step>> {
  let rate = start;
  let step = await run(rate);
  let firstUnhealthy: Step | undefined;
  while (!step.healthy) {
    firstUnhealthy ??= step;
    rate /= factor;
    if (rate < least) return { best: undefined, firstUnhealthy };
    step = await run(rate);
  }
  let best = step;
  for (;;) {
    rate *= factor;
    step = await run(rate);
    if (!step.healthy) step = await run(rate);
    if (!step.healthy) return { best, firstUnhealthy: step };
    best = step;
  }
}
