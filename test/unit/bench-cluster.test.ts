/**
 * What the benchmark of a cluster makes of its rounds, and that it goes on without servers that it does not need.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  type ArmFound,
  type CapacityFound,
  clusterResult,
  limitOf,
  neverHealthy,
  type OneRoomFound,
  turned,
} from '../bench/cluster-report.ts';
import { useServers } from '../bench/cluster-servers.ts';
import { isReached, renderResult } from '../bench/result-table.ts';
import { Latencies } from '../bench/stats.ts';

const about = { cores: 2, missing: [], loads: ['so much'] };
const capacity = (deliveriesPerSecond: number, changes: Partial<CapacityFound> = {}): ArmFound => ({
  capacity: { deliveriesPerSecond, p99Ms: 50, nodesCores: 0.5, loadCores: 0.1, machineBusyShare: 0.6, ...changes },
});
const late = (nearP99Ms: number, farP99Ms: number): ArmFound => ({ lateness: { nearP50Ms: 2, nearP99Ms, farP50Ms: 10, farP99Ms } });
const room = (conflicts: number, changes: Partial<OneRoomFound> = {}): ArmFound => ({
  oneRoom: { sent: 200, refused: 0, ackP50Ms: 5, ackP99Ms: 20, conflicts, forwarded: 100, ...changes },
});
const rowOf = (found: Parameters<typeof clusterResult>[0], what: string) =>
  clusterResult(found, about).rows.find((row) => row.what.startsWith(what));

describe('a message on another node', () => {
  it('is compared round by round with the same message on the writer’s node, for each way it can come', () => {
    const found = { kafka: [late(10, 20), late(10, 40)], tail: [late(10, 50), late(20, 60)] };
    expect(rowOf(found, "p99 on another node / on the writer's, by Kafka")?.spread.rounds).toEqual([2, 4]);
    expect(rowOf(found, "p99 on another node / on the writer's, by the tail alone")?.spread.rounds).toEqual([5, 3]);
    expect(rowOf(found, "p50 on another node / on the writer's, by Kafka")?.spread.median).toBe(5);
  });

  it('must be there within 250 ms by the tail alone; no bound is promised by Kafka', () => {
    const tail = rowOf({ tail: [late(10, 251)] }, 'p99 on another node, by the tail alone');
    expect(tail && isReached(tail)).toBe(false);
    expect(rowOf({ kafka: [late(10, 251)] }, 'p99 on another node, by Kafka')?.goal).toBeUndefined();
  });
});

describe('three nodes beside one', () => {
  it('are a ratio of each round, for the tail and for Kafka', () => {
    const found = { one: [capacity(100), capacity(200)], tail: [capacity(150), capacity(100)], kafka: [capacity(50), capacity(50)] };
    expect(rowOf(found, 'healthy deliveries: three nodes / one')?.spread.rounds).toEqual([1.5, 0.5]);
    expect(rowOf(found, 'healthy deliveries: three nodes with Kafka / one')?.spread.rounds).toEqual([0.5, 0.25]);
  });

  it('that were late at the lowest load count as nothing, and a note says in how many rounds', () => {
    const found = { one: [capacity(100), { capacity: neverHealthy }], tail: [{ capacity: neverHealthy }, capacity(50)] };
    expect(rowOf(found, 'healthy deliveries: three nodes / one')?.spread.rounds).toEqual([0]);
    expect(rowOf(found, 'p99 there, three nodes')?.spread.rounds).toEqual([50]);
    const text = renderResult(clusterResult(found, about));
    expect(text).toContain('three nodes: late at the lowest load already in 1 of 2 rounds');
    expect(text).not.toMatch(/NaN|undefined|Infinity/);
  });

  it('say what was full: the machine first, then the load, then the nodes’ own threads', () => {
    expect(limitOf('tail', { busy: 0.95, nodes: 1.2, load: 0.95 })).toContain('cores of this machine');
    expect(limitOf('tail', { busy: 0.5, nodes: 1.2, load: 0.95 })).toContain('load process');
    expect(limitOf('one', { busy: 0.5, nodes: 0.95, load: 0.4 })).toContain('threads');
    expect(limitOf('tail', { busy: 0.5, nodes: 0.95, load: 0.4 })).toContain('latency');
    expect(renderResult(clusterResult({ one: [capacity(1)] }, about))).toContain('share the 2 cores of this machine');
  });
});

describe('one room written through three nodes', () => {
  it('is judged by its conflicts with links as a share of those without', () => {
    const judged = rowOf({ tail: [room(4)], unlinked: [room(40)] }, 'one room through three nodes: conflicts');
    expect(judged?.spread.median).toBe(0.1);
    expect(judged && isReached(judged)).toBe(true);
    for (const alone of [0, 40]) {
      const worse = rowOf({ tail: [room(10)], unlinked: [room(alone)] }, 'one room through three nodes: conflicts');
      expect(worse && isReached(worse)).toBe(false);
    }
    expect(rowOf({ tail: [room(0)], unlinked: [room(0)] }, 'one room through three nodes: conflicts')?.spread.median).toBe(0);
    expect(rowOf({ tail: [room(10)], unlinked: [room(40)] }, 'conflicts per 100 messages, without')?.spread.median).toBe(20);
  });

  it('has no rows where nodes could not find each other', () => {
    expect(rowOf({ one: [capacity(1)], tail: [capacity(1)] }, 'one room')).toBeUndefined();
  });
});

describe('the rounds', () => {
  it('begin with another arm each', () => {
    expect([0, 1, 2, 3].map((round) => turned(['one', 'tail', 'kafka'], round)[0])).toEqual(['one', 'tail', 'kafka', 'one']);
    expect(turned(['one', 'tail', 'kafka'], 1)).toEqual(['tail', 'kafka', 'one']);
  });

  it('add the latencies of all nodes as if one had taken them', () => {
    const [all, first, second] = [new Latencies(), new Latencies(), new Latencies()];
    for (const ms of [1, 2, 3]) first.add(ms);
    for (const ms of [500, 2_000]) second.add(ms);
    all.addAll(first);
    all.addAll(second);
    expect(all.count).toBe(5);
    expect([0.2, 0.6, 0.8, 1].map((share) => all.percentile(share))).toEqual([1.1, 3.1, 500.1, 2_010]);
  });

  it('use the servers they are given, and start none of those', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'bench-cluster-'));
    const said: string[] = [];
    const environment = {
      PLAYHOUSE_TEST_MONGO_URL: 'mongodb://m',
      PLAYHOUSE_TEST_REDIS_URL: 'redis://r',
      PLAYHOUSE_TEST_KAFKA_BROKERS: 'k:1',
    };
    const servers = await useServers({ folder, progress: (line) => void said.push(line) }, environment);
    expect(servers).toMatchObject({ mongoUrl: 'mongodb://m', redisUrl: 'redis://r', kafkaBrokers: 'k:1', missing: [] });
    await servers.stop();
    expect(said).toEqual([]);
    rmSync(folder, { recursive: true });
  });
});
