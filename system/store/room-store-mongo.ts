/**
 * RoomStore on MongoDB, for any number of nodes.
 */
import type { Logger } from '../logger.ts';
import { type MongoDatabase, type MongoOptions, openMongo } from './mongo-database.ts';
import { MongoPulse, type StoreState } from './pulse-mongo.ts';
import { MongoRevocations } from './revocations-mongo.ts';
import { MongoRoomLog } from './room-log-mongo.ts';
import type { RoomStore } from './room-store.ts';
import { MongoUserRooms } from './user-rooms-mongo.ts';

export interface MongoStoreOptions extends MongoOptions {
  readonly log: Logger;
  /** false: no change stream; whoever needs heads asks for them. */
  readonly hasTail?: boolean;
  /** Called once per change. */
  readonly onState?: (state: StoreState) => void;
}

/** Longer ones are worth a word. */
const transactionLifetimeMaxS = 5;

/** A node that dies in the middle of a delete leaves a transaction, and whoever writes to that room next waits until MongoDB ends it. */
async function warnOfLongTransactions({ db }: MongoDatabase, log: Logger): Promise<void> {
  const name = 'transactionLifetimeLimitSeconds';
  // Not everybody may ask.
  const answer: Record<string, unknown> = await db
    .admin()
    .command({ getParameter: 1, [name]: 1 })
    .catch(() => ({}));
  const lifetimeS = answer[name];
  if (typeof lifetimeS !== 'number' || lifetimeS <= transactionLifetimeMaxS) return;
  log.warn(
    { ev: 'store.transactions', lifetimeS },
    `a node that dies while it deletes can hold its room for ${lifetimeS} s or more: start mongod with --setParameter ${name}=2`,
  );
}

export async function openMongoStore(options: MongoStoreOptions): Promise<RoomStore> {
  const database = await openMongo(options);
  await warnOfLongTransactions(database, options.log);
  const { onState } = options;
  const pulse = onState && new MongoPulse(database, options.log, onState);
  const log = new MongoRoomLog(database, options.log, options.hasTail);
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
