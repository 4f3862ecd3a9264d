/**
 * What the state server knows of nodes: lives, snapshots, grace, watches, transitions, bounds. Time is an argument.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { NodeRequest, SessionRow } from '../../system/state/state-lines.ts';
import { type StateLimits, StateServerState } from '../../system/state/state-server-state.ts';
import { testLimits } from '../support/state-limits.ts';

/** A node that speaks to the pure state; ids of requests count up. */
class TestNode {
  readonly #server: StateServerState;
  readonly #node: string;
  readonly #inc: string;
  #id = 0;
  key = '';

  constructor(server: StateServerState, node: string, inc: string) {
    this.#server = server;
    this.#node = node;
    this.#inc = inc;
  }

  hello(nowMs = 0): string {
    const hello = this.#server.hello(this.#node, this.#inc, nowMs);
    if (!hello.ok) return hello.refused.code;
    this.key = hello.life;
    return 'ok';
  }

  say(line: Omit<NodeRequest, 'id'> & { readonly [field: string]: unknown }, nowMs = 0): string {
    this.#id += 1;
    const { line: answer } = this.#server.apply(this.key, { ...line, id: this.#id } as NodeRequest, nowMs);
    return answer.type === 'refused' ? answer.code : answer.type;
  }

  put(rows: readonly SessionRow[], nowMs = 0): string {
    return this.say({ type: 'sessions', put: rows, gone: [] }, nowMs);
  }

  gone(ids: readonly string[], nowMs = 0): string {
    return this.say({ type: 'sessions', put: [], gone: ids }, nowMs);
  }

  snapshot(rows: readonly SessionRow[], watch: readonly string[] = [], nowMs = 0, first = true, last = true): string {
    return this.say({ type: 'snapshot', first, last, sessions: rows, watch }, nowMs);
  }
}

function start(limits: Partial<StateLimits> = {}) {
  const server = new StateServerState(testLimits(limits));
  const node = (name: string, inc = `${name}.1`): TestNode => new TestNode(server, name, inc);
  const up = (name: string, inc?: string, nowMs = 0): TestNode => {
    const made = node(name, inc);
    expect(made.hello(nowMs)).toBe('ok');
    return made;
  };
  const state = (user: string) => server.row(user)[1];
  /** Transitions since the last look, as text. */
  const transitions = () => server.takeChanges(0).transitions.map((change) => `${change.user} ${change.state}`);
  return { server, node, up, state, transitions };
}

const alice: SessionRow = ['s-1', 'alice', 'home'];
const alice2: SessionRow = ['s-2', 'alice', 'lobby'];
const bob: SessionRow = ['s-3', 'bob', 'home'];

describe('a user', () => {
  it('is online with the first session, offline with the last, and each of it is told once', () => {
    const { up, server, transitions } = start();
    const a = up('a');
    a.put([alice]);
    a.put([alice2]);
    expect(transitions()).toEqual(['alice online']);
    expect(server.row('alice')).toEqual(['alice', 'online', ['home', 'lobby']]);
    a.gone(['s-1']);
    expect(transitions()).toEqual([]);
    expect(server.row('alice')).toEqual(['alice', 'online', ['lobby']]);
    a.gone(['s-2']);
    expect(transitions()).toEqual(['alice offline']);
    expect(server.row('alice')).toEqual(['alice', 'offline', []]);
  });

  it('has sessions on several nodes and is online while one is left', () => {
    const { up, state } = start();
    const [a, b] = [up('a'), up('b')];
    a.put([alice]);
    b.put([['s-9', 'alice', 'lobby']]);
    a.gone(['s-1']);
    expect(state('alice')).toBe('online');
    b.gone(['s-9']);
    expect(state('alice')).toBe('offline');
  });

  it('who only moves, or leaves and comes back within one look, is no transition', () => {
    const { up, transitions } = start();
    const a = up('a');
    a.put([alice]);
    transitions();
    a.put([['s-1', 'alice', 'lobby']]);
    a.gone(['s-1']);
    a.put([alice2]);
    expect(transitions()).toEqual([]);
  });

  it('is told with at most 100 places, sorted', () => {
    const { up, server } = start();
    up('a').put(Array.from({ length: 150 }, (_, i) => [`s-${i}`, 'alice', `room-${String(149 - i).padStart(3, '0')}`]));
    const [, , places] = server.row('alice');
    expect(places).toHaveLength(100);
    expect(places.slice(0, 2)).toEqual(['room-000', 'room-001']);
  });

  it('whose session is told with another user is no longer there', () => {
    const { up, state } = start();
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
    const { up, server, transitions } = start();
    const a = up('a');
    a.put([alice2]);
    act(a);
    transitions();
    const counts = server.counts();
    act(a);
    expect(transitions()).toEqual([]);
    expect(server.counts()).toEqual(counts);
  });
});

