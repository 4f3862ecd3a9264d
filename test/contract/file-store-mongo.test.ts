/** The contract of FileStore, kept by the GridFS twin on a real server; and what a dead node leaves there. */
import { randomBytes } from 'node:crypto';
import { PassThrough } from 'node:stream';
import { afterAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../system/clock.ts';
import { type FileStore, newFileId } from '../../system/files/file-store.ts';
import { openMongoFiles } from '../../system/files/file-store-mongo.ts';
import { newId } from '../../system/ids.ts';
import { connectMongo, type MongoDatabase } from '../../system/store/mongo-database.ts';
import { cid, room, user } from '../support/entries.ts';
import { waitUntil } from '../support/store-processes.ts';
import { fileStoreContract } from './file-store.contract.ts';

const url = process.env['PLAYHOUSE_TEST_MONGO_URL'];

describe.skipIf(url === undefined)('FileStore on MongoDB (needs PLAYHOUSE_TEST_MONGO_URL: npm run services)', () => {
  const databases = new Map<FileStore, string>();
  let keeper: Promise<MongoDatabase> | undefined;
  const keep = (): Promise<MongoDatabase> => {
    keeper ??= connectMongo({ url: url ?? '', database: 'test', clock: systemClock });
    return keeper;
  };
  const open = async (database = `test-files-${newId()}`): Promise<FileStore> => {
    const store = await openMongoFiles({ url: url ?? '', database, clock: systemClock });
    databases.set(store, database);
    return store;
  };
  const nameOf = (store: FileStore): string => databases.get(store) as string;
  /** Files, parts, and what is under way. */
  const leftovers = async (store: FileStore): Promise<readonly string[]> => {
    const db = (await keep()).client.db(nameOf(store));
    const found = await Promise.all(
      ['files.files', 'files.chunks', 'files.under_way'].map((name) =>
        db
          .collection(name)
          .find({}, { projection: { data: 0 } })
          .toArray(),
      ),
    );
    return found.flat().map((row) => JSON.stringify(row));
  };
  afterAll(async () => {
    const { client, close } = { client: (await keep()).client, close: async () => (await keep()).close() };
    await Promise.all([...new Set(databases.values())].map((name) => client.db(name).dropDatabase()));
    await close();
  }, 60_000);

  fileStoreContract({ open: () => open(), reopen: (store) => open(nameOf(store)), leftovers });

  it('sweeps away what a node left that died in the middle of a put or a removal, and nothing that is under way', async () => {
    const dying = await open();
    const owner = { room: room('lobby'), by: user('ada'), cid: cid('c1') };
    const source = new PassThrough();
    source.write(randomBytes(700_000));
    const unfinished = dying.put(newFileId(owner), owner, source, 1_000_000);
    unfinished.catch(() => {});
    await waitUntil('parts are stored', async () => (await leftovers(dying)).length >= 2);
    await dying.close();
    source.destroy();
    await expect(unfinished).rejects.toThrow();
    const store = await open(nameOf(dying));
    await store.sweep(systemClock.wallMs() - 60_000);
    expect((await leftovers(store)).length).toBeGreaterThanOrEqual(2);
    await store.sweep(systemClock.wallMs() + 1);
    expect(await leftovers(store)).toEqual([]);
    await store.close();
  });
});
