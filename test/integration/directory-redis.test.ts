/**
 * Two nodes that share Redis and a community service: a list that one is told of is forgotten by both, and looked up once for both.
 */

import { Redis } from 'ioredis';
import { afterEach, describe, expect, it } from 'vitest';
import { ask, client, closeClients, connected, type WireReply } from '../support/gateway-client.ts';
import { members, routes, startOutsideService } from '../support/outside-service.ts';
import { deleteKeys, newPrefix, redisNeeded, redisUrl } from '../support/redis-server.ts';
import { waitUntil } from '../support/store-processes.ts';
import { shared, signToken, startTestNode, stopNodes, type TestNode } from '../support/test-nodes.ts';

const secret = 'fdZ0r8nqk3WcVt7yPzK1mB5xLhQ9sJ2u';
const ending: (() => Promise<void>)[] = [];
afterEach(async () => {
  closeClients();
  await stopNodes();
  for (const end of ending.splice(0)) await end();
});

describe.skipIf(redisUrl === '')(`two nodes with a community service (${redisNeeded})`, () => {
  it('ask it once for a list, and again once one of them is told that it has changed', async () => {
    const service = await startOutsideService(routes({ '/room/feign/7/member-id': members('ada') }));
    ending.push(() => service.stop());
    const both = shared();
    const redisKeyPrefix = newPrefix();
    ending.push(async () => {
      const admin = new Redis(redisUrl);
      await deleteKeys(admin, redisKeyPrefix);
      admin.disconnect();
    });
    const common = { directoryUrl: service.url, directorySecret: secret, redisUrl, redisKeyPrefix };
    const [first, second] = [await startTestNode(common, both), await startTestNode(common, both)];
    for (const { url } of [first, second]) {
      await waitUntil('the node has Redis', async () => {
        const { parts } = (await (await fetch(`${url}/readyz`)).json()) as { parts: Record<string, string> };
        return parts['redis'] === 'up';
      });
    }
    const enter = async (user: string, { url }: TestNode): Promise<(room: string) => Promise<WireReply>> => {
      const socket = await connected(client(url, { auth: { token: signToken(user) } }));
      return (room) => ask(socket, 'room:join', { room });
    };
    const [ada, bob, eve] = [await enter('ada', first), await enter('bob', second), await enter('eve', first)];
    expect(await ada('7')).toMatchObject({ ok: true });
    expect(await bob('7')).toMatchObject({ ok: false, error: { code: 'NOT_FOUND' } });
    expect(await eve('7')).toMatchObject({ ok: false, error: { code: 'NOT_FOUND' } });
    expect(service.requests).toHaveLength(1);
    service.behave(routes({ '/room/feign/7/member-id': members('ada', 'bob', 'eve') }));
    const told = await fetch(`${first.url}/room-user-list/7`, { method: 'PUT', headers: { authorization: `Bearer ${secret}` } });
    expect(told.status).toBe(204);
    expect(await eve('7')).toMatchObject({ ok: true });
    // The other node hears of it by a message, within a moment.
    await waitUntil('the other node asks again', async () => (await bob('7')).ok, 5_000);
    expect(service.requests.length).toBeLessThanOrEqual(3);
  });
});