describe('a life', () => {
  it('that is older never touches a newer one: not its late lines, and not its late hello', () => {
    const { up, node, server, state } = start();
    const old = up('a', 'a.1');
    old.put([alice]);
    const young = up('a', 'a.2', 1_000);
    young.snapshot([alice], [], 1_000);
    expect(old.gone(['s-1'], 2_000)).toBe('SUPERSEDED');
    expect(old.say({ type: 'bye' }, 2_000)).toBe('SUPERSEDED');
    expect(old.hello(2_000)).toBe('SUPERSEDED');
    expect(node('a', 'a.1').hello(2_000)).toBe('SUPERSEDED');
    server.expire(8_500);
    expect(state('alice')).toBe('online');
    expect(young.gone(['s-1'], 8_500)).toBe('ok');
    expect(state('alice')).toBe('offline');
  });

  it('that is superseded keeps its sessions until its own grace is over: nobody flickers while clients come back', () => {
    const { up, server, state, transitions } = start();
    up('a', 'a.1').put([alice], 1_000);
    const young = up('a', 'a.2', 3_000);
    young.snapshot([], [], 3_000);
    transitions();
    expect(state('alice')).toBe('online');
    young.put([['s-9', 'alice', 'home']], 4_000);
    server.expire(9_000);
    expect(transitions()).toEqual([]);
    expect(server.counts()).toMatchObject({ lives: 1, sessions: 1 });
  });

  it('is remembered as superseded through several restarts, and forgotten when the newer one is over', () => {
    const { up, node, server } = start();
    for (let life = 1; life <= 4; life += 1) up('a', `a.${life}`, life);
    for (let life = 1; life <= 3; life += 1) expect(node('a', `a.${life}`).hello(5)).toBe('SUPERSEDED');
    server.expire(20_000);
    expect(node('a', 'a.3').hello(20_000)).toBe('ok');
  });

  it('of one node is nothing to a node of another name, even when incarnation and sessions are called the same', () => {
    const { up, state } = start();
    const [a, b] = [up('a', 'same'), up('b', 'same')];
    a.put([alice]);
    b.put([['s-1', 'bob', 'home']]);
    b.gone(['s-1']);
    expect([state('alice'), state('bob')]).toEqual(['online', 'offline']);
  });

  it('that says bye has no grace, and may come back', () => {
    const { up, state, server } = start();
    const a = up('a');
    a.put([alice]);
    expect(a.say({ type: 'bye' })).toBe('ok');
    expect(state('alice')).toBe('offline');
    expect(server.counts()).toMatchObject({ lives: 0, sessions: 0 });
    expect(a.put([alice])).toBe('SUPERSEDED');
    expect(a.hello()).toBe('ok');
  });
});

