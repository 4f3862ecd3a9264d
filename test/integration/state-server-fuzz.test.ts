/**
 * A real state server that is sent anything at all, cut anywhere, over many connections at once: an honest node and an honest older
 * client on connections of their own hear right answers meanwhile. Bytes over TCP; the seed is fixed, fast-check prints what failed.
 */
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { waitUntil } from '../support/gateway-client.ts';
import type { LineClient } from '../support/line-client.ts';
import { turns } from '../support/manual-clock.ts';
import { hello, offline, online, put, snapshot, watch } from '../support/node-lines.ts';
import { type StateServerStage, startStateStage } from '../support/state-server-stage.ts';

const seed = 20_260;
const done = '반환메세지';
const asBytes = (line: unknown): Buffer => Buffer.from(`${typeof line === 'string' ? line : JSON.stringify(line)}\r\n`);

let stage: StateServerStage;
let node: LineClient;
let older: LineClient;
let round = 0;
beforeEach(async () => {
  stage = await startStateStage();
  node = await stage.node('honest');
  older = await stage.open();
  round = 0;
  await node.request(watch(1, '1'));
});
afterEach(() => stage.stop());

/** What an honest node and an honest older client say to each other through the server; every answer is known. */
async function talkHonestly(): Promise<void> {
  round += 1;
  const id = 2 * round;
  expect(await node.request(put(id, ['h', 'holly', `room-${round}`]))).toEqual({ type: 'ok', id });
  expect(await node.request(watch(id + 1, 'holly'))).toEqual({
    type: 'states',
    id: id + 1,
    states: [online('holly', `room-${round}`)],
  });
  expect(await older.ask("{type='login', session_id='H', user_id='1'}")).toBe(done);
  expect(await ownChanges()).toEqual([online('1', 'home')]);
  expect(await older.ask("{type='state', user_id='1', channel_id='r-7'}")).toBe('home,r-7');
  expect(await ownChanges()).toEqual([online('1', 'r-7')]);
  expect(await older.ask("{type='logout', session_id='H'}")).toBe('1,r-7');
  expect(await ownChanges()).toEqual([offline('1')]);
}

/** Without what became of holly, which comes when it likes. */
async function ownChanges() {
  for (;;) {
    const rows = (await stage.changes(node)).filter(([user]) => user !== 'holly');
    if (rows.length > 0) return rows;
  }
}

/** Writes the bytes cut at these places, one piece a turn, as long as the server listens. */
async function write(client: LineClient, bytes: Buffer, cuts: readonly number[]): Promise<void> {
  const places = [...new Set([...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length])].sort((a, b) => a - b);
  let from = 0;
  for (const to of places) {
    if (client.isClosed) return;
    if (to > from) client.raw(bytes.subarray(from, to));
    from = to;
    await turns(1);
  }
}

async function endAll(clients: readonly LineClient[]): Promise<void> {
  for (const client of clients) client.socket.destroy();
  await waitUntil('only the honest are connected', () => stage.server.counts().connections === 2);
}

// ---- anything at all ----
const id = fc.integer({ min: 1, max: 1_000 });
const name = fc.constantFrom('evil-1', 'evil-2', 'evil-3');
const nodeLine = fc.oneof(
  name.map((evil) => hello(evil)),
  fc.tuple(name, id).map(([evil, inc]) => hello(evil, `${evil}.${inc}`)),
  id.map((n) => put(n, [`e-${n}`, 'eve', 'home'], ['e', 'eve', `room-${n}`])),
  id.map((n) => watch(n, 'eve', 'holly', `u-${n}`)),
  id.map((n) => snapshot(n, [['e', 'eve', 'home']], ['eve'])),
  id.map((n) => ({ type: 'ping', id: n })),
  id.map((n) => ({ type: 'bye', id: n })),
  fc.constant({ type: 'auth', mac: 'x'.repeat(43) }),
  fc.constant({ type: 'health' }),
  fc.constant({ type: 'hello', v: 2, node: '__proto__', inc: '' }),
);
const olderLine = fc.constantFrom(
  "{type='login', session_id='E', user_id='666'}",
  "{type='logout', session_id='E'}",
  "{type='state', user_id='666', channel_id='r-9'}",
  "{type='enter', user_id='666', community_id='3', channel_id='c-31'}",
  "{type='before-enter', community_id='3'}",
  "{type='direct', community_id='r-7', ids=[1, 2, 3]}",
  '{"type":"nothing"}',
  '{"__proto__":{"type":"login"}}',
  `{"a":${'['.repeat(2_000)}`,
);
const anything = fc.oneof(
  { weight: 4, arbitrary: nodeLine.map(asBytes) },
  { weight: 3, arbitrary: olderLine.map(asBytes) },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)) },
  { weight: 1, arbitrary: fc.constantFrom('\r', '\n', '\r\r\n', '\n\r', '\r\n', '\0', '"', '}').map((text) => Buffer.from(text)) },
  // A letter of three bytes that lacks some.
  { weight: 1, arbitrary: fc.nat(14).map((bytes) => Buffer.from(done).subarray(0, bytes)) },
  { weight: 1, arbitrary: fc.tuple(nodeLine.map(asBytes), fc.nat(60)).map(([line, bytes]) => line.subarray(0, bytes)) },
  { weight: 1, arbitrary: fc.integer({ min: 1, max: 150_000 }).map((bytes) => Buffer.alloc(bytes, 'x')) },
);
const script = fc.tuple(
  fc.array(anything, { maxLength: 14 }).map((parts) => Buffer.concat(parts)),
  fc.array(fc.nat(), { maxLength: 30 }),
);

