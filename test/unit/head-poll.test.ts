/**
 * The head poll on a manual clock: how often which rooms are asked about, and what a store that fails or is slow changes.
 */
import { afterEach, describe, expect, it } from 'vitest';
import { spawnHeadPoll } from '../../actors/head-poll.ts';
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
  return { log, heads, rooms, pass };
}

describe('the head poll', () => {
  it('asks about every active room each second while no tail is live, in calls of bounded size', async () => {
    const { log, heads, rooms, pass } = startPoll(1_200);
    await pass(1_500);
    expect(log.asked.map((asked) => asked.length)).toEqual([512, 512, 176]);
    expect(log.asked.flat()).toEqual(rooms);
    expect([...heads.values()]).toEqual(rooms.map(() => 7));
  });

  it('asks every 30 s while the tail is live', async () => {
    const { log, pass } = startPoll(3);
    log.isTailLive = true;
    await pass(29_000);
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
});