describe('the grace', () => {
  it('counts from the last line heard, not from the loss of the connection: a freeze is a cut', () => {
    const { up, server, state } = start();
    const a = up('a');
    a.put([alice], 1_000);
    a.say({ type: 'ping' }, 2_000);
    server.left(a.key);
    expect(server.expire(9_999)).toEqual([]);
    expect(state('alice')).toBe('online');
    expect(server.expire(10_000)).toEqual([a.key]);
    expect(state('alice')).toBe('offline');
  });

  it('ends when the node is back and tells its sessions again: what it does not tell is gone at once', () => {
    const { up, server, state, transitions } = start();
    const a = up('a');
    a.put([alice, bob], 1_000);
    server.left(a.key);
    transitions();
    expect(a.hello(8_000)).toBe('ok');
    expect(server.expire(12_000)).toEqual([]);
    expect(a.snapshot([bob], [], 12_000)).toBe('ok');
    expect(transitions()).toEqual(['alice offline']);
    expect([state('alice'), state('bob')]).toEqual(['offline', 'online']);
  });

  it('lets a node that was away for longer come back', () => {
    const { up, server, state } = start();
    const a = up('a');
    a.put([alice]);
    server.expire(60_000);
    expect(a.put([alice], 60_000)).toBe('SUPERSEDED');
    expect(a.hello(60_000)).toBe('ok');
    a.snapshot([alice], [], 60_000);
    expect(state('alice')).toBe('online');
  });

  it('does not count what the server itself slept', () => {
    const { up, server } = start();
    const a = up('a');
    expect([server.wake(0), server.wake(30_250), server.wake(30_500)]).toEqual([0, 30_000, 0]);
    expect(server.expire(37_999)).toEqual([]);
    expect(server.expire(38_000)).toEqual([a.key]);
  });

  it('is not over before nodes had the time to come back to a server that slept, and is no longer for who was heard since', () => {
    const server = new StateServerState(testLimits(), { startedAtMs: 0, settleMs: 2_500 });
    server.hello('old', 'old.1', 0);
    for (let nowMs = 0; nowMs <= 7_750; nowMs += 250) expect(server.wake(nowMs)).toBe(0);
    server.hello('young', 'young.1', 7_750);
    expect(server.wake(60_000)).toBe(52_000);
    expect(server.expire(62_499)).toEqual([]);
    expect(server.expire(62_500)).toEqual(['old\nold.1']);
    expect([server.expire(67_749), server.expire(67_750)]).toEqual([[], ['young\nyoung.1']]);
  });

  it('is met by any line, garbage too', () => {
    const { up, server } = start();
    const a = up('a');
    server.heard(a.key, 5_000);
    expect(server.expire(12_999)).toEqual([]);
  });
});

describe('a server that stood still', () => {
  function frozen() {
    const server = new StateServerState(testLimits(), { startedAtMs: 0, settleMs: 2_500 });
    const [a, b] = [new TestNode(server, 'a', 'a.1'), new TestNode(server, 'b', 'b.1')];
    for (const node of [a, b]) node.hello();
    a.snapshot([alice]);
    b.snapshot([bob], ['alice', 'bob', 'carol']);
    for (let nowMs = 0; nowMs <= 2_500; nowMs += 250) server.wake(nowMs);
    expect(server.settle(2_500)).toHaveLength(2);
    server.takeChanges(2_500);
    expect(server.wake(22_750)).toBe(20_000);
    const news = (nowMs: number) => server.takeChanges(nowMs).transitions.map(({ user, state }) => `${user} ${state}`);
    return { server, a, b, news };
  }

  it('tells nobody to be offline for its settling time, and then who is, once', () => {
    const { server, news } = frozen();
    expect([server.isTold('carol', 25_249), server.isTold('alice', 25_249)]).toEqual([false, true]);
    expect(server.settle(25_249)).toBeUndefined();
    expect(server.settle(25_250)).toContainEqual({ life: 'b\nb.1', users: ['carol'] });
    expect(server.settle(25_500)).toBeUndefined();
    expect(news(25_500)).toEqual([]);
  });

  it('takes for no news who moved to another node meanwhile; who came is news at once, who went is when it has settled', () => {
    const { a, b, news } = frozen();
    b.snapshot([], ['alice'], 22_750);
    a.gone(['s-1'], 22_750);
    expect(news(22_750)).toEqual([]);
    b.snapshot(
      [
        ['s-9', 'alice', 'home'],
        ['s-10', 'carol', 'home'],
      ],
      [],
      23_000,
    );
    expect(news(23_000)).toEqual(['carol online']);
    expect(news(25_250)).toEqual(['bob offline']);
    expect(news(25_500)).toEqual([]);
  });
});

