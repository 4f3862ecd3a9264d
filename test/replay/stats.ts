/**
 * Stats: the counters of a run, and how long the way back takes after an outage.
 *
 * Recovery of one outage: from the first successful connect of anyone until everybody who was cut off is live again.
 */
import type { Timing } from '../../gateway/client/timing.ts';

export class Stats {
  private readonly timing: Timing;
  sent = 0;
  acked = 0;
  duplicateAcks = 0;
  delivered = 0;
  reconnects = 0;
  evictions = 0;
  plainReplies = 0;
  /** Lines done, of lines to do. */
  done = 0;
  total = 0;
  outages = 0;
  recoveryMsMax = 0;
  progressMs: number;
  private lines = 0;
  private firstMs: number | undefined;
  private lastMs = 0;
  private readonly away = new Set<object>();
  private possibleMs: number | undefined;

  constructor(timing: Timing) {
    this.timing = timing;
    this.progressMs = timing.nowMs();
  }

  get awayCount(): number {
    return this.away.size;
  }

  /** A line was begun in its turn. */
  started(): void {
    const nowMs = this.timing.nowMs();
    this.firstMs ??= nowMs;
    this.lastMs = nowMs;
    this.lines += 1;
  }

  /** From the first line's begin to the last one's; 0 for less than two lines. */
  get linesPerSecond(): number {
    const { firstMs = 0, lastMs, lines } = this;
    return lines < 2 || lastMs === firstMs ? 0 : ((lines - 1) * 1_000) / (lastMs - firstMs);
  }

  /** Something went forward: the run is not stuck. */
  progressed(): void {
    this.progressMs = this.timing.nowMs();
  }

  /** A connection that was online was lost. */
  lost(client: object): void {
    if (this.away.size === 0) this.outages += 1;
    // Cut again on the way back: it counts from when connecting is possible again.
    this.possibleMs = undefined;
    this.away.add(client);
  }

  /** Anybody's connect succeeded. */
  connected(client: object): void {
    if (this.away.size > 0) this.possibleMs ??= this.timing.nowMs();
    if (this.away.has(client)) this.reconnects += 1;
    this.progressed();
  }

  /** The client is where it was: its room is live. Also for one that is not wanted any more. */
  resumed(client: object): void {
    if (!this.away.delete(client) || this.away.size > 0 || this.possibleMs === undefined) return;
    this.recoveryMsMax = Math.max(this.recoveryMsMax, this.timing.nowMs() - this.possibleMs);
  }
}
