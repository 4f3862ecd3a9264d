/**
 * KafkaProducer: sends what nodes have to say, in micro-batches, from a bounded queue.
 *
 * Guarantees: `push` is one step of a queue, whatever Kafka does; one send is in flight, what comes meanwhile is the next one, and
 * nothing waits while none is; what could not be sent is sent again, behind nothing that is newer.
 * Does not: promise delivery. The queue drops its oldest when it is full; what a broker refuses for itself is dropped at once.
 */
import { type Kafka, Partitioners, type Producer } from 'kafkajs';
import type { Clock } from '../clock.ts';
import { chance, newId } from '../ids.ts';
import type { EncodedRecord, RecordCodec, WireEvent } from './event-record.ts';
import { charsWaitingMax, OutgoingQueue, recordsWaitingMax } from './outgoing-queue.ts';
import { type TopicName, topicNames } from './topics.ts';
import type { WireTally } from './wire-tally.ts';

const batchRecordsMax = 1_000;
const batchCharsMax = 512 * 1_024;
/** A producer that failed so often in a row is replaced by a new one. */
const failuresMax = 3;
const retryMinMs = 100;
const retryMaxMs = 2_000;

export interface KafkaProducerOptions {
  readonly kafka: Kafka;
  readonly codec: RecordCodec;
  readonly nameOf: (topic: TopicName) => string;
  /** Records of other topics are dropped: there is nowhere to send them. */
  readonly hasTopic: (topic: TopicName) => boolean;
  readonly clock: Clock;
  readonly tally: WireTally;
  readonly onState: () => void;
}

export class KafkaProducer {
  /** It has sent, or is ready to. */
  sends = false;
  private readonly options: KafkaProducerOptions;
  private readonly queue = new OutgoingQueue<WireEvent>({ countMax: recordsWaitingMax, sizeMax: charsWaitingMax });
  private producer: Producer | undefined;
  private isBusy = false;
  private isClosed = false;
  private failures = 0;
  private cancelRetry = (): void => {};
  private onIdle = (): void => {};

  constructor(options: KafkaProducerOptions) {
    this.options = options;
    options.tally.waiting = () => this.queue.count;
  }

  /** Connects, in the background, again and again. */
  start(): void {
    this.pump();
  }

  push(event: WireEvent): void {
    if (this.isClosed) return;
    this.options.tally.dropped.full += this.queue.push(event, sizeOf(event));
    // In a turn of its own: whoever says something does not wait for what is sent.
    if (!this.isBusy && this.failures === 0) this.pump();
  }

  private pump(): void {
    if (this.isBusy) return;
    this.isBusy = true;
    void this.run();
  }

  private async run(): Promise<void> {
    await Promise.resolve();
    while (!this.isClosed) {
      const taken = this.queue.take(batchRecordsMax, batchCharsMax);
      try {
        const producer = await this.connected();
        if (taken.length > 0)
          await this.send(
            producer,
            taken.map(({ item }) => item),
          );
        this.failures = 0;
        this.say(true);
      } catch (error) {
        if (isOfTheRecords(error)) this.options.tally.dropped.refused += taken.length;
        else {
          this.options.tally.dropped.full += this.queue.giveBack(taken);
          await this.failed();
          break;
        }
      }
      if (this.queue.count === 0) break;
    }
    this.isBusy = false;
    this.onIdle();
  }

  private async connected(): Promise<Producer> {
    if (this.producer) return this.producer;
    const producer = this.options.kafka.producer({
      allowAutoTopicCreation: false,
      createPartitioner: Partitioners.DefaultPartitioner,
      // Doubles are harmless; the driver's idempotent mode loses records of concurrent sends without a word (tulios/kafkajs#1005).
      idempotent: false,
      maxInFlightRequests: 5,
    });
    try {
      await producer.connect();
    } catch (error) {
      void producer.disconnect().catch(() => {});
      throw error;
    }
    this.producer = producer;
    return producer;
  }

  private async send(producer: Producer, events: readonly WireEvent[]): Promise<void> {
    const { codec, clock, hasTopic, nameOf, tally } = this.options;
    const byTopic = new Map<TopicName, EncodedRecord[]>(topicNames.map((topic) => [topic, []]));
    let count = 0;
    for (const event of events) {
      const record = codec.encode(event, clock.wallMs(), event.type === 'entry' ? event.entry.cid : newId());
      if (!hasTopic(record.topic)) {
        tally.dropped.noTopic += 1;
        continue;
      }
      byTopic.get(record.topic)?.push(record);
      count += 1;
    }
    if (count === 0) return;
    const topicMessages = [...byTopic]
      .filter(([, records]) => records.length > 0)
      .map(([topic, records]) => ({
        topic: nameOf(topic),
        messages: records.map(({ key, value, headers }) => ({ key, value, headers: { ...headers } })),
      }));
    await producer.sendBatch({ acks: -1, timeout: 5_000, topicMessages });
    tally.sent += count;
  }

  private async failed(): Promise<void> {
    this.failures += 1;
    this.say(false);
    if (this.failures % failuresMax === 0) await this.replace();
    const mostMs = Math.min(retryMaxMs, retryMinMs * 2 ** Math.min(this.failures, 10));
    if (this.isClosed) return;
    this.cancelRetry = this.options.clock.after(mostMs * (0.5 + chance() / 2), () => this.pump());
  }

  private async replace(): Promise<void> {
    const { producer } = this;
    this.producer = undefined;
    if (!producer) return;
    this.options.tally.rebuilt += 1;
    void producer.disconnect().catch(() => {});
  }

  private say(sends: boolean): void {
    if (sends === this.sends) return;
    this.sends = sends;
    this.options.onState();
  }

  /** Sends what waits, unless it takes longer than so long, and leaves. */
  async close(withinMs: number): Promise<void> {
    if (this.isClosed) return;
    const { clock } = this.options;
    if (this.failures === 0 && this.queue.count > 0) this.pump();
    if (this.isBusy && this.failures === 0) {
      await new Promise<void>((resolve) => {
        const cancel = clock.after(withinMs, resolve);
        this.onIdle = () => {
          cancel();
          resolve();
        };
      });
    }
    this.isClosed = true;
    this.cancelRetry();
    await this.producer?.disconnect().catch(() => {});
  }
}

/** What is wrong lies in the records, not in the way: sending them again would end the same way, and hold up what is behind them. */
function isOfTheRecords(error: unknown): boolean {
  let looked = error as { readonly type?: unknown; readonly cause?: unknown } | undefined;
  for (let depth = 0; looked && depth < 5; depth += 1) {
    if (typeof looked.type === 'string' && recordFaults.has(looked.type)) return true;
    looked = looked.cause as typeof looked;
  }
  return false;
}
const recordFaults = new Set(['MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE', 'CORRUPT_MESSAGE', 'INVALID_RECORD', 'INVALID_TIMESTAMP']);

/** Characters, near enough. */
function sizeOf(event: WireEvent): number {
  if (event.type === 'entry') return 300 + (event.entry.text?.length ?? 0) + 80 * (event.entry.room?.members.length ?? 0);
  return event.type === 'state' ? 200 + 32 * (event.event.ids?.length ?? 0) : 200;
}
