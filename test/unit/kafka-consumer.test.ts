/**
 * The Kafka consumer beside a driver that fails as kafkajs was seen to: it crashes for good, falls silent while connected, cannot
 * begin, and goes on delivering after it was told to stop.
 */
import { EventEmitter } from 'node:events';
import type { Kafka, KafkaMessage } from 'kafkajs';
import { describe, expect, it } from 'vitest';
import { KafkaConsumer, silentMs } from '../../system/wire/consumer-kafka.ts';
import { manualClock, turns } from '../support/manual-clock.ts';

interface Run {
  eachBatch(payload: { batch: { messages: readonly KafkaMessage[] } }): Promise<void>;
}

/** What the driver was asked for, and its events in the test's hand. */
class FakeConsumer extends EventEmitter {
  readonly events = { GROUP_JOIN: 'join', FETCH: 'fetch', CRASH: 'crash' };
  readonly groupId: string;
  run_: Run | undefined;
  isLeft = false;
  private readonly canConnect: boolean;

  constructor(groupId: string, canConnect: boolean) {
    super();
    this.groupId = groupId;
    this.canConnect = canConnect;
  }
  async connect(): Promise<void> {
    if (!this.canConnect) throw new Error('ECONNREFUSED');
  }
  async subscribe(): Promise<void> {}
  async run(run: Run): Promise<void> {
    this.run_ = run;
  }
  async disconnect(): Promise<void> {
    this.isLeft = true;
    throw new Error('a driver that fails even at this');
  }
  fetched(): void {
    this.emit('join');
    this.emit('fetch');
  }
}

async function consumerOf({ canConnect = true } = {}) {
  const clock = manualClock();
  const made: FakeConsumer[] = [];
  const network = { canConnect };
  const kafka = {
    consumer({ groupId }: { groupId: string }) {
      made.push(new FakeConsumer(groupId, network.canConnect));
      return made.at(-1);
    },
  } as unknown as Kafka;
  const records: unknown[] = [];
  const why: string[] = [];
  const consumer = new KafkaConsumer({
    kafka,
    topic: 'chat-topic',
    groupOf: (life) => `group-${life}`,
    clock,
    onRecords(given) {
      records.push(...given);
      if (given.length === 0) throw new TypeError('on purpose');
    },
    onState: () => {},
    onRebuilt: (reason) => void why.push(reason),
  });
  consumer.start();
  await turns();
  const pass = async (ms: number) => {
    for (let step = 0; step < ms; step += 500) {
      clock.advance(500);
      await turns();
    }
  };
  return { consumer, made, records, why, pass, network };
}

const batch = (...messages: unknown[]) => ({ batch: { messages: messages as KafkaMessage[] } });

describe('a Kafka consumer', () => {
  it('that fetches is left alone, and hears from its first fetch after joining on', async () => {
    const { consumer, made, pass } = await consumerOf();
    expect(consumer.hears).toBe(false);
    made[0]?.emit('fetch'); // Of nothing: it has not joined.
    expect(consumer.hears).toBe(false);
    for (let round = 0; round < 10; round += 1) {
      made[0]?.fetched();
      await pass(10_000);
    }
    expect([consumer.hears, made.length]).toEqual([true, 1]);
  });

  it('that falls silent while connected is replaced by one in a group of another name', async () => {
    const { consumer, made, why, pass } = await consumerOf();
    made[0]?.fetched();
    await pass(silentMs - 1_000);
    expect(made).toHaveLength(1);
    await pass(8_000);
    expect(made.map(({ groupId }) => groupId)).toEqual(['group-0', 'group-1']);
    expect([made[0]?.isLeft, consumer.hears, why]).toEqual([true, false, ['went silent']]);
    made[0]?.fetched(); // The old one comes to itself: it does not count.
    expect(consumer.hears).toBe(false);
    made[1]?.fetched();
    expect(consumer.hears).toBe(true);
  });

  it('that crashed is replaced whatever the driver would do, and tried again for as long as it cannot begin', async () => {
    const { consumer, made, why, pass, network } = await consumerOf();
    made[0]?.fetched();
    network.canConnect = false;
    made[0]?.emit('crash');
    expect(consumer.hears).toBe(false);
    await pass(60_000);
    expect(why[0]).toBe('crashed');
    expect(why.slice(1).every((reason) => reason === 'could not begin')).toBe(true);
    expect(made.length).toBeGreaterThan(10);
    expect(made.length).toBeLessThan(40); // It waits longer each time, up to five seconds.
    expect(new Set(made.map(({ groupId }) => groupId)).size).toBe(made.length);
    network.canConnect = true;
    await pass(6_000);
    made.at(-1)?.fetched();
    expect(consumer.hears).toBe(true);
  });

  it('never throws into the driver, and gives nothing of one that was replaced or closed', async () => {
    const { consumer, made, records, pass } = await consumerOf();
    const [first] = made as [FakeConsumer];
    first.fetched();
    await first.run_?.eachBatch(batch('a'));
    await first.run_?.eachBatch(batch());
    first.emit('crash');
    await first.run_?.eachBatch(batch('late'));
    await pass(5_000);
    await made[1]?.run_?.eachBatch(batch('b'));
    await consumer.close();
    await made[1]?.run_?.eachBatch(batch('later'));
    made[1]?.emit('crash');
    await pass(30_000);
    expect(records).toEqual(['a', 'b']);
    expect(made).toHaveLength(2);
  });
});
