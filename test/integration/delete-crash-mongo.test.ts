/**
 * A delete on MongoDB whose node dies: a process is killed with -9 right before each of the writes of a delete, and what others see is told.
 */
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Clock, systemClock } from '../../system/clock.ts';
import { newId, type RoomId } from '../../system/ids.ts';
import { settleRows } from '../../system/store/delete-marks-mongo.ts';
import { type Entry, emptyHead, type Head, headAfter } from '../../system/store/entry.ts';
import { connectMongo, type MongoDatabase, migrateMongo } from '../../system/store/mongo-database.ts';
import type { RoomLog } from '../../system/store/room-log.ts';
import type { RoomStore } from '../../system/store/room-store.ts';
import { openMongoStore } from '../../system/store/room-store-mongo.ts';
import { silentLog, tempFolder } from '../support/embedded-stores.ts';
import { type Draft, entriesAfter } from '../support/entries.ts';
import { manualClock } from '../support/manual-clock.ts';
import { startStoreProcess, waitUntil } from '../support/store-processes.ts';
import { everyRead, freshRoom } from '../support/store-stories.ts';

const url = process.env['PLAYHOUSE_TEST_MONGO_URL'] ?? '';
const secret = 'what was said';
/** A node that dies in a transaction holds its room for 3 s where MongoDB is told to give up after 2, else for more than a minute. */
const noWaitMs = 1_000;
const sweepMs = 10_000;

describe.skipIf(url === '')('a node that dies in a delete (needs PLAYHOUSE_TEST_MONGO_URL: npm run services)', () => {
  const name = `test-${newId()}`;
  const folder = tempFolder();
  const clock = manualClock();
  const open = (of: Clock) => openMongoStore({ url, database: name, clock: of, log: silentLog, hasTail: false });
  let database: MongoDatabase;
  let other: RoomStore;
  let sweeper: RoomStore;
  beforeAll(async () => {
    database = await connectMongo({ url, database: name, clock: systemClock });
    await migrateMongo(database);
    // This one sweeps at its start only, the other one at moments that the tests choose.
    other = await open(manualClock());
    sweeper = await open(clock);
  });
  afterAll(async () => {
    folder.remove();
    await Promise.all([other.close(), sweeper.close()]);
    await database.db.dropDatabase();
    await database.close();
  });

  const said: readonly Draft[] = [{ text: secret }, { kind: 'modify', target: 1, text: secret }, { text: 'stays' }];

  /** A room of three entries, and a process that died right before this write of its delete of entry 1; undefined: it needed fewer. */
  async function victim(write: number): Promise<{ readonly id: RoomId; readonly head: Head; readonly outcome: string | undefined }> {
    const id = freshRoom();
    const entries = entriesAfter(emptyHead, said);
    expect(await other.log.append(id, 0, entries)).toEqual({ type: 'appended' });
    const ownUrl = url.replace(/\/(\?|$)/, `/${name}$1`);
    const child = startStoreProcess(join(folder.dir, `${write}`), [ownUrl, `${write}`, 'delete', id, '3', '1'], 'write-victim-child');
    await waitUntil('the process stands before its write, or is done', () => child.lines().length > 0, 30_000);
    await child.kill();
    const [line = ''] = child.lines();
    return { id, head: headAfter(entries.at(-1) as Entry), outcome: line === 'gate' ? undefined : line };
  }

  async function appendsAtOnce(log: RoomLog, id: RoomId, head: Head, drafts: readonly Draft[]): Promise<void> {
    const startMs = performance.now();
    expect(await log.append(id, head.seq, entriesAfter(head, drafts))).toEqual({ type: 'appended' });
    expect(performance.now() - startMs).toBeLessThan(noWaitMs);
  }

  const stored = async (id: RoomId): Promise<string> => JSON.stringify(await database.entries.find({ room: id }).toArray());
  const isClean = async (id: RoomId): Promise<void> => waitUntil('the marks are off', async () => !(await stored(id)).includes('deleteAt'));

  it('before anything of it was written leaves everything as it was, and others go on at once', { timeout: 60_000 }, async () => {
    const { id, head, outcome } = await victim(1);
    expect(outcome).toBeUndefined();
    await appendsAtOnce(other.log, id, head, [{}]);
    expect(await everyRead(other.log, id, 4)).toContain(secret);
    expect(await stored(id)).not.toContain('deleteAt');
  });

  it('before its append hides nothing, whatever takes its number, and others go on at once', { timeout: 60_000 }, async () => {
    const { id, head, outcome } = await victim(2);
    expect(outcome).toBeUndefined();
    expect(await stored(id)).toContain('"deleteAt":[4]');
    expect(await everyRead(other.log, id, 3)).toContain(secret);
    // A mark whose number is free stays: the append may still come.
    await settleRows(database, await database.entries.find({ room: id }).toArray());
    expect(await stored(id)).toContain('"deleteAt":[4]');
    // The number that the delete of 1 asked for goes to a delete of 3.
    await appendsAtOnce(other.log, id, head, [{ kind: 'delete', target: 3 }]);
    const seen = await everyRead(other.log, id, 4);
    expect(seen).toContain(secret);
    expect(seen).not.toContain('stays');
    clock.advance(sweepMs);
    await isClean(id);
    expect((await other.log.at([{ room: id, seq: 1 }]))[0]?.text).toBe(secret);
    expect(await stored(id)).not.toContain('stays');
  });

  it.each(['runs', 'starts'])(
    'before the text was taken out shows it to nobody, others go on at once, and a node that %s takes it out',
    {
      timeout: 60_000,
    },
    async (which) => {
      const { id, head, outcome } = await victim(3);
      expect(outcome).toBeUndefined();
      expect(await stored(id)).toContain(secret);
      const seen = await everyRead(other.log, id, 4);
      expect(seen).not.toContain(secret);
      expect(seen).toContain('stays');
      await appendsAtOnce(other.log, id, { ...head, seq: 4 }, [{}]);
      expect(await everyRead(other.log, id, 5)).not.toContain(secret);
      expect(await stored(id)).toContain(secret);
      if (which === 'runs') clock.advance(sweepMs);
      const next = which === 'starts' ? await open(systemClock) : undefined;
      await isClean(id);
      await next?.close();
      expect(await stored(id)).not.toContain(secret);
      expect(await everyRead(other.log, id, 5)).not.toContain(secret);
    },
  );

  it('has no further moment to die in: those three are all writes of a delete', { timeout: 60_000 }, async () => {
    const { id, outcome } = await victim(4);
    expect(outcome).toBe('done appended');
    expect(await stored(id)).not.toContain(secret);
  });
});
