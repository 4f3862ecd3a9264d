/**
 * What the state server knows of users: their sessions, snapshots that tell of them, watches, bounds. Time is an argument.
 */
import { describe, expect, it } from 'vitest';
import { alice, alice2, bob, type TestNode, toldState } from '../support/told-state.ts';

describe('a user', () => {
  it('is online with the first session, offline with the last, and each of it is told once', () => {
    const { up, server, news } = toldState();
    const a = up('a');
    a.put([alice]);
    a.put([alice2]);
    expect(news()).toEqual(['alice online']);
    expect(server.row('alice')).toEqual(['alice', 'online', ['home', 'lobby']]);
    a.gone(['s-1']);
    expect(news()).toEqual([]);
    expect(server.row('alice')).toEqual(['alice', 'online', ['lobby']]);
    a.gone(['s-2']);
    expect(news()).toEqual(['alice offline']);
    expect(server.row('alice')).toEqual(['alice', 'offline', []]);
  });

  it('has sessions on several nodes and is online while one is left', () => {
    const { up, state } = toldState();
    const [a, b] = [up('a'), up('b')];
    a.put([alice]);
    b.put([['s-9', 'alice', 'lobby']]);
    a.gone(['s-1']);
    expect(state('alice')).toBe('online');
    b.gone(['s-9']);
    expect(state('alice')).toBe('offline');
  });

  it('who only moves, or leaves and comes back within one look, is no transition', () => {
    const { up, news } = toldState();
    const a = up('a');
    a.put([alice]);
    news();
    a.put([['s-1', 'alice', 'lobby']]);
    a.gone(['s-1']);
    a.put([alice2]);
    expect(news()).toEqual([]);
  });

  it('is told with at most 100 places, sorted', () => {
    const { up, server } = toldState();
    up('a').put(Array.from({ length: 150 }, (_, i) => [`s-${i}`, 'alice', `room-${String(149 - i).padStart(3, '0')}`]));
    const [, , places] = server.row('alice');
    expect(places).toHaveLength(100);
    expect(places.slice(0, 2)).toEqual(['room-000', 'room-001']);
  });

  it('whose session is told with another user is no longer there', () => {
    const { up, state } = toldState();
    const a = up('a');
    a.put([alice]);
    a.put([['s-1', 'bob', 'home']]);
    expect([state('alice'), state('bob')]).toEqual(['offline', 'online']);
  });
});

describe('applied twice, or for sessions nobody knows', () => {
  it.each<[string, (node: TestNode) => unknown]>([
    ['put', (node) => node.put([alice])],
    ['gone', (node) => node.gone(['s-1'])],
    ['gone of an unknown one', (node) => node.gone(['s-77'])],
    ['a snapshot', (node) => node.snapshot([alice, bob], ['carol'])],
    ['watch', (node) => node.say({ type: 'watch', on: ['bob'], off: [] })],
    ['unwatch', (node) => node.say({ type: 'watch', on: [], off: ['bob'] })],
  ])('%s changes nothing more', (_what, act) => {
    const { up, server, news } = toldState();
    const a = up('a');
    a.put([alice2]);
    act(a);
    news();
    const counts = server.counts();
    act(a);
    expect(news()).toEqual([]);
    expect(server.counts()).toEqual(counts);
  });
});

describe('a snapshot', () => {
  it('changes nothing for others before its last line', () => {
    const { up, state, news } = toldState();
    const a = up('a');
    a.put([alice]);
    news();
    a.snapshot([bob], [], 0, true, false);
    a.snapshot([['s-4', 'carol', 'home']], [], 0, false, false);
    expect(news()).toEqual([]);
    expect([state('alice'), state('bob')]).toEqual(['online', 'offline']);
    a.snapshot([], [], 0, false, true);
    expect(news().sort()).toEqual(['alice offline', 'bob online', 'carol online']);
  });

  it('holds what is said while it is told', () => {
    const { up, server, state } = toldState();
    const a = up('a');
    a.snapshot([alice, bob], ['x', 'y'], 0, true, false);
    a.gone(['s-1']);
    a.put([['s-5', 'dan', 'home']]);
    expect(a.say({ type: 'watch', on: ['z'], off: ['x'] })).toBe('states');
    expect(state('dan')).toBe('offline');
    a.snapshot([], [], 0, false, true);
    expect(['alice', 'bob', 'dan'].map(state)).toEqual(['offline', 'online', 'online']);
    expect(['x', 'y', 'z'].filter((user) => server.watchersOf(user).size > 0)).toEqual(['y', 'z']);
  });

  it('begun anew forgets what was told before, and one without its first line is refused', () => {
    const { up, state, server } = toldState();
    const a = up('a');
    expect(a.snapshot([alice], [], 0, false, true)).toBe('INVALID');
    a.snapshot([alice], [], 0, true, false);
    a.snapshot([bob], [], 0, true, true);
    expect([state('alice'), state('bob')]).toEqual(['offline', 'online']);
    a.snapshot([alice], [], 0, true, false);
    server.left(a.key);
    a.hello();
    expect(a.snapshot([], [], 0, false, true)).toBe('INVALID');
  });

  it('says with its last line which rows are to follow: those of all that is watched', () => {
    const { up, server } = toldState();
    const { key } = up('a');
    const answer = server.apply(key, { type: 'snapshot', id: 7, first: true, last: true, sessions: [], watch: ['x', 'y'] }, 0);
    expect(answer).toEqual({ line: { type: 'ok', id: 7 }, push: new Set(['x', 'y']) });
  });

  it('replaces what is watched', () => {
    const { up, server } = toldState();
    const a = up('a');
    a.say({ type: 'watch', on: ['x'], off: [] });
    a.snapshot([], ['y']);
    expect([server.watchersOf('x').size, server.watchersOf('y').size]).toEqual([0, 1]);
  });
});

