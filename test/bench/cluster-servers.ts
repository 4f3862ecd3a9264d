/**
 * ClusterServers: the real servers that `cluster` runs on: those that PLAYHOUSE_TEST_MONGO_URL, _REDIS_URL and _KAFKA_BROKERS name, else
 * some that are started for it.
 *
 * Guarantees: what was given is never ended; `stop` ends what was started. A run that is broken off leaves those to the next one, which
 * uses and ends them. Without MongoDB the benchmark is skipped; what else is missing is named.
 */
import { join } from 'node:path';
import { kafka } from '../services/kafka.ts';
import { mongo } from '../services/mongo.ts';
import { redis } from '../services/redis.ts';
import type { Service } from '../services/service.ts';
import { ServiceSet } from '../services/service-set.ts';
import { type BenchOptions, BenchSkipped } from './bench.ts';

export interface ClusterServers {
  readonly mongoUrl: string;
  readonly redisUrl: string | undefined;
  readonly kafkaBrokers: string | undefined;
  /** One line for each that is not there: what it is, and why. */
  readonly missing: readonly string[];
  stop(): Promise<void>;
}

export async function useServers(
  { folder, progress }: Pick<BenchOptions, 'folder' | 'progress'>,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): Promise<ClusterServers> {
  const set = new ServiceSet(join(folder, 'services'), (name, text) => progress(`cluster ${name.padEnd(5)} ${text}`));
  const missing: string[] = [];
  const addressOf = async (service: Service, variable: string): Promise<string | undefined> => {
    const given = environment[variable];
    if (given !== undefined && given !== '') return given;
    try {
      const { environment: found } = await set.use(service, { members: 1, kafka: '3.9' }, {});
      return found[variable];
    } catch (error) {
      missing.push(`${service.name}: ${error instanceof Error ? error.message : String(error)}`);
      return undefined;
    }
  };
  const mongoUrl = await addressOf(mongo, 'PLAYHOUSE_TEST_MONGO_URL');
  if (mongoUrl === undefined) throw new BenchSkipped(`${missing.join('; ')}; give one with PLAYHOUSE_TEST_MONGO_URL`);
  return {
    mongoUrl,
    redisUrl: await addressOf(redis, 'PLAYHOUSE_TEST_REDIS_URL'),
    kafkaBrokers: await addressOf(kafka, 'PLAYHOUSE_TEST_KAFKA_BROKERS'),
    missing,
    stop: async () => void (await set.stop()),
  };
}
