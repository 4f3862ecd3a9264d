/**
 * LoopLoad: how busy this process's event loop is, sampled, and how long its rooms gather for it (`gather-state`).
 *
 * Under load, appends and deliveries become fewer and larger, which is what makes a busy node cheaper per entry: a write costs the same for one
 * entry as for twenty. Does not: promise a latency; the interval is an upper bound of what this adds.
 */
import { performance } from 'node:perf_hooks';
import type { Clock } from './clock.ts';
import { GatherState } from './gather-state.ts';

const sampleMs = 50;

export class LoopLoad {
  private readonly state = new GatherState();
  private last = performance.eventLoopUtilization();
  private givenMs = 0;
  private sampledAtMs: number;
  private cancel: () => void = () => {};
  private readonly clock: Clock;

  constructor(clock: Clock) {
    this.clock = clock;
    this.sampledAtMs = clock.nowMs();
    this.wait();
  }

  /** Busy share of the loop, smoothed. */
  get busyShare(): number {
    return this.state.busyShare;
  }

  /** Milliseconds between two appends of one room. */
  gatherMs(): number {
    return this.state.gatherMs;
  }

  /** A room has spent so long on giving frames to its readers. */
  gave(ms: number): void {
    this.givenMs += ms;
  }

  stop(): void {
    this.cancel();
  }

  private sample(): void {
    const nowMs = this.clock.nowMs();
    const now = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(now, this.last);
    this.state.sample(utilization, Math.min(1, this.givenMs / Math.max(1, nowMs - this.sampledAtMs)));
    this.last = now;
    this.sampledAtMs = nowMs;
    this.givenMs = 0;
    this.wait();
  }

  private wait(): void {
    this.cancel = this.clock.after(sampleMs, () => this.sample());
  }
}
