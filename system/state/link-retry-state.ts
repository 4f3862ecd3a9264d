/** LinkRetry: when a link that was lost is tried again: doubling waits, of which chance takes a part (full jitter). Pure. */
import type { LinkTimes } from './link-times.ts';

export class LinkRetry {
  private readonly times: Pick<LinkTimes, 'retryMs' | 'retryMsMax' | 'steadyMs'>;
  private readonly random: () => number;
  private failures = 0;

  /** `random`: from 0 up to 1. */
  constructor(times: Pick<LinkTimes, 'retryMs' | 'retryMsMax' | 'steadyMs'>, random: () => number) {
    this.times = times;
    this.random = random;
  }

  /** `liveMs`: for how long the link was live; only a steady one starts over, so one that fails at once each time is not hammered. */
  nextWaitMs(liveMs: number): number {
    if (liveMs >= this.times.steadyMs) this.failures = 0;
    const spanMs = Math.min(this.times.retryMsMax, this.times.retryMs * 2 ** Math.min(this.failures, 30));
    this.failures += 1;
    return spanMs * this.random();
  }
}
