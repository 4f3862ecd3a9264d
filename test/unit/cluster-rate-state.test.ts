/**
 * A rate over several nodes as one of them sees it, and whose connections are to be told: pure, on times that are given.
 */
import { describe, expect, it } from 'vitest';
import { ClusterRateState } from '../../system/cluster/cluster-rate-state.ts';
import { ClusterSeatState } from '../../system/cluster/cluster-seat-state.ts';

const limits = { perSecondMax: 10, burstMax: 16 };
const times = { soonMs: 100, lateMs: 1_000 };
const rate = (keysMax = 100) => new ClusterRateState(limits, keysMax, times);
const takeAll = (state: ClusterRateState, nowMs: number): number => {
  let passed = 0;
  while (state.take('ada', nowMs) === undefined) passed += 1;
  return passed;
};

describe('a shared rate', () => {
  it('lets a burst pass before anybody was asked, then its rate', () => {
    const state = rate();
    expect(takeAll(state, 0)).toBe(16);
    expect(state.take('ada', 0)).toBe(100);
    expect(state.take('ada', 50)).toBe(50);
    expect(state.take('ada', 110)).toBeUndefined();
  });

  it('settles little within a second, much soon, each only once', () => {
    const state = rate();
    state.take('ada', 0);
    expect(state.due(100)).toEqual([]);
    expect(state.due(999)).toEqual([]);
    expect(state.due(1_000)).toEqual([{ key: 'ada', used: 1 }]);
    expect(state.due(2_500)).toEqual([]);
    for (let index = 0; index < 3; index += 1) state.take('bob', 2_500);
    expect(state.due(2_600)).toEqual([{ key: 'bob', used: 3 }]);
  });

  it('goes by what is left after the settling, less what passed meanwhile; a debt is waited for', () => {
    const state = rate();
    for (let index = 0; index < 10; index += 1) state.take('ada', 0);
    expect(state.due(100)).toEqual([{ key: 'ada', used: 10 }]);
    state.take('ada', 100);
    state.take('ada', 100);
    expect(state.due(200)).toEqual([]);
    state.settled('ada', 3, 200);
    expect(takeAll(state, 200)).toBe(1);
    expect(state.due(300)).toEqual([{ key: 'ada', used: 3 }]);
    state.settled('ada', -5, 300);
    expect(state.take('ada', 300)).toBe(600);
    expect(state.take('ada', 900)).toBeUndefined();
  });

  it('does not make a lost report again', () => {
    const state = rate();
    for (let index = 0; index < 10; index += 1) state.take('ada', 0);
    state.due(100);
    state.lost('ada');
    expect(state.due(2_000)).toEqual([]);
    state.take('ada', 2_000);
    expect(state.due(3_000)).toEqual([{ key: 'ada', used: 1 }]);
  });

  it('holds so many keys, lets others pass uncounted, and forgets those that are full again', () => {
    const state = rate(3);
    for (const key of ['a', 'b', 'c', 'd', 'd']) expect(state.take(key, 0)).toBeUndefined();
    expect(state.size).toBe(3);
    for (const { key } of state.due(1_000)) state.settled(key, 16, 1_000);
    state.due(1_100);
    expect(state.size).toBe(0);
    state.take('d', 1_200);
    expect(state.size).toBe(1);
    state.forget();
    expect([state.size, state.due(9_000)]).toEqual([0, []]);
  });
});

describe('shared seats', () => {
  it('are told when they change, when somebody asks, and never twice for nothing', () => {
    const seats = new ClusterSeatState(10);
    seats.have('ada', 1);
    seats.have('ada', 2);
    expect(seats.due()).toEqual([['ada', 2]]);
    expect(seats.due()).toEqual([]);
    seats.have('ada', 2);
    seats.askAgain('bob');
    expect(seats.due()).toEqual([]);
    seats.askAgain('ada');
    expect(seats.due()).toEqual([['ada', 2]]);
    seats.answered('ada', 5);
    expect([seats.others('ada'), seats.others('bob')]).toEqual([5, 0]);
  });

  it('are forgotten once the others know that there are none, not before, and not when there are some again', () => {
    const seats = new ClusterSeatState(10);
    seats.have('ada', 1);
    seats.have('ada', 0);
    expect([seats.due(), seats.size]).toEqual([[['ada', 0]], 1]);
    seats.have('ada', 1);
    seats.answered('ada', 0);
    expect([seats.due(), seats.size]).toEqual([[['ada', 1]], 1]);
    seats.have('ada', 0);
    seats.due();
    seats.answered('ada', 0);
    expect(seats.size).toBe(0);
  });

  it('have a bound; further ones are this node’s own affair', () => {
    const seats = new ClusterSeatState(2);
    for (const key of ['a', 'b', 'c']) seats.have(key, 1);
    expect([seats.size, seats.due().length, seats.others('c')]).toEqual([2, 2, 0]);
  });
});
