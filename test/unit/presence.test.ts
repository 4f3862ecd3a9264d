/**
 * Presence as actors: who sees whom, where, how soon, and what a crash of each part does.
 */
import { afterEach, describe, expect, it } from 'vitest';
import { flapWindowMs, type PresenceView } from '../../actors/user-state.ts';
import type { RoomId, UserId } from '../../system/ids.ts';
import { create, join, open, type Stage, type StageClient, type StageOptions, startStage } from '../support/actor-stage.ts';
import { turns } from '../support/manual-clock.ts';

const stages: Stage[] = [];
const stage = async (options?: StageOptions): Promise<Stage> => {
  const started = startStage(options);
  stages.push(started);
  await turns(2);
  return started;
};
afterEach(async () => {
  for (const started of stages.splice(0)) await started.stop();
});

const watch = async (who: StageClient, ...users: string[]): Promise<readonly PresenceView[]> => {
  const result = await who.done({ type: 'presence.watch', users: users as UserId[] });
  if (result.type !== 'presence') throw new Error(`answered ${result.type}`);
  return result.states;
};
/** What a client was told by events, one line for each change. */
const told = (who: StageClient): string[] =>
  (who.sink.events('presence') as { changes: PresenceView[] }[]).flatMap(({ changes }) =>
    changes.map(({ user, state, place }) => [user, state, place].filter((part) => part !== undefined).join(' ')),
  );
const events = (on: Stage, ev: string) => on.lines.filter((line) => line['ev'] === ev);
const pass = async (on: Stage, ms: number): Promise<void> => {
  await turns(6);
  on.clock.advance(ms);
  await turns(6);
};

describe('whoever watches', () => {
  it('is answered with the states of now, then told of each change once', async () => {
    const on = await stage();
    const alice = on.connect('alice');
    const bob = on.connect('bob');
    expect(await watch(alice, 'bob', 'carol', 'alice')).toEqual([
      { user: 'bob', state: 'online' },
      { user: 'carol', state: 'offline' },
      { user: 'alice', state: 'online', place: 'home' },
    ]);
    const carol = on.connect('carol');
    await turns(6);
    expect(told(alice)).toEqual(['carol online']);
    bob.handle.disconnected('left');
    carol.handle.disconnected('left');
    await turns(6);
    expect(told(alice)).toEqual(['carol online', 'bob offline', 'carol offline']);
  });

  it('hears nothing of a short break, and of a longer one after 3 s', async () => {
    const on = await stage();
    const alice = on.connect('alice');
    const first = on.connect('bob');
    await watch(alice, 'bob');
    first.handle.disconnected('lost');
    await pass(on, 2_000);
    const second = on.connect('bob');
    await pass(on, 5_000);
    expect(told(alice)).toEqual([]);
    second.handle.disconnected('lost');
    await pass(on, 2_999);
    expect(told(alice)).toEqual([]);
    await pass(on, 1);
    expect(told(alice)).toEqual(['bob offline']);
  });

  it('sees a user online while any of its sessions holds, here or on another node', async () => {
    const on = await stage();
    const alice = on.connect('alice');
    const phone = on.connect('bob');
    const desk = on.connect('bob');
    await watch(alice, 'bob');
    phone.handle.disconnected('left');
    await turns(6);
    const elsewhere = on.hub.join('node-2');
    elsewhere.put({ session: 's' as never, user: 'bob' as UserId, place: 'home' });
    await pass(on, flapWindowMs);
    desk.handle.disconnected('left');
    await turns(6);
    expect(told(alice)).toEqual([]);
    elsewhere.remove('s' as never);
    await turns(6);
    expect(told(alice)).toEqual(['bob offline']);
  });
});
describe('a place', () => {
  it('is told to whoever has that room open and to the user itself; a stranger learns the state only', async () => {
    const on = await stage();
    const [alice, bob, eve, desk] = [on.connect('alice'), on.connect('bob'), on.connect('eve'), on.connect('bob')];
    await alice.done(create('lobby'));
    await bob.done(join('lobby'));
    await alice.done(open('lobby'));
    for (const who of [alice, eve, desk]) await watch(who, 'bob');
    await bob.done(open('lobby'));
    await turns(6);
    expect([told(alice), told(eve), told(desk)]).toEqual([['bob online lobby'], [], ['bob online lobby']]);
    await bob.done({ type: 'room.close', room: 'lobby' as RoomId });
    await turns(6);
    expect([told(alice).at(-1), told(eve), told(desk).at(-1)]).toEqual(['bob online', [], 'bob online home']);
  });

  it('is not told for guessing the name of a room that does not open', async () => {
    const on = await stage();
    const [bob, eve] = [on.connect('bob'), on.connect('eve')];
    await bob.done(create('secret', false));
    await bob.done(open('secret'));
    await watch(eve, 'bob');
    await eve.ask(open('secret'));
    await turns(6);
    expect(told(eve)).toEqual([]);
    expect(await watch(eve, 'bob')).toEqual([{ user: 'bob', state: 'online' }]);
  });

  it('is told no more to somebody who was removed from the room', async () => {
    const on = await stage();
    const [alice, bob, eve] = [on.connect('alice'), on.connect('bob'), on.connect('eve')];
    await alice.done(create('lobby'));
    for (const who of [bob, eve]) await who.done(join('lobby'));
    for (const who of [alice, bob, eve]) await who.done(open('lobby'));
    expect(await watch(eve, 'bob')).toEqual([{ user: 'bob', state: 'online', place: 'lobby' }]);
    await alice.done({ type: 'room.kick', room: 'lobby' as RoomId, user: 'eve' as UserId });
    await turns(6);
    expect(told(eve)).toEqual(['bob online']);
    expect(await watch(eve, 'bob', 'eve')).toEqual([
      { user: 'bob', state: 'online' },
      { user: 'eve', state: 'online', place: 'home' },
    ]);
  });
});

describe('while the state server is away', () => {
  it('users elsewhere are unknown, those here are online; when it is back the truth follows', async () => {
    const on = await stage();
    const elsewhere = on.hub.join('node-2');
    elsewhere.put({ session: 's' as never, user: 'dora' as UserId, place: 'home' });
    const [alice, bob] = [on.connect('alice'), on.connect('bob')];
    await watch(alice, 'bob', 'dora', 'nobody');
    on.hub.stop('the cable was cut');
    await pass(on, 1_000);
    expect(told(alice)).toEqual(['dora unknown', 'nobody unknown']);
    elsewhere.remove('s' as never);
    bob.handle.disconnected('left');
    await turns(6);
    expect(told(alice).slice(2)).toEqual(['bob unknown']);
    expect(await watch(alice, 'bob', 'dora', 'nobody')).toEqual(['bob', 'dora', 'nobody'].map((user) => ({ user, state: 'unknown' })));
    on.hub.start();
    await turns(6);
    expect(told(alice).slice(3).sort()).toEqual(['bob offline', 'dora offline', 'nobody offline']);
    expect(events(on, 'link.down')).toMatchObject([{ kind: 'presence', about: { why: 'the cable was cut' } }]);
    expect(events(on, 'link.up')).toHaveLength(2);
    expect(events(on, 'link.resync')).toHaveLength(1);
  });
});
