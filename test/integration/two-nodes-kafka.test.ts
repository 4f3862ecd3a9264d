/**
 * Two nodes on one MongoDB and one Kafka, the store's change stream off: what is stored and what is not crosses within
 * milliseconds, and what somebody else writes to the topics reaches nobody.
 */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ChatClient } from '../../gateway/client/chat-client.ts';
import { systemClock } from '../../system/clock.ts';
import { newId, type RoomId } from '../../system/ids.ts';
import { connectMongo, type MongoDatabase } from '../../system/store/mongo-database.ts';
import { createIndexes } from '../../system/store/mongo-indexes.ts';
import { entriesAfter } from '../contract/wire.contract.ts';
import { tokenOf } from '../support/gateway-fixtures.ts';
import { clusterSecret, KafkaCluster } from '../support/kafka-wires.ts';
import { waitUntil } from '../support/store-processes.ts';
import { type InProcess, startInProcess, stopNodes } from '../support/test-nodes.ts';

const url = process.env['PLAYHOUSE_TEST_MONGO_URL'] ?? '';
const brokers = process.env['PLAYHOUSE_TEST_KAFKA_BROKERS'] ?? '';
const [, hello] = entriesAfter(2);

describe.skipIf(url === '' || brokers === '')(
  'two nodes on MongoDB and Kafka (needs PLAYHOUSE_TEST_MONGO_URL and PLAYHOUSE_TEST_KAFKA_BROKERS: npm run services)',
  () => {
    vi.setConfig({ testTimeout: 90_000, hookTimeout: 60_000 });
    const clients: ChatClient[] = [];
    let database: MongoDatabase;
    let cluster: KafkaCluster;
    beforeEach(async () => {
      database = await connectMongo({ url, database: `test-${newId()}`, clock: systemClock });
      await createIndexes(database.db);
      cluster = new KafkaCluster(brokers);
      await cluster.makeTopics();
    });
    afterEach(async () => {
      for (const person of clients.splice(0)) person.end();
      await stopNodes();
      await cluster.close();
      await database.db.dropDatabase();
      await database.close();
    });

    const start = (nodeId: string, kafkaBrokers: readonly string[] = brokers.split(',')): Promise<InProcess> => {
      const mongoUrl = url.replace(/\/(\?|$)/, `/${database.db.databaseName}$1`);
      const kafka = { kafkaBrokers, kafkaTopicPrefix: cluster.prefix, clusterSecret };
      return startInProcess({ nodeId, mongoUrl, storeTail: false, ...kafka }, { parts: undefined } as never);
    };
    const readiness = async (node: InProcess) =>
      (await fetch(`${node.url}/readyz`)).json() as Promise<{ parts: Record<string, string>; reasons: string[] }>;
    const metric = async (node: InProcess, name: string): Promise<number> => {
      const text = await (await fetch(`${node.url}/metrics`)).text();
      return Number(
        text
          .split('\n')
          .find((line) => line.startsWith(`${name} `))
          ?.split(' ')[1] ?? Number.NaN,
      );
    };
    const wireUp = (node: InProcess): Promise<void> =>
      waitUntil('the wire is up', async () => (await readiness(node)).parts['wire'] === 'up', 30_000);

    async function join(node: InProcess, user: string) {
      const person = new ChatClient();
      clients.push(person);
      const seen: { readonly text: string; readonly atMs: number }[] = [];
      const typing: (readonly string[])[] = [];
      const reads: string[] = [];
      person.on('entries', ({ entries }) => {
        for (const { text } of entries) if (text !== undefined) seen.push({ text, atMs: performance.now() });
      });
      person.on('typing', ({ users }) => void typing.push(users));
      person.on('read', ({ marks }) => void reads.push(...marks.map(({ user: who, seq }) => `${who} ${seq}`)));
      await person.connect({ url: node.url, token: tokenOf(user) });
      return { client: person, seen, typing, reads };
    }

    it('messages, typing and read marks cross without the store being asked for them', async () => {
      const [a, b] = [await start('a'), await start('b')];
      await wireUp(a);
      await wireUp(b);
      const [ada, bob, bobsPhone] = [await join(a, 'ada'), await join(b, 'bob'), await join(a, 'bob')];
      await ada.client.createRoom({ kind: 'group', id: 'lobby', public: true });
      await ada.client.open('lobby');
      await bob.client.join('lobby');
      await bob.client.open('lobby');
      const lateMs: number[] = [];
      for (let index = 0; index < 30; index += 1) {
        const text = `message ${index}`;
        await ada.client.send('lobby', text);
        const ackedMs = performance.now();
        await waitUntil(`bob sees ${text}`, () => bob.seen.some((one) => one.text === text));
        lateMs.push((bob.seen.find((one) => one.text === text)?.atMs ?? 0) - ackedMs);
      }
      // The store is asked for heads every second or two: half of what came by that would be later than this.
      const median = [...lateMs].sort((x, y) => x - y)[15] as number;
      expect(median).toBeLessThan(400);
      expect(await metric(b, 'playhouse_wire_received_total{kind="entry"}')).toBeGreaterThanOrEqual(30);
      await ada.client.typing('lobby');
      await waitUntil('bob sees ada type', () => bob.typing.at(-1)?.includes('ada') === true);
      bob.client.markRead('lobby', 10);
      await waitUntil('ada sees how far bob has read', () => ada.reads.includes('bob 10'));
      await waitUntil('and his phone, which has not opened the room', () => bobsPhone.reads.includes('bob 10'));
      expect(ada.client.isOnline && bob.client.isOnline).toBe(true);
    });

    it('what is forged is shown to nobody and answers nobody; a node without Kafka serves, and says so', async () => {
      const [a, b] = [await start('a'), await start('b', ['127.0.0.1:1'])];
      await wireUp(a);
      const [ada, bob] = [await join(a, 'ada'), await join(b, 'bob')];
      await ada.client.createRoom({ kind: 'group', id: 'lobby', public: true });
      await ada.client.open('lobby');
      await bob.client.join('lobby');
      await bob.client.open('lobby');
      await waitUntil('bob is degraded', async () => (await readiness(b)).reasons.join().includes('does not reach Kafka'));
      const codec = cluster.codec('stranger', 'not-the-secret-0123456789-abcdefghij');
      const forged = (seq: number) =>
        codec.encode(
          { type: 'entry', room: 'lobby' as RoomId, kind: 'group', entry: { ...hello, seq, text: 'forged' } as never },
          systemClock.wallMs(),
          't',
        );
      const producer = cluster.kafka.producer();
      await producer.connect();
      const messages = [3, 4, 2 ** 40, -1].map(forged).map(({ key, value, headers }) => ({ key, value, headers: { ...headers } }));
      await producer.send({ topic: cluster.nameOf('chat-topic'), messages });
      await producer.disconnect();
      await waitUntil('they are counted', async () => (await metric(a, 'playhouse_wire_bad_total{kind="forged"}')) === 4);
      await ada.client.send('lobby', 'true');
      await waitUntil('both see what was said', () => [ada, bob].every(({ seen }) => seen.some(({ text }) => text === 'true')), 10_000);
      for (const { seen } of [ada, bob]) expect(seen.map(({ text }) => text)).toEqual(['true']);
      expect(a.lines.filter((line) => line.includes('wire.bad'))).toHaveLength(1);
      expect(a.lines.join()).not.toContain('"text":"forged"');
    });
  },
);
