/**
 * Redis is an accelerator: whatever becomes of it, two nodes go on acknowledging and delivering as before, say in /readyz that they are
 * degraded and not down, and find back by themselves. Figures with and without the fault are taken in the same run.
 */
import type { Socket } from 'socket.io-client';
import { afterEach, describe, expect, it } from 'vitest';
import { redisKeys } from '../../system/cluster/redis-keys.ts';
import { ask, client, closeClients, connected } from '../support/gateway-client.ts';
import { clusterSecret, newPrefix, type RedisServer, redisNeeded, redisUrl, startRedis } from '../support/redis-server.ts';
import { waitUntil } from '../support/store-processes.ts';
import { startHole } from '../support/tcp-hole.ts';
import { noRates } from '../support/test-config.ts';
import { shared, signToken, startTestNode, stopNodes, type TestNode } from '../support/test-nodes.ts';

const messages = 200;
interface Figures {
  readonly medianMs: number;
  readonly p99Ms: number;
  readonly totalMs: number;
}
/** Whoever waited for Redis would wait for half a second. So much a busy machine may add to most, */
const noiseMs = 20;
/** to few, */
const pauseMs = 400;
/** and to all together. */
const pausesMs = 1_000;

interface Readiness {
  readonly status: string;
  readonly reasons: readonly string[];
  readonly parts: Readonly<Record<string, string>>;
}
const readiness = async (node: TestNode): Promise<Readiness> => (await (await fetch(`${node.url}/readyz`)).json()) as Readiness;

