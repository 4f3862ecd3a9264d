/**
 * Presence as actors: what a crash of each part does, and ten thousand users at once.
 */
import { afterEach, describe, expect, it } from 'vitest';
import { briefMs, flapWindowMs } from '../../actors/user-state.ts';
import { tell } from '../../system/actor.ts';
import type { SessionId, UserId } from '../../system/ids.ts';
import type { StateLink } from '../../system/state/state-link.ts';
import { createMemoryStateHub } from '../../system/state/state-link-memory.ts';
import { create, poison, send, stopStages } from '../support/actor-stage.ts';
import { turns } from '../support/manual-clock.ts';
import { events, pass, stage, told, watch } from '../support/presence-watchers.ts';

afterEach(stopStages);

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
