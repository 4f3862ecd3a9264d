/**
 * Who gets in: tokens, headers, origins, limits of connections.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import jwt from 'jsonwebtoken';
import { Manager } from 'socket.io-client';
import { afterEach, describe, expect, it } from 'vitest';
import { createTokenVerifier } from '../../gateway/token.ts';
import { refuse } from '../../system/errors.ts';
import { ask, client, closeClients, connected, refusal, sendRaw, waitUntil } from '../support/gateway-client.ts';
import { signer, startTestGateway, type TestGateway, testSecret, tokenOf, tokens } from '../support/gateway-fixtures.ts';

const gateways: TestGateway[] = [];
const start: typeof startTestGateway = async (...args) => {
  const gateway = await startTestGateway(...args);
  gateways.push(gateway);
  return gateway;
};
afterEach(async () => {
  closeClients();
  for (const gateway of gateways.splice(0)) await gateway.server.close(200);
});
const transports = ['websocket', 'polling'] as const;
/** A transport without a CONNECT. */
const idleConnection = async (url: string) => {
  const { engine } = new Manager(url, { transports: ['websocket'], reconnection: false });
  await new Promise<void>((resolve) => engine.once('open', () => resolve()));
  return engine;
};
const nowS = () => Math.floor(tokens.clock.wallMs() / 1_000);

