/**
 * The head poll on a manual clock: how often which rooms are asked about, and what a store that fails or is slow changes.
 */
import { afterEach, describe, expect, it } from 'vitest';
import { spawnHeadPoll } from '../../actors/head-poll.ts';
import { HeadPollPlan } from '../../actors/head-poll-state.ts';
import { createActorSystem } from '../../system/actor.ts';
import type { RoomId } from '../../system/ids.ts';
import type { Head } from '../../system/store/entry.ts';
import { silentLog } from '../support/embedded-stores.ts';
import { manualClock, turns } from '../support/manual-clock.ts';

const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

function startPoll(count: number) {
  const clock = manualClock();
  const system = createActorSystem({ clock, log: silentLog });
  const rooms = Array.from({ length: count }, (_, index) => `r${index}` as RoomId);
  const log = {
    isTailLive: false,
    asked: [] as (readonly RoomId[])[],
    answer: (asked: readonly RoomId[]) => Promise.resolve(asked.map((): Head => ({ seq: 7, n: 7, writer: '' }))),
  };
  const heads = new Map<RoomId, number>();
  const watched = { rooms: [] as RoomId[], polled: new Map<RoomId, number>() };
  spawnHeadPoll(system.root, {
    log: {
      get isTailLive() {
        return log.isTailLive;
      },
      heads(asked) {
        log.asked.push(asked);
        return log.answer(asked);
      },
    },
    rooms: { activeRooms: () => rooms, onHead: (room, seq) => void heads.set(room, seq) },
    heads: {
      nextWatched: (limit) => watched.rooms.slice(0, limit),
      onPolled: (room, { seq }) => void watched.polled.set(room, seq),
    },
  });
  stops.push(async () => {
    const stopping = system.stop(100);
    clock.advance(200);
    await stopping;
  });
  const pass = async (ms: number): Promise<void> => {
    for (let step = 0; step < ms; step += 500) {
      clock.advance(500);
      await turns(6);
    }
  };
  return { log, heads, watched, rooms, pass };
}

describe('the head poll', () => {
  it('asks about every active room each second while no tail is live, in calls of bounded size', async () => {
    const { log, heads, rooms, pass } = startPoll(1_200);
    await pass(2_500); // At the first tick they are new, and were read when they were started.
    expect(log.asked.map((asked) => asked.length)).toEqual([512, 512, 176]);
    expect(log.asked.flat()).toEqual(rooms);
    expect([...heads.values()]).toEqual(rooms.map(() => 7));
  });

  it('asks every 30 s while the tail is live', async () => {
    const { log, pass } = startPoll(3);
    log.isTailLive = true;
    await pass(30_000);
    expect(log.asked).toHaveLength(0);
    await pass(2_000);
    expect(log.asked).toHaveLength(1);
    log.isTailLive = false;
    await pass(2_000);
    expect(log.asked.length).toBeGreaterThan(1);
  });

  it('waits for a slow store instead of asking it again, and goes on after a failure', async () => {
    const { log, heads, pass } = startPoll(1);
    let fail: (error: Error) => void = () => {};
    log.answer = () =>
      new Promise((_resolve, reject) => {
        fail = reject;
      });
    await pass(10_000);
    expect(log.asked).toHaveLength(1);
    fail(new Error('no answer'));
    await pass(2_000);
    expect(log.asked).toHaveLength(2);
    expect(heads.size).toBe(0);
  });

  it('asks about rooms that are only watched, too, so many at a time, and tells who watches what it found', async () => {
    const { log, watched, pass } = startPoll(1);
    watched.rooms = Array.from({ length: 2_000 }, (_, index) => `w${index}` as RoomId);
    await pass(2_500);
    expect(log.asked.map((asked) => asked.length)).toEqual([512, 512, 1]);
    expect([...watched.polled.keys()].sort()).toEqual(['r0', ...watched.rooms.slice(0, 512)].sort());
    log.asked.length = 0;
    log.isTailLive = true;
    await pass(3_000);
    expect(log.asked.map((asked) => asked.length)).toEqual([64, 64, 64]);
  });
});

describe('the plan of a poll', () => {
  const ids = (count: number): RoomId[] => Array.from({ length: count }, (_, index) => `r${index}` as RoomId);

  it('with 10,000 rooms asks in rounds of a bounded size, those where people talk in each, and every other within its share', () => {
    const rooms = ids(10_000);
    const plan = new HeadPollPlan();
    const times = { everyMs: 500, roundMax: 2_048 };
    const talking = rooms[9_999] as RoomId;
    const lastAsked = new Map<RoomId, number>();
    let longestMs = 0;
    plan.next(rooms, times, 0);
    for (let nowMs = 1_000; nowMs <= 30_000; nowMs += 1_000) {
      const round = plan.next(rooms, times, nowMs);
      expect(round.length).toBeLessThanOrEqual(2_048);
      for (const room of round) {
        longestMs = Math.max(longestMs, nowMs - (lastAsked.get(room) ?? 0));
        lastAsked.set(room, nowMs);
        plan.found(room, room === talking ? nowMs : 7, nowMs);
      }
      if (nowMs > 10_000) expect(round).toContain(talking);
    }
    expect(lastAsked.size).toBe(10_000);
    expect(longestMs).toBeLessThanOrEqual(6_000);
  });

  it('leaves half of a round to quiet rooms, and forgets rooms that are gone', () => {
    const rooms = ids(100);
    const plan = new HeadPollPlan();
    const times = { everyMs: 500, roundMax: 10 };
    plan.next(rooms, times, 0);
    for (let nowMs = 1_000; nowMs <= 40_000; nowMs += 1_000)
      for (const room of plan.next(rooms, times, nowMs)) plan.found(room, Number(room.slice(1)) < 50 ? nowMs : 1, nowMs);
    const round = plan.next(rooms, times, 41_000);
    expect(round.filter((room) => Number(room.slice(1)) >= 50)).toHaveLength(5);
    expect(plan.next(rooms.slice(0, 3), times, 42_000).length).toBeLessThanOrEqual(3);
    expect(plan.next(rooms, times, 42_500)).not.toContain(rooms[50]);
  });
});
