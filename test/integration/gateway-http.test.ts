/**
 * HTTP beside the sockets: health, development tokens, the port, the drain.
 */
import { request } from 'node:http';
import { createServer } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { createTokenSigner } from '../../gateway/token.ts';
import { ask, client, closeClients, connected, waitUntil } from '../support/gateway-client.ts';
import { startTestGateway, type TestGateway, tokenOf, tokens } from '../support/gateway-fixtures.ts';

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

describe('HTTP', () => {
  interface Reply {
    readonly status: number;
    readonly headers: Record<string, unknown>;
    readonly body: string;
  }
  const http = (url: string, method: string, path: string, headers: Record<string, string> = {}, body?: string) =>
    new Promise<Reply>((resolve, reject) => {
      const call = request(
        url,
        { method, path, headers: { ...(body && { 'content-type': 'application/json' }), ...headers } },
        (answer) => {
          let text = '';
          answer.on('data', (part: Buffer) => {
            text += part.toString();
          });
          answer.on('end', () => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: text }));
        },
      );
      call.on('error', reject);
      call.end(body);
    });

  it('says health, readiness and what this is, with the headers of every answer', async () => {
    let ready = true;
    const gateway = await start(
      {},
      { readiness: () => ({ ready, reasons: ready ? [] : ['store is full'], parts: { store: ready ? 'up' : 'down' } }) },
    );
    expect(await http(gateway.url, 'GET', '/healthz')).toMatchObject({ status: 200, body: '{"status":"ok"}' });
    expect(await http(gateway.url, 'GET', '/readyz')).toMatchObject({ status: 200 });
    ready = false;
    expect(await http(gateway.url, 'GET', '/readyz')).toMatchObject({
      status: 503,
      body: '{"status":"not ready","reasons":["store is full"],"parts":{"store":"down"}}',
    });
    expect((await http(gateway.url, 'GET', '/')).body).toContain('npm run chat');
    for (const path of ['/', '/healthz', '/nothing', '/%2e%2e/x', '//', '/readyz?x=1']) {
      const { headers, status } = await http(gateway.url, 'GET', path);
      expect(headers['x-content-type-options'], path).toBe('nosniff');
      expect(headers['referrer-policy']).toBe('no-referrer');
      expect(headers['content-security-policy']).toContain("frame-ancestors 'none'");
      expect(headers['x-powered-by']).toBeUndefined();
      expect(headers['server']).toBeUndefined();
      if (status === 404) expect(headers['content-type']).toContain('application/problem+json');
    }
    const polling = await http(gateway.url, 'GET', '/socket.io/?EIO=4&transport=polling');
    expect(polling).toMatchObject({ status: 200, headers: { 'x-content-type-options': 'nosniff' } });
    expect((await http(gateway.url, 'GET', '/socket.io/?EIO=4&transport=polling', { origin: 'https://evil.com' })).status).toBe(403);
    expect((await http(gateway.url, 'GET', '/socket.io/socket.io.js')).status).toBe(400);
  });

  it('hands out development tokens to this machine only, for strict JSON only', async () => {
    const gateway = await start({}, { devTokens: createTokenSigner({ ...tokens, lifetimeMs: 60_000 }) });
    const post = (body: string, headers: Record<string, string> = {}) => http(gateway.url, 'POST', '/api/dev/token', headers, body);
    const given = JSON.parse((await post('{"user":"ada","name":"Ada"}')).body) as { token: string; user: string; expiresAt: string };
    expect(given).toMatchObject({ user: 'ada' });
    expect(Date.parse(given.expiresAt)).toBeGreaterThan(tokens.clock.wallMs());
    await connected(client(gateway.url, { auth: { token: given.token } }));
    expect(gateway.seen[0]?.identity).toMatchObject({ userId: 'ada', name: 'Ada' });
    for (const [body, word] of [
      ['{"user":"a b"}', 'user must match'],
      ['{"user":"ada","admin":true}', 'unknown field "admin"'],
      ['{"user":{"$gt":""}}', 'user must be a string'],
      ['[]', 'user|object'],
      ['{}', 'user must be a string'],
      ['{"user":', 'valid JSON'],
      ['{"__proto__":{"polluted":1},"user":"ada"}', 'forbidden key'],
    ] as const) {
      const reply = await post(body);
      expect(reply.status, body).toBe(400);
      expect(JSON.parse(reply.body).detail, body).toMatch(new RegExp(word));
    }
    expect((await post(`{"user":"${'x'.repeat(9_000)}"}`)).status).toBe(413);
    expect((await post('user=ada', { 'content-type': 'application/x-www-form-urlencoded' })).status).toBe(415);
    expect((await post('{"user":"ada"}', { 'content-type': 'text/plain' })).status).not.toBe(200);
    for (const headers of [
      { host: 'evil.com' },
      { host: 'localhost.evil.com' },
      { host: '127.0.0.1.nip.io:3000' },
      { 'x-forwarded-for': '1.2.3.4' },
      { origin: 'https://evil.com' },
    ]) {
      expect((await post('{"user":"ada"}', headers as Record<string, string>)).status, JSON.stringify(headers)).toBe(403);
    }
    for (const host of ['localhost:3000', '[::1]:3000', 'LOCALHOST']) expect((await post('{"user":"ada"}', { host })).status).toBe(200);
    const plain = await start();
    expect((await http(plain.url, 'POST', '/api/dev/token', {}, '{"user":"ada"}')).status).toBe(404);
  });

  it('says in one line that a port is taken or an address is not here', async () => {
    const gateway = await start();
    await expect(start({ port: gateway.server.port })).rejects.toMatchObject({
      code: 'PORT_TAKEN',
      message: expect.stringContaining('CHAT_PORT'),
    });
    await expect(start({ host: '203.0.113.7' })).rejects.toMatchObject({
      code: 'HOST_NOT_AVAILABLE',
      message: expect.stringContaining('CHAT_HOST'),
    });
  });

  it('drains: no new handshakes, health goes on, clients hear SERVER_DRAINING, the port is free afterwards', async () => {
    const gateway = await start();
    const ada = await connected(client(gateway.url, { auth: { token: tokenOf('ada') } }));
    const slow = client(gateway.url, { auth: { token: tokenOf('bob') }, transports: ['polling'] });
    await connected(slow);
    const heard: unknown[] = [];
    for (const socket of [ada, slow]) socket.on('closing', (body) => heard.push(body));
    gateway.server.stopAccepting();
    await expect(connected(client(gateway.url, { auth: { token: tokenOf('eve') } }))).rejects.toThrow();
    expect((await http(gateway.url, 'GET', '/healthz')).status).toBe(200);
    expect((await ask(ada, 'room:list')).ok).toBe(true);
    await gateway.server.close(2_000);
    await waitUntil('both were told', () => heard.length === 2 && ada.disconnected && slow.disconnected);
    expect(heard).toEqual(
      expect.arrayContaining([
        { code: 'SERVER_DRAINING', reconnectInMs: 0 },
        { code: 'SERVER_DRAINING', reconnectInMs: 1_500 },
      ]),
    );
    expect(gateway.seen.map(({ gone }) => gone)).toEqual([1, 1]);
    await new Promise<void>((resolve, reject) => {
      const server = createServer().once('error', reject);
      server.listen(gateway.server.port, '127.0.0.1', () => server.close(() => resolve()));
    });
  });
});
