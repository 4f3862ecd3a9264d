/**
 * MongoDB stores on a real server, each in a database of its own, dropped at the end. The server is the one that PLAYHOUSE_TEST_MONGO_URL names.
 */

import { systemClock } from '../../system/clock.ts';
import { newId } from '../../system/ids.ts';
import { connectMongo, type MongoDatabase } from '../../system/store/mongo-database.ts';
import { createIndexes } from '../../system/store/mongo-indexes.ts';
import type { RoomStore } from '../../system/store/room-store.ts';
import { openMongoStore } from '../../system/store/room-store-mongo.ts';
import { silentLog } from './embedded-stores.ts';
import type { StoreFactory } from './store-stories.ts';

export interface MongoStores extends StoreFactory {
  dropAll(): Promise<void>;
}

export function mongoStores(url: string): MongoStores {
  const databases = new Map<RoomStore, string>();
  let keeper: Promise<MongoDatabase> | undefined;
  /** One connection that makes and drops databases. */
  const keep = (): Promise<MongoDatabase> => {
    keeper ??= connectMongo({ url, database: 'test', clock: systemClock });
    return keeper;
  };
  const openIn = async (database: string): Promise<RoomStore> => {
    const store = await openMongoStore({ url, database, clock: systemClock, log: silentLog });
    databases.set(store, database);
    return store;
  };
  return {
    leavesPrefix: true,
    async open() {
      const database = `test-${newId()}`;
      await createIndexes((await keep()).client.db(database));
      return openIn(database);
    },
    beside: (store) => openIn(databases.get(store) as string),
    reopen: (store) => openIn(databases.get(store) as string),
    async dropAll() {
      if (!keeper) return;
      const { client } = await keeper;
      await Promise.all([...new Set(databases.values())].map((database) => client.db(database).dropDatabase()));
      await (await keeper).close();
    },
  };
}
