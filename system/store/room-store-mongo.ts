/**
 * RoomStore on MongoDB, for any number of nodes.
 */
import type { Logger } from '../logger.ts';
import { type MongoOptions, openMongo } from './mongo-database.ts';
import { MongoRevocations } from './revocations-mongo.ts';
import { MongoRoomLog } from './room-log-mongo.ts';
import type { RoomStore } from './room-store.ts';
import { MongoUserRooms } from './user-rooms-mongo.ts';

/** `hasTail` false: no change stream; whoever needs heads asks for them. */
export async function openMongoStore(options: MongoOptions & { readonly log: Logger; readonly hasTail?: boolean }): Promise<RoomStore> {
  const database = await openMongo(options);
  const log = new MongoRoomLog(database, options.log, options.hasTail);
  let closing: Promise<void> | undefined;
  return {
    log,
    userRooms: new MongoUserRooms(database),
    revocations: new MongoRevocations(database),
    description: `MongoDB, database ${database.db.databaseName}`,
    close() {
      closing ??= (async () => {
        database.endCalls();
        await log.drain();
        await database.close();
      })();
      return closing;
    },
  };
}
