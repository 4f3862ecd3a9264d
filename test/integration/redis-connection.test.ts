/**
 * The connection to a real Redis that is killed, frozen, half-open, emptied, or refuses: every call has an outcome in time, nothing is
 * sent twice, and what was subscribed is subscribed again.
 */
import { createServer, type Socket } from 'node:net';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { type RedisConnection, redisInFlightMax, redisScript } from '../../system/cluster/redis-connection.ts';
import { Fault } from '../../system/errors.ts';
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
import { startHole } from '../support/tcp-hole.ts';

const codeOf = (given: Promise<unknown>): Promise<string> =>
  given.then(
    () => 'ok',
    (error: unknown) => (error instanceof Fault ? error.code : String(error)),
  );
const timed = async (call: () => Promise<unknown>): Promise<{ code: string; ms: number }> => {
  const startedMs = performance.now();
  const code = await codeOf(call());
  return { code, ms: performance.now() - startedMs };
};
const get = (redis: RedisConnection) => redis.call((commands) => commands.get('nothing'));
const increment = redisScript("return redis.call('INCR', KEYS[1])");

describe.skipIf(redisUrl === '')(`the connection to Redis (${redisNeeded})`, () => {
  const servers: RedisServer[] = [];
  const fakes: { close(): unknown }[] = [];
  afterEach(async () => {
    await closeRedisSides();
    for (const server of servers.splice(0)) await server.stop();
    for (const fake of fakes.splice(0)) fake.close();
  });
  afterAll(closeRedisSides);
  const own = async (...args: string[]): Promise<{ server: RedisServer; side: RedisSide }> => {
    const server = await startRedis(args);
    servers.push(server);
    const side = await redisSide(newPrefix(), server.url);
    if (args.length === 0) expect(await side.redis.ready(5_000)).toBe(true);
    return { server, side };
  };

  it('refuses at once while nobody listens, says so once, and finds the server when it comes', async () => {
    const { server, side } = await own();
    await server.kill();
    await waitUntil('it has noticed', () => side.redis.health() !== 'up');
    for (let round = 0; round < 50; round += 1) {
      const { code, ms } = await timed(() => get(side.redis));
      expect(code).toBe('REDIS_UNAVAILABLE');
      expect(ms).toBeLessThan(100);
    }
    await waitUntil('it says why', () => JSON.stringify(side.redis.health()).includes('ECONNREFUSED'));
    await server.start();
    await waitUntil('it is up', () => side.redis.health() === 'up');
    expect(await get(side.redis)).toBeNull();
    expect(side.lines.filter((line) => line.includes('redis.down'))).toHaveLength(1);
  });

  it('has an outcome for every call to a frozen server, then rests, and recovers when it goes on', { timeout: 30_000 }, async () => {
    const { server, side } = await own();
    server.signal('SIGSTOP');
    const calls = await Promise.all(Array.from({ length: 5 }, () => timed(() => get(side.redis))));
    for (const { code, ms } of calls) {
      expect(code).toBe('REDIS_UNAVAILABLE');
      expect(ms).toBeLessThan(1_000);
    }
    const rested = await timed(() => get(side.redis));
    expect(rested.code).toBe('REDIS_UNAVAILABLE');
    expect(rested.ms).toBeLessThan(50);
    expect(side.redis.health()).not.toBe('up');
    server.signal('SIGCONT');
    await waitUntil('it is up', () => side.redis.health() === 'up', 5_000);
    expect(await codeOf(get(side.redis))).toBe('ok');
  });

  it('notices a frozen server by itself, without anybody calling', { timeout: 30_000 }, async () => {
    const { server, side } = await own();
    server.signal('SIGSTOP');
    await waitUntil('it says so', () => side.redis.health() !== 'up', 4_000);
    server.signal('SIGCONT');
    await waitUntil('it is up', () => side.redis.health() === 'up', 5_000);
  });

  it('refuses the call over the bound at once, and takes another when one has ended', { timeout: 30_000 }, async () => {
    const { server, side } = await own();
    server.signal('SIGSTOP');
    const waiting = Array.from({ length: redisInFlightMax }, () => codeOf(get(side.redis)));
    expect(side.redis.counts().inFlight).toBe(redisInFlightMax);
    expect(await codeOf(get(side.redis))).toBe('REDIS_BUSY');
    server.signal('SIGCONT');
    await Promise.all(waiting);
    expect(side.redis.counts().inFlight).toBe(0);
    await waitUntil('it takes calls', async () => (await codeOf(get(side.redis))) === 'ok', 5_000);
  });

  it('never becomes ready on a server that accepts and says nothing, and waits for no call', { timeout: 30_000 }, async () => {
    const sockets = new Set<Socket>();
    const fake = createServer((socket) => {
      sockets.add(socket.on('error', () => {}));
      socket.once('close', () => sockets.delete(socket));
    });
    fakes.push(fake);
    await new Promise<void>((resolve) => fake.listen(0, '127.0.0.1', resolve));
    const { port } = fake.address() as { port: number };
    const side = await redisSide(newPrefix(), `redis://127.0.0.1:${port}`);
    expect(await side.redis.ready(1_500)).toBe(false);
    const { code, ms } = await timed(() => get(side.redis));
    expect(code).toBe('REDIS_UNAVAILABLE');
    expect(ms).toBeLessThan(100);
    expect(side.redis.health()).not.toBe('up');
    // It lets go of what does not answer, instead of collecting connections.
    expect(sockets.size).toBeLessThanOrEqual(4);
    for (const socket of sockets) socket.destroy();
  });

  it('carries nothing out twice when the connection is cut before the answer came', { timeout: 30_000 }, async () => {
    const { server } = await own();
    const hole = await startHole(Number(new URL(server.url).port));
    fakes.push(hole);
    const side = await redisSide(newPrefix(), `redis://127.0.0.1:${hole.port}`);
    expect(await side.redis.ready(2_000)).toBe(true);
    await side.redis.script(increment, ['other'], []);
    hole.losesAnswers = true;
    const outcome = codeOf(side.redis.script(increment, ['count'], []));
    await waitUntil('it was carried out', async () => (await server.admin.get('count')) === '1');
    hole.cut();
    hole.losesAnswers = false;
    expect(await outcome).toBe('REDIS_UNAVAILABLE');
    await waitUntil('it is up', () => side.redis.health() === 'up', 5_000);
    // What was sent anew by the driver would be before this.
    await side.redis.script(increment, ['other'], []);
    expect(await server.admin.get('count')).toBe('1');
  });

  it('gives a script to a server that has forgotten it', async () => {
    const { server, side } = await own();
    expect(await side.redis.script(increment, ['count'], [])).toBe(1);
    await server.admin.script('FLUSH');
    expect(await side.redis.script(increment, ['count'], [])).toBe(2);
  });

  it('tells a refusal of the server from its absence, and goes on', async () => {
    const { server, side } = await own();
    await server.admin.set('text', 'no number');
    for (let round = 0; round < 10; round += 1) expect(await codeOf(side.redis.script(increment, ['text'], []))).toBe('REDIS_REFUSED');
    expect(await codeOf(get(side.redis))).toBe('ok');
    expect(side.redis.health()).toBe('up');
  });

  it('says that the password is refused, without the password', async () => {
    const server = await startRedis(['--requirepass', 'the right one']);
    servers.push(server);
    const side = await redisSide(newPrefix(), server.url.replace('//', '//:hunter2@'));
    await waitUntil('it says so', () => JSON.stringify(side.redis.health()).includes('CHAT_REDIS_URL'));
    expect(await codeOf(get(side.redis))).toBe('REDIS_UNAVAILABLE');
    expect(side.lines.join() + side.redis.description + JSON.stringify(side.redis.health())).not.toContain('hunter2');
    const right = await redisSide(newPrefix(), server.url.replace('//', '//:the%20right%20one@'));
    expect(await right.redis.ready(2_000)).toBe(true);
  });

  it('subscribes anew after the server was killed, and says from when on it hears', { timeout: 30_000 }, async () => {
    const { server, side } = await own();
    const heard: string[] = [];
    let ups = 0;
    side.redis.onUp(() => {
      ups += 1;
    });
    side.redis.subscribe('news', (message) => heard.push(message));
    await waitUntil('it listens', async () => (await server.admin.publish('news', 'one')) === 1);
    await waitUntil('it heard', () => heard.includes('one'));
    await server.kill();
    await server.start();
    const upsBefore = ups;
    await waitUntil('it listens again', async () => (await server.admin.publish('news', 'two')) === 1);
    await waitUntil('it heard again', () => heard.includes('two') && ups > upsBefore);
    await server.admin.publish('news', 'x'.repeat(70_000));
    await server.admin.publish('news', 'three');
    await waitUntil('and goes on', () => heard.includes('three'));
    expect(heard.filter((message) => message.length > 10)).toEqual([]);
  });
});
