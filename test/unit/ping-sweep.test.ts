/**
 * The ping sweep on a manual clock: how evenly, how often, and for whom.
 */
import { describe, expect, it } from 'vitest';
import { PingSweep } from '../../gateway/ping-sweep.ts';
import { manualClock } from '../support/manual-clock.ts';

const intervalMs = 8_000;
const timeoutMs = 6_000;
const tickMs = 50;

function setUp() {
  const clock = manualClock();
  /** Time that passes while no timer runs. */
  const still = { ms: 0 };
  const sweep = new PingSweep(
    { pingIntervalMs: intervalMs, pingTimeoutMs: timeoutMs },
    { nowMs: () => clock.nowMs() + still.ms, after: clock.after },
  );
  const pings: { readonly id: number; readonly atMs: number }[] = [];
  const ended: { readonly id: number; readonly atMs: number }[] = [];
  /** Answers each ping at once, unless told otherwise. */
  const add = (id: number) => {
    const connection = {
      isOpen: true,
      answers: true,
      pingedMs: undefined as number | undefined,
      ping() {
        pings.push({ id, atMs: clock.nowMs() });
        if (connection.answers) queueMicrotask(() => (connection.pingedMs = undefined));
      },
      silent() {
        connection.isOpen = false;
        sweep.gone();
        ended.push({ id, atMs: clock.nowMs() });
      },
    };
    sweep.add(connection);
    return connection;
  };
  const pass = async (ms: number): Promise<void> => {
    for (let passed = 0; passed < ms; passed += tickMs) {
      clock.advance(tickMs);
      await Promise.resolve();
    }
  };
  return { clock, still, sweep, pings, ended, add, pass };
}

describe('the ping sweep', () => {
  it('spreads pings of connections that opened together, and pings each at least once an interval', async () => {
    const { pings, ended, add, pass } = setUp();
    for (let id = 0; id < 1_000; id += 1) add(id);
    await pass(3 * intervalMs);
    const perTick = new Map<number, number>();
    for (const { atMs } of pings) perTick.set(atMs, (perTick.get(atMs) ?? 0) + 1);
    expect(Math.max(...perTick.values())).toBeLessThanOrEqual(Math.ceil((1_000 * tickMs) / intervalMs) + 1);
    for (const id of [0, 1, 500, 998, 999]) {
      const times = [0, ...pings.filter((ping) => ping.id === id).map(({ atMs }) => atMs)];
      for (const [index, atMs] of times.slice(1).entries()) expect(atMs - (times[index] as number)).toBeLessThanOrEqual(intervalMs);
      expect(times.length).toBeGreaterThanOrEqual(4);
    }
    expect(ended).toEqual([]);
  });

  it('pings a single connection within an interval, and those that come while others wait too', async () => {
    const { pings, add, pass } = setUp();
    add(1);
    await pass(intervalMs);
    expect(pings.filter(({ id }) => id === 1).length).toBeGreaterThanOrEqual(1);
    for (let id = 2; id < 300; id += 1) add(id);
    await pass(intervalMs);
    expect(new Set(pings.map(({ id }) => id)).size).toBe(299);
  });

  it('forgets connections that are gone', async () => {
    const { sweep, pings, add, pass } = setUp();
    const [gone] = [1, 2, 3].map(add);
    Object.assign(gone as object, { isOpen: false });
    sweep.gone();
    await pass(4 * intervalMs);
    expect(new Set(pings.map(({ id }) => id))).toEqual(new Set([2, 3]));
  });

  it('ends whoever does not answer within the time-out, once, and nobody else', async () => {
    const { pings, ended, add, pass } = setUp();
    const silent = add(1);
    add(2);
    silent.answers = false;
    await pass(4 * intervalMs);
    const [ping, ...more] = pings.filter(({ id }) => id === 1);
    expect(more).toEqual([]);
    expect(ended).toEqual([{ id: 1, atMs: expect.any(Number) }]);
    const tookMs = (ended[0]?.atMs as number) - (ping?.atMs as number);
    expect(tookMs).toBeGreaterThanOrEqual(timeoutMs);
    expect(tookMs).toBeLessThanOrEqual(timeoutMs + tickMs);
  });

  it('takes a late answer for an answer, and counts the next ping from its own time', async () => {
    const { pings, ended, add, pass } = setUp();
    const slow = add(1);
    for (let id = 2; id < 40; id += 1) add(id);
    slow.answers = false;
    while (!pings.some(({ id }) => id === 1)) await pass(tickMs);
    await pass(timeoutMs - 2 * tickMs);
    slow.pingedMs = undefined;
    // Pinged again at once: what was awaited before must not end it now.
    slow.pingedMs = -1;
    await pass(4 * tickMs);
    expect(ended).toEqual([]);
  });

  it('after the process stood still it owes no more than one ping to each, and first reads what they answered meanwhile', async () => {
    const { still, pings, ended, add, pass } = setUp();
    const connections = Array.from({ length: 10 }, (_, id) => add(id));
    for (const connection of connections) connection.answers = false;
    await pass(timeoutMs - tickMs);
    const before = pings.length;
    still.ms = 20 * intervalMs;
    await pass(tickMs);
    expect(ended).toEqual([]);
    for (const connection of connections) connection.pingedMs = undefined;
    await pass(tickMs);
    expect(ended).toEqual([]);
    expect(pings.length - before).toBeLessThanOrEqual(10);
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
