/**
 * KafkaConsumer: reads one topic for this life of this node, from its latest record on, and never commits where it is.
 *
 * Guarantees: it goes on, whatever the driver does: one that crashed, or whose fetches stopped for `silentMs`, is replaced by
 * another in a group of a new name (the old name would wait for the dead member). `onRecords` is called once a batch, never after
 * `close`; what it throws is counted nowhere and stops nothing.
 * Does not: read what was said while it was away. The store has it.
 */
import type { Consumer, EachBatchPayload, Kafka, KafkaMessage } from 'kafkajs';
import type { Clock } from '../clock.ts';
import { chance } from '../ids.ts';

export interface KafkaConsumerOptions {
  readonly kafka: Kafka;
  readonly topic: string;
  /** A name for each consumer that was needed: 0, 1, 2 … */
  readonly groupOf: (life: number) => string;
  readonly clock: Clock;
  readonly onRecords: (records: readonly KafkaMessage[]) => void;
  /** It hears, or does not any more. */
  readonly onState: () => void;
  /** It is being replaced. */
  readonly onRebuilt: (why: string) => void;
}

/** Without a finished fetch for so long a consumer is taken for dead. A fetch without records takes `fetchWaitMs`. */
export const silentMs = 15_000;
const lookMs = 1_000;
const fetchWaitMs = 250;
/** One fetch, and one partition of it: what is worked on without a pause. */
const fetchBytesMax = 1_024 * 1_024;
const partitionBytesMax = 256 * 1_024;
const retryMinMs = 200;
const retryMaxMs = 5_000;
const sessionTimeoutMs = 10_000;
const heartbeatMs = 3_000;

export class KafkaConsumer {
  /** Has joined and fetches: what is said from now on is heard. */
  hears = false;
  /** Names of the groups it was in. */
  readonly groups: string[] = [];
  private readonly options: KafkaConsumerOptions;
  private current: Consumer | undefined;
  private fetchedMs = 0;
  private failures = 0;
  private lives = 0;
  private isClosed = false;
  private cancelLook = (): void => {};
  private cancelRetry = (): void => {};

  constructor(options: KafkaConsumerOptions) {
    this.options = options;
  }

  start(): void {
    this.look();
    this.build();
  }

  // ---- one consumer ----

  private build(): void {
    if (this.isClosed) return;
    const { kafka, topic, groupOf } = this.options;
    const groupId = groupOf(this.lives);
    this.lives += 1;
    this.groups.push(groupId);
    if (this.groups.length > groupsRememberedMax) this.groups.shift();
    const consumer = kafka.consumer({
      groupId,
      allowAutoTopicCreation: false,
      sessionTimeout: sessionTimeoutMs,
      heartbeatInterval: heartbeatMs,
      rebalanceTimeout: sessionTimeoutMs,
      minBytes: 1,
      maxBytes: fetchBytesMax,
      maxBytesPerPartition: partitionBytesMax,
      maxWaitTimeInMs: fetchWaitMs,
      // The driver restarts some crashes and not others, always in the same group: all of them are ours.
      retry: { initialRetryTime: 100, maxRetryTime: 1_000, factor: 0, multiplier: 2, retries: 2, restartOnFailure: async () => false },
    });
    this.current = consumer;
    this.fetchedMs = this.options.clock.nowMs();
    const isCurrent = (): boolean => this.current === consumer && !this.isClosed;
    let hasJoined = false;
    consumer.on(consumer.events.GROUP_JOIN, () => {
      hasJoined = true;
    });
    consumer.on(consumer.events.FETCH, () => {
      if (!isCurrent() || !hasJoined) return;
      this.fetchedMs = this.options.clock.nowMs();
      this.failures = 0;
      this.say(true);
    });
    consumer.on(consumer.events.CRASH, () => {
      if (isCurrent()) this.replace('crashed');
    });
    const begin = async (): Promise<void> => {
      await consumer.connect();
      await consumer.subscribe({ topics: [topic], fromBeginning: false });
      await consumer.run({
        autoCommit: false,
        eachBatchAutoResolve: true,
        partitionsConsumedConcurrently: 1,
        eachBatch: async (payload) => {
          if (isCurrent()) await this.take(payload);
        },
      });
    };
    begin().catch(() => {
      if (isCurrent()) this.replace('could not begin');
    });
  }

  private async take({ batch }: EachBatchPayload): Promise<void> {
    try {
      this.options.onRecords(batch.messages);
    } catch {
      // A listener's mistake must not stop the others, nor this consumer: the driver would, for ever or in a loop.
    }
    if (batch.messages.length < recordsBeforePause) return;
    // Batches of several partitions follow each other without one: everything else of the node has its turn in between.
    await new Promise<void>((resolve) => this.options.clock.after(0, resolve));
  }

  // ---- the watchdog ----

  private look(): void {
    this.cancelLook = this.options.clock.after(lookMs, () => {
      const silentForMs = this.options.clock.nowMs() - this.fetchedMs;
      if (this.current && silentForMs > silentMs) this.replace('went silent');
      this.look();
    });
  }

  private replace(why: string): void {
    const old = this.current;
    this.current = undefined;
    this.say(false);
    if (old) void old.disconnect().catch(() => {});
    this.failures += 1;
    this.options.onRebuilt(why);
    const mostMs = Math.min(retryMaxMs, retryMinMs * 2 ** Math.min(this.failures, 10));
    this.cancelRetry();
    this.cancelRetry = this.options.clock.after(mostMs * (0.5 + chance() / 2), () => this.build());
  }

  private say(hears: boolean): void {
    if (hears === this.hears) return;
    this.hears = hears;
    this.options.onState();
  }

  /** Leaves the group. */
  async close(): Promise<void> {
    this.isClosed = true;
    this.cancelLook();
    this.cancelRetry();
    this.hears = false;
    await this.current?.disconnect().catch(() => {});
  }
}

/** Old groups that could not be left are the broker's to forget. */
const groupsRememberedMax = 16;
const recordsBeforePause = 64;