describe.skipIf(redisUrl === '')(`chat while Redis fails (${redisNeeded})`, () => {
  const servers: RedisServer[] = [];
  const holes: { close(): void }[] = [];
  afterEach(async () => {
    closeClients();
    await stopNodes();
    for (const hole of holes.splice(0)) hole.close();
    for (const server of servers.splice(0)) {
      server.signal('SIGCONT');
      await server.stop();
    }
  });

  async function stage() {
    const server = await startRedis();
    servers.push(server);
    const hole = await startHole(Number(new URL(server.url).port));
    holes.push(hole);
    const prefix = newPrefix();
    const config = { ...noRates, redisUrl: `redis://127.0.0.1:${hole.port}`, redisKeyPrefix: prefix, clusterSecret };
    const parts = shared();
    const one = await startTestNode({ nodeId: 'one', ...config }, parts);
    const other = await startTestNode({ nodeId: 'other', ...config }, parts);
    const isUp = async () => [await readiness(one), await readiness(other)].every(({ reasons }) => reasons.length === 0);
    await waitUntil('both nodes are well', isUp);
    const [ada, bob] = await Promise.all([one, other].map((node, index) => enter(node, ['ada', 'bob'][index] as string)));
    const [first, second] = [ada, bob] as [Socket, Socket];
    expect(await ask(first, 'room:create', { kind: 'group', id: 'lobby', public: true })).toMatchObject({ ok: true });
    expect(await ask(second, 'room:join', { room: 'lobby' })).toMatchObject({ ok: true });
    const seen = [first, second].map((socket) => {
      const seqs: number[] = [];
      socket.on('entries', ({ entries }: { entries: readonly { seq: number }[] }) => seqs.push(...entries.map(({ seq }) => seq)));
      return seqs;
    });
    for (const socket of [first, second]) expect(await ask(socket, 'room:open', { room: 'lobby' })).toMatchObject({ ok: true });
    let cids = 0;
    /** Both write, each one message after the other; how long the acks took. */
    const talk = async (): Promise<Figures> => {
      const beganMs = performance.now();
      const times: number[] = [];
      await Promise.all(
        [first, second].map(async (socket) => {
          for (let index = 0; index < messages / 2; index += 1) {
            const startedMs = performance.now();
            cids += 1;
            expect(await ask(socket, 'message:send', { room: 'lobby', cid: `c${cids}`, text: 'hello' })).toMatchObject({ ok: true });
            times.push(performance.now() - startedMs);
          }
        }),
      );
      const totalMs = performance.now() - beganMs;
      const [all, last] = [seen.map((seqs) => seqs.length), 2 + cids];
      await waitUntil(
        'both have seen everything',
        () => seen.every((seqs) => seqs.at(-1) === last),
        5_000,
        () => JSON.stringify([all, last]),
      );
      for (const seqs of seen) expect(seqs).toEqual(Array.from({ length: seqs.length }, (_, index) => last - seqs.length + 1 + index));
      times.sort((a, b) => a - b);
      const at = (share: number) => times[Math.floor(times.length * share)] as number;
      return { medianMs: at(0.5), p99Ms: at(0.99), totalMs };
    };
    await talk();
    return { server, hole, one, other, prefix, talk, isUp };
  }
  const enter = (node: TestNode, user: string): Promise<Socket> => connected(client(node.url, { auth: { token: signToken(user) } }));
  type Stage = Awaited<ReturnType<typeof stage>>;

  const isDegraded = async ({ one, other }: Stage) => {
    const all = [await readiness(one), await readiness(other)];
    expect(all.map(({ status }) => status)).toEqual(['ready', 'ready']);
    return all.every(({ parts }) => parts['redis'] === 'degraded');
  };
  const faults: readonly {
    readonly name: string;
    readonly break: (stage: Stage) => unknown;
    readonly heal: (stage: Stage) => unknown;
    /** It is there and answers: nobody need notice. */
    readonly isSilent?: true;
  }[] = [
    { name: 'is killed, and comes back empty', break: ({ server }) => server.kill(), heal: ({ server }) => server.start() },
    { name: 'is frozen', break: ({ server }) => server.signal('SIGSTOP'), heal: ({ server }) => server.signal('SIGCONT') },
    {
      name: 'is half-open: connections stay, nothing comes through',
      break({ hole }) {
        hole.holds = true;
      },
      heal({ hole }) {
        hole.holds = false;
      },
    },
    {
      name: 'refuses the password',
      async break({ server }) {
        await server.admin.config('SET', 'requirepass', 'another');
        await server.admin.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
        await server.admin.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
      },
      heal: ({ server }) => server.admin.config('SET', 'requirepass', ''),
    },
    { name: 'is emptied', break: ({ server }) => server.admin.flushall(), heal: () => {}, isSilent: true },
    {
      name: 'holds values of wrong types in all our keys',
      async break({ server, prefix }) {
        const keys = redisKeys(prefix);
        await server.admin.flushall();
        await server.admin.mset(keys.nodes, 'x', keys.seated, 'x', keys.keptOwners, 'x', keys.seats('user-connections', 'ada'), 'x');
        await server.admin.set(keys.bucket('user-commands', 'ada'), 'x');
        for (const key of [keys.claim('one'), keys.claim('other'), keys.keeper])
          await server.admin.multi().del(key).hset(key, 'x', 'x').exec();
      },
      heal: () => {},
      isSilent: true,
    },
  ];

  // Once more where the machine itself stood still: a command that waited for Redis would be late every time.
  it.each(faults)('goes on as before while Redis $name', { timeout: 90_000, retry: 2 }, async (fault) => {
    const on = await stage();
    const before = await on.talk();
    await fault.break(on);
    // From the first moment on, when nobody has noticed yet.
    const atOnce = await on.talk();
    expect(atOnce.totalMs).toBeLessThan(2 * before.totalMs + pausesMs);
    if (fault.isSilent !== true) await waitUntil('both nodes say that they are degraded', () => isDegraded(on));
    const during = await on.talk();
    await fault.heal(on);
    await waitUntil('both nodes are well again', on.isUp, 15_000);
    const after = await on.talk();
    for (const figures of [during, after]) {
      expect(figures.medianMs).toBeLessThan(1.2 * before.medianMs + noiseMs);
      expect(figures.p99Ms).toBeLessThan(1.2 * before.p99Ms + pauseMs);
    }
    const claims = [redisKeys(on.prefix).claim('one'), redisKeys(on.prefix).claim('other')];
    await waitUntil('both hold their ids', async () => (await on.server.admin.exists(...claims)) === 2);
    await waitUntil('both are announced', async () => (await on.server.admin.zcard(redisKeys(on.prefix).nodes).catch(() => 0)) === 2);
  });

  it('begins on nodes that never saw Redis, and takes it up when it comes', { timeout: 60_000 }, async () => {
    const server = await startRedis();
    servers.push(server);
    await server.kill();
    const config = { ...noRates, redisUrl: server.url, redisKeyPrefix: newPrefix(), clusterSecret };
    const startedMs = performance.now();
    const node = await startTestNode({ nodeId: 'one', ...config }, shared());
    expect(performance.now() - startedMs).toBeLessThan(5_000);
    expect(await readiness(node)).toMatchObject({ status: 'ready', parts: { redis: 'degraded', claim: 'degraded', cluster: 'degraded' } });
    const ada = await enter(node, 'ada');
    expect(await ask(ada, 'room:create', { kind: 'group', id: 'lobby', public: true })).toMatchObject({ ok: true });
    await server.start();
    await waitUntil('it is well', async () => (await readiness(node)).reasons.length === 0);
  });
});
