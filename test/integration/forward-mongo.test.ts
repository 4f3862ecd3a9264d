/**
 * One room written through three nodes on a real MongoDB, with links between them and without: nothing is lost, doubled or out of order
 * either way; with links hardly an append collides. How long acknowledgements took is printed, and decides nothing.
 */
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import type { ChatClient } from '../../gateway/client/chat-client.ts';
import { systemClock } from '../../system/clock.ts';
import { newId } from '../../system/ids.ts';
import { createLogger } from '../../system/logger.ts';
import { connectMongo, type MongoDatabase } from '../../system/store/mongo-database.ts';
import { createIndexes } from '../../system/store/mongo-indexes.ts';
import { openMongoStore } from '../../system/store/room-store-mongo.ts';
import { joinAll, type Links, sawAll, sayMuch, startLinked } from '../support/linked-nodes.ts';
import { clusterSecret } from '../support/node-links.ts';
import { eventsOf } from '../support/room-events.ts';
import { waitUntil } from '../support/store-processes.ts';
import { startInProcess, stopNodes } from '../support/test-nodes.ts';

const url = process.env['PLAYHOUSE_TEST_MONGO_URL'] ?? '';
const redisUrl = process.env['PLAYHOUSE_TEST_REDIS_URL'] ?? '';
const each = 200;

describe.skipIf(url === '')('one room through three nodes on one MongoDB (needs PLAYHOUSE_TEST_MONGO_URL: npm run services)', () => {
  const databases: MongoDatabase[] = [];
  const clients: ChatClient[] = [];
  afterEach(async () => {
    for (const client of clients.splice(0)) client.end();
    await stopNodes();
  });
  afterAll(async () => {
    for (const database of databases) {
      await database.db.dropDatabase();
      await database.close();
    }
  });

  async function freshMongo(): Promise<string> {
    const database = await connectMongo({ url, database: `test-${newId()}`, clock: systemClock });
    databases.push(database);
    await createIndexes(database.db);
    return url.replace(/\/(\?|$)/, `/${database.db.databaseName}$1`);
  }

  async function run(links: Links) {
    const mongoUrl = await freshMongo();
    const log = createLogger({ level: 'silent', base: {} });
    const nodes = await startLinked(3, links, () =>
      openMongoStore({ url: mongoUrl, allowUnsafe: false, hasTail: true, clock: systemClock, log }),
    );
    const writers = await joinAll(nodes, clients);
    const acksMs: number[] = [];
    const seqs = await sayMuch(writers, each, 4, acksMs);
    expect(new Set(seqs).size).toBe(3 * each);
    await sawAll(writers, each);
    const events = await eventsOf(nodes);
    for (const client of clients.splice(0)) client.end();
    await stopNodes();
    acksMs.sort((a, b) => a - b);
    const at = (share: number): string => (acksMs[Math.floor(share * (acksMs.length - 1))] as number).toFixed(1);
    return { events, text: `ack p50 ${at(0.5)} p99 ${at(0.99)} ms, ${events['conflict']} conflicts` };
  }

  it('collides far less often with links, and is complete with and without', { timeout: 120_000 }, async () => {
    const alone = await run('none');
    const linked = await run('tcp');
    process.stdout.write(`${3 * each} messages into one room through 3 nodes: without links ${alone.text}; with links ${linked.text}\n`);
    expect(alone.events['forwarded']).toBe(0);
    expect(linked.events['forwardStored']).toBeGreaterThan(0);
    expect(linked.events['conflict']).toBeLessThan((alone.events['conflict'] as number) / 2);
  });

  it.skipIf(redisUrl === '')('nodes as configured find each other by Redis, and forward', { timeout: 120_000 }, async () => {
    const shared = { mongoUrl: await freshMongo(), redisUrl, redisKeyPrefix: `test-${newId()}`, clusterSecret };
    const start = (nodeId: string) => startInProcess({ nodeId, ...shared }, { parts: undefined } as never);
    const nodes = [await start('a'), await start('b')];
    await waitUntil('each knows of the other', async () => {
      const texts = await Promise.all(nodes.map(async (node) => (await fetch(`${node.url}/metrics`)).text()));
      return texts.every((text) => /^playhouse_cluster_nodes 2$/m.test(text));
    });
    const writers = await joinAll(nodes, clients);
    const seqs = await sayMuch(writers, 60, 4);
    expect(new Set(seqs).size).toBe(120);
    await sawAll(writers, 60);
    expect((await eventsOf(nodes))['forwardStored']).toBeGreaterThan(0);
  });
});
