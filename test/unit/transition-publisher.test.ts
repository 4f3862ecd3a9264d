/**
 * Telling other services who came and who went: each once, in order for one user, never more than may wait. Time by hand.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Transition } from '../../system/state/state-sessions.ts';
import { StateTransitionQueue, type TransitionQueueLimits } from '../../system/state/state-transition-queue.ts';
import type { StateNews, VoiceMove } from '../../system/state/state-voice-moves.ts';
import { TransitionPublisher } from '../../system/state/transition-publisher.ts';
import type { StateEvent } from '../../system/wire/wire.ts';
import { manualClock, turns } from '../support/manual-clock.ts';

const came = (user: string): Transition => ({ user, state: 'online' });
const went = (user: string): Transition => ({ user, state: 'offline' });
const limits: TransitionQueueLimits = { waitingMax: 4, inFlightMax: 2, keptMs: 10_000, retryMs: 1_000 };

describe('what waits to be told', () => {
  it('is given out one at a time for a user, and of so many users at once', () => {
    const queue = new StateTransitionQueue(limits);
    queue.push([came('ada'), went('ada'), came('bob'), came('cid')], 0);
    expect([queue.take(0), queue.take(0), queue.take(0)]).toEqual([came('ada'), came('bob'), undefined]);
    queue.done('ada');
    expect(queue.take(0), 'whoever waits longest comes first').toEqual(came('cid'));
    queue.done('bob');
    expect(queue.take(0)).toEqual(went('ada'));
    queue.done('ada');
    queue.done('cid');
    expect([queue.take(0), queue.size]).toEqual([undefined, 0]);
  });

  it('is the oldest that goes when it is full, never what is under way', () => {
    const queue = new StateTransitionQueue(limits);
    queue.push([came('ada')], 0);
    queue.take(0);
    expect(queue.push([came('bob'), came('cid'), came('dan'), came('eve')], 0)).toBe(1);
    queue.done('ada');
    expect([queue.take(0), queue.take(0)]).toEqual([came('cid'), came('dan')]);
  });

  it('stays within its bound when one user who is under way comes and goes without end', () => {
    const queue = new StateTransitionQueue(limits);
    queue.push([came('ada')], 0);
    queue.take(0);
    for (let i = 0; i < 50; i += 1) queue.push([went('ada'), came('ada')], 0);
    expect(queue.size).toBe(limits.waitingMax);
  });

  it('is tried again after a failure, all of it later, and let go when it is no news any more', () => {
    const queue = new StateTransitionQueue(limits);
    queue.push([came('ada'), came('bob')], 0);
    queue.take(0);
    expect(queue.failed('ada', 500)).toBe(0);
    expect([queue.take(1_499), queue.pausedUntilMs(1_499)]).toEqual([undefined, 1_500]);
    expect(queue.take(1_500)).toEqual(came('ada'));
    expect(queue.failed('ada', 10_000), 'both have waited for ten seconds').toBe(2);
    expect(queue.size).toBe(0);
  });

  it('comes out in the order in which it went in for each user, once, whatever fails between', () => {
    const step = fc.oneof(
      fc.tuple(fc.constantFrom('a', 'b', 'c'), fc.boolean()).map(([user, isIn]) => ({ push: isIn ? came(user) : went(user) })),
      fc.constant('take' as const),
      fc.constant('done' as const),
      fc.constant('failed' as const),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const queue = new StateTransitionQueue({ ...limits, waitingMax: 1_000, keptMs: 1_000_000 });
        const [given, told, underWay]: [Transition[], StateNews[], StateNews[]] = [[], [], []];
        let nowMs = 0;
        const act = (what: (typeof steps)[number]): void => {
          nowMs += limits.retryMs;
          if (typeof what === 'object') given.push(what.push) && queue.push([what.push], nowMs);
          else if (what === 'take') {
            const next = queue.take(nowMs);
            if (next) underWay.push(next);
          } else {
            const next = underWay.shift();
            if (next && what === 'done') told.push(next) && queue.done(next.user);
            else if (next) queue.failed(next.user, nowMs);
          }
        };
        for (const what of steps) act(what);
        for (let i = 0; i < 3 * steps.length; i += 1) for (const what of ['take', 'done'] as const) act(what);
        for (const user of ['a', 'b', 'c']) expect(told.filter((t) => t.user === user)).toEqual(given.filter((t) => t.user === user));
        expect(queue.size).toBe(0);
      }),
      { numRuns: 300, seed: 4 },
    );
  });
});

function start(roomsOf: (user: string) => Promise<readonly string[]>, isOwnRoom = async (_user: string, _community: string) => false) {
  const clock = manualClock();
  const told: StateEvent[] = [];
  const lines: Record<string, unknown>[] = [];
  const note = (line: Record<string, unknown>) => void lines.push(line);
  const log = { info: note, warn: note, error: note, debug: note } as never;
  const publisher = new TransitionPublisher({ roomsOf, isOwnRoom, publish: (event) => void told.push(event), clock, log, limits });
  return { clock, told, lines, publisher };
}

describe('other services', () => {
  it('are told of each transition once, with the rooms of the user as they are then', async () => {
    const rooms = new Map([['ada', ['direct/1', 'group/7']]]);
    const { publisher, told } = start(async (user) => rooms.get(user) ?? []);
    publisher.take([came('ada'), came('bob')]);
    await turns();
    rooms.set('ada', []);
    publisher.take([went('ada')]);
    await turns();
    expect(told).toEqual([
      { type: 'connect', userId: 'ada', state: 'online', ids: ['direct/1', 'group/7'] },
      { type: 'connect', userId: 'bob', state: 'online', ids: [] },
      { type: 'disconnect', userId: 'ada', state: 'offline', ids: [] },
    ]);
  });

  it('are told which voice channels users left with their node, of a room or of a community, before that they are offline', async () => {
    const { publisher, told } = start(
      async () => [],
      async (user, community) => user === 'ada' && community === '7',
    );
    const left = (user: string, community: string): VoiceMove => ({ user, state: 'exited', community, channel: 'x' });
    publisher.take([left('ada', '7'), left('bob', '7'), went('ada'), went('bob')]);
    await turns();
    publisher.take([came('ada'), { ...left('ada', '7'), state: 'entered' }]);
    await turns();
    const at = { communityId: '7', channelId: 'x' };
    expect(told.filter(({ userId }) => userId === 'ada')).toEqual([
      { type: 'exit-room', userId: 'ada', ...at },
      { type: 'disconnect', userId: 'ada', state: 'offline', ids: [] },
      { type: 'connect', userId: 'ada', state: 'online', ids: [] },
      { type: 'enter', userId: 'ada', ...at },
    ]);
    expect(told.filter(({ userId }) => userId === 'bob')).toEqual([
      { type: 'exit-community', userId: 'bob', ...at },
      { type: 'disconnect', userId: 'bob', state: 'offline', ids: [] },
    ]);
  });

  it('are told later when the store is away, in order, and a line says that it is late', async () => {
    let isAway = true;
    const { publisher, told, clock, lines } = start(async () => (isAway ? Promise.reject(new Error('away')) : ['direct/1']));
    publisher.take([came('ada'), went('ada')]);
    await turns();
    clock.advance(1_000);
    await turns();
    expect(told).toEqual([]);
    isAway = false;
    clock.advance(1_000);
    await turns();
    expect(told.map(({ type }) => type)).toEqual(['connect', 'disconnect']);
    expect(lines.map(({ ev }) => ev)).toEqual(['state.event.late', 'state.event.late']);
    expect(clock.pending()).toBe(0);
  });

  it('are not told of what had no room to wait, nor of what waited for too long; both are counted in a line', async () => {
    const { publisher, told, clock, lines } = start(() => Promise.reject(new Error('away')));
    publisher.take(['a', 'b', 'c', 'd', 'e', 'f'].map(came));
    await turns();
    for (let second = 0; second < 12; second += 1) {
      clock.advance(1_000);
      await turns();
    }
    const dropped = lines.filter(({ ev }) => ev === 'state.event.dropped').map(({ count }) => count as number);
    expect(dropped.reduce((sum, count) => sum + count, 0)).toBe(6);
    expect([told, publisher.waiting]).toEqual([[], 0]);
  });

  it('hear at a stop what still waits, if it comes in time', async () => {
    let find: (rooms: readonly string[]) => void = () => {};
    const { publisher, told, clock } = start(() => new Promise((resolve) => (find = resolve)));
    publisher.take([came('ada')]);
    const closed = publisher.close(500);
    publisher.take([came('late')]);
    find([]);
    await closed;
    expect(told.map(({ userId }) => userId)).toEqual(['ada']);
    const stuck = start(() => new Promise(() => {}));
    stuck.publisher.take([came('ada')]);
    const gaveUp = stuck.publisher.close(500);
    stuck.clock.advance(500);
    await gaveUp;
    expect(stuck.lines.at(-1)).toMatchObject({ ev: 'state.event.dropped', count: 1 });
    expect(clock.pending() + stuck.clock.pending()).toBe(0);
  });
});
