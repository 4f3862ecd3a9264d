/**
 * A state server that keeps its sessions in a real Redis, killed with -9 and started again, as watching clients and older clients live
 * through it. Processes, real time. Needs PLAYHOUSE_TEST_REDIS_URL.
 */
import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../system/clock.ts';
import { LineClient } from '../support/line-client.ts';
import { freePort, NodeProcess } from '../support/node-process.ts';
import { allSee, PresenceStage, type StagedNode } from '../support/presence-stage.ts';
import { redisNeeded, redisUrl, startRedis } from '../support/redis-server.ts';
import { waitUntil } from '../support/store-processes.ts';

const passed = (ms: number): Promise<void> => new Promise((resolve) => systemClock.after(ms, resolve));
/** What changed is in Redis within some 100 ms; a slow machine is given more. */
const writtenMs = 1_000;
const done = '반환메세지';

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

/** One of this test's own. */
async function ownRedis() {
  const redis = await startRedis();
  ends.push(() => redis.stop());
  return redis;
}

describe.skipIf(redisUrl === '')(`a state server with Redis that is killed with -9 (${redisNeeded})`, () => {
  it('knows who was online: nobody flaps, who lost their node with it goes when its grace is over', async () => {
    const stage = await PresenceStage.start(['one', 'two', 'three'], {}, { CHAT_REDIS_URL: (await ownRedis()).url });
    ends.push(() => stage.stop());
    const [one, two, three] = stage.nodes as [StagedNode, StagedNode, StagedNode];
    await stage.connect(two, 'ann');
    await stage.connect(three, 'ben');
    const watcher = await stage.watch(one, ['ann', 'ben']);
    await allSee(stage, [watcher], { ann: 'online', ben: 'online' }, 3_000);
    await passed(writtenMs);
    const killedMs = performance.now();
    await stage.stateServer.kill('SIGKILL');
    await three.process.kill('SIGKILL');
    await stage.stateServer.start();
    const backMs = performance.now();
    await allSee(stage, [watcher], { ann: 'online', ben: 'online' }, 3_000);
    await allSee(stage, [watcher], { ann: 'online', ben: 'offline' }, 10_000);
    expect(performance.now() - backMs, 'ben was kept for the grace').toBeGreaterThan(7_000);
    expect(watcher.history('ann', killedMs)).toEqual(['online', 'unknown', 'online']);
    expect(watcher.history('ben', killedMs)).toEqual(['online', 'unknown', 'online', 'offline']);
  }, 60_000);

  it('and its older clients find their sessions as they left them', async () => {
    const port = await freePort();
    const server = new NodeProcess({ CHAT_STATE_PORT: String(port), CHAT_REDIS_URL: (await ownRedis()).url }, 'state-server-main');
    ends.push(() => server.kill());
    await server.start();
    const before = await LineClient.open(port);
    expect(await before.ask("{type='login', session_id='S', user_id='1'}")).toBe(done);
    expect(await before.ask("{type='state', user_id='1', channel_id='r-7'}")).toBe('home,r-7');
    await passed(writtenMs);
    await server.kill('SIGKILL');
    await server.start();
    const after = await LineClient.open(port);
    expect(await after.ask("{type='direct', channel_id='r-7', ids=[1, 2]}")).toBe('[2]');
    expect(await after.ask("{type='logout', session_id='S'}")).toBe('1,r-7');
    after.socket.destroy();
  }, 60_000);

  it('starts and serves as one without while Redis is away, and keeps again when it is back', async () => {
    const redis = await ownRedis();
    const stage = await PresenceStage.start(['one', 'two'], {}, { CHAT_REDIS_URL: redis.url });
    ends.push(() => stage.stop());
    const [one, two] = stage.nodes as [StagedNode, StagedNode];
    const watcher = await stage.watch(one, ['ann', 'bea']);
    await redis.kill();
    const ann = await stage.connect(two, 'ann');
    await allSee(stage, [watcher], { ann: 'online', bea: 'offline' }, 3_000);
    const killedMs = performance.now();
    await stage.stateServer.kill('SIGKILL');
    await allSee(stage, [watcher], { ann: 'unknown' }, 3_000);
    await stage.stateServer.start();
    await allSee(stage, [watcher], { ann: 'online', bea: 'offline' }, 3_000);
    expect(watcher.history('ann', killedMs)).toEqual(['online', 'unknown', 'online']);
    ann.disconnect();
    await allSee(stage, [watcher], { ann: 'offline' }, 3_000);

    await redis.start();
    await stage.connect(two, 'bea');
    await allSee(stage, [watcher], { bea: 'online' }, 3_000);
    const keys = async (): Promise<number> => (await redis.admin.keys('*state*')).length;
    await waitUntil('sessions are kept again', async () => (await keys()) >= 3, 10_000);
    expect(await stage.stateServer.kill('SIGTERM')).toBe(0);
  }, 60_000);
});
