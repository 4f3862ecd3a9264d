/**
 * Admission over real sockets: statuses and Retry-After before a connection, codes after it, brute force, storms.
 */
import { createConnection } from 'node:net';
import { Manager, type Socket } from 'socket.io-client';
import { afterEach, describe, expect, it } from 'vitest';
import type { GatewayConfig, GatewayOptions } from '../../gateway/server.ts';
import { createTokenVerifier } from '../../gateway/token.ts';
import { refuse } from '../../system/errors.ts';
import type { RoomStore } from '../../system/store/room-store.ts';
import { openMemoryStore } from '../../system/store/room-store-memory.ts';
import { withOverrides } from '../support/actor-stage.ts';
import { ask, client, closeClients, connected, refusal, waitUntil } from '../support/gateway-client.ts';
import { startTestGateway, type TestGateway, tokenOf, tokens } from '../support/gateway-fixtures.ts';
import { noRates } from '../support/test-config.ts';
import { shared, signToken, startTestNode, stopNodes } from '../support/test-nodes.ts';

const gateways: TestGateway[] = [];
/** Whoever names an address in X-Forwarded-For comes from there. */
const start = async (config: Partial<GatewayConfig> = {}, options: Partial<GatewayOptions> = {}): Promise<TestGateway> => {
  const gateway = await startTestGateway({ trustedProxies: ['127.0.0.1'], ...config }, options);
  gateways.push(gateway);
  return gateway;
};
afterEach(async () => {
  closeClients();
  await stopNodes();
  for (const gateway of gateways.splice(0)) await gateway.server.close(200);
});

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}
/** A handshake as bytes, so that status and headers are seen as they are. */
function knock(url: string, transport: 'websocket' | 'polling', extra: Record<string, string> = {}): Promise<Answer> {
  const { port, host } = new URL(url);
  const upgrade = {
    connection: 'Upgrade',
    upgrade: 'websocket',
    'sec-websocket-version': '13',
    'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==',
  };
  const headers = { host, ...(transport === 'websocket' ? upgrade : { connection: 'close' }), ...extra };
  return new Promise((resolve, reject) => {
    const socket = createConnection(Number(port), '127.0.0.1');
    let text = '';
    const done = (): void => {
      socket.destroy();
      const [head = '', body = ''] = text.split('\r\n\r\n');
      const [first = '', ...lines] = head.split('\r\n');
      const fields = lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]);
      resolve({ status: Number(first.split(' ')[1]), headers: Object.fromEntries(fields) as Record<string, string>, body });
    };
    socket.on('data', (part: Buffer) => {
      text += part.toString('latin1');
      if (text.startsWith('HTTP/1.1 101')) done();
    });
    socket.on('close', done);
    socket.on('error', reject);
    socket.write(
      `GET /socket.io/?EIO=4&transport=${transport} HTTP/1.1\r\n${Object.entries(headers)
        .map(([name, value]) => `${name}: ${value}\r\n`)
        .join('')}\r\n`,
    );
  });
}
const transports = ['websocket', 'polling'] as const;
const from = (address: string) => ({ 'x-forwarded-for': address });
/** A transport without a CONNECT. */
const idleConnection = async (url: string, headers: Record<string, string> = {}) => {
  const { engine } = new Manager(url, { transports: ['websocket'], reconnection: false, extraHeaders: headers });
  await new Promise<void>((resolve) => engine.once('open', () => resolve()));
  return engine;
};

