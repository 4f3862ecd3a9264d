/**
 * Cluster: what is peculiar to several nodes: how long a message takes to another node, what three nodes do that one does not, and one
 * room that is written through all of them. Nodes are processes on real MongoDB, Redis and Kafka; see cluster-servers.ts for which.
 */
import { cpus } from 'node:os';
import type { BenchOptions } from './bench.ts';
import { capacityShape, lateness, oneRoom, runArm } from './cluster-arms.ts';
import { type ArmFound, type ClusterArm, clusterResult, turned } from './cluster-report.ts';
import { type ClusterServers, useServers } from './cluster-servers.ts';
import { type BenchResult, shown } from './result-table.ts';

export async function runCluster(options: BenchOptions): Promise<BenchResult> {
  const servers = await useServers(options);
  try {
    return await measure(servers, options);
  } finally {
    await servers.stop();
  }
}

async function measure(servers: ClusterServers, options: BenchOptions): Promise<BenchResult> {
  const arms = armsOn(servers);
  const found: Partial<Record<ClusterArm, ArmFound[]>> = {};
  for (let round = 0; round < options.rounds; round += 1)
    for (const arm of turned(arms, round)) {
      const say = (text: string): void => options.progress(`cluster round ${round + 1}/${options.rounds} ${arm.padEnd(8)} ${text}`);
      const each = await runArm(arm, servers, options, say);
      found[arm] = [...(found[arm] ?? []), each];
      say(`=> ${lineOf(each)}`);
    }
  const { rooms, membersPerRoom, messagesPerSecond } = lateness;
  return clusterResult(found, {
    cores: cpus().length,
    missing: servers.missing,
    loads: [
      `across nodes: ${rooms} rooms × ${membersPerRoom} members, a third on each node, ${messagesPerSecond} messages/s from the first one`,
      `1 -> 3 nodes: ${capacityShape.rooms} rooms × ${capacityShape.membersPerRoom} members, spread over the nodes, everybody talks; healthy as in hot`,
      `one room: ${oneRoom.membersPerRoom} members, a third on each node, all talk, ${oneRoom.messagesPerSecond} messages/s`,
    ],
  });
}

/** Without Redis nodes do not find each other: then nothing is forwarded, and there is nothing to compare. */
const armsOn = ({ kafkaBrokers, redisUrl }: ClusterServers): readonly ClusterArm[] => [
  'one',
  'tail',
  ...(kafkaBrokers === undefined ? [] : (['kafka'] as const)),
  ...(redisUrl === undefined ? [] : (['unlinked'] as const)),
];

function lineOf({ lateness: late, oneRoom: room, capacity }: ArmFound): string {
  const parts = [
    late && `p50/p99 here ${shown(late.nearP50Ms)}/${shown(late.nearP99Ms)}, there ${shown(late.farP50Ms)}/${shown(late.farP99Ms)} ms`,
    room && `one room: ack p50/p99 ${shown(room.ackP50Ms)}/${shown(room.ackP99Ms)} ms, ${room.conflicts} conflicts of ${room.sent}`,
    capacity && `${shown(capacity.deliveriesPerSecond)} deliveries/s`,
  ];
  return parts.filter((part) => part !== undefined).join('; ');
}
