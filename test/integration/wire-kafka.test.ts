/**
 * The wire over a real Kafka: groups, what other programs read and write there, and a broker that dies or stands still.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { z } from 'zod';
import type { RoomId, UserId } from '../../system/ids.ts';
import type { Entry } from '../../system/store/entry.ts';
import { type BadRecord, recordValue } from '../../system/wire/event-record.ts';
import { topicNames } from '../../system/wire/topics.ts';
import { entriesAfter, entriesOf, listen } from '../contract/wire.contract.ts';
import { isUp, KafkaCluster, type KafkaNode } from '../support/kafka-wires.ts';
import { OwnKafka } from '../support/own-kafka.ts';
import { waitUntil } from '../support/store-processes.ts';

const brokers = process.env['PLAYHOUSE_TEST_KAFKA_BROKERS'] ?? '';
const room = (id: string) => id as RoomId;
const [, hello] = entriesAfter(2) as [Entry, Entry];
const numbered = (seq: number): Entry => ({ ...hello, seq });
/** So many entries, spread over rooms and so over partitions. */
const publishMany = ({ wire }: KafkaNode, count: number): void => {
  for (let seq = 1; seq <= count; seq += 1) wire.publish(room(`room-${seq % 30}`), 'dm', [numbered(seq)]);
};

