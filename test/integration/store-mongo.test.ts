/**
 * The MongoDB store on a real server: what it refuses to serve from, faults put in on purpose, and whether each query has its index.
 *
 * Faults are the server's own fail points (enableTestCommands=1). Each row tells what the store must answer: what cannot be known is
 * unknown, and a committed read then tells.
 */
import mongoose, { type mongo } from 'mongoose';
import { afterAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../system/clock.ts';
import { newId } from '../../system/ids.ts';
import { type Entry, emptyHead, headAfter } from '../../system/store/entry.ts';
import { connectMongo, type MongoDatabase, migrateMongo, openMongo } from '../../system/store/mongo-database.ts';
import { collectionNames, deleteMarksIndex } from '../../system/store/mongo-indexes.ts';
import type { RoomStore } from '../../system/store/room-store.ts';
import { openMongoStore } from '../../system/store/room-store-mongo.ts';
import { silentLog } from '../support/embedded-stores.ts';
import { cid, entriesAfter, room, user } from '../support/entries.ts';
import { mongoStores } from '../support/mongo-stores.ts';
import { waitUntil } from '../support/store-processes.ts';
import { freshRoom, seqs } from '../support/store-stories.ts';

const url = process.env['PLAYHOUSE_TEST_MONGO_URL'] ?? '';

describe.skipIf(url === '')('the MongoDB store (needs PLAYHOUSE_TEST_MONGO_URL: npm run services)', () => {
  const stores = mongoStores(url);
  afterAll(() => stores.dropAll(), 60_000);

  async function inDatabase(story: (database: MongoDatabase, name: string) => Promise<void>): Promise<void> {
    const name = `test-${newId()}`;
    const database = await connectMongo({ url, database: name, clock: systemClock });
    try {
      await story(database, name);
    } finally {
      await database.db.dropDatabase();
      await database.close();
    }
  }

  describe('does not serve', () => {
    const open = (database: string) => openMongo({ url, database, clock: systemClock });

    it('without its indexes: it names each and what to do', () =>
      inDatabase(async (_database, name) => {
        await expect(open(name)).rejects.toMatchObject({
          code: 'STORE_INDEX',
          message: expect.stringMatching(/entries \(room, seq\) is missing.*npm run migrate/),
        });
      }));

    it('with an index that is not unique, and one of some documents does not stand in for one of all', () =>
      inDatabase(async ({ db }, name) => {
        await migrateMongo(await connectMongo({ url, database: name, clock: systemClock }));
        const entries = db.collection(collectionNames.entries);
        await entries.dropIndex('room_seq');
        await entries.createIndex({ room: 1, seq: 1 });
        await expect(open(name)).rejects.toMatchObject({
          code: 'STORE_INDEX',
          message: expect.stringContaining('entries (room, seq) is not unique'),
        });
        await entries.dropIndex('room_1_seq_1');
        await entries.createIndex({ room: 1, seq: 1 }, { unique: true, partialFilterExpression: { m: { $exists: true } } });
        await expect(open(name)).rejects.toMatchObject({
          code: 'STORE_INDEX',
          message: expect.stringContaining('entries (room, seq) is missing'),
        });
      }));

    it('when there is no server: one line, without the password of the URL', async () => {
      const nowhere = 'mongodb://ada:hunter2@127.0.0.1:1/';
      const refused = await openMongo({ url: nowhere, clock: systemClock }).catch((error: unknown) => error);
      expect(refused).toMatchObject({ code: 'STORE_UNREACHABLE', message: expect.stringContaining('CHAT_MONGO_URL') });
      expect(String((refused as Error).message)).not.toMatch(/hunter2|\n/);
    });
  });

  describe('when the server fails in the middle of an append', () => {
    // Only this connection's calls fail: other suites use the server at the same time.
    const appName = 'faulty';
    const faulty = mongoStores(`${url}${url.includes('?') ? '&' : '?'}appName=${appName}`);
    let admin: mongo.MongoClient | undefined;
    afterAll(async () => {
      await admin?.close();
      await faulty.dropAll();
    }, 60_000);
    const failPoint = async (mode: object | 'off', data: object = {}): Promise<void> => {
      admin ??= await new mongoose.mongo.MongoClient(url).connect();
      await admin.db('admin').command({ configureFailPoint: 'failCommand', mode, data: { failCommands: ['insert'], appName, ...data } });
    };

    async function appendUnder(
      data: object,
      times: number,
      isIn: boolean,
    ): Promise<{ readonly type: string; readonly inStore: readonly Entry[]; readonly entries: readonly Entry[] }> {
      const store = await faulty.open();
      try {
        const id = freshRoom();
        const entries = entriesAfter(emptyHead, [{}, {}]);
        await failPoint({ times }, data);
        const { type } = await store.log.append(id, 0, entries);
        await failPoint('off');
        const inStore = () => store.log.read(id, { after: 0, limit: 10 });
        // What was not waited for may be committed a moment later: that is what unknown means.
        if (isIn) await waitUntil('the entries are committed', async () => (await inStore()).length === 2);
        return { type, entries, inStore: await inStore() };
      } finally {
        await failPoint('off');
        await store.close();
      }
    }

    const rows: readonly [string, object, number, string, boolean][] = [
      ['a connection that breaks once is the driver’s to retry', { closeConnection: true }, 1, 'appended', true],
      ['a connection that breaks twice leaves the outcome unknown', { closeConnection: true }, 2, 'unknown', false],
      [
        'a write concern that is not met leaves it unknown, though the entries are in',
        { writeConcernError: { code: 64, errmsg: 'x' } },
        1,
        'unknown',
        true,
      ],
      ['a primary that steps down is retried', { errorCode: 11602 }, 1, 'appended', true],
      ['an error of any other code leaves it unknown', { errorCode: 112 }, 1, 'unknown', false],
      ['a server that answers too late is retried', { blockConnection: true, blockTimeMS: 6_000 }, 1, 'appended', true],
    ];
    it.each(rows)('%s', { timeout: 30_000 }, async (_name, data, times, type, isIn) => {
      const found = await appendUnder(data, times, isIn);
      expect(found.type).toBe(type);
      expect(found.inStore).toEqual(isIn ? found.entries : []);
    });

    const deletes: readonly [string, object, string, isIn: boolean][] = [
      ['a delete whose mark fails is unknown, and nothing of it is in', { failCommands: ['update'], errorCode: 8_000 }, 'unknown', false],
      ['a delete that fails after its mark is unknown, and hides nothing', { errorCode: 8_000 }, 'unknown', false],
      [
        'a delete whose write concern is not met is unknown, though it is in and hides',
        { writeConcernError: { code: 64, errmsg: 'x' } },
        'unknown',
        true,
      ],
    ];
    it.each(deletes)('%s', { timeout: 30_000 }, async (_name, data, type, isIn) => {
      const store = await faulty.open();
      try {
        const id = freshRoom();
        const entries = entriesAfter(emptyHead, [{ text: 'said' }, { kind: 'delete', target: 1 }, { kind: 'delete', target: 1 }]);
        await store.log.append(id, 0, entries.slice(0, 1));
        await failPoint({ times: 1 }, data);
        expect(await store.log.append(id, 1, entries.slice(1, 2))).toMatchObject({ type });
        await failPoint('off');
        if (isIn) await waitUntil('the delete is committed', async () => (await store.log.heads([id]))[0]?.seq === 2);
        expect((await store.log.at([{ room: id, seq: 1 }]))[0]?.text).toBe(isIn ? undefined : 'said');
        // Tried again at the number that is free now, it hides in any case.
        const again = (isIn ? entries[2] : entries[1]) as Entry;
        expect(await store.log.append(id, again.seq - 1, [again])).toEqual({ type: 'appended' });
        expect((await store.log.at([{ room: id, seq: 1 }]))[0]).not.toHaveProperty('text');
      } finally {
        await failPoint('off');
        await store.close();
      }
    });

    it('tells rooms that shared a call apart: one lost its number, the others are in', async () => {
      const store = await stores.open();
      const other = (await stores.reopen?.(store)) as RoomStore;
      try {
        const rooms = Array.from({ length: 8 }, freshRoom);
        const taken = rooms[3] as (typeof rooms)[number];
        await other.log.append(taken, 0, entriesAfter(emptyHead, [{ text: 'first' }]));
        const outcomes = await Promise.all(rooms.map((id) => store.log.append(id, 0, entriesAfter(emptyHead, [{}]))));
        expect(outcomes.map(({ type }) => type)).toEqual(rooms.map((id) => (id === taken ? 'conflict' : 'appended')));
        expect((await store.log.heads(rooms)).map(({ seq }) => seq)).toEqual(rooms.map(() => 1));
      } finally {
        await Promise.all([store.close(), other.close()]);
      }
    });
  });

  it('makes no hole for a writer that is ahead of what is committed, on another node too', async () => {
    const store = await stores.open();
    const other = (await stores.reopen?.(store)) as RoomStore;
    try {
      const id = freshRoom();
      const [first, second, third] = entriesAfter(emptyHead, [{}, {}, {}]) as [Entry, Entry, Entry];
      expect(await store.log.append(id, 2, [third])).toEqual({ type: 'conflict' });
      await store.log.append(id, 0, [first]);
      expect(await other.log.append(id, 2, [third])).toEqual({ type: 'conflict' });
      expect(await other.log.append(id, 1, [second])).toEqual({ type: 'appended' });
      expect(seqs(await store.log.read(id, { after: 0, limit: 9 }))).toEqual([1, 2]);
    } finally {
      await Promise.all([store.close(), other.close()]);
    }
  });

  it('tells a delete that meets another one of its loss, not that nothing is known', async () => {
    const store = await stores.open();
    const other = (await stores.reopen?.(store)) as RoomStore;
    try {
      for (let round = 0; round < 10; round += 1) {
        const id = freshRoom();
        const first = entriesAfter(emptyHead, [{}]);
        await store.log.append(id, 0, first);
        await other.log.heads([id]);
        const head = headAfter(first[0] as Entry);
        const outcomes = await Promise.all(
          [store, other].map(({ log }) => log.append(id, 1, entriesAfter(head, [{ kind: 'delete', target: 1 }]))),
        );
        expect(outcomes.map(({ type }) => type).sort()).toEqual(['appended', 'conflict']);
      }
    } finally {
      await Promise.all([store.close(), other.close()]);
    }
  });

  it('answers every read by an index, looking at no more documents than it answers', () =>
    inDatabase(async (database, name) => {
      await migrateMongo(database);
      const store = await openMongoStore({ url, database: name, clock: systemClock, log: silentLog });
      const id = room('explained');
      const drafts = Array.from({ length: 200 }, (_, index) =>
        index % 10 === 0
          ? { kind: 'member' as const, member: { user: user('ada'), change: 'joined' as const } }
          : index % 3 === 0
            ? { kind: 'react' as const, target: 2, emoji: 'x', on: true }
            : {},
      );
      await store.log.append(id, 0, entriesAfter(emptyHead, drafts));
      await database.db.command({ profile: 2 });
      await store.log.read(id, { after: 100, limit: 10 });
      await store.log.read(id, { before: 100, limit: 10 });
      await store.log.messages(id, { before: 150, limit: 10 }, 200);
      await store.log.controls(id, 50, 100);
      await store.log.byTarget(id, [2], 50);
      await store.log.heads([id]);
      await store.log.lastMessages([id]);
      await store.log.byCid(id, [{ by: user('ada'), cid: cid('none') }]);
      await database.db.command({ profile: 0 });
      const profiled = await database.db
        .collection('system.profile')
        .find({ op: { $in: ['query', 'command'] }, $or: [{ 'command.find': 'entries' }, { 'command.aggregate': { $exists: true } }] })
        .toArray();
      const isSweep = ({ command }: mongo.Document) => command.hint === deleteMarksIndex;
      expect(profiled.filter((query) => !isSweep(query))).toHaveLength(8);
      for (const { docsExamined = 0, nreturned = 0, planSummary, command } of profiled) {
        expect(planSummary ?? '', JSON.stringify(command)).not.toContain('COLLSCAN');
        expect(docsExamined, JSON.stringify(command)).toBeLessThanOrEqual(Math.max(nreturned, 1));
      }
      await store.close();
    }));
});
