/**
 * MongoDatabase: the connection to MongoDB and what a node demands of it before it serves.
 *
 * Guarantees: every write is acknowledged by a majority and journalled, every read is committed and from the primary, whatever the
 * URL says; a server that cannot keep that, is too old or lacks an index is refused with one line that says what to do.
 * Does not: retry beyond the driver's one retry; callers do. Time-outs are such that a frozen server is noticed within 5 to 7 s.
 */
import mongoose, { type mongo } from 'mongoose';
import type { Clock } from '../clock.ts';
import { Fault } from '../errors.ts';
import type { EntryRow } from './entry-mongo.ts';
import type { MoveDocument, RevocationDocument, UserRoomDocument } from './mongo-documents.ts';
import { collectionNames, createIndexes, indexMistakes, movingId } from './mongo-indexes.ts';

export interface MongoOptions {
  readonly url: string;
  /** Serve from a server without a replica set too: what it acknowledges can be lost. */
  readonly allowUnsafe?: boolean;
  /** The name of the database, when the URL names none. */
  readonly database?: string;
  readonly clock: Clock;
}

const databaseDefault = 'playhouse';
/** $documents (5.1) and change streams that keep going over renames; 6.0 is the oldest release that is still looked after. */
const versionMin = 6;

/** Calls at once, besides 4 appends, the tail, and the questions of the pulse, which have places of their own in the pool. */
const callsMax = 16;
/** Calls that wait for their turn. More: STORE_UNAVAILABLE. */
const waitingMax = 10_000;

/** Measured on a frozen server: with the driver's own time-outs a call took 70 s to fail, with these 5 to 7 s. */
const connectOptions = {
  connectTimeoutMS: 2_000,
  serverSelectionTimeoutMS: 2_000,
  heartbeatFrequencyMS: 1_000,
  socketTimeoutMS: 5_000,
  waitQueueTimeoutMS: 1_000,
  maxPoolSize: 24,
  retryWrites: true,
  retryReads: true,
  writeConcern: { w: 'majority', j: true, wtimeoutMS: 5_000 },
  readConcern: { level: 'majority' },
  readPreference: 'primary',
  ignoreUndefined: true,
  // mongoose would let calls wait in an unbounded queue, and make indexes behind our back.
  bufferCommands: false,
  autoIndex: false,
  autoCreate: false,
} as const;

export class MongoDatabase {
  readonly entries: mongo.Collection<EntryRow>;
  readonly userRooms: mongo.Collection<UserRoomDocument>;
  readonly revocations: mongo.Collection<RevocationDocument>;
  readonly moves: mongo.Collection<MoveDocument>;
  readonly client: mongo.MongoClient;
  readonly db: mongo.Db;
  readonly clock: Clock;
  /** The server's time when this node connected: from there a tail misses nothing. undefined on a server without a replica set. */
  openedAt: mongo.Timestamp | undefined;
  readonly #connection: mongoose.Connection;
  readonly #waiting: (() => void)[] = [];
  #running = 0;
  #isClosed = false;

  constructor(connection: mongoose.Connection, db: mongo.Db, clock: Clock) {
    this.clock = clock;
    this.#connection = connection;
    this.client = connection.getClient();
    this.db = db;
    this.entries = db.collection(collectionNames.entries);
    this.userRooms = db.collection(collectionNames.userRooms);
    this.revocations = db.collection(collectionNames.revocations);
    this.moves = db.collection(collectionNames.moves);
  }

  /** What a call rejects with after `endCalls`. */
  refusal(): Fault | undefined {
    return this.#isClosed ? new Fault('STORE_UNAVAILABLE', 'the store is closed') : undefined;
  }

