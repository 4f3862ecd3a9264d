/**
 * MongoArms: the arms of the MongoDB benchmark, each in a process of its own: the driver's insertMany raw, the store, the room actors.
 *
 * Raw is what a writer could do that knew everything beforehand: documents of the store's shape with its indexes, majority and journal.
 * `shared`: 64 rooms of one entry each in an unordered call, 4 in flight. `single`: each entry a call. `batches`: an ordered call for each
 * room, of all that its senders have waiting.
 */
import type { mongo } from 'mongoose';
import { systemClock } from '../../system/clock.ts';
import { type EntryRow, encodeRow } from '../../system/store/entry-mongo.ts';
import { connectMongo, type MongoDatabase, migrateMongo } from '../../system/store/mongo-database.ts';
import { openMongoStore } from '../../system/store/room-store-mongo.ts';
import { runActors } from './append-actors.ts';
import { type AppendRun, type DriveRequest, drive } from './append-drive.ts';
import { runStore } from './append-store.ts';
import { answerCalls } from './calls.ts';
import { textOf } from './message-text.ts';
import { quietLog } from './open-store.ts';
import { cidOf, messageEntry, roomOf, userOf } from './sample-entries.ts';

export type MongoArm = 'shared' | 'single' | 'batches' | 'store' | 'actors';
export interface MongoRequest extends DriveRequest {
  readonly arm: MongoArm;
  readonly url: string;
  readonly database: string;
}

const roomsPerCall = 64;
const callsInFlight = 4;

interface Waiting {
  readonly row: EntryRow;
  readonly done: () => void;
}

async function runRaw(request: MongoRequest, database: MongoDatabase): Promise<AppendRun> {
  const heads = new Array<number>(request.rooms).fill(0);
  const rowOf = (sender: number, index: number): EntryRow => {
    const room = sender % request.rooms;
    heads[room] = (heads[room] as number) + 1;
    const seq = heads[room] as number;
    return encodeRow(roomOf(room), messageEntry(seq, seq, userOf(sender), cidOf(index), textOf(index)));
  };
  const insert = async (group: readonly Waiting[], ordered: boolean): Promise<void> => {
    await database.entries.insertMany(group.map(({ row }) => row) as mongo.OptionalUnlessRequiredId<EntryRow>[], { ordered });
    for (const { done } of group) done();
  };
  const send = request.arm === 'batches' ? batches(insert, request.rooms) : shared(insert, request.arm === 'single' ? 1 : roomsPerCall);
  const run = await drive(request, (sender, index, done) => send({ row: rowOf(sender, index), done }, sender % request.rooms));
  return { ...run, stored: await database.entries.countDocuments() };
}

type Insert = (group: readonly Waiting[], ordered: boolean) => Promise<void>;

/** One entry of a room is in flight at a time, since each sender waits and has a room of its own. */
function shared(insert: Insert, perCall: number): (one: Waiting) => void {
  const waiting: Waiting[] = [];
  // A call for each entry has as many in flight as the driver has connections: its own queue is what bounds them.
  const callsMax = perCall === 1 ? 16 : callsInFlight;
  let calls = 0;
  const pump = (): void => {
    while (calls < callsMax && waiting.length > 0) {
      calls += 1;
      void insert(waiting.splice(0, perCall), false).then(() => {
        calls -= 1;
        pump();
      });
    }
  };
  return (one) => {
    waiting.push(one);
    queueMicrotask(pump);
  };
}

function batches(insert: Insert, rooms: number): (one: Waiting, room: number) => void {
  const lines = Array.from({ length: rooms }, () => ({ waiting: [] as Waiting[], isWriting: false }));
  const write = async (line: (typeof lines)[number]): Promise<void> => {
    await Promise.resolve();
    while (line.waiting.length > 0) await insert(line.waiting.splice(0, 256), true);
    line.isWriting = false;
  };
  return (one, room) => {
    const line = lines[room] as (typeof lines)[number];
    line.waiting.push(one);
    if (line.isWriting) return;
    line.isWriting = true;
    void write(line);
  };
}

process.on('unhandledRejection', (error) => {
  throw error;
});
answerCalls({
  async run(request: MongoRequest): Promise<AppendRun> {
    const options = { url: request.url, database: request.database, clock: systemClock };
    const database = await connectMongo(options);
    try {
      await migrateMongo(database);
      if (request.arm !== 'store' && request.arm !== 'actors') return await runRaw(request, database);
      const store = await openMongoStore({ ...options, log: quietLog });
      return await (request.arm === 'store' ? runStore(store, request) : runActors(store, request, true));
    } finally {
      await database.db.dropDatabase();
      await database.close();
    }
  },
});
