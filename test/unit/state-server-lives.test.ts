/**
 * Lives of nodes at the state server: which one counts, the grace of one that is lost, and what a server says that stood still itself.
 */
import { describe, expect, it } from 'vitest';
import { StateServerState } from '../../system/state/state-server-state.ts';
import { testLimits } from '../support/state-limits.ts';
import { alice, bob, TestNode, toldState } from '../support/told-state.ts';

describe('a life', () => {
  it('that is older never touches a newer one: not its late lines, and not its late hello', () => {
    const { up, node, server, state } = toldState();
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
    const { up, server, state, news } = toldState();
    up('a', 'a.1').put([alice], 1_000);
    const young = up('a', 'a.2', 3_000);
    young.snapshot([], [], 3_000);
    news();
    expect(state('alice')).toBe('online');
    young.put([['s-9', 'alice', 'home']], 4_000);
    server.expire(9_000);
    expect(news()).toEqual([]);
    expect(server.counts()).toMatchObject({ lives: 1, sessions: 1 });
  });

  it('is remembered as superseded through several restarts, and forgotten when the newer one is over', () => {
    const { up, node, server } = toldState();
    for (let life = 1; life <= 4; life += 1) up('a', `a.${life}`, life);
    for (let life = 1; life <= 3; life += 1) expect(node('a', `a.${life}`).hello(5)).toBe('SUPERSEDED');
    server.expire(20_000);
    expect(node('a', 'a.3').hello(20_000)).toBe('ok');
  });

  it('of one node is nothing to a node of another name, even when incarnation and sessions are called the same', () => {
    const { up, state } = toldState();
    const [a, b] = [up('a', 'same'), up('b', 'same')];
    a.put([alice]);
    b.put([['s-1', 'bob', 'home']]);
    b.gone(['s-1']);
    expect([state('alice'), state('bob')]).toEqual(['online', 'offline']);
  });

  it('that says bye has no grace, and may come back', () => {
    const { up, state, server } = toldState();
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
    const { up, server, state } = toldState();
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
    const { up, server, state, news } = toldState();
    const a = up('a');
    a.put([alice, bob], 1_000);
    server.left(a.key);
    news();
    expect(a.hello(8_000)).toBe('ok');
    expect(server.expire(12_000)).toEqual([]);
    expect(a.snapshot([bob], [], 12_000)).toBe('ok');
    expect(news()).toEqual(['alice offline']);
    expect([state('alice'), state('bob')]).toEqual(['offline', 'online']);
  });

  it('lets a node that was away for longer come back', () => {
    const { up, server, state } = toldState();
    const a = up('a');
    a.put([alice]);
    server.expire(60_000);
    expect(a.put([alice], 60_000)).toBe('SUPERSEDED');
    expect(a.hello(60_000)).toBe('ok');
    a.snapshot([alice], [], 60_000);
    expect(state('alice')).toBe('online');
  });

  it('does not count what the server itself slept', () => {
    const { up, server } = toldState();
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
    const { up, server } = toldState();
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
    const news = (nowMs: number) => server.takeChanges(nowMs).news.map(({ user, state }) => `${user} ${state}`);
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
