/**
 * Deletes on MongoDB: what marks hide and what they do not, what a node that stops leaves, and which index each step uses.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../system/clock.ts';
import { newId } from '../../system/ids.ts';
import { markDeletes, settleRows } from '../../system/store/delete-marks-mongo.ts';
import { type Entry, emptyHead, headAfter } from '../../system/store/entry.ts';
import { encodeRow } from '../../system/store/entry-mongo.ts';
import { connectMongo, type MongoDatabase, migrateMongo } from '../../system/store/mongo-database.ts';
import type { RoomStore } from '../../system/store/room-store.ts';
import { openMongoStore } from '../../system/store/room-store-mongo.ts';
import { silentLog } from '../support/embedded-stores.ts';
import { type Draft, entriesAfter } from '../support/entries.ts';
import { manualClock } from '../support/manual-clock.ts';
import { everyRead, fill, freshRoom } from '../support/store-stories.ts';

const url = process.env['PLAYHOUSE_TEST_MONGO_URL'] ?? '';
const secret = 'what was said';

describe.skipIf(url === '')('deletes on MongoDB (need PLAYHOUSE_TEST_MONGO_URL: npm run services)', () => {
  const name = `test-${newId()}`;
  const open = () => openMongoStore({ url, database: name, clock: manualClock(), log: silentLog, hasTail: false });
  let database: MongoDatabase;
  let store: RoomStore;
  beforeAll(async () => {
    database = await connectMongo({ url, database: name, clock: systemClock });
    await migrateMongo(database);
    store = await open();
  });
  afterAll(async () => {
    await store.close();
    await database.db.dropDatabase();
    await database.close();
  });

  const rowsOf = (id: Parameters<typeof encodeRow>[0]) => database.entries.find({ room: id }, { sort: { seq: 1 } }).toArray();

  const taken: readonly [string, Draft, shown: boolean][] = [
    ['a message', {}, true],
    ['an edit of it', { kind: 'modify', target: 1, text: secret }, true],
    ['a delete of another message', { kind: 'delete', target: 3 }, true],
    ['a delete of itself', { kind: 'delete', target: 4 }, true],
    ['a delete of what is not there', { kind: 'delete', target: 9 }, true],
    ['another node’s delete of it', { kind: 'delete', target: 1 }, false],
  ];
  it.each(taken)('a mark whose number went to %s: is the text shown?', async (_name, draft, isShown) => {
    const id = freshRoom();
    const entries = await fill(store, id, [{ text: secret }, { kind: 'modify', target: 1, text: secret }, {}]);
    const head = headAfter(entries.at(-1) as Entry);
    await markDeletes(database, [encodeRow(id, entriesAfter(head, [{ kind: 'delete', target: 1 }])[0] as Entry)]);
    expect((await rowsOf(id)).map(({ deleteAt }) => deleteAt)).toEqual([[4], [4], undefined]);
    expect((await store.log.read(id, { after: 0, limit: 2 })).map(({ text }) => text)).toEqual([secret, secret]);
    // Without marks of its own: what is judged here are those of the lost delete.
    await database.entries.insertOne(encodeRow(id, entriesAfter(head, [draft])[0] as Entry));
    for (let round = 0; round < 2; round += 1) {
      expect((await store.log.read(id, { after: 0, limit: 2 })).map(({ text }) => text)).toEqual(
        isShown ? [secret, secret] : [undefined, undefined],
      );
      await settleRows(database, await rowsOf(id));
    }
    const rows = await rowsOf(id);
    expect(JSON.stringify(rows)).not.toContain('deleteAt');
    expect(rows.slice(0, 2).map(({ text, scrubbed }) => [text, scrubbed])).toEqual(
      isShown ? Array(2).fill([secret, undefined]) : Array(2).fill([undefined, true]),
    );
  });

  it('a mark that is free stays beside one that is taken off, and hides once its delete stands there', async () => {
    const id = freshRoom();
    const entries = await fill(store, id, [{ text: secret }]);
    const head = headAfter(entries[0] as Entry);
    const late = entriesAfter(head, [{}, { kind: 'delete', target: 1 }]).map((entry) => encodeRow(id, entry));
    const lost = entriesAfter(head, [{ kind: 'delete', target: 1 }]).map((entry) => encodeRow(id, entry));
    await markDeletes(database, lost);
    await markDeletes(database, late);
    await database.entries.insertOne(late[0] as (typeof late)[number]);
    await settleRows(database, await rowsOf(id));
    expect((await rowsOf(id))[0]?.deleteAt).toEqual([3]);
    expect(await everyRead(store.log, id, 2)).toContain(secret);
    await database.entries.insertOne(late[1] as (typeof late)[number]);
    expect(await everyRead(store.log, id, 3)).not.toContain(secret);
  });

  it('a node that stops has taken out every text it deleted', async () => {
    const leaving = await open();
    const rooms = Array.from({ length: 30 }, freshRoom);
    const heads = await Promise.all(rooms.map(async (id) => headAfter((await fill(leaving, id, [{ text: secret }]))[0] as Entry)));
    const deletes = rooms.map((id, index) =>
      leaving.log.append(id, 1, entriesAfter(heads[index] ?? emptyHead, [{ kind: 'delete', target: 1 }])),
    );
    expect((await Promise.all(deletes)).map(({ type }) => type)).toEqual(rooms.map(() => 'appended'));
    await leaving.close();
    const left = await database.entries.find({ room: { $in: rooms }, $or: [{ text: secret }, { deleteAt: { $exists: true } }] }).toArray();
    expect(left).toEqual([]);
  });

  it('marks, finds and takes out by an index, looking at no more documents than it concerns', async () => {
    const id = freshRoom();
    const drafts = Array.from({ length: 100 }, (_, index): Draft => (index % 10 === 9 ? { kind: 'modify', target: 1 } : {}));
    const entries = await fill(store, id, drafts);
    const head = headAfter(entries.at(-1) as Entry);
    await database.db.command({ profile: 2 });
    const leaving = await open();
    await leaving.log.append(id, 100, entriesAfter(head, [{ kind: 'delete', target: 1 }]));
    await leaving.close();
    await database.db.command({ profile: 0 });
    const profiled = await database.db
      .collection('system.profile')
      .find({ ns: `${name}.entries`, op: { $in: ['query', 'update'] } })
      .toArray();
    expect(profiled.filter(({ op }) => op === 'update').map(({ nModified }) => nModified)).toEqual([11, 11]);
    for (const { docsExamined, planSummary, command } of profiled) {
      expect(planSummary, JSON.stringify(command)).not.toContain('COLLSCAN');
      expect(docsExamined, JSON.stringify(command)).toBeLessThanOrEqual(11);
    }
  });
});