  /**
   * Runs a read or write, a few at a time, in order; the others wait, so that a crowd does not fail at the driver's pool. Whatever the
   * driver throws becomes STORE_UNAVAILABLE with that as its cause.
   */
  async run<T>(call: () => Promise<T>): Promise<T> {
    const refusal = this.refusal();
    if (refusal) throw refusal;
    if (this.#running >= callsMax) {
      if (this.#waiting.length >= waitingMax) throw new Fault('STORE_UNAVAILABLE', 'too many calls wait for MongoDB');
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    } else {
      this.#running += 1;
    }
    try {
      return await call();
    } catch (cause) {
      if (cause instanceof Fault) throw cause;
      throw new Fault('STORE_UNAVAILABLE', 'MongoDB did not answer', cause);
    } finally {
      // Whoever waits takes this place.
      const next = this.#waiting.shift();
      if (next) next();
      else this.#running -= 1;
    }
  }

  /** Refuses calls from now on. */
  endCalls(): void {
    this.#isClosed = true;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#connection.close(true).catch(() => {});
  }
}

/** Connects, without asking for indexes: for `npm run migrate`. Rejects with a Fault. */
export async function connectMongo(options: MongoOptions): Promise<MongoDatabase> {
  const name = databaseOf(options);
  let connection: mongoose.Connection;
  try {
    connection = await mongoose.createConnection(options.url, { ...connectOptions, dbName: name }).asPromise();
  } catch (cause) {
    throw new Fault('STORE_UNREACHABLE', `MongoDB cannot be reached: ${wordsOf(cause)}; look at CHAT_MONGO_URL`, cause);
  }
  connection.on('error', () => {}); // Said by the call that fails.
  const { db } = connection;
  if (!db) throw new Fault('STORE_UNREACHABLE', 'MongoDB gave no database');
  const database = new MongoDatabase(connection, db, options.clock);
  try {
    await assertServer(database, options.allowUnsafe ?? false);
    return database;
  } catch (error) {
    await database.close();
    throw error instanceof Fault ? error : new Fault('STORE_UNREACHABLE', `MongoDB did not answer: ${wordsOf(error)}`, error);
  }
}

/** Connects for serving. Rejects with a Fault when the server or an index is not as the promises need it. */
export async function openMongo(options: MongoOptions): Promise<MongoDatabase> {
  const database = await connectMongo(options);
  try {
    await assertComplete(database);
    return database;
  } catch (error) {
    await database.close();
    throw error instanceof Fault ? error : new Fault('STORE_UNREACHABLE', `MongoDB did not answer: ${wordsOf(error)}`, error);
  }
}

export const migrateMongo = (database: MongoDatabase): Promise<void> => createIndexes(database.db);

async function assertComplete({ db, moves }: MongoDatabase): Promise<void> {
  const mistakes = await indexMistakes(db);
  if (mistakes.length > 0) throw new Fault('STORE_INDEX', `the index of ${mistakes.join('; of ')}; make it with: npm run migrate`);
  const moving = await moves.findOne({ _id: movingId });
  if (!moving) return;
  throw new Fault(
    'STORE_MOVING',
    `an embedded log (${moving.from}) is being moved into this database and not all of it is here; go on with: npm run migrate -- --from ${moving.from}, or drop the database`,
  );
}

async function assertServer(database: MongoDatabase, allowUnsafe: boolean): Promise<void> {
  const { db } = database;
  const { version } = (await db.admin().buildInfo()) as { readonly version: string };
  if (Number.parseInt(version, 10) < versionMin) {
    throw new Fault('STORE_TOO_OLD', `MongoDB ${versionMin}.0 or newer is needed; this server is ${version}`);
  }
  const hello = (await db.admin().command({ hello: 1 })) as { readonly setName?: string; readonly operationTime?: mongo.Timestamp };
  const { setName } = hello;
  database.openedAt = hello.operationTime;
  if (setName === undefined && !allowUnsafe) {
    throw new Fault(
      'STORE_STANDALONE',
      'this MongoDB is not a replica set, so what it acknowledges could be lost; start it with --replSet and initiate it (one member is enough), or set CHAT_ALLOW_UNSAFE_STORE=true to risk it',
    );
  }
}

function databaseOf({ url, database }: MongoOptions): string {
  const path = /^mongodb(?:\+srv)?:\/\/[^/]*\/([^?]*)/.exec(url)?.[1];
  return path !== undefined && path !== '' ? decodeURIComponent(path) : (database ?? databaseDefault);
}

/** For operators. Driver messages may hold the URL, and so a password: only the error's name and code are told. */
function wordsOf(cause: unknown): string {
  if (!(cause instanceof Error)) return 'unknown error';
  const { code } = cause as { readonly code?: unknown };
  return code === undefined ? cause.name : `${cause.name} ${String(code)}`;
}
