/**
 * Several nodes on one MongoDB, with nothing else between them: what one node stores, readers of the others get.
 */
import type { Socket } from 'socket.io-client';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { ChatClient } from '../../gateway/client/chat-client.ts';
import { systemClock } from '../../system/clock.ts';
import { newId } from '../../system/ids.ts';
import { connectMongo, type MongoDatabase } from '../../system/store/mongo-database.ts';
import { createIndexes } from '../../system/store/mongo-indexes.ts';
import { ask, client, closeClients, connected } from '../support/gateway-client.ts';
import { tokenOf } from '../support/gateway-fixtures.ts';
import { waitUntil } from '../support/store-processes.ts';
import { type InProcess, startInProcess, stopNodes } from '../support/test-nodes.ts';

const url = process.env['PLAYHOUSE_TEST_MONGO_URL'] ?? '';

describe.skipIf(url === '')('nodes on one MongoDB (needs PLAYHOUSE_TEST_MONGO_URL: npm run services)', () => {
  const databases: MongoDatabase[] = [];
  const clients: ChatClient[] = [];
  afterEach(async () => {
    closeClients();
    for (const person of clients.splice(0)) person.end();
    await stopNodes();
  });
  afterAll(async () => {
    for (const database of databases) {
      await database.db.dropDatabase();
      await database.close();
    }
  });

  async function startTwo(): Promise<readonly [InProcess, InProcess]> {
    const database = await connectMongo({ url, database: `test-${newId()}`, clock: systemClock });
    databases.push(database);
    await createIndexes(database.db);
    const mongoUrl = url.replace(/\/(\?|$)/, `/${database.db.databaseName}$1`);
    const start = (nodeId: string) => startInProcess({ nodeId, mongoUrl }, { parts: undefined } as never);
    return [await start('a'), await start('b')];
  }

  async function join(node: InProcess, user: string) {
    const person = new ChatClient();
    clients.push(person);
    const seen: string[] = [];
    const seqs: number[] = [];
    person.on('entries', ({ entries }) => {
      for (const { seq, text } of entries) {
        seqs.push(seq);
        if (text !== undefined) seen.push(text);
      }
    });
    await person.connect({ url: node.url, token: tokenOf(user) });
    return { client: person, seen, seqs };
  }

  it('gives everybody everything once, in one order, while both write to one room', { timeout: 60_000 }, async () => {
    const [a, b] = await startTwo();
    const ada = await join(a, 'ada');
    const bob = await join(b, 'bob');
    await ada.client.createRoom({ kind: 'group', id: 'lobby', public: true });
    await ada.client.open('lobby');
    await bob.client.join('lobby');
    await bob.client.open('lobby');
    const sent = await Promise.all(
      Array.from({ length: 100 }, (_, index) => [
        ada.client.send('lobby', `ada ${index}`),
        bob.client.send('lobby', `bob ${index}`),
      ]).flat(),
    );
    expect(new Set(sent.map(({ seq }) => seq)).size).toBe(200);
    await waitUntil('both have seen all', () => ada.seen.length === 200 && bob.seen.length === 200);
    expect(bob.seen).toEqual(ada.seen);
    for (const { seqs } of [ada, bob]) expect(seqs).toEqual([...seqs].sort((x, y) => x - y));
    for (const who of ['ada', 'bob'])
      expect(ada.seen.filter((text) => text.startsWith(who))).toEqual(Array.from({ length: 100 }, (_, i) => `${who} ${i}`));
  });

  it('gives a retry on the other node the first answer, and refuses whom the first node has removed', { timeout: 30_000 }, async () => {
    const [a, b] = await startTwo();
    const ada = await join(a, 'ada');
    await ada.client.createRoom({ kind: 'group', id: 'lobby', public: false, members: ['bob'] });
    const [bobOnA, bobOnB] = await Promise.all([a, b].map((node) => connected(client(node.url, { auth: { token: tokenOf('bob') } }))));
    const say = (bob: Socket | undefined, cid: string) => ask(bob as Socket, 'message:send', { room: 'lobby', cid, text: 'once' });
    const first = await say(bobOnA, 'same');
    expect(first).toMatchObject({ ok: true });
    expect(await say(bobOnB, 'same')).toMatchObject({ ok: true, seq: (first as { readonly seq?: number }).seq, dup: true });
    await ada.client.kick('lobby', 'bob');
    expect(await say(bobOnB, 'late')).toMatchObject({ ok: false, error: { code: 'NOT_FOUND' } });
  });
});
