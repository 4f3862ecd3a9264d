/**
 * GatherState: how long rooms gather commands before they append them, from how busy the event loop is and what it is busy with. Pure.
 *
 * Guarantees: 0 while the loop has time to spare, so that a quiet node adds no delay. Under load up to `usualMaxMs`, which keeps p99 of a busy
 * node below 100 ms. Beyond that only where the loop is full all the same, and giving frames to readers alone takes more of it than `givingShareMax`:
 * ten thousand readers who are each written to twenty times a second are more than a core can do, and written to five times they are not. Then late is
 * better than BUSY.
 */

/** Busy share of the loop from which on commands are gathered, and the share at which they are gathered the longest. */
const busyFrom = 0.65;
const busyFull = 0.85;
/** Share from which on the usual gathering was not enough. Below it giving may take what it likes: nobody waits for the loop. */
const busyBeyond = 0.95;
/** Measured with 10 rooms of 100 readers on one core: shorter gives up throughput, longer leaves p99 too little below 100 ms. */
const usualMaxMs = 45;
/** The rest is for what arrives, which gathering makes no cheaper. */
const givingShareMax = 0.35;
/** However many read. */
export const gatherMaxMs = 400;
/** Weight of the last sample: one long turn is not a load. */
const sampleWeight = 0.3;
/** The longest gathering changes by so much at most from one sample to the next: what it changes shows some samples later. */
const shrinkMost = 0.9;
const growMost = 1.2;

export class GatherState {
  #busyShare = 0;
  #givingShare = 0;
  #longestMs = usualMaxMs;

  /** Busy share of the loop, smoothed. */
  get busyShare(): number {
    return this.#busyShare;
  }

  /** Milliseconds between two appends of one room. */
  get gatherMs(): number {
    const over = (this.#busyShare - busyFrom) / (busyFull - busyFrom);
    return this.#longestMs * Math.min(1, Math.max(0, over));
  }

  /** Shares of the time since the sample before: the loop was busy, and frames were given to readers. */
  sample(busyShare: number, givingShare: number): void {
    this.#busyShare += (busyShare - this.#busyShare) * sampleWeight;
    this.#givingShare += (givingShare - this.#givingShare) * sampleWeight;
    const isBeyond = this.#busyShare >= busyBeyond;
    const change = isBeyond ? Math.min(growMost, Math.max(shrinkMost, this.#givingShare / givingShareMax)) : shrinkMost;
    this.#longestMs = Math.min(gatherMaxMs, Math.max(usualMaxMs, this.#longestMs * change));
  }
}
