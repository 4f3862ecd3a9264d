/**
 * The HTTP API: the same answers, rights and codes as on a socket, and what a browser or a stranger may not do with it.
 */
import { afterEach, describe, expect, it } from 'vitest';
import type { UserId } from '../../system/ids.ts';
import { openMemoryStore } from '../../system/store/room-store-memory.ts';
import { withOverrides } from '../support/actor-stage.ts';
import { ask, client, closeClients, connected } from '../support/gateway-client.ts';
import { tokenOf, tokenWith } from '../support/gateway-fixtures.ts';
import { type RawReply, rawRequest } from '../support/raw-request.ts';
import { type InProcess, startInProcess, stopNodes } from '../support/test-nodes.ts';

afterEach(async () => {
  closeClients();
  await stopNodes();
});

const bearer = (user: string): Record<string, string> => ({ authorization: `Bearer ${tokenOf(user)}` });
const get = (url: string, path: string, headers: Record<string, string> = bearer('ada')): Promise<RawReply> =>
  rawRequest(url, 'GET', path, headers);
const bodyOf = (reply: RawReply): Record<string, unknown> => JSON.parse(reply.body) as Record<string, unknown>;

/** ada's room with three messages, one of them edited. */
async function startWithRoom(overrides = {}, options = {}): Promise<InProcess> {
  const started = await startInProcess(overrides, options);
  const ada = await connected(client(started.url, { auth: { token: tokenOf('ada') } }));
  await ask(ada, 'room:create', { kind: 'group', id: 'lobby', public: false });
  for (const [index, text] of ['one', 'two', 'three'].entries()) await ask(ada, 'message:send', { room: 'lobby', cid: `c${index}`, text });
  await ask(ada, 'message:modify', { room: 'lobby', cid: 'e1', target: 3, text: 'two!' });
  return started;
}

describe('GET /api/rooms and its history', () => {
  it('answer what the events answer', async () => {
    const { url } = await startWithRoom();
    const socket = await connected(client(url, { auth: { token: tokenOf('ada') } }));
    const { ok: _listed, ...list } = await ask(socket, 'room:list');
    expect(bodyOf(await get(url, '/api/rooms'))).toEqual(list);
    for (const range of [{ before: 100 }, { after: 0, limit: 2 }, { around: 3, limit: 3 }]) {
      const { ok, ...page } = await ask(socket, 'history:get', { room: 'lobby', ...range });
      expect(ok).toBe(true);
      const query = new URLSearchParams(Object.entries(range).map(([name, value]): [string, string] => [name, String(value)])).toString();
      const reply = await get(url, `/api/rooms/lobby/history?${query}`);
      expect(reply.status).toBe(200);
      expect(reply.headers['content-type']).toContain('application/json');
      expect(bodyOf(reply)).toEqual(page);
    }
    expect(JSON.stringify(bodyOf(await get(url, '/api/rooms/lobby/history?before=100')))).toContain('two!');
  });

  it('refuse what the decoder refuses, as 400 with the field and the rule', async () => {
    const { url } = await startWithRoom();
    for (const [path, words] of [
      ['/api/rooms/lobby/history', 'exactly one of them'],
      ['/api/rooms/lobby/history?before=1&after=2', 'exactly one of them'],
      ['/api/rooms/lobby/history?before=x', 'before must be a whole number'],
      ['/api/rooms/lobby/history?before=-1', 'before must be a whole number'],
      ['/api/rooms/lobby/history?before=1&limit=101', 'limit must be a whole number from 1 to 100'],
      ['/api/rooms/lobby/history?before=1&before=2', 'before must be a whole number'],
      ['/api/rooms/lobby/history?before=1&room=other', 'unknown field "room"'],
      ['/api/rooms/lobby/history?before=1&__proto__=1', 'unknown field'],
      ['/api/rooms/lo%20bby/history?before=1', 'room must match'],
      ['/api/rooms/..%2f..%2fetc/history?before=1', 'room must match'],
      ['/api/rooms?all=1', 'unknown field "all"'],
    ] as const) {
      const reply = await get(url, path);
      expect(reply.status, path).toBe(400);
      expect(reply.headers['content-type'], path).toContain('application/problem+json');
      expect(bodyOf(reply), path).toMatchObject({ code: 'INVALID', status: 400, retryable: false, detail: expect.stringContaining(words) });
    }
    expect(Object.prototype).not.toHaveProperty('polluted');
    expect((await get(url, `/api/rooms/${'x'.repeat(200)}/history?before=1`)).status).toBeGreaterThanOrEqual(400);
  });

  it('say the same of a room that is not there and of one that is not yours, on a socket too', async () => {
    const { url } = await startWithRoom();
    const eve = await connected(client(url, { auth: { token: tokenOf('eve') } }));
    const replies = [];
    for (const room of ['lobby', 'nowhere']) replies.push(await get(url, `/api/rooms/${room}/history?before=9`, bearer('eve')));
    expect(replies[0]?.status).toBe(404);
    expect(replies[0]?.body).toBe(replies[1]?.body);
    expect(bodyOf(replies[0] as RawReply)).toMatchObject({ code: 'NOT_FOUND' });
    const answers = [];
    for (const room of ['lobby', 'nowhere']) answers.push(await ask(eve, 'history:get', { room, before: 9 }));
    expect(answers[0]).toEqual(answers[1]);
  });
});

