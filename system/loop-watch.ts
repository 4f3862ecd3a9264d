/**
 * LoopWatch: notices that this process did not run for a while: frozen, swapped out, or busy with one thing for seconds.
 *
 * Such a node has clients that gave it up, a link that was declared dead and timers that are all due at once. It is not
 * ready until it has caught up: some timers in a row in time.
 * Guarantees: each pause is one supervision line, and one more when the node has caught up.
 */
import type { Clock } from './clock.ts';
import type { PartState } from './health.ts';
import type { Histogram } from './metrics.ts';
import type { Supervision } from './supervision.ts';

const tickMs = 250;
/** A longer pause is a stall. */
export const stallMs = 5_000;
/** So many ticks in a row, none later than this, and the node has caught up. */
const caughtUpTicks = 8;
const inTimeMs = 100;

export interface LoopWatchDeps {
  readonly clock: Clock;
  readonly supervision: Pick<Supervision, 'emit'>;
  /** In seconds. */
  readonly lag: Histogram;
}

export class LoopWatch {
  stalls = 0;
  private readonly deps: LoopWatchDeps;
  private dueMs = 0;
  /** Ticks in time still to come; 0: not stalled. */
  private ticksToGo = 0;
  private cancel: () => void = () => {};

  constructor(deps: LoopWatchDeps) {
    this.deps = deps;
    this.arm();
  }

  state(): PartState {
    // Asked before the timers had their turn: the pause is known all the same.
    if (this.deps.clock.nowMs() - this.dueMs >= stallMs) this.noteStall(this.deps.clock.nowMs() - this.dueMs);
    return this.ticksToGo === 0 ? 'up' : { down: 'stood still for more than 5 s and is catching up' };
  }

  stop(): void {
    this.cancel();
  }

  private arm(): void {
    this.dueMs = this.deps.clock.nowMs() + tickMs;
    this.cancel = this.deps.clock.after(tickMs, () => this.tick());
  }

  private tick(): void {
    const lateMs = Math.max(0, this.deps.clock.nowMs() - this.dueMs);
    this.deps.lag.observe(lateMs / 1_000);
    if (lateMs >= stallMs) this.noteStall(lateMs);
    else if (this.ticksToGo > 0) this.catchUp(lateMs);
    this.arm();
  }

  private noteStall(pauseMs: number): void {
    this.dueMs = this.deps.clock.nowMs(); // This pause is counted once.
    this.ticksToGo = caughtUpTicks;
    this.stalls += 1;
    this.deps.supervision.emit({ ev: 'node.state', path: '/', kind: 'loop', state: 'stalled', delayMs: Math.round(pauseMs) });
  }

  private catchUp(lateMs: number): void {
    this.ticksToGo = lateMs <= inTimeMs ? this.ticksToGo - 1 : caughtUpTicks;
    if (this.ticksToGo === 0) this.deps.supervision.emit({ ev: 'node.state', path: '/', kind: 'loop', state: 'caughtUp' });
  }
}
