/**
 * Clock: the only source of time.
 *
 * `nowMs` is monotonic and has no meaning outside the process: every duration, deadline and back-off uses it.
 * `wallMs` is milliseconds since the epoch: for display (`Entry.at`) and token expiry only, never for order.
 */
export interface Clock {
  nowMs(): number;
  wallMs(): number;
  /** Runs `task` once after `delayMs` (at most 2^31-1). Returns a function that cancels it; cancelling twice is harmless. */
  after(delayMs: number, task: () => void): () => void;
}

export const systemClock: Clock = {
  nowMs: () => performance.now(),
  wallMs: () => Date.now(),
  after(delayMs, task) {
    const timer = setTimeout(task, delayMs);
    return () => clearTimeout(timer);
  },
};
