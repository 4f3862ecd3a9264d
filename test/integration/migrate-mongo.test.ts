/**
 * Moving an embedded log into MongoDB, as a person does it: a real node's folder, `npm run migrate -- --from`, a node on MongoDB.
 */
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { ClassicLevel } from 'classic-level';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { ChatClient } from '../../gateway/client/chat-client.ts';
import { systemClock } from '../../system/clock.ts';
import { newFileId } from '../../system/files/file-store.ts';
import { openEmbeddedFiles } from '../../system/files/file-store-embedded.ts';
import { openMongoFiles } from '../../system/files/file-store-mongo.ts';
import { newId } from '../../system/ids.ts';
import { entryKey, headKey } from '../../system/store/embedded-keys.ts';
import { emptyHead } from '../../system/store/entry.ts';
import { connectMongo, type MongoDatabase, migrateMongo } from '../../system/store/mongo-database.ts';
import { movingId } from '../../system/store/mongo-indexes.ts';
import type { RoomStore } from '../../system/store/room-store.ts';
import { openEmbeddedStore } from '../../system/store/room-store-embedded.ts';
import { openMongoStore } from '../../system/store/room-store-mongo.ts';
import { silentLog, tempFolder } from '../support/embedded-stores.ts';
import { cid, entriesAfter, room, user } from '../support/entries.ts';
import { testSecret, tokenOf } from '../support/gateway-fixtures.ts';
import { migrate, startMigrate } from '../support/migrate-process.ts';
import { freePort, NodeProcess } from '../support/node-process.ts';
import { waitUntil } from '../support/store-processes.ts';

const url = process.env['PLAYHOUSE_TEST_MONGO_URL'] ?? '';

const openFolder = (dir: string): Promise<RoomStore> => openEmbeddedStore({ dir: join(dir, 'log'), clock: systemClock, log: silentLog });

describe('npm run migrate -- --from', () => {
  it('says that it needs MongoDB, and what it does not know', async () => {
    expect(await migrate(undefined)).toMatchObject({ code: 1, said: expect.stringContaining('set CHAT_MONGO_URL') });
    expect(await migrate(undefined, '--form', 'data')).toMatchObject({ code: 1, said: expect.stringContaining('usage: npm run migrate') });
  });
});

