/**
 * Wires over a real Kafka, each test's nodes on topics of their own, deleted at the end.
 */
import { Kafka, logLevel } from 'kafkajs';
import { systemClock } from '../../system/clock.ts';
import { type NodeId, newId, newIncarnation } from '../../system/ids.ts';
import type { Logger } from '../../system/logger.ts';
import { RecordCodec } from '../../system/wire/event-record.ts';
import { type TopicName, topicNames } from '../../system/wire/topics.ts';
import { makeTopics } from '../../system/wire/topics-kafka.ts';
import type { Wire } from '../../system/wire/wire.ts';
import { type KafkaWireOptions, openKafkaWire } from '../../system/wire/wire-kafka.ts';
import { WireTally } from '../../system/wire/wire-tally.ts';
import { silentLog } from './embedded-stores.ts';
import { waitUntil } from './store-processes.ts';

export const clusterSecret = 'of-all-nodes-0123456789-abcdefghij';

export interface KafkaNode {
  readonly wire: Wire;
  readonly tally: WireTally;
}

/** One cluster's topics. */
export class KafkaCluster {
  readonly prefix = `test-${newId()}.`;
  readonly kafka: Kafka;
  private readonly brokers: readonly string[];
  private readonly wires: Wire[] = [];

  constructor(brokers: string) {
    this.brokers = brokers.split(',');
    this.kafka = new Kafka({ clientId: 'test', brokers: [...this.brokers], logLevel: logLevel.NOTHING });
  }

  readonly nameOf = (topic: TopicName): string => this.prefix + topic;

  async makeTopics(partitions = 2): Promise<void> {
    await makeTopics(this.kafka, this.nameOf, { partitions, replication: 1 }, systemClock);
  }

  open(node: string, options: Partial<KafkaWireOptions> & { readonly log?: Logger } = {}): KafkaNode {
    const tally = new WireTally();
    const { brokers, prefix: topicPrefix } = this;
    const wire = openKafkaWire({
      brokers,
      topicPrefix,
      clusterSecret,
      node: node as NodeId,
      incarnation: newIncarnation(node as NodeId),
      clock: systemClock,
      log: silentLog,
      tally,
      ...options,
    });
    this.wires.push(wire);
    return { wire, tally };
  }

  /** Nodes that hear each other from now on. */
  async join(...nodes: readonly string[]): Promise<readonly KafkaNode[]> {
    const opened = nodes.map((node) => this.open(node));
    for (const [at, { wire }] of opened.entries()) await isUp(wire, nodes[at] as string);
    return opened;
  }

  /** A codec as some other node has it. */
  codec(node = 'stranger', secret = clusterSecret): RecordCodec {
    return new RecordCodec(secret, { node: node as NodeId, incarnation: newIncarnation(node as NodeId) });
  }

  async closeWires(): Promise<void> {
    await Promise.all(this.wires.map((wire) => wire.close()));
  }

  async close(): Promise<void> {
    await this.closeWires();
    const admin = this.kafka.admin();
    await admin.connect();
    await admin.deleteTopics({ topics: topicNames.map(this.nameOf) }).catch(() => {});
    await admin.disconnect();
  }
}

export const isUp = (wire: Wire, name: string, withinMs = 20_000): Promise<void> =>
  waitUntil(
    `${name} is connected to Kafka`,
    () => wire.health() === 'up',
    withinMs,
    () => JSON.stringify(wire.health()),
  );
