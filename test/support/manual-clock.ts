/**
 * ManualClock: a clock that a test moves.
 *
 * Guarantees: `advance` runs the timers that are due in order of their time, then of their making, each at its own time.
 * Does not: move by itself, or wait for promises; `turns` waits for those.
 */
import type { Clock } from '../../system/clock.ts';

export interface ManualClock extends Clock {
  /** Moves time forward and runs what is due, also timers that those tasks set within the span. */
  advance(ms: number): void;
  /** Timers set and neither run nor cancelled. */
  pending(): number;
}

export function manualClock(startMs = 0, wallStartMs = 1_700_000_000_000): ManualClock {
  let now = startMs;
  let serial = 0;
  const timers = new Map<number, { readonly at: number; readonly task: () => void }>();
  const nextDue = (until: number) => {
    let next: [number, { readonly at: number; readonly task: () => void }] | undefined;
    for (const entry of timers) if (entry[1].at <= until && (!next || entry[1].at < next[1].at)) next = entry;
    return next;
  };
  return {
    nowMs: () => now,
    wallMs: () => wallStartMs + now - startMs,
    after(delayMs, task) {
      serial += 1;
      const id = serial;
      // As Node does it: what is too long fires after 1 ms. Whoever forgets that must see it in a test.
      timers.set(id, { at: now + (delayMs > 2 ** 31 - 1 ? 1 : Math.max(0, delayMs)), task });
      return () => {
        timers.delete(id);
      };
    },
    advance(ms) {
      const until = now + ms;
      for (let due = nextDue(until); due; due = nextDue(until)) {
        timers.delete(due[0]);
        now = due[1].at;
        due[1].task();
      }
      now = until;
    },
    pending: () => timers.size,
  };
}

/** Lets `count` turns of the event loop pass: setImmediate callbacks and all promises between them. */
export async function turns(count = 4): Promise<void> {
  for (let i = 0; i < count; i += 1) await new Promise((resolve) => setImmediate(resolve));
}