describe.skipIf(url === '')('npm run migrate -- --from (needs PLAYHOUSE_TEST_MONGO_URL: npm run services)', () => {
  const databases: MongoDatabase[] = [];
  const folders: { readonly dir: string; remove(): void }[] = [];
  const clients: ChatClient[] = [];
  const nodes: NodeProcess[] = [];
  let port = 0;
  beforeAll(async () => {
    port = await freePort();
  });
  afterEach(async () => {
    for (const client of clients.splice(0)) client.end();
    for (const node of nodes.splice(0)) await node.kill('SIGKILL');
  });
  afterAll(async () => {
    for (const database of databases) {
      await database.db.dropDatabase();
      await database.close();
    }
    for (const folder of folders) folder.remove();
  });

  async function target(): Promise<{ readonly mongoUrl: string; readonly database: MongoDatabase }> {
    const database = await connectMongo({ url, database: `test-${newId()}`, clock: systemClock });
    databases.push(database);
    return { database, mongoUrl: url.replace(/\/(\?|$)/, `/${database.db.databaseName}$1`) };
  }
  function folder(): string {
    const made = tempFolder();
    folders.push(made);
    return made.dir;
  }
  const openMongo = ({ db }: MongoDatabase): Promise<RoomStore> =>
    openMongoStore({ url, database: db.databaseName, clock: systemClock, log: silentLog });

  async function startNode(more: Readonly<Record<string, string>>): Promise<NodeProcess> {
    const node = new NodeProcess({ CHAT_PORT: String(port), CHAT_JWT_SECRET: testSecret, ...more });
    nodes.push(node);
    await node.start();
    return node;
  }
  async function person(name: string): Promise<ChatClient> {
    const client = new ChatClient();
    clients.push(client);
    await client.connect({ url: `http://127.0.0.1:${port}`, token: tokenOf(name) });
    return client;
  }

  /** A folder with rooms of these lengths, without a node. */
  async function written(lengths: Readonly<Record<string, number>>): Promise<string> {
    const dir = folder();
    const store = await openFolder(dir);
    for (const [id, length] of Object.entries(lengths)) {
      const entries = entriesAfter(
        emptyHead,
        Array.from({ length }, (_, i) => (i === 1 ? { text: 'half \ud800' } : {})),
      );
      for (let from = 0; from < length; from += 256)
        expect(await store.log.append(room(id), from, entries.slice(from, from + 256))).toEqual({ type: 'appended' });
    }
    await store.close();
    return dir;
  }

  it('takes a real conversation along: history, resume by since, retries, marks, who is out', { timeout: 60_000 }, async () => {
    const dir = folder();
    const before = await startNode({ CHAT_DATA_DIR: dir });
    const ada = await person('ada');
    const bob = await person('bob');
    await ada.createRoom({ kind: 'group', id: 'lobby', public: true, name: 'Lobby', members: ['cleo'] });
    await bob.join('lobby');
    const dm = await ada.createRoom({ kind: 'dm', members: ['bob'] });
    await ada.send(dm.id, 'between us \ud83d\ude00');
    const first = await ada.send('lobby', 'first', 'the-cid');
    const wrong = await ada.send('lobby', 'wrogn');
    await ada.modify('lobby', wrong.seq, 'wrong');
    const secret = await bob.send('lobby', 'do not keep this');
    await bob.modify('lobby', secret.seq, 'nor this, do not keep it');
    await bob.delete('lobby', secret.seq);
    await bob.react('lobby', first.seq, '👍');
    await bob.reply('lobby', first.seq, 'yes');
    await ada.kick('lobby', 'cleo');
    await bob.open('lobby', { since: 0 });
    await waitUntil('bob was shown what there is', () => bob.position('lobby')?.seq === 11);
    const seen = bob.position('lobby');
    const marked = new Promise((resolve) => bob.on('marked', resolve));
    bob.markRead('lobby', 11);
    await marked;
    bob.disconnect();
    await ada.send('lobby', 'while bob is away');
    const history = await ada.history('lobby', { before: 100, limit: 100 });
    const dmHistory = await ada.history(dm.id, { before: 100, limit: 100 });
    const rooms = await ada.listRooms();
    ada.disconnect();
    expect(await before.kill('SIGTERM')).toBe(0);
    const store = await openFolder(dir);
    const raw = await store.log.read(room('lobby'), { after: 0, limit: 100 });
    const revoked = { of: { user: user('mallory') }, atMs: systemClock.wallMs(), endsAtMs: systemClock.wallMs() + 3_600_000 };
    await store.revocations.add(revoked);
    await store.close();

    const disk = await openEmbeddedFiles(join(dir, 'files'), systemClock);
    const owner = { room: room('lobby'), by: user('ada'), cid: cid('upload') };
    const picture = Buffer.alloc(700_000, 'bytes ');
    const id = newFileId(owner);
    await disk.put(id, owner, Readable.from([picture]), picture.length);
    await disk.close();

    const { database, mongoUrl } = await target();
    const dry = await migrate(mongoUrl, '--from', dir, '--dry-run');
    expect(dry).toMatchObject({ code: 0, said: expect.stringContaining('would move 2 rooms, 14 entries (0 were there)') });
    expect(await database.entries.countDocuments()).toBe(0);
    const moved = await migrate(mongoUrl, '--from', dir);
    expect(moved, moved.said).toMatchObject({ code: 0, said: expect.stringContaining('all the same: 2 rooms, 14 entries') });
    expect(moved.said).toMatch(/verifying 100 % {2}2\/2 rooms, 14\/14 entries/);
    const there = await openMongo(database);
    expect(await there.log.read(room('lobby'), { after: 0, limit: 100 })).toEqual(raw);
    expect((await there.revocations.read()).revocations).toEqual([revoked]);
    await there.close();
    const files = await openMongoFiles({ url: mongoUrl, clock: systemClock });
    const found = await files.get(id);
    expect(found?.file).toMatchObject({ ...owner, bytes: 700_000 });
    expect(Buffer.concat(await (found?.bytes.toArray() ?? [])).equals(picture)).toBe(true);
    await files.close();
    expect(JSON.stringify(await database.entries.find().toArray())).not.toContain('do not keep');

    await startNode({ CHAT_DATA_DIR: folder(), CHAT_MONGO_URL: mongoUrl });
    const again = await person('ada');
    expect(await again.history('lobby', { before: 100, limit: 100 })).toEqual(history);
    expect(await again.history(dm.id, { before: 100, limit: 100 })).toEqual(dmHistory);
    expect(await again.listRooms()).toEqual(rooms);
    expect(await again.send('lobby', 'first', 'the-cid')).toMatchObject({ seq: first.seq, dup: true });
    const gaps: unknown[] = [];
    const texts: (string | undefined)[] = [];
    bob.on('violation', (violation) => gaps.push(violation));
    bob.on('entries', ({ entries }) => texts.push(...entries.map(({ text }) => text)));
    await bob.connect({ url: `http://127.0.0.1:${port}`, token: tokenOf('bob') });
    await waitUntil('bob has what he missed', () => bob.position('lobby')?.seq === 12);
    expect([texts, gaps]).toEqual([['while bob is away'], []]);
    expect(bob.position('lobby')?.epoch).toBe(seen?.epoch);
    expect((await bob.listRooms()).find(({ id }) => id === 'lobby')).toMatchObject({ read: 11 });
    const cleo = await person('cleo');
    await expect(cleo.send('lobby', 'am I in?')).rejects.toMatchObject({ code: 'FORBIDDEN' });
    expect((await again.send('lobby', 'goes on')).seq).toBe(13);
  });

  it('goes on after kill -9 in the middle, doubles nothing, and lets no node start meanwhile', { timeout: 120_000 }, async () => {
    const lengths = { long: 15_000, ...Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`room-${i}`, 200])) };
    const dir = await written(lengths);
    const { database, mongoUrl } = await target();
    const killed = startMigrate(mongoUrl, '--from', dir);
    await waitUntil('some of it is there', async () => (await database.entries.estimatedDocumentCount()) > 2_000, 60_000);
    killed.child.kill('SIGKILL');
    expect((await killed.ended).said).not.toContain('all the same');
    const part = await database.entries.countDocuments();
    expect(part).toBeLessThan(25_000);
    expect(await database.moves.countDocuments({ _id: movingId })).toBe(1);
    const node = new NodeProcess({ CHAT_MONGO_URL: mongoUrl, CHAT_DATA_DIR: folder(), CHAT_JWT_SECRET: testSecret });
    const refused = await node.run();
    expect(refused.code).toBe(1);
    expect(refused.stderr).toMatch(/cannot start: an embedded log .* is being moved into this database .*npm run migrate -- --from/);

    const stopped = startMigrate(mongoUrl, '--from', dir);
    await waitUntil('more of it is there', async () => (await database.entries.estimatedDocumentCount()) > part + 2_000, 60_000);
    stopped.child.kill('SIGINT');
    expect(await stopped.ended).toMatchObject({ code: 130, said: expect.stringContaining('the same command goes on from here') });

    const done = await migrate(mongoUrl, '--from', dir);
    expect(done, done.said).toMatchObject({ code: 0, said: expect.stringContaining('all the same: 51 rooms, 25000 entries') });
    expect(Number(/\((\d+) were there\)/.exec(done.said)?.[1])).toBeGreaterThan(part);
    expect(await database.entries.countDocuments()).toBe(25_000);
    expect(await database.moves.countDocuments()).toBe(0);
    const store = await openMongo(database);
    const heads = await store.log.heads(Object.keys(lengths).map(room));
    expect(heads.map(({ seq }) => seq)).toEqual(Object.values(lengths));
    await store.close();
    const nothingLeft = await migrate(mongoUrl, '--from', dir);
    expect(nothingLeft).toMatchObject({ code: 0, said: expect.stringContaining('25000 entries (25000 were there)') });
  });

  it('writes nothing where a room is there with other content or has gone on, and names it', { timeout: 60_000 }, async () => {
    const dir = await written({ other: 5, longer: 3, free: 4 });
    const { database, mongoUrl } = await target();
    await migrateMongo(database);
    const store = await openMongo(database);
    await store.log.append(room('other'), 0, entriesAfter(emptyHead, [{ text: 'somebody else' }]));
    expect(await migrate(mongoUrl, '--from', dir)).toMatchObject({
      code: 1,
      said: expect.stringContaining('nothing was written: in MongoDB room other has another entry 1; give CHAT_MONGO_URL another database'),
    });
    await database.entries.deleteMany({});
    await migrate(mongoUrl, '--from', dir);
    const [head = emptyHead] = await store.log.heads([room('longer')]);
    await store.log.append(room('longer'), 3, entriesAfter(head, [{}]));
    await store.close();
    const count = await database.entries.countDocuments();
    expect(await migrate(mongoUrl, '--from', dir)).toMatchObject({
      code: 1,
      said: expect.stringContaining('room longer has 4 entries and here it has 3: it was written to since'),
    });
    expect([await database.entries.countDocuments(), await database.moves.countDocuments()]).toEqual([count, 0]);
  });

  it('names damaged rooms and writes nothing, unless they are to stay behind; one that lost its end is damaged', {
    timeout: 60_000,
  }, async () => {
    const dir = await written({ flipped: 10, cut: 10, sound: 10 });
    const store = await openFolder(dir);
    await store.userRooms.settle([{ user: user('ada'), room: room('cut'), member: true, seq: 10, joinedSeq: 10, joinedN: 10 }]);
    await store.close();
    const level = new ClassicLevel<string, string>(join(dir, 'log'));
    const value = (await level.get(entryKey(room('flipped'), 4))) as string;
    await level.put(entryKey(room('flipped'), 4), value.replace('text', 'tixt'));
    await level.del(headKey(room('cut')));
    await level.del(entryKey(room('cut'), 10));
    await level.close();
    const { database, mongoUrl } = await target();
    const refused = await migrate(mongoUrl, '--from', dir);
    expect(refused.code).toBe(1);
    expect(refused.said).toContain('nothing was written');
    expect(refused.said).toContain('room flipped is damaged at seq 4');
    expect(refused.said).toContain('room cut is damaged at seq 10');
    expect(refused.said).toContain('--skip-damaged');
    expect(await database.entries.countDocuments()).toBe(0);
    const skipped = await migrate(mongoUrl, '--from', dir, '--skip-damaged');
    expect(skipped, skipped.said).toMatchObject({
      code: 0,
      said: expect.stringContaining('left behind: room flipped is damaged at seq 4'),
    });
    expect((await database.entries.distinct('room')).sort()).toEqual(['sound']);
    expect(await database.userRooms.countDocuments()).toBe(0);
  });

  it('makes a pending row for a member whose row is missing, so that no room is hidden', async () => {
    const dir = folder();
    const store = await openFolder(dir);
    const members = [{ user: user('ada'), role: 'owner' as const }];
    await store.log.append(room('lost'), 0, entriesAfter(emptyHead, [{ kind: 'room', room: { kind: 'group', public: false, members } }]));
    await store.close();
    const { database, mongoUrl } = await target();
    expect((await migrate(mongoUrl, '--from', dir)).code).toBe(0);
    const there = await openMongo(database);
    expect(await there.userRooms.list(user('ada'), 10)).toMatchObject([{ room: 'lost', state: 'pending' }]);
    await there.close();
  });

  it('says in one line that a node uses the folder, or that there is no log', async () => {
    const dir = await written({ one: 1 });
    const { mongoUrl } = await target();
    const owner = await openFolder(dir);
    expect(await migrate(mongoUrl, '--from', dir)).toMatchObject({ code: 1, said: expect.stringContaining('stop it first') });
    await owner.close();
    const nothing = await migrate(mongoUrl, '--from', folder());
    expect(nothing).toMatchObject({ code: 1, said: expect.stringContaining('there is no embedded log in') });
  });
});
