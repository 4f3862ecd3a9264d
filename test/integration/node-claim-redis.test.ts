/**
 * Claims of node ids in a real Redis: two nodes of one id, a node that was killed and comes back, Redis away, emptied and written into.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { claimNode, type NodeClaim, type NodeClaimOptions } from '../../system/cluster/node-claim-redis.ts';
import { NodeProcess } from '../support/node-process.ts';
import {
  closeRedisSides,
  newPrefix,
  type RedisServer,
  type RedisSide,
  redisNeeded,
  redisSide,
  redisUrl,
  startRedis,
} from '../support/redis-server.ts';
import { waitUntil } from '../support/store-processes.ts';

const quick = { goodMs: 1_500, renewEveryMs: 200, lookEveryMs: 50, reachMs: 300 };

describe.skipIf(redisUrl === '')(`the claim of a node id (${redisNeeded})`, () => {
  const servers: RedisServer[] = [];
  const claims: NodeClaim[] = [];
  const processes: NodeProcess[] = [];
  const folders: string[] = [];
  afterEach(async () => {
    for (const process of processes.splice(0)) await process.kill();
    for (const claim of claims.splice(0)) await claim.release();
    await closeRedisSides();
    for (const server of servers.splice(0)) await server.stop();
    for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
  });
  afterAll(closeRedisSides);

  const ownServer = async () => {
    const server = await startRedis();
    servers.push(server);
    return server;
  };
  let serial = 0;
  async function node(prefix: string, url = redisUrl, times: NodeClaimOptions['times'] = quick) {
    const side: RedisSide = await redisSide(prefix, url);
    const lost: string[] = [];
    serial += 1;
    const incarnation = `a.life-${serial}`;
    const claim = await claimNode({ ...side, node: 'a', incarnation, host: 'here', onLost: (reason) => lost.push(reason), times });
    claims.push(claim);
    return { claim, side, lost, incarnation };
  }
  const refusalOf = (starting: Promise<unknown>): Promise<string> =>
    starting.then(
      () => 'it started',
      (error: Error) => error.message,
    );

  it('refuses a second node while the first lives, with one line that names it and what to do', async () => {
    const prefix = newPrefix();
    const first = await node(prefix);
    expect(first.claim.health()).toBe('up');
    const startedMs = performance.now();
    const refusal = await refusalOf(node(prefix));
    expect(refusal).toMatch(
      new RegExp(`^another node has the id a: ${first.incarnation} on here, since .*; give each node its own CHAT_NODE_ID$`),
    );
    expect(performance.now() - startedMs).toBeLessThan(1_500);
    expect(first.lost).toEqual([]);
  });

  it('is free at once after a stop, and after a kill as soon as it has run out', async () => {
    const prefix = newPrefix();
    const first = await node(prefix);
    await first.claim.release();
    const second = await node(prefix);
    second.side.redis.close();
    const startedMs = performance.now();
    const third = await node(prefix);
    expect(third.claim.health()).toBe('up');
    expect(performance.now() - startedMs).toBeLessThan(3_000);
    expect(third.side.lines.filter((line) => line.includes('claim.wait'))).toHaveLength(1);
  });

  it('holds up nobody while Redis is away: the node starts, says so, and claims later', { timeout: 30_000 }, async () => {
    const server = await ownServer();
    await server.kill();
    const startedMs = performance.now();
    const late = await node(newPrefix(), server.url);
    expect(performance.now() - startedMs).toBeLessThan(1_000);
    expect(late.claim.health()).toMatchObject({ degraded: expect.stringContaining('Redis is away') });
    await server.start();
    await waitUntil('it holds its id', () => late.claim.health() === 'up');
    expect(late.side.lines.filter((line) => line.includes('claim.later'))).toHaveLength(1);
    expect(late.lost).toEqual([]);
  });

  it('of two nodes that came while Redis was away, lets the one go on that was started first', { timeout: 30_000 }, async () => {
    const server = await ownServer();
    await server.kill();
    const prefix = newPrefix();
    const first = await node(prefix, server.url);
    const second = await node(prefix, server.url);
    await server.start();
    await waitUntil('the second has lost', () => second.lost.length > 0);
    await waitUntil('the first holds the id', () => first.claim.health() === 'up');
    expect(first.lost).toEqual([]);
    expect(second.lost).toHaveLength(1);
    expect(second.lost[0]).toContain(first.incarnation);
  });

  it('ends nobody when Redis is emptied, killed, or something else is written in its place', { timeout: 30_000 }, async () => {
    const server = await ownServer();
    const prefix = newPrefix();
    const { claim, side, lost, incarnation } = await node(prefix, server.url);
    const key = side.keys.claim('a');
    const isBack = async () => (await server.admin.type(key)) === 'string' && String(await server.admin.get(key)).includes(incarnation);
    await server.admin.flushall();
    await waitUntil('it has claimed again', isBack);
    const forged = side.signed.seal('claim', 'b', { inc: 'b.evil', host: 'there', sinceMs: 0, beat: 1 });
    for (const value of ['garbage', `${'-'.repeat(43)}{"inc":"evil","host":"there","sinceMs":0,"beat":1}`, forged]) {
      await server.admin.set(key, value);
      await waitUntil('it has claimed again', isBack);
    }
    await server.admin.multi().del(key).hset(key, 'a', 'hash').exec();
    await waitUntil('it has claimed again', isBack);
    await server.kill();
    await waitUntil('it says so', () => claim.health() !== 'up');
    await server.start();
    await waitUntil('it has claimed again', isBack);
    expect(claim.health()).toBe('up');
    expect([lost, side.signed.bad]).toEqual([[], { claim: 3 }]);
  });

  it('goes back to a node that was frozen longer than its claim was good; the one that took its place stops', {
    timeout: 30_000,
  }, async () => {
    const server = await ownServer();
    const prefix = newPrefix();
    const first = await node(prefix, server.url);
    // As a freeze looks from outside: its claim runs out, and another is there when it goes on.
    await server.admin.del(first.side.keys.claim('a'));
    const [second] = await Promise.all([
      node(prefix, server.url).catch((error: Error) => error),
      waitUntil('the first has it again', () => first.claim.health() === 'up'),
    ]);
    if (second instanceof Error) expect(second.message).toContain(first.incarnation);
    else await waitUntil('the second has lost', () => second.lost.length === 1);
    expect(first.lost).toEqual([]);
  });

  it('makes the second of two real nodes exit with 1 and one line; a killed one comes back under its id', { timeout: 60_000 }, async () => {
    const prefix = newPrefix();
    const side = await redisSide(prefix);
    const start = (): NodeProcess => {
      const folder = mkdtempSync(join(tmpdir(), 'playhouse-claim-'));
      folders.push(folder);
      const process = new NodeProcess({
        CHAT_PORT: '0',
        CHAT_DATA_DIR: folder,
        CHAT_NODE_ID: 'twin',
        CHAT_REDIS_URL: redisUrl,
        CHAT_REDIS_KEY_PREFIX: prefix,
      });
      processes.push(process);
      return process;
    };
    const first = start();
    await first.start();
    const second = await start().run();
    expect(second.code).toBe(1);
    expect(second.stderr.split('\n').filter((line) => line.startsWith('cannot start: another node has the id twin: '))).toHaveLength(1);
    await first.kill('SIGKILL');
    const back = start();
    await back.start();
    await back.kill('SIGTERM');
    expect(await side.redis.call((redis) => redis.get(side.keys.claim('twin')))).toBeNull();
  });
});