describe.each(transports)('a handshake over %s', (transport) => {
  it('over the bound of handshakes in progress is 503 with Retry-After, before any token', async () => {
    const gateway = await start({ handshakesMax: 2 });
    const idle = await Promise.all([1, 2].map(() => idleConnection(gateway.url)));
    const answer = await knock(gateway.url, transport);
    expect(answer).toMatchObject({ status: 503, headers: { 'retry-after': '1', 'content-type': 'application/problem+json' } });
    expect(JSON.parse(answer.body)).toMatchObject({ status: 503, code: 'TOO_MANY_CONNECTIONS', retryable: true, retryAfterMs: 1_000 });
    idle[0]?.close();
    let again = await knock(gateway.url, transport);
    while (again.status === 503) again = await knock(gateway.url, transport);
    expect(again.status).toBe(transport === 'websocket' ? 101 : 200);
    for (const engine of idle) engine.close();
  });

  it('of a foreign origin is 403, of a node that stops 503 with Retry-After', async () => {
    const gateway = await start();
    const evil = await knock(gateway.url, transport, { origin: 'https://evil.com' });
    expect(evil).toMatchObject({ status: 403 });
    expect(JSON.parse(evil.body)).toMatchObject({ code: 'FORBIDDEN' });
    gateway.server.stopAccepting();
    const late = await knock(gateway.url, transport);
    expect(late).toMatchObject({ status: 503, headers: { 'retry-after': '1' } });
    expect(JSON.parse(late.body)).toMatchObject({ code: 'BUSY', retryable: true });
  });

  it('of an address that comes too often is 429 with Retry-After, and of no other', async () => {
    const gateway = await start({ addressHandshakesPerSecondMax: 1, addressHandshakesBurstMax: 3 });
    const open = transport === 'websocket' ? 101 : 200;
    const statuses = [];
    for (let index = 0; index < 5; index += 1) statuses.push((await knock(gateway.url, transport, from('198.51.100.1'))).status);
    expect(statuses.slice(0, 4)).toEqual([open, open, open, 429]);
    expect((await knock(gateway.url, transport, from('198.51.100.1'))).headers['retry-after']).toMatch(/^[1-9]\d*$/);
    expect((await knock(gateway.url, transport, from('198.51.100.2'))).status).toBe(open);
    for (let index = 0; index < 10; index += 1) expect((await knock(gateway.url, transport)).status).toBe(open);
  });
});

describe('bad tokens', () => {
  it('of one address, a hundred in a row: after twenty it gets 429 and no token of it is verified; others and its own connections go on', async () => {
    let verified = 0;
    const inner = createTokenVerifier(tokens);
    const verify = (token: string) => {
      verified += 1;
      return inner.verify(token);
    };
    const gateway = await start({ addressBadTokensPerSecondMax: 1, addressBadTokensBurstMax: 20 }, { verifier: { verify } });
    const there = from('198.51.100.66');
    const honest = await connected(client(gateway.url, { auth: { token: tokenOf('ada') }, headers: there }));
    verified = 0;
    for (let index = 0; index < 100; index += 1) await refusal(client(gateway.url, { auth: { token: 'x.y.z' }, headers: there }));
    expect(verified).toBeGreaterThanOrEqual(20);
    expect(verified).toBeLessThan(40);
    const answer = await knock(gateway.url, 'websocket', there);
    expect(answer).toMatchObject({ status: 429, headers: { 'retry-after': expect.stringMatching(/^[1-9]\d*$/) } });
    expect(JSON.parse(answer.body)).toMatchObject({ code: 'TOO_MANY_CONNECTIONS', retryable: true });
    expect((await ask(honest, 'room:list')).ok).toBe(true);
    expect((await ask(honest, 'auth:refresh', { token: 'x' })).error).toMatchObject({ code: 'RATE_LIMITED', retryable: true });
    const http = await fetch(`${gateway.url}/api/rooms`, { headers: { ...there, authorization: 'Bearer x.y.z' } });
    expect(http.status).toBe(429);
    expect(http.headers.get('retry-after')).toMatch(/^[1-9]\d*$/);
    await connected(client(gateway.url, { auth: { token: tokenOf('bob') }, headers: from('198.51.100.67') }));
    expect((await fetch(`${gateway.url}/healthz`, { headers: there })).status).toBe(200);
  });

  it('over HTTP and by auth:refresh count as well, expired ones do not', async () => {
    const gateway = await start({ addressBadTokensPerSecondMax: 1, addressBadTokensBurstMax: 3 });
    const there = from('198.51.100.7');
    const ada = await connected(client(gateway.url, { auth: { token: tokenOf('ada') }, headers: there }));
    for (let index = 0; index < 5; index += 1) {
      const expired = signToken('ada', { livesS: -10 });
      expect((await ask(ada, 'auth:refresh', { token: expired })).error?.code).toBe('TOKEN_EXPIRED');
    }
    expect((await ask(ada, 'auth:refresh', { token: 'bad' })).error?.code).toBe('UNAUTHENTICATED');
    expect((await ask(ada, 'auth:refresh', { token: 'bad' })).error?.code).toBe('UNAUTHENTICATED');
    expect((await fetch(`${gateway.url}/api/rooms`, { headers: { ...there, authorization: 'Bearer bad' } })).status).toBe(401);
    expect((await knock(gateway.url, 'polling', there)).status).toBe(429);
    expect((await ask(ada, 'auth:refresh', { token: tokenOf('ada') })).error).toMatchObject({ code: 'RATE_LIMITED' });
  });
});

