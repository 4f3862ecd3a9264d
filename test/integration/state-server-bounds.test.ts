/**
 * Bounds of a real state server, each filled; and how it stops. Bytes over TCP, time by hand.
 */
import { afterEach, describe, expect, it } from 'vitest';
import type { NodeLine, ServerLine, SessionRow } from '../../system/state/state-lines.ts';
import { waitUntil } from '../support/gateway-client.ts';
import type { LineClient } from '../support/line-client.ts';
import { turns } from '../support/manual-clock.ts';
import { alice, hello, put, refusal, snapshot, watch } from '../support/node-lines.ts';
import { type StateServerStage, startStateStage } from '../support/state-server-stage.ts';

let stage: StateServerStage;
const start = async (given?: Parameters<typeof startStateStage>[0]): Promise<void> => {
  stage = await startStateStage(given);
};
afterEach(() => stage.stop());

describe('bounds', () => {
  it('a line of a node has at most 64 kB', async () => {
    await start();
    const a = await stage.node('a');
    a.raw(`{"type":"ping","id":1${' '.repeat(65_536)}}\r\n`);
    expect((await a.end()).map(refusal)).toEqual(['TOO_LONG']);
  });

  it('unfinished lines of all connections: whoever holds the most is cut, the others finish theirs', async () => {
    await start({ limits: { heldBytesMax: 1_000_000 } });
    const [modest, greedy, later] = [await stage.open(), await stage.open(), await stage.open()];
    modest.raw(`{type=x, a='${'m'.repeat(100_000)}`);
    greedy.raw(`{type=x, a='${'g'.repeat(700_000)}`);
    expect(await later.ask('{type=x}')).toBe('반환메세지');
    later.raw(`{type=x, a='${'l'.repeat(400_000)}`);
    await greedy.end();
    expect(stage.log).toContainEqual(expect.objectContaining({ ev: 'state.cut', why: expect.stringContaining('unfinished lines') }));
    for (const client of [modest, later]) expect(await client.ask(`'}`)).toBe('반환메세지');
    // What was held is given back, or the bound would shrink with each line.
    for (let i = 0; i < 5; i += 1) expect(await later.ask(`{type=x, a='${'l'.repeat(800_000)}'}`)).toBe('반환메세지');
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
    let told = (await stage.changes(fast)).length;
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
