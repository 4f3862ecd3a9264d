/**
 * Nodes with a community service: who gets into rooms by it, who does not, and what becomes of a list that has changed.
 */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Config } from '../../config/schema.ts';
import { systemClock } from '../../system/clock.ts';
import type { SharedCache } from '../../system/cluster/shared-cache.ts';
import { createMemoryCacheHub } from '../../system/cluster/shared-cache-memory.ts';
import { ask, client, closeClients, connected, type WireReply } from '../support/gateway-client.ts';
import { hangs, members, type OutsideService, raw, routes, startOutsideService } from '../support/outside-service.ts';
import { type Shared, shared, signToken, startTestNode, stopNodes, type TestNode } from '../support/test-nodes.ts';

const secret = 'fdZ0r8nqk3WcVt7yPzK1mB5xLhQ9sJ2u';
let service: OutsideService;
beforeEach(async () => {
  service = await startOutsideService(routes({}));
});
afterEach(async () => {
  closeClients();
  await stopNodes();
  await service.stop();
});

const start = (overrides: Partial<Config> = {}, both?: Shared, cache?: SharedCache): Promise<TestNode> =>
  startTestNode({ directoryUrl: service.url, directorySecret: secret, directoryTimeoutMs: 200, ...overrides }, both, cache);

/** Somebody connected, as a function that asks. */
async function enter(user: string, { url }: TestNode): Promise<(event: string, payload: object) => Promise<WireReply>> {
  const socket = await connected(client(url, { auth: { token: signToken(user) } }));
  return (event, payload) => ask(socket, event, payload);
}

const put = (node: TestNode, path: string, authorization?: string): Promise<Response> =>
  fetch(`${node.url}${path}`, { method: 'PUT', ...(authorization !== undefined && { headers: { authorization } }) });

/** Making a room asked for its list: what came is forgotten, as the service would have it when it makes one. */
async function make(
  owner: (event: string, payload: object) => Promise<WireReply>,
  node: TestNode,
  facts: { readonly id: string; readonly [fact: string]: unknown },
): Promise<void> {
  expect(await owner('room:create', facts)).toMatchObject({ ok: true });
  await put(node, `/room-user-list/${facts.id}`, `Bearer ${secret}`);
}

const codeOf = ({ error }: WireReply): string | undefined => error?.code;