describe('a snapshot', () => {
  it('changes nothing for others before its last line', () => {
    const { up, state, transitions } = start();
    const a = up('a');
    a.put([alice]);
    transitions();
    a.snapshot([bob], [], 0, true, false);
    a.snapshot([['s-4', 'carol', 'home']], [], 0, false, false);
    expect(transitions()).toEqual([]);
    expect([state('alice'), state('bob')]).toEqual(['online', 'offline']);
    a.snapshot([], [], 0, false, true);
    expect(transitions().sort()).toEqual(['alice offline', 'bob online', 'carol online']);
  });

  it('holds what is said while it is told', () => {
    const { up, server, state } = start();
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
    const { up, state, server } = start();
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
    const { up, server } = start();
    const { key } = up('a');
    const answer = server.apply(key, { type: 'snapshot', id: 7, first: true, last: true, sessions: [], watch: ['x', 'y'] }, 0);
    expect(answer).toEqual({ line: { type: 'ok', id: 7 }, push: new Set(['x', 'y']) });
  });

  it('replaces what is watched', () => {
    const { up, server } = start();
    const a = up('a');
    a.say({ type: 'watch', on: ['x'], off: [] });
    a.snapshot([], ['y']);
    expect([server.watchersOf('x').size, server.watchersOf('y').size]).toEqual([0, 1]);
  });
});

describe('a watch', () => {
  it('is answered by the states now, ends with the connection, and finds all who watch', () => {
    const { up, server } = start();
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
    const { up, server } = start();
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
    const { up, server, state } = start({ sessionsMax: 2 });
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
    const { up } = start({ sessionsMax: 3 });
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
    const { up } = start({ sessionsMax: 2 });
    const a = up('a');
    a.put([alice, bob]);
    expect(a.snapshot([alice, ['s-7', 'carol', 'home']])).toBe('ok');
  });

  it('of watches counts for one node and for all', () => {
    const { up, server } = start({ watchedMax: 2, watchesMax: 3 });
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
    const { up, node, server } = start({ livesMax: 2 });
    up('a', 'a.1');
    up('a', 'a.2');
    expect(node('b').hello()).toBe('FULL');
    server.expire(8_000);
    expect(node('b').hello(8_000)).toBe('ok');
  });
});

