/**
 * Nodes on a real state server: what they are told and when, and whose word counts. Bytes over TCP, time by hand.
 */
import { afterEach, describe, expect, it } from 'vitest';
import type { NodeLine } from '../../system/state/state-lines.ts';
import { turns } from '../support/manual-clock.ts';
import { alice, gone, hello, offline, online, put, refusal, snapshot, watch } from '../support/node-lines.ts';
import { type StateServerStage, startStateStage } from '../support/state-server-stage.ts';

let stage: StateServerStage;
const start = async (given?: Parameters<typeof startStateStage>[0]): Promise<void> => {
  stage = await startStateStage(given);
};
afterEach(() => stage.stop());

describe('a node', () => {
  it('says hello, tells its sessions, and hears of those it watches whoever caused it', async () => {
    await start();
    const a = await stage.node('a');
    const b = await stage.node('b');
    expect(await a.request(snapshot(1, [alice], ['alice', 'bob']))).toEqual({ type: 'ok', id: 1 });
    expect(await stage.changes(a)).toEqual([online('alice', 'home'), offline('bob')]);
    expect(await b.request(put(1, ['s-9', 'bob', 'lobby']))).toEqual({ type: 'ok', id: 1 });
    expect(await stage.changes(a)).toEqual([online('bob', 'lobby')]);
    await b.request(gone(2, 's-9'));
    expect(await stage.changes(a)).toEqual([offline('bob')]);
    expect(b.lines).toEqual([]);
  });

  it('hears of users of older clients', async () => {
    await start();
    const a = await stage.node('a');
    const older = await stage.open();
    expect(await a.request(watch(1, '1'))).toEqual({ type: 'states', id: 1, states: [offline('1')] });
    await older.ask("{type='login', session_id='S', user_id='1'}");
    expect(await stage.changes(a)).toEqual([online('1', 'home')]);
    await older.ask("{type='enter', user_id='1', community_id='3', channel_id='c-31'}");
    expect(await stage.changes(a)).toEqual([online('1', 'com3,c-31')]);
  });

  it('is answered in the order of its requests, each by its id', async () => {
    await start();
    const a = await stage.node('a');
    const lines: NodeLine[] = Array.from({ length: 300 }, (_, i) =>
      i % 3 === 0 ? { type: 'ping', id: i + 1 } : i % 3 === 1 ? put(i + 1, [`s-${i}`, 'u', 'home']) : watch(i + 1, `u-${i}`),
    );
    a.say(...lines);
    for (const line of lines) expect(await a.heard()).toMatchObject({ id: (line as { id: number }).id });
  });

  it('is let in again within the grace, and nobody has noticed', async () => {
    await start();
    const a = await stage.node('a');
    await a.request(snapshot(1, [alice]));
    await a.close();
    stage.clock.advance(7_000);
    const again = await stage.node('a');
    stage.clock.advance(3_000);
    await again.request(snapshot(1, [alice]));
    stage.clock.advance(5_000);
    expect(stage.transitions).toEqual([{ user: 'alice', state: 'online' }]);
  });

  it('that says bye is gone at once', async () => {
    await start();
    const a = await stage.node('a');
    await a.request(snapshot(1, [alice]));
    expect(await a.request({ type: 'bye', id: 2 })).toEqual({ type: 'ok', id: 2 });
    expect(stage.transitions.at(-1)).toEqual({ user: 'alice', state: 'offline' });
  });
});

describe('what is pushed', () => {
  it('comes at most once each 50 ms for a user, at once after a pause, and the last state wins', async () => {
    await start();
    const a = await stage.node('a');
    const b = await stage.node('b');
    await a.request(watch(1, 'alice'));
    await b.request(put(1, alice));
    stage.clock.advance(0);
    expect(await a.heard()).toEqual({ type: 'changes', states: [online('alice', 'home')] });
    for (let i = 2; i < 200; i += 1) await b.request(put(i, ['s-1', 'alice', `room-${i}`]));
    stage.clock.advance(49);
    await turns(10);
    expect(a.lines).toEqual([]);
    stage.clock.advance(1);
    expect(await a.heard()).toEqual({ type: 'changes', states: [online('alice', 'room-199')] });
    expect(a.lines).toEqual([]);
  });

  it('of more than a line has room for comes in several, all of it', async () => {
    await start();
    const a = await stage.node('a');
    const users = Array.from({ length: 3_000 }, (_, i) => `user-${i}-${'x'.repeat(30)}`);
    const half = users.length / 2;
    a.say(
      { type: 'snapshot', id: 1, first: true, last: false, sessions: [], watch: users.slice(0, half) },
      { type: 'snapshot', id: 2, first: false, last: true, sessions: [], watch: users.slice(half) },
    );
    expect([await a.heard(), await a.heard()]).toEqual([
      { type: 'ok', id: 1 },
      { type: 'ok', id: 2 },
    ]);
    const told: string[] = [];
    while (told.length < users.length) told.push(...(await stage.changes(a)).map(([user]) => user));
    expect(told).toEqual(users);
  });

  it('ends with unwatch', async () => {
    await start();
    const a = await stage.node('a');
    await a.request(watch(1, 'alice', 'bob'));
    await a.request({ type: 'watch', id: 2, on: [], off: ['alice'] });
    await a.request(put(3, alice, ['s-2', 'bob', 'home']));
    expect(await stage.changes(a)).toEqual([online('bob', 'home')]);
  });
});

