/**
 * State server parts: what a state server that stands alone does beside its lines, where the configuration names it: it tells other
 * services by Kafka who came and who went, with the rooms MongoDB knows, and keeps its sessions in Redis for its next life.
 *
 * Guarantees: it starts and serves whatever Kafka, MongoDB and Redis do. Part of the composition: it knows drivers by name.
 */
import type { Config } from '../config/schema.ts';
import type { Clock } from './clock.ts';
import type { PartState } from './health.ts';
import type { Logger } from './logger.ts';
import { publishTransitions } from './node-transitions.ts';
import type { StateKeep } from './state/state-keep.ts';
import type { StateNews } from './state/state-voice-moves.ts';
import type { RoomStore } from './store/room-store.ts';

export type StateServerConfig = Pick<
  Config,
  'kafkaBrokers' | 'kafkaTopicPrefix' | 'clusterSecret' | 'mongoUrl' | 'allowUnsafeStore' | 'redisUrl' | 'redisKeyPrefix'
>;

interface Deps {
  readonly clock: Clock;
  readonly log: Logger;
}

interface Part {
  readonly description: string;
  health(): PartState;
  /** Never rejects. */
  close(): Promise<void>;
}

/** Who signs what it tells. */
const name = 'state-server';
/** For those who went last to be told. */
const lastEventsMs = 1_000;

export interface StateServerEvents extends Part {
  readonly onNews: (news: readonly StateNews[]) => void;
}

/** undefined: there is no Kafka to tell it. */
export async function openEvents(config: StateServerConfig, { clock, log }: Deps): Promise<StateServerEvents | undefined> {
  const { kafkaBrokers: brokers, kafkaTopicPrefix: topicPrefix, clusterSecret, mongoUrl: url, allowUnsafeStore } = config;
  // The configuration is refused where only some of them are given.
  if (brokers.length === 0 || clusterSecret === undefined || url === undefined) return undefined;
  const { openStateEvents } = await import('./wire/state-events-kafka.ts');
  const { openMongoStore } = await import('./store/room-store-mongo.ts');
  const events = openStateEvents({ brokers, topicPrefix, clusterSecret, name, clock, log });
  let opening: Promise<RoomStore> | undefined;
  const store = (): Promise<RoomStore> => {
    opening ??= openMongoStore({ url, allowUnsafe: allowUnsafeStore === true, hasTail: false, clock, log }).catch((error: unknown) => {
      // The next one who needs it tries again.
      opening = undefined;
      throw error;
    });
    return opening;
  };
  const transitions = publishTransitions(store, { publish: (event) => events.publish(event), clock, log });
  return {
    description: `told by ${events.description}`,
    health: () => events.health(),
    onNews: transitions.take,
    async close() {
      await transitions.close(lastEventsMs);
      await events.close();
      await opening?.then((opened) => opened.close()).catch(() => {});
    },
  };
}

export interface StateServerKeep extends Part {
  /** The server closes it. */
  readonly keep: StateKeep;
}

/** undefined: there is no Redis to keep it in. */
export async function openKeep(config: StateServerConfig, { clock, log }: Deps): Promise<StateServerKeep | undefined> {
  const { redisUrl: url, redisKeyPrefix, clusterSecret: secret } = config;
  if (url === undefined) return undefined;
  const [{ openRedis }, { redisKeys }, { SignedText }, { createRedisStateKeep }] = await Promise.all([
    import('./cluster/redis-connection.ts'),
    import('./cluster/redis-keys.ts'),
    import('./cluster/signed-text.ts'),
    import('./state/state-keep-redis.ts'),
  ]);
  const redis = await openRedis({ url, clock, log });
  const keep = createRedisStateKeep({ redis, keys: redisKeys(redisKeyPrefix), signed: new SignedText({ secret, log }), clock, log });
  return {
    description: keep.description,
    health: () => keep.health(),
    keep,
    async close() {
      redis.close();
    },
  };
}
