/**
 * A MongoDB that one node of two cannot reach, or none: real MongoDB and Redis, and a hole of the test's own between each node and MongoDB.
 */
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { drainSpreadMs } from '../../actors/drain-spread.ts';
import { ChatClient } from '../../gateway/client/chat-client.ts';
import type { StateChange } from '../../gateway/client/connection.ts';
import { systemClock } from '../../system/clock.ts';
import { newId } from '../../system/ids.ts';
import { moveTimes } from '../../system/node-moves.ts';
import { connectMongo, type MongoDatabase } from '../../system/store/mongo-database.ts';
import { createIndexes } from '../../system/store/mongo-indexes.ts';
import { tokenOf } from '../support/gateway-fixtures.ts';
import { closeRedisSides, clusterSecret, newPrefix, redisUrl } from '../support/redis-server.ts';
import { waitUntil } from '../support/store-processes.ts';
import { startHole, type TcpHole } from '../support/tcp-hole.ts';
import { noRates } from '../support/test-config.ts';
import { type InProcess, startInProcess, stopNodes } from '../support/test-nodes.ts';

const mongoUrl = process.env['PLAYHOUSE_TEST_MONGO_URL'] ?? '';

interface Person {
  readonly chat: ChatClient;
  readonly states: StateChange[];
  readonly seqs: number[];
  readonly texts: string[];
}

interface Side {
  readonly node: InProcess;
  readonly hole: TcpHole;
}

