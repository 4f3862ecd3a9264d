/**
 * RedisStage: what tests of a twin on a real Redis begin with: parts on sides of the shared server or of one of the test's own. All of it
 * ends with the test; keys on the shared server with the file.
 */
import { afterAll, afterEach } from 'vitest';
import { closeRedisSides, type RedisServer, type RedisSide, redisSide, startRedis } from './redis-server.ts';

export interface RedisStage<Part> {
  /** A part on a side that is connected. The same `prefix`: the same cluster. */
  join(prefix: string, url?: string, secret?: string): Promise<{ readonly part: Part; readonly side: RedisSide }>;
  /** A part on a side that the test opened or changed itself. */
  on(side: RedisSide): Part;
  /** A server to be killed and frozen. */
  ownServer(): Promise<RedisServer>;
}

/** To be called once in a file, outside its tests. */
export function redisStage<Part extends { close(): Promise<void> }>(make: (side: RedisSide) => Part): RedisStage<Part> {
  const parts = new Set<Part>();
  const servers: RedisServer[] = [];
  afterEach(async () => {
    await Promise.all([...parts].map((part) => part.close()));
    parts.clear();
    for (const server of servers.splice(0)) await server.stop();
  });
  afterAll(closeRedisSides);
  const on = (side: RedisSide): Part => {
    const part = make(side);
    parts.add(part);
    return part;
  };
  return {
    on,
    async join(prefix, url, secret) {
      const side = await redisSide(prefix, url, secret);
      await side.redis.ready(2_000);
      return { part: on(side), side };
    },
    async ownServer() {
      const server = await startRedis();
      servers.push(server);
      return server;
    },
  };
}
