/**
 * Wire over Kafka: one producer, and a consumer for each of the six topics in groups of this life of this node.
 *
 * Guarantees: it is there at once and connects in the background, for as long as it takes; it says what it lacks.
 * Does not: hold up whoever publishes, or promise that anything arrives: what does not is found in the store.
 */
import type { Kafka } from 'kafkajs';
import type { Clock } from '../clock.ts';
import type { Incarnation, NodeId, RoomId } from '../ids.ts';
import type { Logger } from '../logger.ts';
import type { Entry } from '../store/entry.ts';
import { createKafkaClient } from './client-kafka.ts';
import { KafkaConsumer } from './consumer-kafka.ts';
import { RecordCodec } from './event-record.ts';
import { KafkaInbox } from './inbox-kafka.ts';
import { KafkaProducer } from './producer-kafka.ts';
import { groupOf, type TopicName, topicNames } from './topics.ts';
import { forgetGroups, missingTopics } from './topics-kafka.ts';
import type { Wire, WireListener } from './wire.ts';
import type { WireTally } from './wire-tally.ts';

export interface KafkaWireOptions {
  readonly brokers: readonly string[];
  readonly topicPrefix: string;
  readonly clusterSecret: string;
  readonly node: NodeId;
  readonly incarnation: Incarnation;
  readonly clock: Clock;
  readonly log: Logger;
  readonly tally: WireTally;
  /** For a test that shows what a group shared by all nodes would do. */
  readonly groupOf?: typeof groupOf;
}

/** How often topics are looked for while some are missing, or nobody answers. */
const topicsAgainMs = 2_000;
const topicsCheckMs = 10_000;
const flushMs = 800;
const leaveMs = 900;

export function openKafkaWire(options: KafkaWireOptions): Wire {
  return new KafkaWire(options);
}

class KafkaWire implements Wire {
  readonly description: string;
  private readonly options: KafkaWireOptions;
  private readonly kafka: Kafka;
  private readonly codec: RecordCodec;
  private readonly producer: KafkaProducer;
  private readonly consumers = new Map<TopicName, KafkaConsumer>();
  private readonly inbox: KafkaInbox;
  /** undefined: Kafka has not been asked yet. */
  private missing: readonly TopicName[] | undefined;
  private cancelLook = (): void => {};
  private isClosing = false;
  private left: Promise<void> | undefined;
  private toldHealth: string | undefined = 'up';

  constructor(options: KafkaWireOptions) {
    this.options = options;
    const { brokers, node, incarnation, clock, log, tally } = options;
    this.description = `Kafka at ${brokers.join(', ')}`;
    this.kafka = createKafkaClient({ brokers, clientId: incarnation, log });
    this.codec = new RecordCodec(options.clusterSecret, { node, incarnation });
    const hasTopic = (topic: TopicName): boolean => this.missing?.includes(topic) !== true;
    this.producer = new KafkaProducer({
      kafka: this.kafka,
      codec: this.codec,
      nameOf: this.nameOf,
      hasTopic,
      clock,
      tally,
      onState: this.tellHealth,
    });
    this.inbox = new KafkaInbox({ codec: this.codec, incarnation, clock, log, tally });
    this.producer.start();
    void this.lookForTopics();
  }

  private readonly nameOf = (topic: TopicName): string => this.options.topicPrefix + topic;

  // ---- out ----

  publish(room: RoomId, kind: Parameters<Wire['publish']>[1], entries: readonly Entry[]): void {
    for (const entry of entries) this.producer.push({ type: 'entry', room, kind, entry });
  }

  signal(room: RoomId, kind: Parameters<Wire['signal']>[1], signal: Parameters<Wire['signal']>[2]): void {
    this.producer.push({ type: 'signal', room, kind, signal });
  }

  state(event: Parameters<Wire['state']>[0]): void {
    this.producer.push({ type: 'state', event });
  }

  subscribe(listener: WireListener): () => void {
    return this.inbox.subscribe(listener);
  }

  // ---- the way there ----

  /** Often until all are there; then only while something is wrong, which may be that they are gone. */
  private async lookForTopics(): Promise<void> {
    try {
      this.missing = await missingTopics(this.kafka, this.nameOf);
    } catch {
      // Not reachable, or it does not answer: health says so by the producer.
    }
    if (this.isClosing) return;
    if (this.missing) for (const topic of topicNames) if (!this.missing.includes(topic)) this.listen(topic);
    this.tellHealth();
    this.lookAgain(this.missing?.length === 0 ? topicsCheckMs : topicsAgainMs);
  }

  private lookAgain(inMs: number): void {
    this.cancelLook = this.options.clock.after(inMs, () => {
      if (this.health() === 'up') this.lookAgain(topicsCheckMs);
      else void this.lookForTopics();
    });
  }

  private listen(topic: TopicName): void {
    if (this.consumers.has(topic)) return;
    const { node, incarnation, clock, log, tally, topicPrefix } = this.options;
    const name = this.options.groupOf ?? groupOf;
    const consumer = new KafkaConsumer({
      kafka: this.kafka,
      topic: this.nameOf(topic),
      groupOf: (life) => topicPrefix + name(topic, node, incarnation, life),
      clock,
      onRecords: (records) => this.inbox.take(topic, records),
      onState: this.tellHealth,
      onRebuilt: (why) => {
        tally.rebuilt += 1;
        log.info({ ev: 'wire.rebuilt', topic, why }, 'a Kafka consumer is replaced');
      },
    });
    this.consumers.set(topic, consumer);
    consumer.start();
  }

  health(): ReturnType<Wire['health']> {
    if (this.isClosing) return { degraded: 'is closed: entries of other nodes come by the store' };
    const { missing, producer, consumers } = this;
    if (!missing) return { degraded: 'does not reach Kafka: entries of other nodes come by the store, typing not at all' };
    if (missing.length > 0) return { degraded: `lacks topics in Kafka (${missing.map(this.nameOf).join(', ')}): run npm run topics` };
    if (!producer.sends) return { degraded: 'cannot send to Kafka: other nodes hear of this one by the store' };
    const deaf = topicNames.filter((topic) => !consumers.get(topic)?.hears);
    if (deaf.length > 0) return { degraded: `does not hear ${deaf.map(this.nameOf).join(', ')} from Kafka: it comes by the store` };
    return 'up';
  }

  private readonly tellHealth = (): void => {
    const health = this.health();
    const now = health === 'up' ? 'up' : health.degraded;
    if (now === this.toldHealth || this.isClosing) return;
    this.toldHealth = now;
    if (health === 'up') this.options.log.info({ ev: 'wire.up' }, 'the wire to other nodes is up');
    else this.options.log.warn({ ev: 'wire.degraded', why: now }, 'the wire to other nodes is degraded');
  };

  // ---- the end ----

  close(): Promise<void> {
    this.isClosing = true;
    this.left ??= this.leave();
    return this.left;
  }

  private async leave(): Promise<void> {
    const { clock } = this.options;
    this.inbox.close();
    this.cancelLook();
    const consumers = [...this.consumers.values()];
    const left = Promise.all(consumers.map((consumer) => consumer.close()));
    const sent = this.producer.close(flushMs);
    let cancel = (): void => {};
    const late = new Promise<void>((resolve) => {
      cancel = clock.after(flushMs + leaveMs, resolve);
    });
    const groups = consumers.flatMap(({ groups: names }) => names);
    const forgotten = left.then(() => (groups.length > 0 && this.toldHealth === 'up' ? forgetGroups(this.kafka, groups) : undefined));
    await Promise.race([Promise.allSettled([sent, forgotten]), late]);
    cancel();
  }
}