describe('whatever others send', () => {
  it('an honest node and an honest older client hear right answers, and nothing is left of the others', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(script, { minLength: 1, maxLength: 8 }), async (scripts) => {
        const others: LineClient[] = [];
        for (const _ of scripts) others.push(await stage.open());
        const writing = scripts.map(([bytes, cuts], i) => write(others[i] as LineClient, bytes, cuts));
        await Promise.all([talkHonestly(), ...writing]);
        await talkHonestly();
        await endAll(others);
      }),
      { seed, numRuns: 150 },
    );
    // Nodes that went without a word are forgotten with their grace.
    for (let second = 0; second < 10; second += 2) {
      stage.clock.advance(2_000);
      await node.request({ type: 'ping', id: 1_000 + second });
    }
    expect(stage.server.counts()).toMatchObject({ lives: 1, connections: 2 });
    expect(stage.transitions.filter(({ user }) => user === 'holly')).toEqual([{ user: 'holly', state: 'online' }]);
  }, 60_000);

  it('lines of 10 MB, ended or not, on forty connections at once', async () => {
    const line = Buffer.alloc(10_000_000, 'x');
    const others: LineClient[] = [];
    for (let i = 0; i < 40; i += 1) others.push(i % 2 === 0 ? await stage.open() : await stage.node(`evil-${i}`));
    for (const [i, other] of others.entries()) {
      other.raw(line);
      if (i % 3 === 0) other.raw('\r\n');
    }
    await talkHonestly();
    await waitUntil('all of them are cut', () => others.every((other) => other.isClosed), 10_000);
    await talkHonestly();
    await endAll([]);
  }, 30_000);

  it('three hundred connections that say half a line and stay', async () => {
    const others: LineClient[] = [];
    for (let i = 0; i < 300; i += 1) {
      const other = await stage.open();
      other.raw(i % 2 === 0 ? '{"type":"hello","v":1,"node":"e' : "{type='log");
      others.push(other);
    }
    for (let i = 0; i < 10; i += 1) await talkHonestly();
    expect(others.filter((other) => other.isClosed)).toEqual([]);
    await endAll(others);
  }, 30_000);
});

describe('a conversation is answered the same wherever it is cut', () => {
  const ofNode = Buffer.concat(
    [hello('cut'), snapshot(1, [['s', 'dan', '가나다']], []), put(2, ['s', 'dan', 'Straße']), { type: 'ping', id: 3 }].map(asBytes),
  );
  const ofOlder = Buffer.concat(
    [
      "{type='login', session_id='Ü', user_id='7'}",
      "{type='state', user_id='7', channel_id='r-가'}",
      "{type='logout', session_id='Ü'}",
    ].map(asBytes),
  );

  it.each([
    ['of a node', 4, ofNode],
    ['of an older client', 3, ofOlder],
  ])(
    '%s: in two at every byte, byte by byte, and as one',
    async (_whose, asked, bytes) => {
      const answers = async (cuts: readonly number[]): Promise<string[]> => {
        const client = await stage.open();
        await write(client, bytes, cuts);
        client.socket.end();
        return (await client.end()).map((line) => line.replace(/"server":"[^"]+"/, '"server":"?"'));
      };
      const whole = await answers([]);
      expect(whole).toHaveLength(asked);
      const every = Array.from({ length: bytes.length }, (_, at) => at);
      expect(await answers(every), 'byte by byte').toEqual(whole);
      for (const at of every) expect(await answers([at]), `cut after ${at} bytes`).toEqual(whole);
      await talkHonestly();
    },
    60_000,
  );
});
