/**
 * The ping sweep on a manual clock: how evenly, how often, and for whom.
 */
import { describe, expect, it } from 'vitest';
import { type PingedConnection, PingSweep } from '../../gateway/ping-sweep.ts';
import { manualClock } from '../support/manual-clock.ts';

const intervalMs = 8_000;
const tickMs = 50;

function setUp() {
  const clock = manualClock();
  /** Time that passes while no timer runs. */
  const still = { ms: 0 };
  const sweep = new PingSweep(intervalMs, { nowMs: () => clock.nowMs() + still.ms, after: clock.after });
  const pings: { readonly id: number; readonly atMs: number }[] = [];
  const timers: number[] = [];
  const add = (id: number) => {
    const connection = {
      readyState: 'open',
      pingIntervalTimer: { refresh: () => expect.fail('the timer of engine.io goes on') },
      hasRefreshedPingTimeout: true,
      sendPacket: (type: string) => {
        expect(type).toBe('ping');
        pings.push({ id, atMs: clock.nowMs() });
      },
      resetPingTimeout: () => timers.push(id),
    };
    sweep.add(connection as PingedConnection);
    return connection;
  };
  const pass = (ms: number): void => {
    for (let passed = 0; passed < ms; passed += tickMs) clock.advance(tickMs);
  };
  return { clock, still, sweep, pings, timers, add, pass };
}

describe('the ping sweep', () => {
  it('spreads pings of connections that opened together, and pings each at least once an interval', () => {
    const { pings, timers, add, pass } = setUp();
    for (let id = 0; id < 1_000; id += 1) add(id);
    pass(3 * intervalMs);
    const perTick = new Map<number, number>();
    for (const { atMs } of pings) perTick.set(atMs, (perTick.get(atMs) ?? 0) + 1);
    expect(Math.max(...perTick.values())).toBeLessThanOrEqual(Math.ceil((1_000 * tickMs) / intervalMs) + 1);
    for (const id of [0, 1, 500, 998, 999]) {
      const times = [0, ...pings.filter((ping) => ping.id === id).map(({ atMs }) => atMs)];
      for (const [index, atMs] of times.slice(1).entries()) expect(atMs - (times[index] as number)).toBeLessThanOrEqual(intervalMs);
      expect(times.length).toBeGreaterThanOrEqual(4);
    }
    expect(timers).toHaveLength(pings.length);
  });

  it('pings a single connection within an interval, and those that come while others wait too', () => {
    const { pings, add, pass } = setUp();
    add(1);
    pass(intervalMs);
    expect(pings.filter(({ id }) => id === 1).length).toBeGreaterThanOrEqual(1);
    for (let id = 2; id < 300; id += 1) add(id);
    pass(intervalMs);
    expect(new Set(pings.map(({ id }) => id)).size).toBe(299);
  });

  it('forgets connections that are gone, and asks no timer of engine.io for a pong', () => {
    const { sweep, pings, add, pass } = setUp();
    const connections = [1, 2, 3].map(add);
    const [gone, stays] = connections as [(typeof connections)[number], (typeof connections)[number]];
    gone.readyState = 'closed';
    sweep.gone();
    stays.pingIntervalTimer.refresh();
    pass(4 * intervalMs);
    expect(new Set(pings.map(({ id }) => id))).toEqual(new Set([2, 3]));
    expect(stays.hasRefreshedPingTimeout).toBe(false);
  });

  it('does not put off the end of a connection that has not answered its last ping', () => {
    const { pings, add, pass } = setUp();
    const silent = add(1);
    add(2);
    pass(intervalMs);
    Object.assign(silent, { pingTimeoutTimer: {} });
    const before = pings.filter(({ id }) => id === 1).length;
    pass(4 * intervalMs);
    expect(pings.filter(({ id }) => id === 1)).toHaveLength(before);
    Object.assign(silent, { pingTimeoutTimer: null });
    pass(intervalMs);
    expect(pings.filter(({ id }) => id === 1)).toHaveLength(before + 1);
  });

  it('owes no more than one ping to each after the process stood still', () => {
    const { still, pings, add, pass } = setUp();
    for (let id = 0; id < 10; id += 1) add(id);
    still.ms = 20 * intervalMs;
    pass(tickMs);
    expect(pings.map(({ id }) => id)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  it('stops', () => {
    const { clock, sweep, pings, add } = setUp();
    add(1);
    sweep.stop();
    clock.advance(intervalMs);
    expect(pings).toEqual([]);
    expect(clock.pending()).toBe(0);
  });
});
