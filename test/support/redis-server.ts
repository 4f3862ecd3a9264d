/**
 * RedisServers: real redis-servers of a test's own, to be killed, frozen, emptied and started again; and key prefixes of its own on the
 * shared one that PLAYHOUSE_TEST_REDIS_URL names.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { systemClock } from '../../system/clock.ts';
import { openRedis, type RedisConnection } from '../../system/cluster/redis-connection.ts';
import { type RedisKeys, redisKeys } from '../../system/cluster/redis-keys.ts';
import { SignedText } from '../../system/cluster/signed-text.ts';
import { newId } from '../../system/ids.ts';
import { createLogger } from '../../system/logger.ts';
import { freePort } from './node-process.ts';
import { waitUntil } from './store-processes.ts';

/** The shared server; '': there is none, and what needs one is skipped by name. */
export const redisUrl = process.env['PLAYHOUSE_TEST_REDIS_URL'] ?? '';
export const redisNeeded = 'needs PLAYHOUSE_TEST_REDIS_URL: npm run services';
export const clusterSecret = 'only the nodes of this test know it, 32 bytes';

/** Dies with the test's process. */
const living = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of living) child.kill('SIGKILL');
});

export interface RedisServer {
  readonly url: string;
  /** By hand, past everything that is tested. */
  readonly admin: Redis;
  signal(signal: NodeJS.Signals): void;
  /** kill -9, and its end. */
  kill(): Promise<void>;
  /** Again on the same port, with nothing in it. */
  start(): Promise<void>;
  /** Ends it and forgets its folder. */
  stop(): Promise<void>;
}

/** One of the test's own. `args`: further ones for redis-server. */
export async function startRedis(args: readonly string[] = []): Promise<RedisServer> {
  const port = await freePort();
  const folder = mkdtempSync(join(tmpdir(), 'playhouse-redis-'));
  const admin = new Redis({ port, host: '127.0.0.1', lazyConnect: true, retryStrategy: () => 50, maxRetriesPerRequest: 200 });
  admin.on('error', () => {});
  let child: ChildProcess | undefined;
  const server: RedisServer = {
    url: `redis://127.0.0.1:${port}`,
    admin,
    signal: (signal) => void child?.kill(signal),
    async kill() {
      const ending = child;
      child = undefined;
      if (!ending || ending.exitCode !== null || ending.signalCode !== null) return;
      await new Promise((resolve) => {
        ending.once('exit', resolve);
        ending.kill('SIGKILL');
      });
      living.delete(ending);
    },
    async start() {
      const own = ['--bind', '127.0.0.1', '--port', `${port}`, '--dir', folder, '--save', '', '--appendonly', 'no', '--daemonize', 'no'];
      const started = spawn('redis-server', [...own, ...args], { stdio: 'ignore' });
      child = started;
      living.add(started);
      started.once('error', () => {});
      if (args.includes('--requirepass')) return void (await waitUntil('redis-server listens', () => listens(port)));
      await waitUntil('redis-server answers', async () => (await admin.ping().catch(() => '')) === 'PONG');
    },
    async stop() {
      admin.disconnect();
      await server.kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  await server.start();
  return server;
}

async function listens(port: number): Promise<boolean> {
  const { connect } = await import('node:net');
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

export interface RedisSide {
  readonly redis: RedisConnection;
  readonly keys: RedisKeys;
  readonly signed: SignedText;
  readonly clock: typeof systemClock;
  readonly log: ReturnType<typeof createLogger>;
  /** Lines of its log. */
  readonly lines: string[];
}

const open = new Set<RedisConnection>();
const prefixes = new Map<string, Set<string>>();

/** One node's side of a Redis. The same `prefix`: the same cluster. */
export async function redisSide(prefix: string, url = redisUrl, secret: string | undefined = clusterSecret): Promise<RedisSide> {
  const lines: string[] = [];
  const log = createLogger({ level: 'debug', base: {}, destination: { write: (line: string) => void lines.push(line) } });
  const redis = await openRedis({ url, clock: systemClock, log });
  open.add(redis);
  prefixes.set(url, (prefixes.get(url) ?? new Set()).add(prefix));
  return { redis, keys: redisKeys(prefix), signed: new SignedText({ secret, log }), clock: systemClock, log, lines };
}

export const newPrefix = (): string => `test-${newId()}`;

/** For afterAll: ends the sides, and deletes their keys on the shared server. */
export async function closeRedisSides(): Promise<void> {
  for (const redis of open) redis.close();
  open.clear();
  const mine = [...(prefixes.get(redisUrl) ?? [])];
  prefixes.clear();
  if (redisUrl === '') return;
  const admin = new Redis(redisUrl);
  for (const prefix of mine) await deleteKeys(admin, prefix);
  admin.disconnect();
}

export async function deleteKeys(admin: Redis, prefix: string): Promise<void> {
  for await (const found of admin.scanStream({ match: `${prefix}:*`, count: 1_000 })) {
    if ((found as string[]).length > 0) await admin.unlink(...(found as string[]));
  }
}
