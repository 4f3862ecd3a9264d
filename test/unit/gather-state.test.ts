/** GatherState: what a busy loop does to the time that rooms gather. */
import { describe, expect, it } from 'vitest';
import { GatherState, gatherMaxMs } from '../../system/gather-state.ts';

const sampled = (samples: number, busy: number, giving: number, state = new GatherState()): GatherState => {
  for (let sample = 0; sample < samples; sample += 1) state.sample(busy, giving);
  return state;
};

describe('how long rooms gather', () => {
  it('is no time at all while the loop has time to spare, whatever it does', () => {
    for (const giving of [0, 0.3, 0.6]) expect(sampled(50, 0.6, giving).gatherMs).toBe(0);
    expect(sampled(1, 1, 0.2).gatherMs, 'one long turn').toBe(0);
  });

  it('grows with the load up to 45 ms, and no further where giving takes a third of it', () => {
    const somewhat = sampled(50, 0.75, 0.1).gatherMs;
    expect(somewhat).toBeGreaterThan(0);
    expect(somewhat).toBeLessThan(45);
    expect(sampled(200, 1, 0.34).gatherMs).toBe(45);
  });

  it('does not grow further while the loop has some time left, however much of it is giving', () => {
    const state = sampled(200, 0.9, 0.6);
    expect(state.gatherMs).toBe(45);
    expect(sampled(1, 1, 0.6, state).gatherMs).toBe(45);
  });

  it('goes on growing where giving alone takes more than that, up to a bound, and comes back', () => {
    const state = sampled(15, 1, 0.9);
    expect(state.gatherMs).toBeGreaterThan(45);
    expect(sampled(100, 1, 0.9, state).gatherMs).toBe(gatherMaxMs);
    expect(sampled(40, 1, 0.1, state).gatherMs).toBe(45);
  });

  it('comes to rest where giving takes its third', () => {
    // What giving costs falls as the time between two frames grows: 130 % of a core at 45 ms.
    const state = new GatherState();
    for (let sample = 0; sample < 400; sample += 1) state.sample(1, Math.min(1, 1.3 * (45 / Math.max(45, state.gatherMs))));
    expect(state.gatherMs).toBeGreaterThan(140);
    expect(state.gatherMs).toBeLessThan(200);
  });
});
