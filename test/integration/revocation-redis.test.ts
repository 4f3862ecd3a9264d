/**
 * Revocations between nodes that share a Redis: in force at once where it answers, by the store within 2 s where it does not; forged ones
 * put nobody out.
 */
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { ask, client, closeClients, connected } from '../support/gateway-client.ts';
import {
  closeRedisSides,
  clusterSecret,
  newPrefix,
  type RedisServer,
  redisNeeded,
  redisSide,
  redisUrl,
  startRedis,
} from '../support/redis-server.ts';
import { waitUntil } from '../support/store-processes.ts';
import { type Shared, shared, signToken, startTestNode, stopNodes, type TestNode } from '../support/test-nodes.ts';

/** A store of which a node that joined sees only what was there when it did: what comes later comes by the push alone. */
function blindStore({ store, ...others }: Shared): Shared {
  const { revocations } = store;
  let isFirst = true;
  return {
    ...others,
    store: {
      ...store,
      revocations: {
        add: (revocation) => revocations.add(revocation),
        async read(cursor) {
          if (!isFirst) return { revocations: [], cursor: cursor ?? '' };
          isFirst = false;
          return revocations.read(cursor);
        },
      },
    },
  };
}

describe.skipIf(redisUrl === '')(`a revocation on nodes with Redis (${redisNeeded})`, () => {
  const servers: RedisServer[] = [];
  afterEach(async () => {
    closeClients();
    await stopNodes();
    for (const server of servers.splice(0)) await server.stop();
  });
  afterAll(closeRedisSides);

  async function two(given: { secret?: string | undefined; isBlind?: boolean }) {
    const server = await startRedis();
    servers.push(server);
    const parts = shared();
    const config = {
      redisUrl: server.url,
      redisKeyPrefix: newPrefix(),
      ...(given.secret !== undefined && { clusterSecret: given.secret }),
    };
    const one = await startTestNode({ nodeId: 'one', ...config }, parts);
    const other = await startTestNode({ nodeId: 'other', ...config }, given.isBlind === true ? blindStore(parts) : parts);
    const side = await redisSide(config.redisKeyPrefix, server.url, given.secret);
    await waitUntil('both listen', async () => Number((await server.admin.pubsub('NUMSUB', side.keys.revocations))[1]) === 2);
    const socket = client(other.url, { auth: { token: signToken('alice') } });
    const closing: unknown[] = [];
    socket.on('closing', (body: unknown) => closing.push(body));
    await connected(socket);
    return { server, one, other, side, socket, isOut: () => !socket.connected && JSON.stringify(closing) === '[{"code":"REVOKED"}]' };
  }
  async function revoke(node: TestNode): Promise<number> {
    const headers = { 'content-type': 'application/json', authorization: `Bearer ${signToken('olga', { roles: ['operator'] })}` };
    return (await fetch(`${node.url}/api/revocations`, { method: 'POST', headers, body: '{"user":"alice"}' })).status;
  }

  it('is in force on the other node by Redis alone, within a moment', { timeout: 30_000 }, async () => {
    const { one, isOut } = await two({ secret: clusterSecret, isBlind: true });
    expect(await revoke(one)).toBe(200);
    await waitUntil('she is out of the other node', isOut, 500);
  });

  it('makes the other node look into the store at once where nodes have no secret', { timeout: 30_000 }, async () => {
    const { one, isOut } = await two({});
    const startedMs = performance.now();
    expect(await revoke(one)).toBe(200);
    await waitUntil('she is out of the other node', isOut, 2_000);
    expect(performance.now() - startedMs).toBeLessThan(700);
  });

  it('is in force by the store within 2 s while Redis is frozen, and answered as ever', { timeout: 30_000 }, async () => {
    const { server, one, isOut } = await two({ secret: clusterSecret });
    server.signal('SIGSTOP');
    const startedMs = performance.now();
    expect(await revoke(one)).toBe(200);
    expect(performance.now() - startedMs).toBeLessThan(400);
    await waitUntil('she is out of the other node', isOut, 2_000);
    server.signal('SIGCONT');
  });

  it('that is forged, malformed or of another secret puts nobody out, and is counted', { timeout: 30_000 }, async () => {
    const { server, other, side, socket } = await two({ secret: clusterSecret });
    const channel = side.keys.revocations;
    const words = { of: { everybody: true }, atMs: Date.now() + 60_000, endsAtMs: Date.now() + 600_000 };
    const foreign = await redisSide(newPrefix(), server.url, 'another secret, as long as the right one');
    const forged = [
      'read',
      '',
      JSON.stringify(words),
      `${'-'.repeat(43)}${JSON.stringify(words)}`,
      foreign.signed.seal('revocation', channel, words),
      side.signed.seal('revocation', channel, { ...words, of: { user: 'a b' } }),
      side.signed.seal('node', channel, words),
    ];
    for (const message of forged) await server.admin.publish(channel, message);
    await waitUntil('they were counted', async () =>
      (await (await fetch(`${other.url}/metrics`)).text()).includes(`playhouse_redis_bad_values_total{kind="revocation"} ${forged.length}`),
    );
    expect((await ask(socket, 'room:list')).ok).toBe(true);
    expect(other.lines.filter((line) => line.includes('redis.bad'))).toHaveLength(1);
  });
});
