/**
 * Nodes on a real state server: who is let in, what they are told and when, and how connections end. Bytes over TCP, time by hand.
 */
import { afterEach, describe, expect, it } from 'vitest';
import type { NodeLine, ServerLine, SessionRow, StateRow } from '../../system/state/state-lines.ts';
import { proofOf } from '../../system/state/state-proof.ts';
import { waitUntil } from '../support/gateway-client.ts';
import type { LineClient } from '../support/line-client.ts';
import { turns } from '../support/manual-clock.ts';
import { type StateServerStage, startStateStage } from '../support/state-server-stage.ts';

let stage: StateServerStage;
const start = async (given?: Parameters<typeof startStateStage>[0]): Promise<StateServerStage> => {
  stage = await startStateStage(given);
  return stage;
};
afterEach(() => stage.stop());

const hello = (node: string, inc = `${node}.1`): NodeLine => ({ type: 'hello', v: 1, node, inc });
const put = (id: number, ...rows: readonly SessionRow[]): NodeLine => ({ type: 'sessions', id, put: rows, gone: [] });
const gone = (id: number, ...sessions: readonly string[]): NodeLine => ({ type: 'sessions', id, put: [], gone: sessions });
const watch = (id: number, ...on: readonly string[]): NodeLine => ({ type: 'watch', id, on, off: [] });
const snapshot = (id: number, sessions: readonly SessionRow[], watched: readonly string[] = []): NodeLine => ({
  type: 'snapshot',
  id,
  first: true,
  last: true,
  sessions,
  watch: watched,
});
const online = (user: string, ...places: readonly string[]): StateRow => [user, 'online', places];
const offline = (user: string): StateRow => [user, 'offline', []];
const refusal = (line: string): unknown => (JSON.parse(line) as { code?: string }).code;
const alice: SessionRow = ['s-1', 'alice', 'home'];

/** The next pushed rows; time moves for the pause between two pushes of a user. */
async function changes(client: LineClient): Promise<readonly StateRow[]> {
  stage.clock.advance(50);
  const line = await client.heard();
  if (line.type !== 'changes') throw new Error(`heard ${JSON.stringify(line)} instead of changes`);
  return line.states;
}

describe('a node', () => {
  it('says hello, tells its sessions, and hears of those it watches whoever caused it', async () => {
    await start();
    const a = await stage.node('a');
    const b = await stage.node('b');
    expect(await a.request(snapshot(1, [alice], ['alice', 'bob']))).toEqual({ type: 'ok', id: 1 });
    expect(await changes(a)).toEqual([online('alice', 'home'), offline('bob')]);
    expect(await b.request(put(1, ['s-9', 'bob', 'lobby']))).toEqual({ type: 'ok', id: 1 });
    expect(await changes(a)).toEqual([online('bob', 'lobby')]);
    await b.request(gone(2, 's-9'));
    expect(await changes(a)).toEqual([offline('bob')]);
    expect(b.lines).toEqual([]);
  });

  it('hears of users of older clients', async () => {
    await start();
    const a = await stage.node('a');
    const older = await stage.open();
    expect(await a.request(watch(1, '1'))).toEqual({ type: 'states', id: 1, states: [offline('1')] });
    await older.ask("{type='login', session_id='S', user_id='1'}");
    expect(await changes(a)).toEqual([online('1', 'home')]);
    await older.ask("{type='enter', user_id='1', community_id='3', channel_id='c-31'}");
    expect(await changes(a)).toEqual([online('1', 'com3,c-31')]);
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
    while (told.length < users.length) told.push(...(await changes(a)).map(([user]) => user));
    expect(told).toEqual(users);
  });

  it('ends with unwatch', async () => {
    await start();
    const a = await stage.node('a');
    await a.request(watch(1, 'alice', 'bob'));
    await a.request({ type: 'watch', id: 2, on: [], off: ['alice'] });
    await a.request(put(3, alice, ['s-2', 'bob', 'home']));
    expect(await changes(a)).toEqual([online('bob', 'home')]);
  });
});

