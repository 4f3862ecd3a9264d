/**
 * Presence as actors: who sees whom, where, how soon, and what a crash of each part does.
 */
import { afterEach, describe, expect, it } from 'vitest';
import { briefMs, flapWindowMs, type PresenceView } from '../../actors/user-state.ts';
import { tell } from '../../system/actor.ts';
import type { RoomId, SessionId, UserId } from '../../system/ids.ts';
import type { StateLink } from '../../system/state/state-link.ts';
import { createMemoryStateHub } from '../../system/state/state-link-memory.ts';
import {
  create,
  join,
  open,
  poison,
  type Stage,
  type StageClient,
  type StageOptions,
  send,
  startStage,
  stopStages,
} from '../support/actor-stage.ts';
import { turns } from '../support/manual-clock.ts';

const stage = async (options?: StageOptions): Promise<Stage> => {
  const started = startStage(options);
  await turns(2);
  return started;
};
afterEach(stopStages);

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

/** A link that is live and never says a word. */
function silentLink(): StateLink {
  return Object.assign(Object.create(createMemoryStateHub().join('silent')) as StateLink, { watch: () => true, listen: () => {} }, {});
}

/** A link that throws at the first calls of one method. */
function brokenLink(method: 'put' | 'remove' | 'watch' | 'unwatch', times: number): StateLink {
  const link = createMemoryStateHub().join('broken');
  const real = link[method].bind(link) as (given: never) => never;
  let left = times;
  return Object.assign(link, {
    [method](given: never) {
      left -= 1;
      if (left >= 0) throw new Error(`${method} broke`);
      return real(given);
    },
  });
}

