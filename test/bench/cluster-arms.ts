/**
 * ClusterArms: nodes as processes on real servers, and the three loads that are put on them.
 *
 * Guarantees: a fresh cluster for each arm and round, with a database, topics and keys of its own, dropped at the end; a fresh load process
 * for each load. Every member on every node gets everything acknowledged, once, in order; else the run fails.
 * Does not: pin: nodes, load and servers share all cores, as one machine's do.
 */
import { newId } from '../../system/ids.ts';
import { ClusterStage } from '../cluster/cluster-stage.ts';
import { eventsOf } from '../support/room-events.ts';
import { lineOf, type Step, type TalkRun, type TalkShape, talk } from './arm-run.ts';
import { newSecret } from './arms.ts';
import type { BenchOptions } from './bench.ts';
import { findCapacity, NeverHealthy } from './capacity.ts';
import {
  type ArmFound,
  type CapacityFound,
  type ClusterArm,
  type LatenessFound,
  neverHealthy,
  type OneRoomFound,
} from './cluster-report.ts';
import type { ClusterServers } from './cluster-servers.ts';
import type { TalkSetup } from './load-talk.ts';
import { busyShareOf, cpuTimes } from './machine.ts';
import { BenchProcess, cpuSecondsOf } from './processes.ts';

/** Light: what is asked is how long a message takes, not how many there can be. */
export const lateness = { prefix: 'late', rooms: 10, membersPerRoom: 9, onlyFirstTalks: true, messagesPerSecond: 100 } as const;
export const oneRoom = { prefix: 'one', rooms: 1, membersPerRoom: 30, messagesPerSecond: 150 } as const;
export const capacityShape = { prefix: 'many', rooms: 10, membersPerRoom: 60 } as const;
const startRate = 400;
const warmUpMs = 1_500;

export async function runArm(
  arm: ClusterArm,
  servers: ClusterServers,
  options: BenchOptions,
  say: (text: string) => void,
): Promise<ArmFound> {
  const cluster = await startCluster(arm, servers);
  try {
    if (arm === 'unlinked') return { oneRoom: await throughAll(cluster, options) };
    const late = arm === 'one' ? undefined : await acrossNodes(cluster, options);
    const room = arm === 'tail' && servers.redisUrl !== undefined ? await throughAll(cluster, options) : undefined;
    const capacity = await capacityOf(cluster, options, say);
    return { ...(late && { lateness: late }), ...(room && { oneRoom: room }), capacity };
  } catch (error) {
    throw new Error(`${arm}: ${error instanceof Error ? error.message : String(error)}\n${cluster.stage.dump()}`, { cause: error });
  } finally {
    await cluster.stage.stop();
  }
}

interface RunningCluster {
  readonly stage: ClusterStage;
  readonly secret: string;
}

async function startCluster(arm: ClusterArm, { mongoUrl, redisUrl, kafkaBrokers }: ClusterServers): Promise<RunningCluster> {
  const secret = newSecret();
  const name = `bench-${newId().slice(0, 12)}`;
  const stage = await ClusterStage.start({
    nodes: arm === 'one' ? 1 : 3,
    mongoUrl,
    without: ['kafka', 'redis', ...(arm === 'unlinked' ? (['link'] as const) : [])],
    env: {
      CHAT_JWT_SECRET: secret,
      CHAT_LOG_LEVEL: 'warn',
      ...(redisUrl !== undefined && { CHAT_REDIS_URL: redisUrl, CHAT_REDIS_KEY_PREFIX: name }),
      ...(arm === 'kafka' && { CHAT_KAFKA_BROKERS: kafkaBrokers ?? '', CHAT_KAFKA_TOPIC_PREFIX: `${name}.` }),
    },
  });
  return { stage, secret };
}

async function withLoad<Result>(
  { stage, secret }: RunningCluster,
  shape: TalkShape,
  use: (run: TalkRun) => Promise<Result>,
): Promise<Result> {
  const load = new BenchProcess('test/bench/load-main.js', 'alone');
  const [port = 0, ...otherPorts] = stage.urls.map((url) => Number(new URL(url).port));
  const cpuSeconds = (): number | undefined => {
    const each = stage.nodes.map(({ pid }) => cpuSecondsOf(pid));
    return each.some((seconds) => seconds === undefined) ? undefined : each.reduce<number>((sum, seconds) => sum + (seconds ?? 0), 0);
  };
  try {
    await load.call<void>('talkSetup', { arm: 'playhouse', secret, port, otherPorts, ...shape } satisfies TalkSetup);
    return await use({ server: { process: { cpuSeconds } }, load });
  } finally {
    await load.stop();
  }
}

/** Everybody who talks is on the first node: those beside them are near, those on the other nodes far, and both got the same messages. */
function acrossNodes(cluster: RunningCluster, options: BenchOptions): Promise<LatenessFound> {
  const { messagesPerSecond, ...shape } = lateness;
  return withLoad(cluster, shape, async (run) => {
    await talk(run, messagesPerSecond, warmUpMs);
    const { nodes } = await talk(run, messagesPerSecond, options.clusterMs);
    const [near, ...far] = nodes as [Step['nodes'][number], ...Step['nodes']];
    const mean = (of: (node: Step['nodes'][number]) => number): number => far.reduce((sum, node) => sum + of(node), 0) / far.length;
    return {
      nearP50Ms: near.p50Ms,
      nearP99Ms: near.p99Ms,
      farP50Ms: mean(({ p50Ms }) => p50Ms),
      farP99Ms: Math.max(...far.map(({ p99Ms }) => p99Ms)),
    };
  });
}

function throughAll(cluster: RunningCluster, options: BenchOptions): Promise<OneRoomFound> {
  const { messagesPerSecond, ...shape } = oneRoom;
  const nodes = cluster.stage.urls.map((url) => ({ url }));
  return withLoad(cluster, shape, async (run) => {
    await talk(run, messagesPerSecond, warmUpMs);
    const before = await eventsOf(nodes);
    const step = await talk(run, messagesPerSecond, options.clusterMs);
    const after = await eventsOf(nodes);
    const met = (event: string): number => (after[event] ?? 0) - (before[event] ?? 0);
    return {
      sent: step.sent,
      refused: Object.values(step.refused).reduce((sum, count) => sum + count, 0),
      ackP50Ms: step.ackP50Ms,
      ackP99Ms: step.ackP99Ms,
      conflicts: met('conflict'),
      forwarded: met('forwarded'),
    };
  });
}

function capacityOf(cluster: RunningCluster, options: BenchOptions, say: (text: string) => void): Promise<CapacityFound> {
  return withLoad(cluster, capacityShape, async (run) => {
    let cpuBefore = cpuTimes();
    const busy = new Map<Step, number>();
    const onStep = (step: Step): void => {
      const cpuAfter = cpuTimes();
      busy.set(step, busyShareOf(cpuBefore, cpuAfter));
      cpuBefore = cpuAfter;
      say(lineOf(step));
    };
    const found = await findCapacity(run, startRate, options, onStep).catch((error: unknown) => {
      // Too slow is a figure here, not a failure: whatever else is wrong is one.
      if (error instanceof NeverHealthy) return undefined;
      throw error;
    });
    if (!found) return neverHealthy;
    const { best } = found;
    return {
      deliveriesPerSecond: best.deliveriesPerSecond,
      p99Ms: best.p99Ms,
      nodesCores: ((best.serverMicrosPerDelivery ?? Number.NaN) * best.deliveriesPerSecond) / 1e6,
      loadCores: best.loadCpuShare,
      machineBusyShare: busy.get(best) ?? Number.NaN,
    };
  });
}