describe('a newer connection', () => {
  it('of the same life takes over: the older one is told, and its end ends nothing', async () => {
    await start();
    const old = await stage.node('a');
    await old.request(snapshot(1, [alice], ['bob']));
    await stage.changes(old);
    const young = await stage.node('a');
    expect((await old.end()).map(refusal)).toEqual(['SUPERSEDED']);
    await young.request(snapshot(1, [alice], ['bob']));
    expect(await stage.changes(young)).toEqual([offline('bob')]);
    await young.request(put(2, ['s-2', 'bob', 'home']));
    expect(await stage.changes(young)).toEqual([online('bob', 'home')]);
    expect(stage.server.counts()).toMatchObject({ connections: 1, watches: 1, lives: 1 });
  });

  it('of a newer life: the older one is not let in again, and what it says late touches nothing', async () => {
    await start();
    const old = await stage.node('a', 'a.1');
    await old.request(put(1, alice));
    const young = await stage.node('a', 'a.2');
    await young.request(snapshot(1, [alice]));
    old.say(gone(2, 's-1'), { type: 'bye', id: 3 });
    expect((await old.end()).map(refusal)).toEqual(['SUPERSEDED']);
    const late = await stage.open();
    late.say(hello('a', 'a.1'));
    expect((await late.end()).map(refusal)).toEqual(['SUPERSEDED']);
    expect(await young.request({ type: 'ping', id: 2 })).toEqual({ type: 'pong', id: 2 });
    expect(stage.transitions).toEqual([{ user: 'alice', state: 'online' }]);
  });
});

describe('a server that has just started', () => {
  it('tells nobody to be offline before the nodes of before had time to come back; then it does', async () => {
    await start({ settleMs: 2_500 });
    const a = await stage.node('a');
    expect(await a.request(snapshot(1, [], ['alice', 'bob', 'carol']))).toEqual({ type: 'ok', id: 1 });
    expect(await a.request(watch(2, 'dora'))).toEqual({ type: 'states', id: 2, states: [] });
    stage.clock.advance(2_000);
    expect(await a.request({ type: 'ping', id: 3 })).toEqual({ type: 'pong', id: 3 });
    const b = await stage.node('b');
    await b.request(snapshot(1, [alice, ['s-2', 'carol', 'home']]));
    expect(await stage.changes(a)).toEqual([online('alice', 'home'), online('carol', 'home')]);
    await b.request(gone(2, 's-2'));
    stage.clock.advance(500);
    expect(await stage.changes(a)).toEqual([offline('bob'), offline('carol'), offline('dora')]);
    expect(a.lines).toEqual([]);
    await b.request(gone(3, 's-1'));
    expect(await stage.changes(a)).toEqual([offline('alice')]);
  });

  it('takes who was there before it for no news: only what comes or goes from then on is a transition', async () => {
    await start({ settleMs: 2_500 });
    const a = await stage.node('a');
    await a.request(snapshot(1, [alice]));
    await a.request(put(2, ['s-2', 'bob', 'home']));
    await a.request(gone(3, 's-1'));
    stage.clock.advance(2_500);
    await a.request(snapshot(4, [['s-3', 'carol', 'home']]));
    expect(stage.transitions).toEqual([
      { user: 'bob', state: 'online' },
      { user: 'alice', state: 'offline' },
      { user: 'bob', state: 'offline' },
      { user: 'carol', state: 'online' },
    ]);
  });
});