describe('whatever nodes say, in whatever order', () => {
  type Step =
    | {
        readonly do: 'put' | 'gone' | 'tell' | 'stage';
        readonly node: number;
        readonly session: number;
        readonly user: number;
        readonly place: number;
      }
    | { readonly do: 'hello' | 'restart' | 'bye' | 'left' | 'commit'; readonly node: number }
    | { readonly do: 'wait'; readonly ms: number };
  const small = fc.nat(2);
  const steps: fc.Arbitrary<Step[]> = fc.array(
    fc.oneof(
      fc.record({ do: fc.constantFrom('put', 'gone', 'tell', 'stage'), node: small, session: small, user: small, place: small }),
      fc.record({ do: fc.constantFrom('hello', 'restart', 'bye', 'left', 'commit'), node: small }),
      fc.record({ do: fc.constant('wait' as const), ms: fc.constantFrom(1_000, 4_000, 9_000) }),
    ) as fc.Arbitrary<Step>,
    { maxLength: 60 },
  );

  it('a user is online exactly while some life that counts has a session of theirs (against a list that is searched each time)', () => {
    fc.assert(
      fc.property(steps, (given) => {
        const { server, up } = start();
        let now = 0;
        const incs = [1, 1, 1];
        const nodes = [0, 1, 2].map((i) => up(`n${i}`, `n${i}.1`));
        /** The model: what each life has told, when it was heard last. */
        let model: {
          key: string;
          heard: number;
          rows: Map<string, SessionRow>;
          staged?: Map<string, SessionRow> | undefined;
          isOver?: boolean;
        }[] = nodes.map(({ key }) => ({ key, heard: 0, rows: new Map() }));
        const online = new Set<string>();
        for (const step of given) {
          if (step.do === 'wait') {
            now += step.ms;
            server.expire(now);
            model = model.filter((life) => now - life.heard < 8_000);
          } else {
            const node = nodes[step.node] as TestNode;
            const find = () => model.find((life) => life.key === node.key && !life.isOver);
            const life = find();
            if (life && step.do !== 'left' && step.do !== 'restart') life.heard = now;
            if (step.do === 'put' || step.do === 'tell' || step.do === 'stage') {
              const row: SessionRow = [`s${step.session}`, `u${step.user}`, `p${step.place}`];
              if (step.do === 'put') {
                node.put([row], now);
                (life?.staged ?? life?.rows)?.set(row[0], row);
              } else {
                node.snapshot([row], [], now, true, step.do === 'tell');
                if (life) life.staged = new Map([[row[0], row]]);
                if (life && step.do === 'tell') [life.rows, life.staged] = [life.staged ?? new Map(), undefined];
              }
            } else if (step.do === 'gone') {
              node.gone([`s${step.session}`], now);
              (life?.staged ?? life?.rows)?.delete(`s${step.session}`);
            } else if (step.do === 'commit') {
              node.snapshot([], [], now, false, true);
              if (life?.staged) [life.rows, life.staged] = [life.staged, undefined];
            } else if (step.do === 'bye') {
              node.say({ type: 'bye' }, now);
              model = model.filter((other) => other !== life);
            } else if (step.do === 'left') {
              server.left(node.key);
              if (life) life.staged = undefined;
            } else {
              if (step.do === 'restart') {
                incs[step.node] = (incs[step.node] ?? 0) + 1;
                if (life) [life.isOver, life.staged] = [true, undefined];
                nodes[step.node] = up(`n${step.node}`, `n${step.node}.${incs[step.node]}`, now);
              } else expect(node.hello(now)).toBe('ok');
              const again = find();
              if (again && step.do === 'hello') again.staged = undefined;
              if (step.do === 'restart' || !again) model.push({ key: nodes[step.node]?.key ?? '', heard: now, rows: new Map() });
            }
          }
          for (const { user, state } of server.takeChanges(0).transitions) {
            expect(online.has(user), `${user} ${state} is news`).toBe(state === 'offline');
            if (state === 'online') online.add(user);
            else online.delete(user);
          }
          for (const user of ['u0', 'u1', 'u2']) {
            const places = new Set(
              model.flatMap(({ rows }) => [...rows.values()]).flatMap(([, of, place]) => (of === user ? [place] : [])),
            );
            const row = server.row(user);
            expect(row).toEqual([user, places.size > 0 ? 'online' : 'offline', [...places].sort()]);
            expect(online.has(user)).toBe(places.size > 0);
          }
        }
      }),
      { numRuns: 1_000 },
    );
  });
});

describe('10,000 sessions', () => {
  it('told again, twice, are no change and no transition', () => {
    const { up, server, transitions } = start();
    const a = up('a');
    const rows: SessionRow[] = Array.from({ length: 10_000 }, (_, i) => [`s-${i}`, `user-${i % 5_000}`, 'home']);
    a.snapshot(rows);
    expect(transitions()).toHaveLength(5_000);
    a.hello();
    a.snapshot(rows);
    expect(server.takeChanges(0)).toEqual({ transitions: [], users: [] });
  });
});