describe('a lost node', () => {
  it('that is cut: its users are offline 8 s after its last line', async () => {
    await start();
    const a = await stage.node('a');
    await a.request(snapshot(1, [alice]));
    await a.close();
    await waitUntil('the server has seen the end', () => stage.server.counts().connections === 0);
    stage.clock.advance(7_750);
    expect(stage.transitions).toHaveLength(1);
    stage.clock.advance(250);
    expect(stage.transitions.at(-1)).toEqual({ user: 'alice', state: 'offline' });
  });

  it('that freezes: cut after 6 s without a line, offline after 8; a node that pings stays', async () => {
    await start();
    const [frozen, b] = [await stage.node('frozen'), await stage.node('b')];
    await frozen.request(snapshot(1, [alice]));
    await b.request(snapshot(1, [['s-2', 'bob', 'home']], ['alice']));
    expect(await changes(b)).toEqual([online('alice', 'home')]);
    for (let second = 2; second <= 10; second += 2) {
      stage.clock.advance(2_000);
      if (second === 6) await frozen.end();
      if (second === 8) expect(await b.heard()).toEqual({ type: 'changes', states: [offline('alice')] });
      expect(await b.request({ type: 'ping', id: second })).toEqual({ type: 'pong', id: second });
    }
    expect(stage.transitions).toEqual([
      { user: 'alice', state: 'online' },
      { user: 'bob', state: 'online' },
      { user: 'alice', state: 'offline' },
    ]);
    expect(stage.log).toContainEqual(expect.objectContaining({ ev: 'link.gone', life: 'frozen frozen.1' }));
  });

  it('is not lost because the server itself stood still', async () => {
    await start();
    const a = await stage.node('a');
    await a.request(snapshot(1, [alice]));
    stage.sleep(60_000);
    stage.clock.advance(250);
    expect(await a.request({ type: 'ping', id: 2 })).toEqual({ type: 'pong', id: 2 });
    expect(stage.transitions).toEqual([{ user: 'alice', state: 'online' }]);
  });

  it('whose line never ends is as silent as one that says nothing', async () => {
    await start();
    const a = await stage.node('a');
    for (let second = 1; second <= 6; second += 1) {
      a.raw('{"type":');
      await turns(5);
      stage.clock.advance(1_000);
    }
    expect(await a.end()).toEqual([]);
  });
});

