/**
 * StateEventsKafka: the one-way wire of a state server that stands alone: it tells on state-topic who came and who went, and hears nothing.
 *
 * Guarantees: as the wire of a node: it is there at once, connects in the background for as long as it takes, holds nobody up, and signs
 * what it says. What Kafka does not take is lost in the end.
 */
import type { Clock } from '../clock.ts';
import { type NodeId, newIncarnation } from '../ids.ts';
import type { Logger } from '../logger.ts';
import { createKafkaClient } from './client-kafka.ts';
import { RecordCodec } from './event-record.ts';
import { KafkaProducer } from './producer-kafka.ts';
import type { StateEvent } from './wire.ts';
import { WireTally } from './wire-tally.ts';

export interface StateEventsOptions {
  readonly brokers: readonly string[];
  readonly topicPrefix: string;
  readonly clusterSecret: string;
  /** Who says it, in the headers. */
  readonly name: string;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface StateEvents {
  readonly description: string;
  /** Returns at once and never throws. */
  publish(event: StateEvent): void;
  health(): 'up' | { readonly degraded: string };
  /** Sends what waits, within a moment. Idempotent. */
  close(): Promise<void>;
}

const flushMs = 800;

export function openStateEvents({ brokers, topicPrefix, clusterSecret, name, clock, log }: StateEventsOptions): StateEvents {
  const node = name as NodeId;
  const incarnation = newIncarnation(node);
  let sent: boolean | undefined;
  const tellState = (): void => {
    if (producer.sends === sent) return;
    sent = producer.sends;
    if (sent) log.info({ ev: 'state.events.up' }, 'other services are told who comes and goes');
    else log.warn({ ev: 'state.events.degraded' }, 'Kafka does not take who comes and goes');
  };
  const producer = new KafkaProducer({
    kafka: createKafkaClient({ brokers, clientId: incarnation, log }),
    codec: new RecordCodec(clusterSecret, { node, incarnation }),
    nameOf: (topic) => topicPrefix + topic,
    hasTopic: () => true,
    clock,
    tally: new WireTally(),
    onState: tellState,
  });
  producer.start();
  return {
    description: `Kafka at ${brokers.join(', ')}`,
    publish: (event) => producer.push({ type: 'state', event }),
    health: () => (producer.sends ? 'up' : { degraded: 'does not take who comes and goes' }),
    close: () => producer.close(flushMs),
  };
}