describe('a watch', () => {
  it('is answered by the states now, ends with the connection, and finds all who watch', () => {
    const { up, server } = toldState();
    const [a, b] = [up('a'), up('b')];
    b.put([bob]);
    const { line } = server.apply(a.key, { type: 'watch', id: 1, on: ['bob', 'carol'], off: [] }, 0);
    expect(line).toEqual({
      type: 'states',
      id: 1,
      states: [
        ['bob', 'online', ['home']],
        ['carol', 'offline', []],
      ],
    });
    b.say({ type: 'watch', on: ['bob'], off: [] });
    expect([...server.watchersOf('bob')]).toEqual([a.key, b.key]);
    server.left(a.key);
    expect([...server.watchersOf('bob')]).toEqual([b.key]);
  });

  it('of more than a line has room for is answered by one line, and the rest is to follow', () => {
    const { up, server } = toldState();
    const { key } = up('a');
    const users = Array.from({ length: 3_000 }, (_, i) => `user-${i}-${'x'.repeat(40)}`);
    const { line, push } = server.apply(key, { type: 'watch', id: 1, on: users, off: [] }, 0);
    if (line.type !== 'states') throw new Error(line.type);
    expect(Buffer.byteLength(JSON.stringify(line)) + 2).toBeLessThanOrEqual(64 * 1024);
    expect([...line.states.map(([user]) => user), ...(push ?? [])]).toEqual(users);
    expect(push?.size).toBeGreaterThan(0);
  });
});

describe('a bound', () => {
  it('of sessions refuses the line and does nothing of it', () => {
    const { up, server, state } = toldState({ sessionsMax: 2 });
    const a = up('a');
    expect(a.put([alice, bob])).toBe('ok');
    expect(a.put([['s-9', 'carol', 'home']])).toBe('FULL');
    expect(a.put([['s-1', 'alice', 'lobby']]), 'a move needs no room').toBe('ok');
    expect(a.say({ type: 'sessions', put: [['s-9', 'carol', 'home']], gone: ['s-3'] }), 'nor does a change').toBe('ok');
    expect(['alice', 'bob', 'carol'].map(state)).toEqual(['online', 'offline', 'online']);
    expect(a.snapshot([alice, bob, ['s-4', 'dan', 'home']])).toBe('FULL');
    expect(server.counts().sessions).toBe(2);
  });

  it('of sessions counts what is staged, of all nodes', () => {
    const { up } = toldState({ sessionsMax: 3 });
    const [a, b] = [up('a'), up('b')];
    expect(a.snapshot([alice, bob], [], 0, true, false)).toBe('ok');
    expect(
      b.snapshot(
        [
          ['s-8', 'x', 'home'],
          ['s-9', 'y', 'home'],
        ],
        [],
        0,
        true,
        false,
      ),
    ).toBe('FULL');
    expect(
      a.put([
        ['s-5', 'dan', 'home'],
        ['s-6', 'eve', 'home'],
      ]),
    ).toBe('FULL');
  });

  it('of sessions is no obstacle to telling the same ones again', () => {
    const { up } = toldState({ sessionsMax: 2 });
    const a = up('a');
    a.put([alice, bob]);
    expect(a.snapshot([alice, ['s-7', 'carol', 'home']])).toBe('ok');
  });

  it('of watches counts for one node and for all', () => {
    const { up, server } = toldState({ watchedMax: 2, watchesMax: 3 });
    const [a, b] = [up('a'), up('b')];
    const watch = (node: TestNode, ...on: string[]) => node.say({ type: 'watch', on, off: [] });
    expect(watch(a, 'x', 'y')).toBe('states');
    expect(watch(a, 'x', 'y', 'x'), 'those that are watched already need no room').toBe('states');
    expect(watch(a, 'z')).toBe('FULL');
    expect(watch(b, 'x', 'y')).toBe('FULL');
    expect(watch(b, 'x')).toBe('states');
    expect(server.counts().watches).toBe(3);
    expect(a.snapshot([], ['p', 'q', 'r'])).toBe('FULL');
  });

  it('of lives counts those in their grace', () => {
    const { up, node, server } = toldState({ livesMax: 2 });
    up('a', 'a.1');
    up('a', 'a.2');
    expect(node('b').hello()).toBe('FULL');
    server.expire(8_000);
    expect(node('b').hello(8_000)).toBe('ok');
  });
});
