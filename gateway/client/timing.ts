/**
 * Timing: the client library's only source of time and chance, so that tests can put their own in.
 *
 * Does not: import `system/clock.ts`; the library stands alone.
 */
export interface Timing {
  /** Monotonic milliseconds. */
  nowMs(): number;
  /** Runs `task` once after `delayMs`. Returns a function that cancels it; cancelling twice is harmless. */
  after(delayMs: number, task: () => void): () => void;
  /** 0 ≤ value < 1. */
  random(): number;
}

export const systemTiming: Timing = {
  nowMs: () => performance.now(),
  after(delayMs, task) {
    const timer = setTimeout(task, delayMs);
    return () => clearTimeout(timer);
  },
  random: () => Math.random(),
};

const backoffMinMs = 200;
/** Not longer: whoever waits the most is to be back within 5 s of the node's return. A storm is the node's to pace. */
const backoffMaxMs = 3_000;

/** Full jitter: anything from 0 to a limit that doubles with each attempt, so that a thousand clients do not return in step. */
export function backoffMs(attempt: number, timing: Timing): number {
  return timing.random() * Math.min(backoffMaxMs, backoffMinMs * 2 ** Math.min(attempt, 10));
}