describe('a room that is not public', () => {
  it('takes those whom the service lists in it or in its community, as an entry of its log; nobody else', async () => {
    const node = await start();
    const owner = await enter('owner', node);
    await make(owner, node, { kind: 'group', id: 'den', public: false });
    await make(owner, node, { kind: 'channel', id: 'hall', public: false, community: '3' });
    service.behave(routes({ '/room/feign/den/member-id': members('ada'), '/community/feign/3/member-id': members('bob') }));
    const [ada, bob] = [await enter('ada', node), await enter('bob', node)];
    expect(await ada('room:join', { room: 'den' })).toMatchObject({ ok: true, room: { id: 'den', role: 'member' } });
    expect(await bob('room:join', { room: 'hall' })).toMatchObject({ ok: true, room: { id: 'hall', community: '3' } });
    expect(codeOf(await bob('room:join', { room: 'den' }))).toBe('NOT_FOUND');
    expect(codeOf(await ada('room:join', { room: 'hall' }))).toBe('NOT_FOUND');
    const page = await owner('room:open', { room: 'den', since: 0 });
    expect(page['entries']).toMatchObject([{ kind: 'room' }, { kind: 'member', by: 'ada', member: { user: 'ada', change: 'joined' } }]);
  });

  it('does not take back by a list whom its log has removed; an invitation does', async () => {
    const node = await start();
    const owner = await enter('owner', node);
    await make(owner, node, { kind: 'group', id: 'den', public: false });
    service.behave(routes({ '/room/feign/den/member-id': members('ada') }));
    const ada = await enter('ada', node);
    await ada('room:join', { room: 'den' });
    await owner('room:kick', { room: 'den', user: 'ada' });
    expect(await ada('room:join', { room: 'den' })).toMatchObject({ ok: false, error: { code: 'FORBIDDEN' } });
    expect(codeOf(await ada('message:send', { room: 'den', cid: 'c1', text: 'hi' }))).toBe('NOT_FOUND');
    await owner('room:invite', { room: 'den', user: 'ada' });
    expect(await ada('message:send', { room: 'den', cid: 'c2', text: 'hi' })).toMatchObject({ ok: true });
  });

  it('of two people takes no third, whatever is listed', async () => {
    const node = await start();
    const owner = await enter('owner', node);
    const { room } = (await owner('room:create', { kind: 'dm', members: ['ada'] })) as unknown as { room: { id: string } };
    service.behave(routes({ [`/room/feign/${room.id}/member-id`]: members('eve') }));
    expect(codeOf(await (await enter('eve', node))('room:join', { room: room.id }))).toBe('NOT_FOUND');
  });

  it('takes nobody new while the service hangs, and says that it may later; whoever is in it chats on', async () => {
    const node = await start();
    const owner = await enter('owner', node);
    await make(owner, node, { kind: 'group', id: 'den', public: false });
    service.behave(hangs);
    const ada = await enter('ada', node);
    const joining = ada('room:join', { room: 'den' });
    const nowhere = ada('room:join', { room: 'nowhere' });
    const sentMs = performance.now();
    for (let i = 0; i < 20; i += 1)
      expect(await owner('message:send', { room: 'den', cid: `c${i}`, text: 'hi' })).toMatchObject({ ok: true });
    const tookMs = performance.now() - sentMs;
    const answers = [await joining, await nowhere];
    expect(answers).toEqual([answers[1], answers[0]]);
    expect(answers[0]).toMatchObject({ ok: false, error: { code: 'ROOM_UNAVAILABLE', retryable: true, retryAfterMs: 2_000 } });
    expect(tookMs).toBeLessThan(2_000);
    expect(service.requests.map(({ path }) => path)).toEqual(expect.not.arrayContaining([expect.stringContaining('message')]));
    service.behave(routes({ '/room/feign/den/member-id': members('ada') }));
    expect(await ada('room:join', { room: 'den' })).toMatchObject({ ok: true });
  });
});

describe('a room that only the service knows', () => {
  it('is made by the first of its members to come, and owned by nobody', async () => {
    const node = await start();
    service.behave(routes({ '/room/feign/7/member-id': members(1, 2) }));
    const [one, two, three] = [await enter('1', node), await enter('2', node), await enter('3', node)];
    expect(codeOf(await three('room:join', { room: '7' }))).toBe('NOT_FOUND');
    expect(codeOf(await one('room:open', { room: '7' }))).toBe('NOT_FOUND');
    const joined = await Promise.all([one('room:join', { room: '7' }), two('room:join', { room: '7' })]);
    expect(joined.map(codeOf)).toEqual([undefined, undefined]);
    expect(joined).toMatchObject([
      { ok: true, room: { kind: 'group', role: 'member', public: false } },
      { ok: true, room: { role: 'member' } },
    ]);
    expect(codeOf(await three('room:join', { room: '7' }))).toBe('NOT_FOUND');
    expect(codeOf(await one('room:kick', { room: '7', user: '2' }))).toBe('FORBIDDEN');
    expect(await one('room:list', {})).toMatchObject({ rooms: [{ id: '7' }] });
  });

  it('cannot be taken by somebody who makes a room of its id', async () => {
    const node = await start();
    service.behave(routes({ '/room/feign/7/member-id': members(1) }));
    const eve = await enter('eve', node);
    expect(await eve('room:create', { kind: 'group', id: '7' })).toMatchObject({ ok: false, error: { code: 'CONFLICT' } });
    expect(await eve('room:create', { kind: 'group', id: '8' })).toMatchObject({ ok: true });
    service.behave(hangs);
    expect(codeOf(await eve('room:create', { kind: 'group', id: '9' }))).toBe('ROOM_UNAVAILABLE');
    expect(await eve('room:create', { kind: 'group', name: 'any id' })).toMatchObject({ ok: true });
  });
});

