/**
 * The token bucket of a connection.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RateLimit } from '../../gateway/rate-limit.ts';
import { manualClock } from '../support/manual-clock.ts';

describe('a rate limit', () => {
  it('lets a burst pass, then one command per interval, and says when to come again', () => {
    const clock = manualClock();
    const rate = new RateLimit(10, 3, clock);
    expect([rate.take(), rate.take(), rate.take()].map(({ type }) => type)).toEqual(['passed', 'passed', 'passed']);
    expect(rate.take()).toEqual({ type: 'refused', retryAfterMs: 100 });
    clock.advance(60);
    expect(rate.take()).toEqual({ type: 'refused', retryAfterMs: 40 });
    clock.advance(40);
    expect(rate.take().type).toBe('passed');
    expect(rate.take().type).toBe('refused');
  });

  it('never saves up more than a burst', () => {
    const clock = manualClock();
    const rate = new RateLimit(10, 3, clock);
    clock.advance(3_600_000);
    expect(Array.from({ length: 5 }, () => rate.take().type)).toEqual(['passed', 'passed', 'passed', 'refused', 'refused']);
  });

  it('calls it a flood at 10 bursts refused within 10 s, and not when they are spread', () => {
    const clock = manualClock();
    const fast = new RateLimit(1, 5, clock);
    const verdicts = Array.from({ length: 55 }, () => fast.take().type);
    expect(verdicts.indexOf('flood')).toBe(54);
    const slow = new RateLimit(1, 5, clock);
    for (let i = 0; i < 1_000; i++) {
      expect(slow.take().type).not.toBe('flood');
      clock.advance(250);
    }
  });

  it('passes at most burst + t × rate in any span of time', () => {
    const gaps = fc.array(fc.nat(200), { minLength: 1, maxLength: 300 });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 50 }), fc.integer({ min: 1, max: 20 }), gaps, (perSecond, burst, waits) => {
        const clock = manualClock();
        const rate = new RateLimit(perSecond, burst, clock);
        const passedAtMs: number[] = [];
        for (const wait of waits) {
          clock.advance(wait);
          if (rate.take().type === 'passed') passedAtMs.push(clock.nowMs());
        }
        for (const [i, from] of passedAtMs.entries()) {
          for (const [j, to] of passedAtMs.entries()) {
            if (j >= i && j - i + 1 > burst + ((to - from) * perSecond) / 1_000 + 1e-6)
              expect.fail(`${j - i + 1} passed within ${to - from} ms`);
          }
        }
      }),
      { numRuns: 30 },
    );
  });
});