describe('connections', () => {
  it('of one user are 20, of one address so many: the later one hears TOO_MANY_CONNECTIONS, and gets in when one has gone', async () => {
    const gateway = await start({ userConnectionsMax: 3, addressConnectionsMax: 4 });
    const there = from('198.51.100.1');
    const enter = (user: string, headers = there) => client(gateway.url, { auth: { token: tokenOf(user) }, headers });
    const first = await connected(enter('ada'));
    for (const headers of [there, from('198.51.100.2')]) await connected(enter('ada', headers));
    expect(await refusal(enter('ada', from('198.51.100.3')))).toMatchObject({
      code: 'TOO_MANY_CONNECTIONS',
      retryable: true,
      retryAfterMs: 1_000,
    });
    await connected(enter('bob'));
    await connected(enter('carol'));
    expect(await refusal(enter('dave'))).toMatchObject({ code: 'TOO_MANY_CONNECTIONS', retryAfterMs: 1_000 });
    await connected(enter('dave', from('198.51.100.4')));
    first.disconnect();
    await waitUntil('her seat is free', () => gateway.server.connections() === 5);
    await connected(enter('ada', from('198.51.100.3')));
    await connected(enter('eve'));
  });

  it('give their seat back when the session refuses or fails to open', async () => {
    let mode: 'refuse' | 'throw' | 'ok' = 'refuse';
    const odd = await start(
      { userConnectionsMax: 1 },
      {
        openSession: () => {
          if (mode === 'throw') throw new Error('a bug');
          return mode === 'refuse' ? refuse('BUSY', 'no', 1) : { command: () => 'accepted', disconnected: () => {} };
        },
      },
    );
    const enter = () => client(odd.url, { auth: { token: tokenOf('ada') } });
    for (let index = 0; index < 3; index += 1) expect((await refusal(enter())).code).toBe('BUSY');
    mode = 'throw';
    for (let index = 0; index < 3; index += 1) expect((await refusal(enter())).code).toBe('INTERNAL');
    mode = 'ok';
    await connected(enter());
    expect((await refusal(enter())).code).toBe('TOO_MANY_CONNECTIONS');
  });
});

