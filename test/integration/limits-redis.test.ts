/**
 * Limits of a user over two whole nodes that share a Redis, and each node's own ones while it is away.
 */
import type { Socket } from 'socket.io-client';
import { afterEach, describe, expect, it } from 'vitest';
import { ask, client, closeClients, connected } from '../support/gateway-client.ts';
import { newPrefix, type RedisServer, redisNeeded, redisUrl, startRedis } from '../support/redis-server.ts';
import { waitUntil } from '../support/store-processes.ts';
import { noRates } from '../support/test-config.ts';
import { shared, signToken, startTestNode, stopNodes, type TestNode } from '../support/test-nodes.ts';

const rates = { ...noRates, userCommandsPerSecondMax: 50, userCommandsBurstMax: 50, userConnectionsMax: 4 };

describe.skipIf(redisUrl === '')(`limits over two nodes with Redis (${redisNeeded})`, () => {
  const servers: RedisServer[] = [];
  afterEach(async () => {
    closeClients();
    await stopNodes();
    for (const server of servers.splice(0)) await server.stop();
  });

  async function two() {
    const server = await startRedis();
    servers.push(server);
    const parts = shared();
    const config = { ...rates, redisUrl: server.url, redisKeyPrefix: newPrefix() };
    const one = await startTestNode({ nodeId: 'one', ...config }, parts);
    const other = await startTestNode({ nodeId: 'other', ...config }, parts);
    await waitUntil('both have said that they live', async () => (await server.admin.zcard(`${config.redisKeyPrefix}:seated`)) === 2);
    return { server, one, other, prefix: config.redisKeyPrefix };
  }
  const enter = (node: TestNode, user: string): Promise<Socket> => connected(client(node.url, { auth: { token: signToken(user) } }));

  /** Each asks as fast as it is answered, for so long; how many were carried out. */
  async function hammer(sockets: readonly Socket[], forMs: number): Promise<number> {
    const endMs = performance.now() + forMs;
    const counts = await Promise.all(
      sockets.map(async (socket) => {
        let passed = 0;
        while (performance.now() < endMs) {
          const answers = await Promise.all(Array.from({ length: 5 }, () => ask(socket, 'room:close', { room: 'none' })));
          passed += answers.filter((answer) => JSON.stringify(answer).includes('RATE_LIMITED') === false).length;
          await new Promise((resolve) => setTimeout(resolve, 10));
        }
        return passed;
      }),
    );
    return counts.reduce((sum, count) => sum + count, 0);
  }

  it('grants a user on both nodes about what one node would, and each node’s share when Redis is away', { timeout: 60_000 }, async () => {
    const { server, one, other } = await two();
    const sockets = await Promise.all([enter(one, 'ada'), enter(other, 'ada')]);
    const spanMs = 4_000;
    const oneNode = rates.userCommandsBurstMax + (rates.userCommandsPerSecondMax * spanMs) / 1_000;
    const together = await hammer(sockets, spanMs);
    expect(together).toBeGreaterThan(oneNode * 0.75);
    expect(together).toBeLessThan(oneNode * 1.35);
    await server.kill();
    const bobs = await Promise.all([enter(one, 'bob'), enter(other, 'bob')]);
    const apart = await hammer(bobs, spanMs);
    expect(apart).toBeGreaterThan(oneNode * 1.6);
    expect(apart).toBeLessThan(oneNode * 2.2);
  });

  it('counts connections on both, lets in again when one has left, and by itself when Redis is away', { timeout: 60_000 }, async () => {
    const { server, one, other, prefix } = await two();
    const first = [await enter(one, 'ada'), await enter(one, 'ada'), await enter(one, 'ada')];
    await enter(other, 'ada');
    const key = `${prefix}:seats:user-connections:ada`;
    await waitUntil(
      'both have told theirs',
      async () => JSON.stringify(Object.values(await server.admin.hgetall(key)).sort()) === '["1","3"]',
    );
    /** One more connection to the other node, and its end. */
    const knock = async (): Promise<'in' | 'refused'> => {
      const late = client(other.url, { auth: { token: signToken('ada') } });
      const outcome = await connected(late).then(
        () => 'in' as const,
        () => 'refused' as const,
      );
      late.disconnect();
      return outcome;
    };
    await waitUntil('the other node knows', async () => (await knock()) === 'refused');
    first[0]?.disconnect();
    await waitUntil('one more gets in', async () => (await knock()) === 'in');
    // The visitor who has just left is counted until both have told theirs again.
    const comes = (): Promise<boolean> =>
      enter(one, 'ada').then(
        () => true,
        () => false,
      );
    await waitUntil('the first node has room too', comes);
    await waitUntil('it is full again', async () => (await knock()) === 'refused');
    await server.kill();
    await waitUntil('the other node goes by itself', async () => (await knock()) === 'in');
  });
});
