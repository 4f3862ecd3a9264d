/**
 * What a node does about the claim it finds on its id.
 */
import { describe, expect, it } from 'vitest';
import { type Claim, NodeClaimState } from '../../system/cluster/node-claim-state.ts';

const me = { inc: 'a.me', sinceMs: 1_000 };
const claim = (inc: string, beat: number, sinceMs = 500): Claim => ({ inc, beat, sinceMs, host: 'h' });
const state = () => new NodeClaimState(me, 12_000);

describe('a node that starts', () => {
  it('takes an id that is nobody’s, its own, or that of a claim it cannot believe', () => {
    expect(state().see(undefined, false, 0)).toBe('take');
    expect(state().see(claim(me.inc, 7), false, 0)).toBe('take');
  });

  it('waits to see whether the holder lives, and loses to one that does, older or younger', () => {
    for (const sinceMs of [500, 1_500]) {
      const starting = state();
      expect(starting.see(claim('a.other', 3, sinceMs), false, 0)).toBe('wait');
      expect(starting.see(claim('a.other', 3, sinceMs), false, 500)).toBe('wait');
      expect(starting.see(claim('a.other', 4, sinceMs), false, 1_000)).toBe('lose');
    }
  });

  it('takes the place of a killed node as soon as its claim is gone, or has shown no beat for so long', () => {
    const restarted = state();
    expect(restarted.see(claim('a.dead', 3), false, 0)).toBe('wait');
    expect(restarted.see(undefined, false, 9_000)).toBe('take');
    const stuck = state();
    expect(stuck.see(claim('a.dead', 3), false, 0)).toBe('wait');
    expect(stuck.see(claim('a.dead', 3), false, 11_999)).toBe('wait');
    expect(stuck.see(claim('a.dead', 3), false, 12_000)).toBe('take');
  });

  it('looks anew at each other holder', () => {
    const starting = state();
    expect(starting.see(claim('a.one', 3), false, 0)).toBe('wait');
    expect(starting.see(claim('a.two', 4), false, 500)).toBe('wait');
    expect(starting.see(claim('a.one', 5), false, 1_000)).toBe('wait');
  });
});

describe('a node that serves and finds another’s claim', () => {
  it('takes it back when it was started first, and loses to a living one that was', () => {
    expect(state().see(claim('a.later', 9, 1_001), true, 0)).toBe('take');
    const second = state();
    expect(second.see(claim('a.first', 9, 999), true, 0)).toBe('wait');
    expect(second.see(claim('a.first', 10, 999), true, 500)).toBe('lose');
  });

  it('exactly one of two that began at once goes on', () => {
    const other = new NodeClaimState({ inc: 'a.other', sinceMs: me.sinceMs }, 12_000);
    const steps = [
      state().see({ ...claim('a.other', 1), sinceMs: me.sinceMs }, true, 0),
      other.see({ ...claim(me.inc, 1), sinceMs: me.sinceMs }, true, 0),
    ];
    expect(steps.sort()).toEqual(['take', 'wait']);
  });

  it('does not end for the claim of an earlier life that is dead', () => {
    const serving = state();
    for (const atMs of [0, 3_000, 6_000]) expect(serving.see(claim('a.before', 4, 1), true, atMs)).toBe('wait');
    expect(serving.see(undefined, true, 9_000)).toBe('take');
  });
});