describe('commands', () => {
  it('of all connections of a user share one rate: RATE_LIMITED with a time to come again, and others are unhurt', async () => {
    const gateway = await start({ userCommandsPerSecondMax: 10, userCommandsBurstMax: 30 });
    const enter = (user: string) => connected(client(gateway.url, { auth: { token: tokenOf(user) } }));
    const [one, two, bob] = await Promise.all([enter('ada'), enter('ada'), enter('bob')]);
    const replies = await Promise.all(Array.from({ length: 60 }, (_, index) => ask(index % 2 === 0 ? one : two, 'typing', { room: 'r' })));
    const refused = replies.filter(({ ok }) => !ok);
    expect(refused.length).toBeGreaterThanOrEqual(25);
    for (const { error } of refused)
      expect(error).toMatchObject({ code: 'RATE_LIMITED', retryable: true, retryAfterMs: expect.any(Number) });
    expect((await ask(bob, 'typing', { room: 'r' })).ok).toBe(true);
    expect(one.connected && two.connected).toBe(true);
  });

  it.each([
    ['a user', { userCommandsPerSecondMax: 10, userCommandsBurstMax: 20 }],
    ['an address', { addressCommandsPerSecondMax: 10, addressCommandsBurstMax: 20 }],
  ])(
    'of %s, far over its rate: whoever goes on is closed with FLOOD within 2 s of being told; whoever waits is not',
    async (_of, rates) => {
      const gateway = await start({ commandsPerSecondMax: 10_000, commandsBurstMax: 60, ...rates });
      const enter = () => connected(client(gateway.url, { auth: { token: tokenOf('ada') }, headers: { 'x-forwarded-for': '192.0.2.7' } }));
      const [patient, ...deaf] = await Promise.all([enter(), enter(), enter(), enter()]);
      const closings = deaf.map(
        (socket) => new Promise((resolve) => socket.once('closing', (closing) => resolve([closing, performance.now()]))),
      );
      let toldMs = 0;
      let isDone = false;
      const talking = deaf.map(async (socket) => {
        // Below the rate of a connection: only all of them together are too much.
        while (!isDone && socket.connected) {
          for (let i = 0; i < 20; i += 1) {
            socket.emit('typing', { room: 'r' }, ({ error }: { error?: { code: string } }) => {
              if (error?.code === 'RATE_LIMITED') toldMs ||= performance.now();
            });
          }
          await new Promise((resolve) => setTimeout(resolve, 40));
        }
      });
      const closed = (await Promise.all(closings)) as [object, number][];
      isDone = true;
      await Promise.all(talking);
      for (const [closing, atMs] of closed) {
        expect(closing).toEqual({ code: 'FLOOD' });
        expect(atMs - toldMs).toBeLessThan(2_000);
      }
      const few = await Promise.all(Array.from({ length: 25 }, () => ask(patient as Socket, 'typing', { room: 'r' })));
      expect(few.some(({ error }) => error?.code === 'RATE_LIMITED')).toBe(true);
      // What it asks for once in a while is answered as soon as there is room for it, long before the count of the flood ends.
      let isServed = false;
      for (let tries = 0; tries < 20 && !isServed; tries += 1) {
        await new Promise((resolve) => setTimeout(resolve, 150));
        isServed = (await ask(patient as Socket, 'typing', { room: 'r' })).ok;
      }
      expect([isServed, patient?.connected]).toEqual([true, true]);
    },
  );
});

describe('a storm', () => {
  it('of 500 clients that come back to one room at once costs the store three reads at most, and each gets every entry', async () => {
    let reads = 0;
    const memory = openMemoryStore();
    const log = withOverrides(memory.log, {
      read: (room, range) => {
        reads += 1;
        return memory.log.read(room, range);
      },
    });
    const store: RoomStore = { ...memory, log };
    const node = await startTestNode({ userConnectionsMax: 1_000, handshakesMax: 1_000, ...noRates }, shared(store));
    const alice = await connected(client(node.url, { auth: { token: signToken('alice') } }));
    await ask(alice, 'room:create', { kind: 'group', id: 'lobby', public: true });
    // More than a room keeps in memory.
    for (let at = 0; at < 600; at += 50)
      await Promise.all(
        Array.from({ length: 50 }, (_, index) => ask(alice, 'message:send', { room: 'lobby', cid: `c-${at + index}`, text: 'x' })),
      );
    reads = 0;
    const token = signToken('alice');
    const seen = await Promise.all(
      Array.from({ length: 500 }, async () => {
        const socket = await connected(client(node.url, { auth: { token } }));
        const seqs: number[] = [];
        socket.on('entries', ({ entries }: { entries: { seq: number }[] }) => seqs.push(...entries.map(({ seq }) => seq)));
        const opened = await ask(socket, 'room:open', { room: 'lobby', since: 5 });
        const first = (opened['entries'] as { seq: number }[]).map(({ seq }) => seq);
        return { first, seqs };
      }),
    );
    const all = Array.from({ length: 596 }, (_, index) => index + 6);
    await waitUntil('each has every entry', () => seen.every(({ first, seqs }) => first.length + seqs.length === all.length), 20_000);
    for (const { first, seqs } of seen) expect([...first, ...seqs]).toEqual(all);
    expect(reads).toBeLessThanOrEqual(3);
  }, 60_000);
});
