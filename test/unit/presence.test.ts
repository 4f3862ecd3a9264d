/**
 * Presence as actors: who sees whom, where, how soon.
 */
import { afterEach, describe, expect, it } from 'vitest';
import { briefMs, flapWindowMs } from '../../actors/user-state.ts';
import type { RoomId, UserId } from '../../system/ids.ts';
import type { StateLink } from '../../system/state/state-link.ts';
import { createMemoryStateHub } from '../../system/state/state-link-memory.ts';
import { create, join, open, stopStages } from '../support/actor-stage.ts';
import { turns } from '../support/manual-clock.ts';
import { events, pass, stage, told, watch } from '../support/presence-watchers.ts';

afterEach(stopStages);

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
    await pass(on, briefMs);
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
    await pass(on, briefMs);
    const elsewhere = on.hub.join('node-2');
    elsewhere.put({ session: 's' as never, user: 'bob' as UserId, place: 'home' });
    await pass(on, flapWindowMs);
    desk.handle.disconnected('left');
    await pass(on, briefMs);
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

  it('is told no more to somebody who asks to open the room again and again while being removed from it', async () => {
    const on = await stage();
    const [alice, bob, eve] = [on.connect('alice'), on.connect('bob'), on.connect('eve')];
    await alice.done(create('lobby'));
    for (const who of [bob, eve]) await who.done(join('lobby'));
    for (const who of [alice, bob, eve]) await who.done(open('lobby'));
    await watch(eve, 'bob');
    const kick = alice.done({ type: 'room.kick', room: 'lobby' as RoomId, user: 'eve' as UserId });
    for (let turn = 0; turn < 10; turn += 1) {
      eve.handle.command(open('lobby'), () => {});
      await turns(1);
    }
    await kick;
    await turns(6);
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
    await pass(on, briefMs);
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

describe('a client that is busy', () => {
  it('is told of the last state once it has room, never of one that is over', async () => {
    const on = await stage();
    const alice = on.connect('alice');
    await watch(alice, 'bob', 'carol', 'dora');
    alice.sink.isBusy = true;
    const bob = on.connect('bob');
    const carol = on.connect('carol');
    await turns(6);
    bob.handle.disconnected('left');
    on.connect('dora');
    await pass(on, briefMs);
    expect(told(alice)).toEqual([]);
    alice.sink.drain();
    await turns(6);
    expect(told(alice)).toEqual(['carol online', 'dora online']);
    expect(alice.sink.events('presence')).toHaveLength(1);
    carol.handle.disconnected('left');
    await pass(on, briefMs);
    expect(told(alice).at(-1)).toBe('carol offline');
  });

  it('with a mailbox full of commands is told as well', async () => {
    const on = await stage();
    const alice = on.connect('alice');
    await watch(alice, 'bob');
    const bob = on.connect('bob');
    for (let index = 0; index < 300; index += 1) alice.handle.command({ type: 'room.list' }, () => {});
    await turns(10);
    expect(told(alice)).toEqual(['bob online']);
    bob.handle.disconnected('left');
    await pass(on, briefMs);
    expect(told(alice)).toEqual(['bob online', 'bob offline']);
  });

  it('gets what happened in one turn as one frame', async () => {
    const on = await stage();
    const alice = on.connect('alice');
    const users = Array.from({ length: 200 }, (_, index) => `u${index}`);
    await watch(alice, ...users);
    for (const user of users) on.connect(user);
    await turns(6);
    expect(told(alice)).toHaveLength(200);
    expect(alice.sink.events('presence').length).toBeLessThan(4);
  });
});

/** A link that is live and never says a word. */
function silentLink(): StateLink {
  return Object.assign(Object.create(createMemoryStateHub().join('silent')) as StateLink, { watch: () => true, listen: () => {} }, {});
}

describe('a list of watched users', () => {
  it('takes the place of the one before; an empty one ends it', async () => {
    const on = await stage();
    const alice = on.connect('alice');
    await watch(alice, 'bob', 'carol');
    await watch(alice, 'carol', 'dora');
    for (const user of ['bob', 'carol', 'dora']) on.connect(user);
    await turns(6);
    expect(told(alice)).toEqual(['carol online', 'dora online']);
    expect(await watch(alice)).toEqual([]);
    on.connect('erik').handle.disconnected('left');
    expect(on.presence.counts().watches).toBe(0);
  });

  it('is answered for the older request, too, when a newer one comes before the state server spoke', async () => {
    const on = await stage({ presence: { link: silentLink() } });
    const alice = on.connect('alice');
    const older = alice.ask({ type: 'presence.watch', users: ['bob' as UserId] });
    const newer = alice.ask({ type: 'presence.watch', users: ['carol' as UserId] });
    await pass(on, 1_001);
    expect(await older).toMatchObject({ ok: true, result: { states: [{ user: 'bob', state: 'unknown' }] } });
    expect(await newer).toMatchObject({ ok: true, result: { states: [{ user: 'carol', state: 'unknown' }] } });
  });

  it('beyond the bounds of the node is refused and the one before stays', async () => {
    const on = await stage({ presence: { presenceWatchesMax: 3, presenceUsersMax: 4 } });
    const alice = on.connect('alice');
    const bob = on.connect('bob');
    await watch(alice, 'bob', 'carol');
    const users = (...names: string[]) => names as UserId[];
    expect(await bob.ask({ type: 'presence.watch', users: users('alice', 'bob') })).toMatchObject({
      ok: false,
      refusal: { code: 'BUSY', retryable: true },
    });
    expect(await alice.ask({ type: 'presence.watch', users: users('x', 'y') })).toMatchObject({ ok: false, refusal: { code: 'BUSY' } });
    expect(on.presence.counts()).toMatchObject({ users: 3, watches: 2 });
    on.connect('carol');
    on.connect('dora');
    on.connect('erik'); // Whoever connects is never refused.
    await turns(6);
    expect(told(alice)).toEqual(['carol online']);
  });

  it('ends with its session, and nothing is left of users who are gone and whom nobody watches', async () => {
    const on = await stage();
    const alice = on.connect('alice');
    const bob = on.connect('bob');
    await watch(alice, 'bob', 'nobody');
    bob.handle.disconnected('lost');
    alice.handle.disconnected('left');
    await pass(on, 3_000);
    await pass(on, flapWindowMs);
    expect(on.presence.counts()).toMatchObject({ users: 0, watches: 0 });
    expect(on.system.stats().actorsByKind['user']).toBeUndefined();
  });
});