describe.skipIf(brokers === '')('the wire over a real Kafka (needs PLAYHOUSE_TEST_KAFKA_BROKERS: npm run services)', () => {
  vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });
  let cluster: KafkaCluster;
  beforeEach(() => {
    cluster = new KafkaCluster(brokers);
  });
  afterEach(() => cluster.close());

  it('brings every record to every node; with one group for all nodes, as the replaced system had it, each gets a part', async () => {
    await cluster.makeTopics(6);
    const own = (await cluster.join('a', 'b', 'c')) as [KafkaNode, KafkaNode, KafkaNode];
    const shared = ['d', 'e', 'f'].map((node) => cluster.open(node, { groupOf: (topic) => `${cluster.prefix}${topic}-of-all` }));
    for (const [at, { wire }] of shared.entries()) await isUp(wire, `node ${at} of one group`, 60_000);
    const heard = [...own, ...shared].map(({ wire }) => listen(wire));
    publishMany(own[0], 300);
    const counts = () => heard.map(({ entries }) => entries.flatMap(({ entries: given }) => given).length);
    await waitUntil('the nodes with groups of their own have all', () => counts()[1] === 300 && counts()[2] === 300);
    await waitUntil(
      'those in one group have it between them',
      () =>
        counts()
          .slice(3)
          .reduce((sum, each) => sum + each, 0) >= 300,
    );
    const parts = counts().slice(3);
    expect(parts.reduce((sum, each) => sum + each, 0)).toBe(300);
    for (const part of parts) expect(part).toBeLessThan(300);
  });

  it('says which topics are missing and what to do, keeps what it can send, and is up once they are made', async () => {
    const { wire, tally } = cluster.open('a');
    const lacking = { degraded: expect.stringContaining('run npm run topics') };
    await waitUntil('it knows', () => JSON.stringify(wire.health()).includes('npm run topics'));
    expect(wire.health()).toEqual(lacking);
    wire.publish(room('a'), 'dm', [hello]);
    await waitUntil('the record is given up', () => tally.dropped.noTopic === 1);
    await cluster.makeTopics();
    await isUp(wire, 'a');
  });

  it('ignores and counts what others write there, shows nothing of it, and goes on', async () => {
    await cluster.makeTopics(1);
    const admin = cluster.kafka.admin();
    await admin.connect();
    const chat = cluster.nameOf('chat-topic');
    await admin.alterConfigs({
      validateOnly: false,
      resources: [{ type: 2, name: chat, configEntries: [{ name: 'max.message.bytes', value: '5000000' }] }],
    });
    await admin.disconnect();
    const lines: Record<string, unknown>[] = [];
    const [a] = (await cluster.join('a')) as [KafkaNode];
    const log = { info: () => {}, debug: () => {}, error: () => {}, warn: (line: Record<string, unknown>) => void lines.push(line) };
    const b = cluster.open('b', { log: log as never });
    await isUp(b.wire, 'b');
    const heard = listen(b.wire, { wants: (of) => of !== 'unknown' });
    const stranger = cluster.codec('stranger', 'not-the-secret-0123456789-abcdefghij');
    const record = (of: string, entry: Entry, codec = stranger) =>
      codec.encode({ type: 'entry', room: room(of), kind: 'dm', entry }, Date.now(), 't');
    const forged = record('a', hello);
    const raw = (value: string | Buffer) => ({ key: 'a', value, headers: forged.headers });
    const insider = cluster.codec('insider');
    const producer = cluster.kafka.producer({ maxInFlightRequests: 1 });
    await producer.connect();
    await producer.send({
      topic: chat,
      messages: [
        { ...forged, headers: { ...forged.headers } },
        { key: 'a', value: forged.value },
        { key: 'a', value: null },
        raw('{"v":1'),
        raw(Buffer.from([0xff, 0xfe, 0x00])),
        raw(Buffer.alloc(2_000_000, 'x')),
        raw(JSON.stringify({ ...JSON.parse(forged.value), seq: -5 })),
        raw(JSON.stringify({ ...JSON.parse(forged.value), seq: 2 ** 53 })),
        { ...record('unknown', hello), headers: {} },
        // Signed, but no entry has such a number.
        { ...record('a', numbered(-1), insider), headers: { ...record('a', numbered(-1), insider).headers } },
        { ...record('a', numbered(2 ** 60), insider), headers: { ...record('a', numbered(2 ** 60), insider).headers } },
      ].map(({ key, value, headers }: { key: string; value: string | Buffer | null; headers?: Record<string, string> }) => ({
        key,
        value,
        ...(headers && { headers }),
      })),
    });
    await producer.disconnect();
    a.wire.publish(room('a'), 'dm', [hello]);
    await waitUntil('what a says is heard', () => heard.entries.length > 0);
    expect(heard.entries).toEqual([{ room: 'a', entries: [hello] }]);
    expect(heard.hints).toEqual([]);
    const bad: Record<BadRecord, number> = { unsigned: 1, forged: 5, malformed: 3, tooLarge: 1, stale: 0 };
    expect(b.tally.bad).toEqual(bad);
    expect(lines.filter(({ ev }) => ev === 'wire.bad').map(({ kind }) => kind)).toHaveLength(4);
    expect(b.wire.health()).toBe('up');
  });

  const hasKcat = spawnSync('kcat', ['-V']).status === 0;
  it.skipIf(!hasKcat)('writes what other programs read: kcat finds every kind, and each fits the schema (needs kcat)', async () => {
    await cluster.makeTopics(1);
    const [{ wire }] = (await cluster.join('a', 'b')) as [KafkaNode, KafkaNode];
    const entries = entriesAfter(8);
    for (const kind of ['dm', 'channel'] as const) wire.publish(room(kind), kind, entries);
    wire.publish(room('dm'), 'dm', [{ ...hello, text: 'x'.repeat(300_000) }]);
    wire.signal(room('dm'), 'dm', { type: 'typing', user: 'ada' as UserId, isTyping: true });
    wire.signal(room('channel'), 'channel', { type: 'read', mark: { user: 'ada' as UserId, seq: 3, n: 2 }, isImplied: true });
    wire.state({ type: 'connect', userId: 'ada', ids: ['direct/1'] });
    await wire.close(); // Flushes.
    const found = topicNames.flatMap((topic) => {
      const args = ['-b', brokers, '-C', '-t', cluster.nameOf(topic), '-o', 'beginning', '-e', '-q', '-f', '%k\t%h\t%s\n'];
      const { stdout } = spawnSync('kcat', args, { encoding: 'utf8', maxBuffer: 10_000_000 });
      const records = stdout.split('\n').filter((line) => line !== '');
      return records.map((line) => {
        const [key = '', headers = '', value = ''] = line.split('\t');
        return { topic, key, headers, value: JSON.parse(value) as Record<string, unknown> };
      });
    });
    expect(found.map(({ topic, value }) => `${topic} ${String(value['kind'] ?? value['type'])}`).sort()).toEqual(
      [
        ...['chat-topic', 'direct-topic'].map((topic) => `${topic} message`),
        'chat-topic hint',
        ...['etc-direct-topic', 'etc-community-topic'].flatMap((topic) =>
          ['room', 'reply', 'modify', 'react', 'member', 'delete'].map((kind) => `${topic} ${kind}`),
        ),
        'etc-direct-topic typing',
        'etc-community-topic read',
        'file-topic file',
        'file-topic file',
        'state-topic connect',
      ].sort(),
    );
    const schema = z.fromJSONSchema(JSON.parse(readFileSync(new URL('../../system/wire/record.schema.json', import.meta.url), 'utf8')));
    for (const { topic, key, headers, value } of found) {
      expect(schema.safeParse(value).error?.issues ?? [], topic).toEqual([]);
      expect(recordValue.safeParse(value).success, topic).toBe(true);
      expect(key).toBe(value['room'] ?? value['userId']);
      expect(headers).toMatch(/node=a,incarnation=a\.[\w-]+,trace=.+,signature=[\w-]{43}/);
    }
    expect(schema.safeParse({ ...found[0]?.value, seq: -1 }).success).toBe(false);
  });

  it('leaves no group behind when it is closed', async () => {
    await cluster.makeTopics(1);
    const [{ wire }] = (await cluster.join('leaver')) as [KafkaNode];
    const admin = cluster.kafka.admin();
    await admin.connect();
    const groups = async () => (await admin.listGroups()).groups.filter(({ groupId }) => groupId.startsWith(cluster.prefix));
    expect(await groups()).toHaveLength(6);
    await wire.close();
    await waitUntil('its groups are gone', async () => (await groups()).length === 0, 30_000);
    await admin.disconnect();
  });
});