describe('a crash', () => {
  it.each(['put', 'remove', 'watch', 'unwatch'] as const)('of a user at %s costs a moment, not the truth', async (method) => {
    const on = await stage({ presence: { link: brokenLink(method, 2) } });
    const alice = on.connect('alice');
    const bob = on.connect('bob');
    const first = alice.ask({ type: 'presence.watch', users: ['bob'] as UserId[] });
    for (let step = 0; step < 3; step += 1) await pass(on, 400);
    expect(await first).toMatchObject({ ok: true, result: { states: [{ user: 'bob', state: 'online' }] } });
    bob.handle.disconnected('left');
    for (let step = 0; step < 3; step += 1) await pass(on, 400);
    expect(told(alice)).toEqual(['bob offline']);
    await watch(alice);
    for (let step = 0; step < 3; step += 1) await pass(on, 400);
    expect(await watch(alice, 'bob')).toEqual([{ user: 'bob', state: 'offline' }]);
    expect(events(on, 'actor.crash').length).toBeGreaterThan(0);
    expect(on.lost).toEqual([]);
  });

  it('of a user for good shows it as unknown for a while; then it is right again', async () => {
    const on = await stage({ presence: { link: brokenLink('remove', 5) } });
    const [alice, bob] = [on.connect('alice'), on.connect('bob')];
    await watch(alice, 'bob');
    bob.handle.disconnected('left');
    for (let step = 0; step < 5; step += 1) await pass(on, 1_000);
    expect(told(alice)).toEqual(['bob unknown']);
    expect(events(on, 'actor.quarantine')).toMatchObject([{ kind: 'presence', about: { user: 'bob' } }]);
    for (let step = 0; step < 12; step += 1) await pass(on, 1_000);
    expect(told(alice).at(-1)).toBe('bob offline');
    await watch(alice);
    await pass(on, flapWindowMs);
    expect(on.presence.counts().users).toBe(1);
  });

  it.each(['presence.idle', 'presence.ended', 'presence.linked', 'presence.revive'])(
    'of presence at %s loses nothing: neither a message of chat nor who is online',
    async (type) => {
      const on = await stage();
      const [alice, bob] = [on.connect('alice'), on.connect('bob')];
      await alice.done(create('lobby'));
      await watch(alice, 'bob', 'carol');
      tell(on.presence.ref, poison(type as never));
      await turns(3);
      const isCrash = events(on, 'actor.crash').length > 0;
      on.hub.stop('gone');
      bob.handle.disconnected('left');
      on.connect('carol');
      expect((await alice.ask(send('lobby', 'm', 'x'))).ok).toBe(true);
      on.hub.start();
      for (let step = 0; step < 3; step += 1) await pass(on, 500);
      expect(isCrash).toBe(true);
      expect(
        told(alice)
          .filter((line) => !line.includes('unknown'))
          .sort(),
      ).toEqual(['bob offline', 'carol online']);
      expect(on.lost).toEqual([]);
    },
  );

  it('of presence on the news that the link is down leaves nobody online who is only known from elsewhere', async () => {
    const hub = createMemoryStateHub();
    const link = hub.join('node-1');
    let isArmed = false;
    const failing: StateLink = new Proxy(link, {
      get(target, name) {
        if (name === 'state' && isArmed) {
          isArmed = false;
          throw new Error('state broke');
        }
        const value = Reflect.get(target, name) as unknown;
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
    const on = await stage({ presence: { link: failing } });
    hub.join('node-2').put({ session: 's' as SessionId, user: 'dora' as UserId, place: 'home' });
    const alice = on.connect('alice');
    expect(await watch(alice, 'dora')).toEqual([{ user: 'dora', state: 'online' }]);
    isArmed = true;
    hub.stop('gone');
    await pass(on, 100);
    expect(events(on, 'actor.crash')).toMatchObject([{ kind: 'presence', msgType: 'presence.linked' }]);
    expect(told(alice)).toEqual(['dora unknown']);
  });

  it('of presence again and again makes the node give up', async () => {
    const on = await stage();
    for (let crash = 0; crash < 20; crash += 1) {
      tell(on.presence.ref, poison('presence.idle' as never));
      await pass(on, 500);
    }
    expect(on.lost).toEqual(['presence']);
  });

  it('of a session counts as a broken connection: its user is offline 3 s later', async () => {
    const on = await stage();
    const [alice, bob] = [on.connect('alice'), on.connect('bob')];
    await watch(alice, 'bob');
    bob.handle.command(poison('room.open'), () => {});
    await pass(on, 2_999);
    expect(bob.sink.closed).toMatchObject({ code: 'INTERNAL' });
    expect(told(alice)).toEqual([]);
    await pass(on, 1);
    expect(told(alice)).toEqual(['bob offline']);
  });
});

describe('ten thousand users', () => {
  it('who are watched come and go, lose the state server and get it back, and every watcher has the truth', async () => {
    const on = await stage({ connectionsMax: 20_000, presence: { presenceUsersMax: 20_000 } });
    const names = Array.from({ length: 10_000 }, (_, index) => `u${index}`);
    const clients = names.map((name) => on.connect(name));
    const watchers = Array.from({ length: 50 }, (_, index) => ({
      client: on.connect(`w${index}`),
      users: names.slice(index * 200, (index + 1) * 200),
    }));
    for (const { client, users } of watchers)
      expect(new Set((await watch(client, ...users)).map(({ state }) => state))).toEqual(new Set(['online']));
    clients.forEach((client, index) => {
      if (index % 2 === 0) client.handle.disconnected('left');
    });
    await pass(on, briefMs);
    on.hub.stop('gone');
    await pass(on, 0);
    on.hub.start();
    await pass(on, 0);
    await turns(60);
    for (const { client, users } of watchers) {
      const seen = new Map(told(client).map((line) => line.split(' ') as [string, string]));
      expect(users.filter((user) => seen.get(user) === 'offline')).toEqual(users.filter((_, index) => index % 2 === 0));
    }
    expect(on.presence.counts()).toMatchObject({ users: 10_050, watches: 10_000 });
  });
});
