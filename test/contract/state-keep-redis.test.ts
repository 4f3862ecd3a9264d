/** The contract of StateKeep, kept by the Redis twin on a real server; and what becomes of it when that fails. */
import { describe, expect, it } from 'vitest';
import type { StateKeep } from '../../system/state/state-keep.ts';
import { keptWaitingMax } from '../../system/state/state-keep.ts';
import { createRedisStateKeep } from '../../system/state/state-keep-redis.ts';
import { newPrefix, type RedisSide, redisNeeded, redisUrl } from '../support/redis-server.ts';
import { redisStage } from '../support/redis-stage.ts';
import { waitUntil } from '../support/store-processes.ts';
import { KeptLife, one, rowsOf, stateKeepContract, two } from './state-keep.contract.ts';

const stage = redisStage(createRedisStateKeep);
async function openAt(prefix: string, url?: string): Promise<{ keep: StateKeep; side: RedisSide }> {
  const { part: keep, side } = await stage.join(prefix, url);
  return { keep, side };
}

describe.skipIf(redisUrl === '')(`StateKeep on Redis (${redisNeeded})`, () => {
  stateKeepContract({
    newPlace() {
      const prefix = newPrefix();
      return { open: async () => (await openAt(prefix)).keep };
    },
  });

  const ownServer = async () => {
    const server = await stage.ownServer();
    const prefix = newPrefix();
    const { keep, side } = await openAt(prefix, server.url);
    const life = new KeptLife(keep);
    keep.follow(life.source);
    for (let index = 0; index < 30; index += 1) life.put(index % 2 === 0 ? one : two, `s${index}`, { user: `u${index}`, place: 'home' });
    const loaded = async () => rowsOf(await (await openAt(prefix, server.url)).keep.load()).join();
    await waitUntil('it is kept', async () => keep.waiting() === 0 && (await loaded()) === life.rows().join());
    return { server, keep, side, life, prefix, loaded };
  };

  it('writes everything anew after Redis was emptied, and after it was killed and came back empty', { timeout: 40_000 }, async () => {
    const { server, life, loaded } = await ownServer();
    await server.admin.flushall();
    expect(await loaded()).toBe('');
    await waitUntil('it is kept again', async () => (await loaded()) === life.rows().join(), 8_000);
    await server.kill();
    life.put(one, 'while away', { user: 'ada', place: 'home' });
    life.remove(two, 's1');
    await server.start();
    await waitUntil('it is kept once more', async () => (await loaded()) === life.rows().join(), 12_000);
  });

  it('never holds its caller up and holds a bounded number of changes while Redis is frozen', { timeout: 40_000 }, async () => {
    const { server, keep, life, loaded } = await ownServer();
    server.signal('SIGSTOP');
    const startedMs = performance.now();
    for (let index = 0; index < keptWaitingMax + 10; index += 1) life.put(one, `m${index}`, { user: 'many', place: 'home' });
    expect(keep.waiting()).toBeLessThanOrEqual(keptWaitingMax);
    expect(performance.now() - startedMs).toBeLessThan(2_000);
    await waitUntil('it says so', () => keep.health() !== 'up');
    server.signal('SIGCONT');
    await waitUntil('all is kept', async () => (await loaded()) === life.rows().join(), 20_000);
  });

  it('loads nothing within its time from a server that does not answer', { timeout: 20_000 }, async () => {
    const { server, prefix } = await ownServer();
    const { keep, side } = await openAt(prefix, server.url);
    await side.redis.ready(2_000);
    server.signal('SIGSTOP');
    const startedMs = performance.now();
    expect(await keep.load()).toEqual([]);
    expect(performance.now() - startedMs).toBeLessThan(4_000);
    server.signal('SIGCONT');
  });

  it('gives nothing that is forged, malformed, moved from elsewhere or of a wrong type', { timeout: 20_000 }, async () => {
    const { server, keep, side, life, prefix } = await ownServer();
    const { kept, keptOwners } = side.keys;
    const stolen = (await server.admin.hget(kept(one), 's0')) as string;
    await server.admin.hset(kept(one), { s0: 'garbage', x1: stolen, x2: `${'-'.repeat(43)}{"u":"eve","p":"home"}`, x3: '' });
    await server.admin.sadd(keptOwners, 'evil', 'nobody');
    await server.admin.hset(kept('evil'), 's', stolen);
    await server.admin.set(kept('nobody'), 'a string');
    const { keep: next, side: nextSide } = await openAt(prefix, server.url);
    const rows = rowsOf(await next.load());
    expect(rows.every((row) => life.rows().includes(row))).toBe(true);
    expect(nextSide.signed.bad['session']).toBeGreaterThanOrEqual(4);
    expect(nextSide.lines.filter((line) => line.includes('redis.bad'))).toHaveLength(1);
    // And it goes on over a hash that became something else.
    await server.admin.set(kept(two), 'a string');
    life.put(two, 'after', { user: 'ada', place: 'home' });
    await waitUntil('it is written', async () => (await server.admin.type(kept(two))) === 'hash');
    expect(keep.health()).toBe('up');
  });
});
