/** The contract of SharedCache, kept by the Redis twin on a real server; and what it knows when that fails. */
import { describe, expect, it } from 'vitest';
import { type SharedCache, valueBytesMax } from '../../system/cluster/shared-cache.ts';
import { asksMax, createRedisSharedCache, putBytesMax } from '../../system/cluster/shared-cache-redis.ts';
import { newPrefix, type RedisSide, redisNeeded, redisUrl } from '../support/redis-server.ts';
import { redisStage } from '../support/redis-stage.ts';
import { waitUntil } from '../support/store-processes.ts';
import { sharedCacheContract } from './shared-cache.contract.ts';

const stage = redisStage(createRedisSharedCache);
async function join(prefix: string, url?: string): Promise<{ cache: SharedCache; side: RedisSide }> {
  const { part: cache, side } = await stage.join(prefix, url);
  return { cache, side };
}

describe.skipIf(redisUrl === '')(`the shared cache in Redis (${redisNeeded})`, () => {
  const own = async () => {
    const server = await stage.ownServer();
    return { server, ...(await join(newPrefix(), server.url)) };
  };

  sharedCacheContract({
    async open() {
      const prefix = newPrefix();
      const [a, b] = [await join(prefix), await join(prefix)];
      // Both listen before anything is told.
      for (const { side } of [a, b])
        await waitUntil('both listen', async () => {
          const heard = await side.redis.call((redis) => redis.publish(side.keys.cacheCleared, 'no key'));
          return heard >= 2;
        });
      return { a: a.cache, b: b.cache, passMs: (ms) => new Promise((resolve) => setTimeout(resolve, ms)) };
    },
  });

  it('keeps the largest value there may be, of any characters', { timeout: 30_000 }, async () => {
    const { cache } = await join(newPrefix());
    // A control character takes six in JSON.
    for (const [sign, bytes] of [
      ['x', valueBytesMax],
      ['☺', valueBytesMax],
      ['\u0001', valueBytesMax / 8],
    ] as const) {
      const value = sign.repeat(Math.floor(bytes / Buffer.byteLength(sign)));
      // On a busy machine one such call may take longer than it may.
      await waitUntil(`it is kept: ${JSON.stringify(sign)}`, async () => {
        await cache.put('room:large', value, 60_000);
        return (await cache.get('room:large')) === value;
      });
    }
  });

  it('gives nothing that is forged, malformed, moved from another key or of a wrong type, and writes over it', async () => {
    const { server, cache, side } = await own();
    await cache.put('room:one', 'mine', 60_000);
    const stolen = (await server.admin.get(side.keys.cache('room:one'))) as string;
    for (const forged of ['garbage', '', stolen.replace('mine', 'ours'), `${'-'.repeat(43)}{"v":"eve"}`]) {
      await server.admin.set(side.keys.cache('room:two'), forged);
      expect(await cache.get('room:two'), forged).toBeUndefined();
    }
    await server.admin.set(side.keys.cache('room:two'), stolen);
    expect(await cache.get('room:two')).toBeUndefined();
    await server.admin.del(side.keys.cache('room:two'));
    await server.admin.hset(side.keys.cache('room:two'), 'a', 'hash');
    expect(await cache.get('room:two')).toBeUndefined();
    await cache.put('room:two', 'right', 60_000);
    expect(await cache.get('room:two')).toBe('right');
    expect(side.signed.bad).toEqual({ cache: 5 });
  });

  it('knows nothing, in time, while Redis is frozen or dead, says that a clear has failed, and goes on after', {
    timeout: 30_000,
  }, async () => {
    const { server, cache, side } = await own();
    await cache.put('room:one', 'kept', 60_000);
    server.signal('SIGSTOP');
    const startedMs = performance.now();
    expect(await cache.get('room:one')).toBeUndefined();
    await cache.put('room:one', 'other', 60_000);
    expect(await cache.clear('room:one', 1_000)).toBe(false);
    expect(performance.now() - startedMs).toBeLessThan(2_500);
    await waitUntil('it says so', () => cache.health() !== 'up');
    server.signal('SIGCONT');
    await waitUntil('it is up', () => cache.health() === 'up');
    await server.kill();
    expect(await cache.get('room:one')).toBeUndefined();
    expect(await cache.clear('room:one', 1_000)).toBe(false);
    await server.start();
    await waitUntil('it is up again', () => side.redis.health() === 'up');
    await cache.put('room:one', 'new', 60_000);
    expect(await cache.get('room:one')).toBe('new');
  });

  it('reads so many values at once and writes so many bytes; beyond, it knows nothing and keeps nothing', { timeout: 30_000 }, async () => {
    const { server, cache, side } = await own();
    await cache.put('room:one', 'kept', 60_000);
    server.signal('SIGSTOP');
    const asked = Array.from({ length: asksMax + 6 }, () => cache.get('room:one'));
    expect(side.redis.counts().inFlight).toBe(asksMax);
    const large = 'x'.repeat(valueBytesMax);
    const puts = Array.from({ length: putBytesMax / valueBytesMax + 3 }, (_, index) => cache.put(`room:n${index}`, large, 60_000));
    expect(side.redis.counts().inFlight).toBe(asksMax + putBytesMax / valueBytesMax);
    server.signal('SIGCONT');
    await Promise.all([...asked, ...puts]);
    expect(side.redis.counts().inFlight).toBe(0);
  });
});