const needed = 'needs PLAYHOUSE_TEST_MONGO_URL and PLAYHOUSE_TEST_REDIS_URL: npm run services';
describe.skipIf(mongoUrl === '' || redisUrl === '')(`two nodes, each with its own way to MongoDB (${needed})`, () => {
  const databases: MongoDatabase[] = [];
  const holes: TcpHole[] = [];
  const people: Person[] = [];
  afterEach(async () => {
    for (const { chat } of people.splice(0)) chat.end();
    // Whoever stops wants to write down what it still has.
    for (const hole of holes) restore(hole);
    await stopNodes();
    for (const hole of holes.splice(0)) hole.close();
  }, 30_000);
  afterAll(async () => {
    for (const database of databases) {
      await database.db.dropDatabase();
      await database.close();
    }
    await closeRedisSides();
  });

  function restore(hole: TcpHole): void {
    hole.holds = false;
    hole.cut(); // What was swallowed is missing in the streams there are.
  }

  async function startTwo(): Promise<readonly [Side, Side]> {
    const database = await connectMongo({ url: mongoUrl, database: `test-${newId()}`, clock: systemClock });
    databases.push(database);
    await createIndexes(database.db);
    const { port } = new URL(mongoUrl);
    const config = { ...noRates, redisUrl, redisKeyPrefix: newPrefix(), clusterSecret };
    const start = async (nodeId: string): Promise<Side> => {
      const hole = await startHole(Number(port));
      holes.push(hole);
      // Else the driver goes past the hole, to the address that the set's configuration names.
      const through = `mongodb://127.0.0.1:${hole.port}/${database.db.databaseName}?directConnection=true`;
      return { node: await startInProcess({ ...config, nodeId, mongoUrl: through }, { parts: undefined } as never), hole };
    };
    const sides = [await start('a'), await start('b')] as const;
    await waitUntil('both are ready', async () => (await Promise.all(sides.map(({ node }) => readyOf(node)))).every((ready) => ready));
    return sides;
  }

  const readyOf = async ({ url }: InProcess): Promise<boolean> => (await fetch(`${url}/readyz`)).status === 200;
  const moves = ({ node }: Side): string[] => node.lines.filter((line) => line.includes('clients.moved'));

  async function enter(user: string, sides: readonly Side[]): Promise<Person> {
    const chat = new ChatClient();
    const person: Person = { chat, states: [], seqs: [], texts: [] };
    people.push(person);
    chat.on('state', (change) => void person.states.push(change));
    chat.on('entries', ({ entries }) => {
      for (const { seq, text } of entries) {
        person.seqs.push(seq);
        if (text !== undefined) person.texts.push(text);
      }
    });
    await chat.connect({ url: sides.map(({ node }) => node.url), token: tokenOf(user) });
    return person;
  }

  /** Four people of a, each with both addresses, and one of b; all in one room, all talking until `hush`. */
  async function startTalk([a, b]: readonly [Side, Side]) {
    const [first, ...others] = [await enter('p0', [a, b]), ...(await Promise.all(['p1', 'p2', 'p3'].map((user) => enter(user, [a, b]))))];
    const all = [first as Person, ...others, await enter('p4', [b])];
    await first?.chat.createRoom({ kind: 'group', id: 'lobby', public: true });
    for (const { chat } of all) {
      await chat.join('lobby');
      await chat.open('lobby', { since: 0 });
    }
    const sent: Promise<unknown>[] = [];
    const said: string[] = [];
    let isOver = false;
    const talking = all.map(async ({ chat }, index) => {
      for (let count = 0; !isOver; count += 1) {
        said.push(`${index}:${count}`);
        sent.push(chat.send('lobby', `${index}:${count}`));
        await new Promise((resolve) => setTimeout(resolve, 40));
      }
    });
    const hush = async (): Promise<void> => {
      isOver = true;
      await Promise.all(talking);
      await Promise.all(sent); // Rejects with the first that failed.
      await waitUntil('all have seen all', () => all.every(({ texts }) => texts.length >= said.length), 20_000);
      for (const { seqs, texts } of all) {
        expect(seqs).toEqual(seqs.map((_, index) => index + 1));
        expect([...texts].sort()).toEqual([...said].sort());
      }
    };
    await waitUntil('they talk', () => all.every(({ texts }) => texts.length > 50), 10_000);
    return { all, movers: all.slice(0, -1), stayer: all.at(-1) as Person, hush };
  }

  it('of which one loses it: its people are told to go to the other, and lose nothing', { timeout: 90_000 }, async () => {
    const [a, b] = await startTwo();
    const { movers, stayer, hush } = await startTalk([a, b]);
    a.hole.holds = true;
    await waitUntil(
      'all are on the other node',
      () => movers.every(({ chat, states }) => chat.isOnline && states.at(-1)?.url === b.node.url),
      30_000,
    );
    expect([await readyOf(a.node), await readyOf(b.node)]).toEqual([false, true]);
    const waits = movers.map(({ states }) => states.find(({ code }) => code === 'STORE_UNAVAILABLE')?.retryInMs ?? Number.NaN);
    expect(waits.sort((x, y) => x - y)).toEqual(movers.map((_, index) => (drainSpreadMs * index) / movers.length));
    await hush();
    expect(moves(a)).toHaveLength(1);
    expect([moves(b), stayer.states.filter(({ state }) => state === 'offline')]).toEqual([[], []]);
  });

  it('that lose it both: nobody is moved, and all goes on when it is back', { timeout: 90_000 }, async () => {
    const sides = await startTwo();
    const { all, hush } = await startTalk(sides);
    for (const { hole } of sides) hole.holds = true;
    await waitUntil('no node is ready', async () => (await Promise.all(sides.map(({ node }) => readyOf(node)))).every((ready) => !ready));
    const downMs = performance.now();
    const isLongEnough = () => performance.now() - downMs > 2 * moveTimes.awayMs;
    await waitUntil('it was so for twice as long as it takes to move anybody', isLongEnough, 3 * moveTimes.awayMs);
    for (const { hole } of sides) restore(hole);
    await hush();
    for (const { states } of all) expect(states.filter(({ code }) => code === 'STORE_UNAVAILABLE')).toEqual([]);
    expect(sides.flatMap(moves)).toEqual([]);
  });
});