describe('a newer connection', () => {
  it('of the same life takes over: the older one is told, and its end ends nothing', async () => {
    await start();
    const old = await stage.node('a');
    await old.request(snapshot(1, [alice], ['bob']));
    await changes(old);
    const young = await stage.node('a');
    expect((await old.end()).map(refusal)).toEqual(['SUPERSEDED']);
    await young.request(snapshot(1, [alice], ['bob']));
    expect(await changes(young)).toEqual([offline('bob')]);
    await young.request(put(2, ['s-2', 'bob', 'home']));
    expect(await changes(young)).toEqual([online('bob', 'home')]);
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

describe('with a secret', () => {
  const secret = 'a shared secret of the cluster';
  /** Says hello as life 1 of node a; gives the proof of what the client claims to know and to be. */
  const prove = async (client: LineClient, claim: { knows?: string; node?: string; inc?: string } = {}): Promise<string> => {
    const given = await client.request(hello('a', 'a.1'));
    if (given.type !== 'hello' || given.nonce === undefined) throw new Error(JSON.stringify(given));
    return proofOf(claim.knows ?? secret, { nonce: given.nonce, node: claim.node ?? 'a', inc: claim.inc ?? 'a.1' });
  };

  it('who proves it is let in, however long after that', async () => {
    await start({ secret });
    const a = await stage.open();
    const mac = await prove(a);
    expect(await a.request({ type: 'auth', mac })).toEqual({ type: 'authenticated' });
    stage.clock.advance(3_000);
    expect(await a.request(snapshot(1, [alice]))).toEqual({ type: 'ok', id: 1 });
  });

  it.each<[string, (client: LineClient) => Promise<void>]>([
    ['a wrong proof', async (client) => client.say({ type: 'auth', mac: await prove(client, { knows: 'another secret' }) })],
    [
      'the proof of another connection',
      async (client) => {
        const mac = await prove(await stage.open());
        await prove(client);
        client.say({ type: 'auth', mac });
      },
    ],
    ['the proof of another node', async (client) => client.say({ type: 'auth', mac: await prove(client, { node: 'b' }) })],
    ['the proof of another life', async (client) => client.say({ type: 'auth', mac: await prove(client, { inc: 'a.2' }) })],
    ['a proof before the hello', async (client) => client.say({ type: 'auth', mac: 'x'.repeat(43) })],
    [
      'requests instead of a proof',
      async (client) => {
        await prove(client);
        client.say(snapshot(1, [alice]), { type: 'auth', mac: 'x'.repeat(43) });
      },
    ],
    [
      'no proof within 2 s',
      async (client) => {
        await prove(client);
        stage.clock.advance(2_000);
      },
    ],
    ['no line within 2 s', async () => stage.clock.advance(2_000)],
    ['a line of an older client', async (client) => client.say("{type='login', session_id='S', user_id='1'}")],
    ['garbage', async (client) => client.raw(Buffer.from([0, 255, 13, 10]))],
    ['a first line that does not end', async (client) => client.raw('x'.repeat(5_000))],
  ])('%s is refused with AUTH_REQUIRED and closed, and nothing was believed', async (_what, act) => {
    await start({ secret });
    const client = await stage.open();
    await waitUntil('it is connected', () => stage.server.counts().connections === 1);
    await act(client);
    const lines = await client.end();
    expect(refusal(lines.at(-1) ?? '{}')).toBe('AUTH_REQUIRED');
    expect(stage.server.counts()).toMatchObject({ users: 0, lives: 0 });
    expect(JSON.stringify(stage.log)).not.toContain(secret);
  });

  it('a stranger does not supersede the node whose name it says', async () => {
    await start({ secret });
    const a = await stage.open();
    await a.request({ type: 'auth', mac: await prove(a) });
    const stranger = await stage.open();
    await stranger.request(hello('a', 'a.2'));
    expect(await a.request({ type: 'ping', id: 1 })).toEqual({ type: 'pong', id: 1 });
  });
});

describe('without a secret', () => {
  it.each<[string, string, string]>([
    ['a hello of another version', '{"type":"hello","v":2,"node":"a","inc":"a.1"}', 'INVALID'],
    ['a hello without a name', '{"type":"hello","v":1}', 'INVALID'],
  ])('%s is refused', async (_what, line, code) => {
    await start();
    const client = await stage.open();
    client.say(line);
    expect((await client.end()).map(refusal)).toEqual([code]);
  });

  it('a request before hello is that of an older client', async () => {
    await start();
    const client = await stage.open();
    expect(await client.ask({ type: 'ping', id: 1 })).toBe('반환메세지');
    expect(await client.ask(hello('a'))).toBe('반환메세지');
  });
});

describe('bounds', () => {
  it('a line of a node has at most 64 kB', async () => {
    await start();
    const a = await stage.node('a');
    a.raw(`{"type":"ping","id":1${' '.repeat(65_536)}}\r\n`);
    expect((await a.end()).map(refusal)).toEqual(['TOO_LONG']);
  });

  it('lines that say nothing are ignored, until the twentieth within a minute', async () => {
    await start();
    const a = await stage.node('a');
    for (let i = 0; i < 19; i += 1) a.say('garbage');
    expect(await a.request({ type: 'ping', id: 1 })).toEqual({ type: 'pong', id: 1 });
    a.say(hello('a'));
    expect((await a.end()).map(refusal)).toEqual(['INVALID']);
  });

  it.each<[string, NodeLine]>([
    ['sessions', put(2, ['s-8', 'u', 'home'], ['s-9', 'u', 'home'])],
    ['watched users', watch(2, 'x', 'y', 'z')],
  ])('more %s than there is room for: refused with FULL, and the connection ends', async (_what, line) => {
    await start({ limits: { sessionsMax: 2, watchedMax: 2 } });
    const a = await stage.node('a');
    await a.request(put(1, alice));
    a.say(line);
    expect((await a.end()).map(refusal)).toEqual(['FULL']);
  });

  it('idle connections lock nobody out: those that never said a word make room', async () => {
    await start({ limits: { connectionsMax: 5 } });
    const older = await stage.open();
    await older.ask('{type=x}');
    const idle: LineClient[] = [];
    for (let i = 0; i < 20; i += 1) idle.push(await stage.open());
    const a = await stage.node('a');
    await waitUntil('16 idle ones are cut', () => idle.filter((client) => client.isClosed).length >= 16);
    expect(await older.ask('{type=x}')).toBe('반환메세지');
    expect(await a.request({ type: 'ping', id: 1 })).toEqual({ type: 'pong', id: 1 });
    expect(stage.server.counts().connections).toBeLessThanOrEqual(5);
  });

  it('where everybody is busy, a node that comes is told so, an older client is closed without a word', async () => {
    await start({ limits: { connectionsMax: 2 } });
    await stage.node('a');
    await stage.node('b');
    const [c, older, silent] = [await stage.open(), await stage.open(), await stage.open()];
    c.say(hello('c'));
    older.say('{type=x}');
    expect((await c.end()).map(refusal)).toEqual(['TOO_MANY_CONNECTIONS']);
    expect(await older.end()).toEqual([]);
    stage.clock.advance(2_000);
    expect(await silent.end()).toEqual([]);
  });

  it('a node that does not read is cut 6 s after it stopped; the others hear everything meanwhile', async () => {
    await start();
    const [slow, fast, source] = [await stage.node('slow'), await stage.node('fast'), await stage.node('source')];
    // Rows of a kilobyte and more, so that a push is more than what the kernel takes from a sender that is not read from.
    const users = Array.from({ length: 2_000 }, (_, i) => `u-${i}`);
    const rows = users.flatMap((user, i): SessionRow[] =>
      Array.from({ length: 30 }, (_x, n) => [`s-${i}-${n}`, user, `${n}-${'p'.repeat(100)}`]),
    );
    let id = 0;
    const next = (): number => (id += 1);
    for (let from = 0; from < rows.length; from += 400) await source.request(put(next(), ...rows.slice(from, from + 400)));
    slow.socket.pause();
    for (const node of [slow, fast]) node.say(snapshot(1, [], users));
    await fast.line();
    let told = (await changes(fast)).length;
    while (told < users.length) {
      const line = await fast.heard();
      told += line.type === 'changes' ? line.states.length : 0;
    }
    for (let second = 2; second <= 6; second += 2) {
      stage.clock.advance(2_000);
      slow.say({ type: 'ping', id: next() });
      await fast.request({ type: 'ping', id: next() });
      await source.request({ type: 'ping', id: next() });
    }
    stage.clock.advance(250);
    expect(stage.log).toContainEqual(expect.objectContaining({ ev: 'link.down', of: 'slow' }));
    expect(stage.log.filter(({ ev }) => ev === 'link.down')).toHaveLength(1);
    slow.socket.resume();
    await slow.end();
  });

  it('an older client that asks without reading is not read from, and cut after 30 s', async () => {
    await start();
    const [greedy, other] = [await stage.open(), await stage.open()];
    const users = Array.from({ length: 2_000 }, (_, i) => `{type='enter', user_id='user-${i}', community_id='3', channel_id='c-31'}`);
    for (const line of users.slice(0, 500)) await other.ask(line);
    greedy.socket.pause();
    const ask = `{type='before-enter', community_id='3'}\r\n`.repeat(1_000);
    let isFull = false;
    for (let i = 0; i < 500 && !isFull; i += 1) {
      isFull = !greedy.socket.write(ask);
      await turns(2);
    }
    await waitUntil('it is not read from any more', () => greedy.socket.writableLength > 0);
    stage.clock.advance(29_750);
    expect(await other.ask('{type=x}')).toBe('반환메세지');
    expect(stage.log.filter(({ ev }) => ev === 'state.cut')).toEqual([]);
    stage.clock.advance(500);
    expect(stage.log).toContainEqual(expect.objectContaining({ ev: 'state.cut', why: 'it does not read' }));
  });

  it('a flood of refused connections is a bounded number of log lines', async () => {
    await start({ secret: 'a shared secret' });
    for (let i = 0; i < 130; i += 1) {
      const client = await stage.open();
      client.say('x');
      await client.end();
    }
    expect(stage.log).toHaveLength(100);
    stage.clock.advance(10_000);
    const client = await stage.open();
    client.say('x');
    await client.end();
    expect(stage.log.at(-1)).toMatchObject({ suppressed: 30 });
  });
});

describe('a stop', () => {
  it('ends every connection after what was written, and frees the port', async () => {
    await start();
    const a = await stage.node('a');
    const older = await stage.open();
    await older.ask('{type=x}');
    const idle = await stage.open();
    const { port } = stage.server;
    a.say({ type: 'ping', id: 1 });
    const pong = (await a.heard()) as ServerLine;
    await Promise.all([stage.server.stop(), stage.server.stop()]);
    expect(pong).toEqual({ type: 'pong', id: 1 });
    expect([await a.end(), await older.end(), await idle.end()]).toEqual([[], [], []]);
    await turns(5);
    expect(stage.clock.pending(), 'no timer is left').toBe(0);
    const next = await startStateStage({ port });
    expect(next.server.port).toBe(port);
    await next.stop();
  });

  it('does not wait for a peer that does not end its side', async () => {
    await start();
    const a = await stage.node('a');
    a.socket.pause();
    const stopping = stage.server.stop();
    stage.clock.advance(500);
    await stopping;
  });
});
