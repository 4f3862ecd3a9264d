/**
 * KafkaTopics: which of the six topics a Kafka has, and making those that it lacks.
 *
 * Guarantees: an existing topic is left as it is, whatever its partitions; each call has its own connection and ends it.
 */
import type { ITopicConfig, ITopicMetadata, Kafka } from 'kafkajs';
import type { Clock } from '../clock.ts';
import { type TopicName, topicNames } from './topics.ts';

export interface TopicShape {
  readonly partitions: number;
  /** undefined: three copies, or one for each broker where there are fewer. */
  readonly replication?: number;
}

const replicationWanted = 3;
/** Events are hints, what they tell is stored elsewhere: other services have a day to read them. */
const retentionMs = 24 * 60 * 60 * 1_000;

export async function missingTopics(kafka: Kafka, nameOf: (topic: TopicName) => string): Promise<readonly TopicName[]> {
  return withAdmin(kafka, async (admin) => {
    const there = new Set(await admin.listTopics());
    return topicNames.filter((topic) => !there.has(nameOf(topic)));
  });
}

/** A new topic is known to all brokers some moments after it was made; on a busy one later. */
const knownWithinMs = 20_000;
const knownAgainMs = 100;

/** Returns what each topic is now, and whether it was made here; when every one of them has its leaders. */
export async function makeTopics(
  kafka: Kafka,
  nameOf: (topic: TopicName) => string,
  { partitions, replication }: TopicShape,
  clock: Pick<Clock, 'nowMs' | 'after'>,
): Promise<readonly { readonly name: string; readonly isNew: boolean; readonly partitions: number; readonly replication: number }[]> {
  return withAdmin(kafka, async (admin) => {
    const names = topicNames.map(nameOf);
    const there = new Set(await admin.listTopics());
    const { brokers } = await admin.describeCluster();
    const missing = names.filter((name) => !there.has(name));
    const shape = { numPartitions: partitions, replicationFactor: replication ?? Math.min(replicationWanted, brokers.length) };
    const wanted = missing.map(
      (topic): ITopicConfig => ({ topic, ...shape, configEntries: [{ name: 'retention.ms', value: String(retentionMs) }] }),
    );
    // The driver's own waiting for leaders fails where a broker does not know the topic yet.
    if (wanted.length > 0) await admin.createTopics({ topics: wanted, waitForLeaders: false, timeout: 10_000 });
    const topics = await whenKnown(() => admin.fetchTopicMetadata({ topics: names }), clock);
    return [...topics]
      .map(({ name, partitions: all }) => ({
        name,
        isNew: missing.includes(name),
        partitions: all.length,
        replication: all[0]?.replicas.length ?? 0,
      }))
      .sort((a, b) => names.indexOf(a.name) - names.indexOf(b.name));
  });
}

async function whenKnown(
  ask: () => Promise<{ readonly topics: readonly ITopicMetadata[] }>,
  clock: Pick<Clock, 'nowMs' | 'after'>,
): Promise<readonly ITopicMetadata[]> {
  const endMs = clock.nowMs() + knownWithinMs;
  for (;;) {
    try {
      const { topics } = await ask();
      if (topics.every(({ partitions }) => partitions.length > 0 && partitions.every(({ leader }) => leader >= 0))) return topics;
    } catch (error) {
      if (clock.nowMs() > endMs) throw error;
    }
    if (clock.nowMs() > endMs) throw new Error('the topics were made, and have no leaders yet');
    await new Promise<void>((resolve) => clock.after(knownAgainMs, resolve));
  }
}

/** Groups that nobody is in any more. What is not there is as good. */
export async function forgetGroups(kafka: Kafka, groups: readonly string[]): Promise<void> {
  await withAdmin(kafka, (admin) => admin.deleteGroups([...groups]));
}

async function withAdmin<T>(kafka: Kafka, task: (admin: ReturnType<Kafka['admin']>) => Promise<T>): Promise<T> {
  const admin = kafka.admin();
  try {
    await admin.connect();
    return await task(admin);
  } finally {
    void admin.disconnect().catch(() => {});
  }
}