describe('a list that has changed', () => {
  it('is asked for again by every node once one is told, under the older paths and under /api', async () => {
    const both = shared();
    const hub = createMemoryCacheHub(systemClock);
    const [first, second] = [await start({}, both, hub.join()), await start({}, both, hub.join())];
    const owner = await enter('owner', first);
    await make(owner, first, { kind: 'group', id: 'den', public: false, community: '3' });
    service.behave(routes({ '/room/feign/den/member-id': members('x'), '/community/feign/3/member-id': members('x') }));
    const ada = await enter('ada', second);
    const bob = await enter('bob', second);
    for (const join of [ada, bob]) expect(codeOf(await join('room:join', { room: 'den' }))).toBe('NOT_FOUND');
    service.behave(routes({ '/room/feign/den/member-id': members('ada'), '/community/feign/3/member-id': members('bob') }));
    expect(codeOf(await ada('room:join', { room: 'den' }))).toBe('NOT_FOUND');
    expect((await put(first, '/room-user-list/den', `Bearer ${secret}`)).status).toBe(204);
    expect(await ada('room:join', { room: 'den' })).toMatchObject({ ok: true });
    expect(codeOf(await bob('room:join', { room: 'den' }))).toBe('NOT_FOUND');
    const operator = `Bearer ${signToken('op', { roles: ['operator'] })}`;
    expect((await put(first, '/api/community-user-list/3', operator)).status).toBe(204);
    expect(await bob('room:join', { room: 'den' })).toMatchObject({ ok: true });
  });

  it('is told by the service or an operator only', async () => {
    const node = await start();
    const statuses = async (authorization?: string): Promise<number[]> =>
      Promise.all(
        ['/room-user-list/7', '/community-user-list/7', '/api/room-user-list/7', '/api/community-user-list/7'].map(
          async (path) => (await put(node, path, authorization)).status,
        ),
      );
    expect(await statuses()).toEqual([401, 401, 401, 401]);
    expect(await statuses(`Bearer ${secret}x`)).toEqual([401, 401, 401, 401]);
    expect(await statuses(`Bearer ${signToken('ada')}`)).toEqual([403, 403, 403, 403]);
    expect(await statuses(`Bearer ${secret}`)).toEqual([204, 204, 204, 204]);
    expect((await put(node, '/room-user-list/a%20b', `Bearer ${secret}`)).status).toBe(400);
    expect((await put(node, '/room-user-list/a%2Fb', `Bearer ${secret}`)).status).toBe(400);
    expect((await fetch(`${node.url}/room-user-list/7`, { headers: { authorization: `Bearer ${secret}` } })).status).toBe(404);
  });

  it('is answered 503 when other nodes could not be told', async () => {
    const cache = createMemoryCacheHub(systemClock).join();
    const node = await start({}, shared(), { ...cache, isShared: true, clear: async () => false });
    const answer = await put(node, '/room-user-list/7', `Bearer ${secret}`);
    expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '1']);
  });

  it('without a secret is told by operators only, and a node without a service takes it too', async () => {
    const node = await startTestNode();
    expect((await put(node, '/room-user-list/7', 'Bearer undefined')).status).toBe(401);
    expect((await put(node, '/room-user-list/7', `Bearer ${signToken('op', { roles: ['operator'] })}`)).status).toBe(204);
  });
});

describe('the readiness of a node', () => {
  it('is not lost with the service: it is degraded', async () => {
    const node = await start();
    service.behave(raw(500, {}));
    const ada = await enter('ada', node);
    for (let i = 0; i < 3; i += 1) await ada('room:join', { room: `r${i}` });
    const ready = await fetch(`${node.url}/readyz`);
    expect(ready.status).toBe(200);
    expect(await ready.json()).toMatchObject({ status: 'ready', parts: { directory: 'degraded' } });
  });
});
