/**
 * RoomStore on MongoDB, for any number of nodes.
 */
import type { Logger } from '../logger.ts';
import type { Metrics } from '../metrics.ts';
import { type MongoOptions, openMongo } from './mongo-database.ts';
import { MongoPulse, type StoreState } from './pulse-mongo.ts';
import { MongoRevocations } from './revocations-mongo.ts';
import { MongoRoomLog } from './room-log-mongo.ts';
import type { RoomStore } from './room-store.ts';
import { MongoUserRooms } from './user-rooms-mongo.ts';

export interface MongoStoreOptions extends MongoOptions {
  readonly log: Logger;
  readonly metrics?: Metrics;
  /** false: no change stream; whoever needs heads asks for them. */
  readonly hasTail?: boolean;
  /** Called once per change. */
  readonly onState?: (state: StoreState) => void;
}

export async function openMongoStore(options: MongoStoreOptions): Promise<RoomStore> {
  const database = await openMongo(options);
  const { onState, metrics } = options;
  const pulse = onState && new MongoPulse(database, options.log, onState);
  const log = new MongoRoomLog(database, options.log, options.hasTail);
  metrics?.read('playhouse_scrubs_waiting', () => log.scrubs.waiting);
  metrics?.read('playhouse_scrubs_total', () => log.scrubs.rooms);
  let closing: Promise<void> | undefined;
  return {
    log,
    userRooms: new MongoUserRooms(database),
    revocations: new MongoRevocations(database),
    description: `MongoDB, database ${database.db.databaseName}`,
    close() {
      closing ??= (async () => {
        pulse?.stop();
        database.endCalls();
        await log.drain();
        await database.close();
      })();
      return closing;
    },
  };
}
