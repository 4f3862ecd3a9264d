/**
 * LoopWatch: a process that stood still knows it, says it once, and is ready again only after it has caught up.
 */
import { describe, expect, it } from 'vitest';
import { LoopWatch, stallMs } from '../../system/loop-watch.ts';
import type { SupervisionReport } from '../../system/supervision.ts';
import { type ManualClock, manualClock } from '../support/manual-clock.ts';

/** A clock whose process can stand still: time goes on, timers do not. */
function freezable() {
  const inner = manualClock();
  let frozenMs = 0;
  const clock: ManualClock = { ...inner, nowMs: () => inner.nowMs() + frozenMs };
  return { clock, freeze: (ms: number) => void (frozenMs += ms) };
}

function setUp() {
  const { clock, freeze } = freezable();
  const lines: SupervisionReport[] = [];
  const lags: number[] = [];
  const watch = new LoopWatch({
    clock,
    supervision: { emit: (line) => void lines.push(line) },
    lag: { observe: (seconds) => void lags.push(seconds) },
  });
  return { clock, freeze, lines, lags, watch };
}

describe('LoopWatch', () => {
  it('says nothing of a process that runs, and of pauses shorter than a stall', () => {
    const { clock, freeze, lines, lags, watch } = setUp();
    clock.advance(10_000);
    freeze(stallMs - 300);
    expect(watch.state()).toBe('up');
    clock.advance(250);
    expect(watch.state()).toBe('up');
    expect(lines).toEqual([]);
    expect(Math.max(...lags)).toBeCloseTo(4.7);
  });

  it('is down at once after a stall, also when it is asked before its timer ran, and counts it once', () => {
    const { clock, freeze, lines, watch } = setUp();
    clock.advance(1_000);
    freeze(7_000);
    expect(watch.state()).toMatchObject({ down: expect.stringContaining('stood still') });
    clock.advance(250);
    expect(watch.stalls).toBe(1);
    expect(lines).toMatchObject([{ ev: 'node.state', kind: 'loop', state: 'stalled' }]);
    expect(lines[0]?.delayMs).toBeGreaterThanOrEqual(6_500);
  });

  it('is up again after eight ticks in time in a row; a late one starts the count anew', () => {
    const { clock, freeze, lines, watch } = setUp();
    freeze(6_000);
    clock.advance(250);
    clock.advance(7 * 250);
    expect(watch.state()).not.toBe('up');
    freeze(200);
    clock.advance(250);
    clock.advance(7 * 250);
    expect(watch.state()).not.toBe('up');
    clock.advance(250);
    expect(watch.state()).toBe('up');
    expect(lines.map(({ state }) => state)).toEqual(['stalled', 'caughtUp']);
  });

  it('leaves no timer behind when it is stopped', () => {
    const { clock, watch } = setUp();
    watch.stop();
    expect(clock.pending()).toBe(0);
  });
});
