/**
 * Node Redis: what a node shares with others by Redis where one is configured, and its twins for a node alone.
 *
 * Guarantees: a node starts, serves and stops whatever Redis does; it says in /readyz that it is degraded, never that it is down.
 * Part of the composition: it knows drivers by name.
 */
import { hostname } from 'node:os';
import type { Config } from '../config/schema.ts';
import type { Clock } from './clock.ts';
import type { ClusterLimits } from './cluster/cluster-limits.ts';
import { createRedisClusterLimits } from './cluster/cluster-limits-redis.ts';
import type { ClusterView } from './cluster/cluster-view.ts';
import { createMemoryClusterHub } from './cluster/cluster-view-memory.ts';
import { createRedisClusterView } from './cluster/cluster-view-redis.ts';
import { claimNode, type NodeClaim } from './cluster/node-claim-redis.ts';
import { openRedis, type RedisConnection } from './cluster/redis-connection.ts';
import { type RedisKeys, redisKeys } from './cluster/redis-keys.ts';
import type { RevocationPush } from './cluster/revocation-push.ts';
import { createRedisRevocationPush } from './cluster/revocation-push-redis.ts';
import type { SharedCache } from './cluster/shared-cache.ts';
import { createMemoryCacheHub } from './cluster/shared-cache-memory.ts';
import { createRedisSharedCache } from './cluster/shared-cache-redis.ts';
import { SignedText } from './cluster/signed-text.ts';
import type { Health } from './health.ts';
import type { Incarnation, NodeId } from './ids.ts';
import type { Logger } from './logger.ts';
import type { Metrics } from './metrics.ts';

export type NodeRedisConfig = Pick<Config, 'nodeId' | 'redisUrl' | 'redisKeyPrefix' | 'clusterSecret'>;

export interface NodeRedisDeps {
  readonly incarnation: Incarnation;
  readonly clock: Clock;
  readonly log: Logger;
  readonly health: Health;
  readonly metrics: Metrics;
  /** Another living node has this one's id and was started earlier. */
  readonly onIdLost: (reason: string) => void;
}

export interface NodeRedis {
  /** Which nodes there are. This one is announced, without an address until somebody gives it one. */
  readonly view: ClusterView;
  /** Values looked up by any node, for all of them. */
  readonly cache: SharedCache;
  /** Tells other nodes of revocations at once. undefined: they are found in the store. */
  readonly revocations: RevocationPush | undefined;
  /** Limits over all nodes. undefined: this node's alone. */
  readonly limits: ClusterLimits | undefined;
  /** For the start banner. */
  readonly description: string;
  /** Takes this node out of what others see, within a second or two. Never rejects. Idempotent. */
  close(): Promise<void>;
}

/** What is used by all parts on Redis. */
interface Side {
  readonly redis: RedisConnection;
  readonly keys: RedisKeys;
  readonly signed: SignedText;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Rejects with a Fault when another living node has this one's id. */
export async function openNodeRedis(config: NodeRedisConfig, deps: NodeRedisDeps): Promise<NodeRedis> {
  const { clock, log, metrics, health, incarnation } = deps;
  const { redisUrl: url, redisKeyPrefix, clusterSecret: secret, nodeId } = config;
  const side: Side | undefined =
    url === undefined
      ? undefined
      : {
          redis: await openRedis({ url, clock, log }),
          keys: redisKeys(redisKeyPrefix),
          signed: new SignedText({ secret, log }),
          clock,
          log,
        };
  const claim = side && (await claimOrClose(side, config, deps));
  const view = side ? createRedisClusterView(side) : createMemoryClusterHub().join();
  view.announce({ node: nodeId as NodeId, incarnation, address: undefined });
  const cache = side ? createRedisSharedCache(side) : createMemoryCacheHub(clock).join();
  const limits = side && createRedisClusterLimits({ ...side, incarnation });
  if (side) {
    health.add('redis', () => side.redis.health());
    health.add('cluster', () => view.health());
    if (claim) health.add('claim', () => claim.health());
  }
  tellRedis(metrics, side, view);
  return {
    view,
    cache,
    limits,
    revocations: side && createRedisRevocationPush(side),
    description: side ? `found by Redis at ${side.redis.description}` : 'this node alone',
    async close() {
      await Promise.all([cache.close(), limits?.close()]);
      await view.close();
      // Last: the next node of this id may start as soon as it is given back.
      await claim?.release();
      side?.redis.close();
    },
  };
}

async function claimOrClose(
  side: Side,
  { nodeId: node }: NodeRedisConfig,
  { incarnation, onIdLost: onLost }: NodeRedisDeps,
): Promise<NodeClaim> {
  try {
    return await claimNode({ ...side, node, incarnation, host: hostname(), onLost });
  } catch (fault) {
    side.redis.close();
    throw fault;
  }
}

function tellRedis(metrics: Metrics, side: Side | undefined, view: ClusterView): void {
  metrics.read('playhouse_redis_up', () => (side?.redis.health() === 'up' ? 1 : 0));
  metrics.read('playhouse_redis_calls_in_flight', () => side?.redis.counts().inFlight ?? 0);
  metrics.read('playhouse_redis_calls_total', () => {
    const { ok, failed, refused } = side?.redis.counts() ?? { ok: 0, failed: 0, refused: 0 };
    return { ok, failed, refused };
  });
  metrics.read('playhouse_redis_bad_values_total', () => side?.signed.bad ?? {});
  metrics.read('playhouse_cluster_nodes', () => view.nodes().length);
}
