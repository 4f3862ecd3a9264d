/** The contract of ClusterLimits, kept by the Redis twin on a real server; and what becomes of it when that fails. */
import { describe, expect, it } from 'vitest';
import type { ClusterLimits } from '../../system/cluster/cluster-limits.ts';
import { createRedisClusterLimits } from '../../system/cluster/cluster-limits-redis.ts';
import { newPrefix, type RedisSide, redisNeeded, redisUrl } from '../support/redis-server.ts';
import { redisStage } from '../support/redis-stage.ts';
import { waitUntil } from '../support/store-processes.ts';
import { clusterLimitsContract, hammer } from './cluster-limits.contract.ts';

let serial = 0;
const stage = redisStage((side) => {
  serial += 1;
  return createRedisClusterLimits({ ...side, incarnation: `n${serial}.life` });
});
async function join(prefix: string, url?: string): Promise<{ limits: ClusterLimits; side: RedisSide }> {
  const { part: limits, side } = await stage.join(prefix, url);
  // Its first sign: from then on it knows that the others can be asked.
  await waitUntil('it has settled once', async () => (await side.redis.call((redis) => redis.exists(side.keys.seated))) === 1);
  await passMs(250);
  return { limits, side };
}
const passMs = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

describe.skipIf(redisUrl === '')(`limits of several nodes on Redis (${redisNeeded})`, () => {
  clusterLimitsContract({
    async join(nodes) {
      const prefix = newPrefix();
      const joined: ClusterLimits[] = [];
      for (let index = 0; index < nodes; index += 1) joined.push((await join(prefix)).limits);
      return joined;
    },
    passMs,
  });

  const two = async () => {
    const server = await stage.ownServer();
    const prefix = newPrefix();
    const [a, b] = [await join(prefix, server.url), await join(prefix, server.url)];
    return { server, a, b };
  };
  const rate = { perSecondMax: 20, burstMax: 20 };

  it.each(['SIGSTOP', 'SIGKILL'] as const)(
    'leaves each node to its own limits while Redis has had a %s, at once and without waiting',
    { timeout: 30_000 },
    async (signal) => {
      const { server, a } = await two();
      const shared = a.limits.rate('user-commands', rate);
      for (let index = 0; index < 30; index += 1) shared.take('ada');
      await waitUntil('it is used up', () => shared.take('ada') !== undefined);
      if (signal === 'SIGKILL') await server.kill();
      else server.signal(signal);
      await waitUntil(
        'it goes by itself',
        () => Array.from({ length: 100 }, () => shared.take('ada')).every((wait) => wait === undefined),
        5_000,
      );
      const startedMs = performance.now();
      for (let index = 0; index < 10_000; index += 1) shared.take(`user-${index}`);
      expect(performance.now() - startedMs).toBeLessThan(500);
      if (signal === 'SIGKILL') await server.start();
      else server.signal('SIGCONT');
      await waitUntil('limits are shared again', () => shared.take('ada') !== undefined, 8_000);
    },
  );

  it('counts a node no more whose connections died with it', { timeout: 30_000 }, async () => {
    const { a, b } = await two();
    const [seatsOfA, seatsOfB] = [a.limits.seats('user-connections'), b.limits.seats('user-connections')];
    seatsOfA.have('ada', 9);
    seatsOfB.have('ada', 1);
    await waitUntil('b knows', () => {
      seatsOfB.askAgain('ada');
      return seatsOfB.others('ada') === 9;
    });
    a.side.redis.close();
    await waitUntil(
      'they are gone',
      () => {
        seatsOfB.askAgain('ada');
        return seatsOfB.others('ada') === 0;
      },
      7_000,
    );
  });

  it('goes on over odd values, keys of another type and an emptied Redis', { timeout: 30_000 }, async () => {
    const { server, a, b } = await two();
    const [one, other] = [a.limits.rate('user-commands', rate), b.limits.rate('user-commands', rate)];
    const { keys } = a.side;
    const bucket = keys.bucket('user-commands', 'ada');
    for (const spoil of [
      () => server.admin.set(bucket, 'a string'),
      () => server.admin.multi().del(bucket).hset(bucket, { t: 'nan', a: 'never' }).exec(),
      () => server.admin.multi().del(bucket).hset(bucket, { t: '1e99', a: '9e99' }).exec(),
      () => server.admin.set(keys.seated, 'a string'),
      () => server.admin.set(keys.seats('user-connections', 'ada'), 'a string'),
      () => server.admin.flushall(),
    ]) {
      await spoil();
      const startedMs = performance.now();
      const passed = await hammer([one, other], 'ada', 600, passMs);
      // No more than two nodes that know nothing of each other: a rate there is, whatever was found.
      expect(passed).toBeLessThanOrEqual(2 * (rate.burstMax + (rate.perSecondMax * (performance.now() - startedMs)) / 1_000));
      // What both let pass at once is a debt, and waited for.
      await waitUntil('the debt is paid off', () => [one, other].some((shared) => shared.take('ada') === undefined), 10_000);
    }
    expect(a.side.redis.health()).toBe('up');
  });
});
