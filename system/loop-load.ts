/**
 * LoopLoad: how busy this process's event loop is, and how long rooms should gather commands before they append them.
 *
 * Guarantees: 0 while the loop has time to spare, so that a quiet node adds no delay; under load, appends and deliveries become
 * fewer and larger, which is what makes a busy node cheaper per entry (a write costs the same for one entry as for twenty).
 * Does not: promise a latency; the interval is an upper bound of what this adds.
 */
import { performance } from 'node:perf_hooks';
import type { Clock } from './clock.ts';

const sampleMs = 50;
/** Busy share of the loop from which on commands are gathered, and the share at which they are gathered the longest. */
const busyFrom = 0.65;
const busyFull = 0.85;
/** Longest gathering. Measured with 10 rooms of 100 readers on one core: shorter gives up throughput, longer leaves p99 too little below 100 ms. */
const gatherMaxMs = 45;

export class LoopLoad {
  private share = 0;
  private last = performance.eventLoopUtilization();
  private cancel: () => void = () => {};
  private readonly clock: Clock;

  constructor(clock: Clock) {
    this.clock = clock;
    this.sample();
  }

  /** Busy share of the loop, smoothed. */
  get busyShare(): number {
    return this.share;
  }

  /** Milliseconds between two appends of one room. */
  gatherMs(): number {
    const over = (this.share - busyFrom) / (busyFull - busyFrom);
    return gatherMaxMs * Math.min(1, Math.max(0, over));
  }

  stop(): void {
    this.cancel();
  }

  private sample(): void {
    const now = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(now, this.last);
    this.last = now;
    // Smoothed: one long turn is not a load.
    this.share = 0.7 * this.share + 0.3 * utilization;
    this.cancel = this.clock.after(sampleMs, () => this.sample());
  }
}