describe('a token', () => {
  it('is taken from the Authorization header only', async () => {
    const { url } = await startWithRoom();
    const token = tokenOf('ada');
    for (const [headers, path] of [
      [{}, '/api/rooms'],
      [{ cookie: `token=${token}; access-token=${token}` }, '/api/rooms'],
      [{}, `/api/rooms?token=${token}`],
      [{ 'access-token': token, 'user-id': 'ada' }, '/api/rooms'],
      [{ authorization: `Basic ${token}` }, '/api/rooms'],
      [{ authorization: `Bearer ${token}x` }, '/api/rooms'],
      [{ authorization: 'Bearer' }, '/api/rooms'],
    ] as const) {
      const reply = await get(url, path, headers as Record<string, string>);
      expect(reply, JSON.stringify(headers)).toMatchObject({ status: 401, headers: { 'www-authenticate': 'Bearer' } });
      expect(bodyOf(reply)).toMatchObject({ code: 'UNAUTHENTICATED' });
      expect(reply.body).not.toContain(token.slice(0, 20));
    }
    const expired = tokenWith('ada', { iat: 1_700_000_000, exp: 1_700_000_100 });
    expect(bodyOf(await get(url, '/api/rooms', { authorization: `Bearer ${expired}` }))).toMatchObject({
      code: 'TOKEN_EXPIRED',
      status: 401,
    });
  });

  it('is asked for before anything is looked at, and for every method', async () => {
    const { url } = await startWithRoom();
    expect((await get(url, '/api/rooms/lo%20bby/history', {})).status).toBe(401);
    for (const method of ['POST', 'PUT', 'DELETE', 'PATCH']) {
      const reply = await rawRequest(url, method, '/api/rooms', { cookie: `token=${tokenOf('ada')}` }, '{}');
      expect([400, 401, 404], method).toContain(reply.status);
    }
    const operator = tokenWith('ops', { roles: ['operator'] });
    const forged = await rawRequest(url, 'POST', '/api/revocations', { cookie: `token=${operator}` }, '{"user":"ada"}');
    expect(forged.status).toBe(401);
  });
});

describe('bounds', () => {
  it('a user has one rate: 429 with Retry-After, whatever the number of connections', async () => {
    const { url } = await startWithRoom({ userCommandsPerSecondMax: 1, userCommandsBurstMax: 6 });
    const replies = await Promise.all(Array.from({ length: 10 }, () => get(url, '/api/rooms', bearer('bob'))));
    const refused = replies.filter(({ status }) => status === 429);
    expect(refused.length).toBeGreaterThanOrEqual(3);
    expect(refused[0]?.headers['retry-after']).toMatch(/^[1-9]\d*$/);
    expect(bodyOf(refused[0] as RawReply)).toMatchObject({ code: 'RATE_LIMITED', retryable: true, retryAfterMs: expect.any(Number) });
    expect((await get(url, '/api/rooms', bearer('carol'))).status).toBe(200);
  });

  it('one page at a time for a user, and BUSY is 503 with Retry-After', async () => {
    const store = openMemoryStore();
    let release = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    let isHeld = false;
    const log = withOverrides(store.log, {
      async messages(...call) {
        if (isHeld) await held;
        return store.log.messages(...call);
      },
    });
    const { url } = await startWithRoom({}, { store: { ...store, log } });
    isHeld = true;
    const first = get(url, '/api/rooms/lobby/history?before=9');
    await expect.poll(async () => (await rawRequest(url, 'GET', '/metrics')).body).toContain('playhouse_reads{kind="history"} 1');
    const second = await get(url, '/api/rooms/lobby/history?before=9');
    expect(second).toMatchObject({ status: 503, headers: { 'retry-after': '1' } });
    expect(bodyOf(second)).toMatchObject({ code: 'BUSY', retryable: true, retryAfterMs: 200 });
    release();
    expect((await first).status).toBe(200);
    expect((await get(url, '/api/rooms/lobby/history?before=9')).status).toBe(200);
  });

  it('a store that cannot read is 503 STORE_UNAVAILABLE, without a word of what it said', async () => {
    const store = openMemoryStore();
    const userRooms = { ...store.userRooms, list: (_user: UserId) => Promise.reject(new Error('secret path /var/x')) } as never;
    const { url } = await startInProcess({}, { store: { ...store, userRooms } });
    const reply = await get(url, '/api/rooms');
    expect(reply.status).toBe(503);
    expect(bodyOf(reply)).toMatchObject({ code: 'STORE_UNAVAILABLE', retryable: true });
    expect(reply.body).not.toContain('secret');
  });
});

describe('pages of other origins', () => {
  const own = 'https://chat.example.org';

  it('may read when they are configured: the origin is named, no credentials are', async () => {
    const { url } = await startWithRoom({ origins: [own] });
    const preflight = await rawRequest(url, 'OPTIONS', '/api/rooms', {
      origin: own,
      'access-control-request-method': 'GET',
      'access-control-request-headers': 'authorization',
    });
    expect(preflight).toMatchObject({
      status: 204,
      headers: {
        'access-control-allow-origin': own,
        'access-control-allow-headers': 'authorization, content-type, range, if-range',
        vary: 'Origin',
      },
    });
    const reply = await get(url, '/api/rooms', { ...bearer('ada'), origin: own });
    expect(reply).toMatchObject({ status: 200, headers: { 'access-control-allow-origin': own } });
    expect(reply.headers['access-control-allow-credentials']).toBeUndefined();
  });

  it('are refused otherwise, preflight too, before the token is looked at', async () => {
    const { url } = await startWithRoom({ origins: [own] });
    for (const origin of ['https://evil.com', 'null', `${own}.evil.com`, 'https://chat.example.org:444', 'http://chat.example.org']) {
      for (const method of ['GET', 'OPTIONS', 'POST']) {
        const reply = await rawRequest(url, method, '/api/rooms', { ...bearer('ada'), origin });
        expect(reply.status, `${method} ${origin}`).toBe(403);
        expect(reply.headers['access-control-allow-origin']).toBeUndefined();
      }
    }
  });
});