describe('a handshake', () => {
  it('refuses forged tokens with UNAUTHENTICATED and old ones with TOKEN_EXPIRED, on both transports', async () => {
    const gateway = await start({}, { verifier: createTokenVerifier({ ...tokens, issuer: 'me', audience: 'chat' }) });
    const claims = { sub: 'ada', iss: 'me', aud: 'chat', exp: nowS() + 60 };
    const sign = (payload: object, secret = testSecret, algorithm: jwt.Algorithm = 'HS256') => jwt.sign(payload, secret, { algorithm });
    const bad: [string, unknown][] = [
      ['UNAUTHENTICATED', undefined],
      ['UNAUTHENTICATED', ''],
      ['UNAUTHENTICATED', 7],
      ['UNAUTHENTICATED', { toString: 'x' }],
      ['UNAUTHENTICATED', 'x.y.z'],
      ['UNAUTHENTICATED', sign(claims, 'x'.repeat(40))],
      ['UNAUTHENTICATED', sign(claims, 'secret')],
      ['UNAUTHENTICATED', jwt.sign(claims, '', { algorithm: 'none' })],
      ['UNAUTHENTICATED', sign(claims, testSecret, 'HS512')],
      ['UNAUTHENTICATED', sign({ ...claims, sub: 'x'.repeat(65) })],
      ['UNAUTHENTICATED', sign({ ...claims, iss: 'other' })],
      ['UNAUTHENTICATED', sign({ ...claims, aud: 'other' })],
      ['UNAUTHENTICATED', sign({ sub: 'ada', iss: 'me', aud: 'chat' })],
      ['UNAUTHENTICATED', sign({ ...claims, exp: nowS() + 40_000_000 })],
      ['TOKEN_EXPIRED', sign({ ...claims, exp: nowS() - 1 })],
    ];
    for (const transport of transports) {
      for (const [code, token] of bad) {
        const said = await refusal(client(gateway.url, { auth: token === undefined ? {} : { token }, transports: [transport] }));
        expect(said, JSON.stringify(token)).toMatchObject({ code, retryable: false });
        expect(said.message).not.toMatch(/jwt|secret|malformed/i);
      }
      await connected(client(gateway.url, { auth: { token: sign(claims) }, transports: [transport] }));
    }
    expect(gateway.seen).toHaveLength(2);
    expect(gateway.lines.join()).not.toContain('eyJ');
  });

  it('takes the token from auth, from Authorization, or from access-token with the same user-id', async () => {
    const gateway = await start();
    const token = tokenOf('ada');
    for (const headers of [
      { authorization: `Bearer ${token}` },
      { authorization: `bearer ${token}` },
      { 'access-token': token, 'user-id': 'ada' },
    ]) {
      for (const transport of transports) await connected(client(gateway.url, { headers, transports: [transport] }));
    }
    for (const headers of [
      { authorization: token },
      { authorization: `Basic ${token}` },
      { authorization: `Bearer ${token} x` },
      { 'access-token': token },
      { 'access-token': token, 'user-id': 'eve' },
      { 'user-id': 'ada' },
      { cookie: `token=${token}` },
      { 'x-user-id': 'ada' },
    ]) {
      expect((await refusal(client(gateway.url, { headers }))).code, JSON.stringify(headers)).toBe('UNAUTHENTICATED');
    }
    // A bad auth.token is not saved by a good header; a token in the URL is not looked at.
    const good = { authorization: `Bearer ${token}` };
    expect((await refusal(client(gateway.url, { auth: { token: 'x' }, headers: good }))).code).toBe('UNAUTHENTICATED');
    expect((await refusal(client(`${gateway.url}/?token=${token}`))).code).toBe('UNAUTHENTICATED');
    expect((await refusal(client(gateway.url, { auth: { token, protocol: 2 } }))).code).toBe('INVALID');
    await connected(client(gateway.url, { auth: { token, protocol: 1 } }));
    expect(gateway.seen.every(({ identity }) => identity.userId === 'ada')).toBe(true);
  });

  it.each(transports)('refuses foreign origins over %s', async (transport) => {
    const gateway = await start();
    const { port } = gateway.server;
    const tryOrigin = async (origin: string) => {
      const socket = client(gateway.url, { auth: { token: tokenOf('ada') }, headers: { origin }, transports: [transport] });
      const passed = await connected(socket).then(
        () => true,
        () => false,
      );
      socket.disconnect();
      return passed;
    };
    for (const origin of [
      'https://evil.com',
      'null',
      'https://chat.example.org.evil.com',
      'https://evilchat.example.org',
      'https://chat.example.org:444',
      'http://chat.example.org',
      'https://chat.example.org/',
      'https://chat.example.org@evil.com',
      'https://chat.example.org, https://evil.com',
      'https://evil.com#https://chat.example.org',
      `http://evil.com:${port}`,
      `http://127.0.0.1:${port}.evil.com`,
      `http://127.0.0.1:${port}@evil.com`,
      `http://localhost:${port}`,
      'file://',
      'chat.example.org',
      '*',
    ]) {
      expect(await tryOrigin(origin), origin).toBe(false);
    }
    expect(gateway.seen).toEqual([]);
    expect(await tryOrigin('https://chat.example.org')).toBe(true);
    expect(await tryOrigin(`http://127.0.0.1:${port}`)).toBe(true);
  });

  it('lets pages of any loopback port in, in development mode only', async () => {
    const dev = await start({ origins: [] }, { devTokens: signer });
    const plain = await start({ origins: [] });
    const from = (url: string, origin: string) => client(url, { auth: { token: tokenOf('ada') }, headers: { origin } });
    await connected(from(dev.url, 'http://localhost:5173'));
    await expect(connected(from(dev.url, 'http://localhost.evil.com:5173'))).rejects.toThrow();
    await expect(connected(from(plain.url, 'http://localhost:5173'))).rejects.toThrow();
  });

  it('passes on what OpenSession refuses, and counts connections', async () => {
    const gateway = await start({ connectionsMax: 2 });
    const sockets = await Promise.all(['a', 'b'].map((user) => connected(client(gateway.url, { auth: { token: tokenOf(user) } }))));
    expect(gateway.server.connections()).toBe(2);
    expect(await refusal(client(gateway.url, { auth: { token: tokenOf('c') } }))).toMatchObject({
      code: 'TOO_MANY_CONNECTIONS',
      retryable: true,
    });
    sockets[0]?.disconnect();
    await waitUntil('its session is told', () => gateway.seen[0]?.gone === 1 && gateway.server.connections() === 1);
    const full = await start({}, { openSession: () => refuse('TOO_MANY_CONNECTIONS', 'ada has 20 connections', 900) });
    expect(await refusal(client(full.url, { auth: { token: tokenOf('ada') } }))).toEqual({
      code: 'TOO_MANY_CONNECTIONS',
      message: 'ada has 20 connections',
      retryable: true,
      retryAfterMs: 900,
    });
    const broken = await start(
      {},
      {
        openSession: () => {
          throw new Error('a bug');
        },
      },
    );
    expect(await refusal(client(broken.url, { auth: { token: tokenOf('ada') } }))).toMatchObject({
      code: 'INTERNAL',
      message: 'the server failed',
    });
  });

  it('refuses handshakes over the bound, and takes them when others got through or gave up', async () => {
    const gateway = await start({ handshakesMax: 3 });
    const idle = await Promise.all([1, 2, 3].map(() => idleConnection(gateway.url)));
    await expect(connected(client(gateway.url, { auth: { token: tokenOf('ada') } }))).rejects.toThrow();
    idle[0]?.close();
    await waitUntil('one got in', () => {
      client(gateway.url, { auth: { token: tokenOf('ada') } });
      return gateway.server.connections() > 0;
    });
    // One that is connected does not count any more.
    await waitUntil('and others after it', () => {
      client(gateway.url, { auth: { token: tokenOf('ada') } });
      return gateway.server.connections() >= 5;
    });
    await waitUntil('those without a token are closed', () => idle.every(({ readyState }) => readyState === 'closed'), 7_000);
  });

  it('opens one session per connection, however many CONNECT packets come', async () => {
    const gateway = await start();
    const socket = await connected(client(gateway.url, { auth: { token: tokenOf('ada') } }));
    const again = client(gateway.url, { auth: { token: 'x' } });
    again.io.on('open', () => {
      for (let i = 0; i < 50; i++) sendRaw(again, `0${JSON.stringify({ token: tokenOf('eve') })}`);
    });
    await new Promise((resolve) => again.io.on('close', resolve));
    expect(gateway.seen.length).toBeLessThanOrEqual(2);
    await waitUntil('nothing of it is left', () => gateway.server.connections() === 1);
    expect((await ask(socket, 'room:list')).ok).toBe(true);
  });

  it('holds no HTTP request once a websocket is open, and no token in a handshake', async () => {
    const requests: WeakRef<object>[] = [];
    const gateway = await start({}, { routes: (app) => void app.server.on('upgrade', (upgrade) => requests.push(new WeakRef(upgrade))) });
    for (let i = 0; i < 5; i++) await connected(client(gateway.url, { headers: { authorization: `Bearer ${tokenOf('ada')}` } }));
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    await waitUntil('the requests are collected', () => {
      collect();
      return requests.length === 5 && requests.every((ref) => ref.deref() === undefined);
    });
  });
});