describe.skipIf(brokers === '')(
  'a Kafka that fails (needs PLAYHOUSE_TEST_KAFKA_BROKERS, by which it is known that Kafka can be had)',
  () => {
    vi.setConfig({ testTimeout: 240_000, hookTimeout: 180_000 });
    let broker: OwnKafka;
    let cluster: KafkaCluster;
    beforeAll(async () => {
      broker = await OwnKafka.start();
    });
    afterAll(() => broker?.end());
    beforeEach(async () => {
      cluster = new KafkaCluster(broker.brokers);
      await cluster.makeTopics(2);
    });
    afterEach(() => cluster?.closeWires());

    async function hears(from: KafkaNode, to: KafkaNode, name: string): Promise<void> {
      const heard = listen(to.wire);
      from.wire.publish(room(name), 'dm', [hello]);
      await waitUntil(`${name} is heard`, () => entriesOf(heard, room(name)).length > 0, 60_000);
      heard.end();
    }

    it('and dies is known, holds nobody up, and is found again when it is back', async () => {
      const [a, b] = (await cluster.join('a', 'b')) as [KafkaNode, KafkaNode];
      await hears(a, b, 'before');
      await broker.kill();
      const heard = listen(b.wire);
      const begun = performance.now();
      publishMany(a, 12_000);
      expect(performance.now() - begun).toBeLessThan(1_000);
      await waitUntil('both are degraded', () => a.wire.health() !== 'up' && b.wire.health() !== 'up', 30_000);
      await waitUntil('the queue is at its bound', () => a.tally.waiting() <= 10_000 && a.tally.dropped.full >= 1_000, 30_000);
      broker.restart();
      await isUp(a.wire, 'a', 60_000);
      await isUp(b.wire, 'b', 60_000);
      await hears(b, a, 'after');
      await waitUntil('what waited is sent, newest last', () => a.tally.waiting() === 0, 30_000);
      expect(heard.hints).toEqual([]);
    });

    it('and stands still is known by its silence, and heard again when it goes on', async () => {
      const [a, b] = (await cluster.join('a', 'b')) as [KafkaNode, KafkaNode];
      await hears(a, b, 'before');
      broker.freeze();
      a.wire.publish(room('during'), 'dm', [hello]);
      await waitUntil('both are degraded', () => a.wire.health() !== 'up' && b.wire.health() !== 'up', 40_000);
      broker.thaw();
      await isUp(a.wire, 'a', 60_000);
      await isUp(b.wire, 'b', 60_000);
      await hears(a, b, 'after');
    });

    it('and is not there when a node starts is found when it comes', async () => {
      await broker.kill();
      const a = cluster.open('a');
      expect(a.wire.health()).not.toBe('up');
      await waitUntil('it says what it lacks', () => JSON.stringify(a.wire.health()).includes('does not reach Kafka'));
      broker.restart();
      await isUp(a.wire, 'a', 60_000);
      await hears(a, (await cluster.join('b'))[0] as KafkaNode, 'after');
    });
  },
);
