/**
 * Node wire: a node's wire to the others: over Kafka where it is configured, else in this process, where nobody else is.
 *
 * Guarantees: a node never waits for Kafka: it starts without, says so, and connects when it can.
 * Part of the composition: it knows drivers by name.
 */
import type { Config } from '../config/schema.ts';
import type { Clock } from './clock.ts';
import type { Incarnation, NodeId } from './ids.ts';
import type { Logger } from './logger.ts';
import type { Metrics } from './metrics.ts';
import type { Wire } from './wire/wire.ts';
import { createMemoryWireHub } from './wire/wire-memory.ts';
import { WireTally } from './wire/wire-tally.ts';

export type WireConfig = Pick<Config, 'nodeId' | 'kafkaBrokers' | 'kafkaTopicPrefix' | 'clusterSecret'>;

export interface WireParts {
  readonly incarnation: Incarnation;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
}

export async function openWire(config: WireConfig, { incarnation, clock, log, metrics }: WireParts): Promise<Wire> {
  const tally = new WireTally();
  tellWire(metrics, tally);
  const { nodeId, kafkaBrokers: brokers, kafkaTopicPrefix: topicPrefix, clusterSecret } = config;
  // The secret is there when there are brokers: the configuration is refused else.
  if (brokers.length === 0 || clusterSecret === undefined) return createMemoryWireHub().join(incarnation);
  // Its driver is loaded only where it is used.
  const { openKafkaWire } = await import('./wire/wire-kafka.ts');
  return openKafkaWire({ brokers, topicPrefix, clusterSecret, node: nodeId as NodeId, incarnation, clock, log, tally });
}

/** Zeros for a wire that counts nothing. */
export function tellWire(metrics: Metrics, tally: WireTally): void {
  metrics.read('playhouse_wire_sent_total', () => tally.sent);
  metrics.read('playhouse_wire_received_total', () => tally.received);
  metrics.read('playhouse_wire_bad_total', () => tally.bad);
  metrics.read('playhouse_wire_dropped_total', () => tally.dropped);
  metrics.read('playhouse_wire_rebuilt_total', () => tally.rebuilt);
  metrics.read('playhouse_wire_waiting', () => tally.waiting());
}
