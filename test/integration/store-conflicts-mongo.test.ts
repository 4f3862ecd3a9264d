/**
 * Two processes write and delete in the same rooms of one MongoDB, each with two writers a room, until both are killed with -9.
 */
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../system/clock.ts';
import { newId } from '../../system/ids.ts';
import type { Entry } from '../../system/store/entry.ts';
import { connectMongo, migrateMongo } from '../../system/store/mongo-database.ts';
import { openMongoStore } from '../../system/store/room-store-mongo.ts';
import { silentLog, tempFolder } from '../support/embedded-stores.ts';
import { room } from '../support/entries.ts';
import { startStoreProcess, waitUntil } from '../support/store-processes.ts';

/** The numbers of what has a text that no delete behind it took. */
function textsThatStay(entries: readonly Entry[]): readonly number[] {
  const deletes = entries.filter(({ kind, target = 0, seq }) => kind === 'delete' && target < seq);
  const isGone = ({ seq, kind, target }: Entry) =>
    deletes.some((gone) => seq < gone.seq && (seq === gone.target || (kind === 'modify' && target === gone.target)));
  return entries.filter((entry) => (entry.kind === 'message' || entry.kind === 'modify') && !isGone(entry)).map(({ seq }) => seq);
}

const url = process.env['PLAYHOUSE_TEST_MONGO_URL'] ?? '';

describe.skipIf(url === '')('two processes on one MongoDB (needs PLAYHOUSE_TEST_MONGO_URL: npm run services)', () => {
  it('leave no hole and nothing twice, everything that either was told is there under its number, and just what was deleted has no text', {
    timeout: 240_000,
  }, async () => {
    const name = `test-${newId()}`;
    const database = await connectMongo({ url, database: name, clock: systemClock });
    const folder = tempFolder();
    try {
      await migrateMongo(database);
      const ownUrl = url.replace(/\/(\?|$)/, `/${name}$1`);
      const processes = ['one', 'two'].map((run) => startStoreProcess(join(folder.dir, run), ['write', ownUrl, run, '2']));
      await waitUntil('both wrote a while', () => processes.every((each) => each.lines().length > 400), 90_000);
      await Promise.all(processes.map((each) => each.kill()));
      const said = processes.flatMap((each) => each.lines()).filter((line) => line !== 'open');
      expect(said.filter((line) => line.startsWith('failed'))).toEqual([]);
      const store = await openMongoStore({ url, database: name, clock: systemClock, log: silentLog });
      const inStore = new Set<string>();
      let shown = 0;
      for (const id of ['room-0', 'room-1']) {
        const entries: Entry[] = [];
        for (let page: readonly Entry[] = [{} as Entry]; page.length > 0; entries.push(...page))
          page = await store.log.read(room(id), { after: entries.at(-1)?.seq ?? 0, limit: 1_000 });
        expect(entries.map(({ seq }) => seq)).toEqual(entries.map((_, index) => index + 1));
        expect(new Set(entries.map(({ by, cid }) => `${by} ${cid}`)).size).toBe(entries.length);
        // Each process won some of the numbers: they did meet.
        for (const run of ['one', 'two']) expect(entries.some(({ cid }) => cid.startsWith(`${run}-`))).toBe(true);
        for (const { seq, by, cid } of entries) inStore.add(`${id} ${seq} ${by} ${cid}`);
        const texts = entries.filter(({ text }) => text !== undefined).map(({ seq }) => seq);
        expect(texts).toEqual(textsThatStay(entries));
        shown += texts.length;
      }
      expect(said.filter((line) => !inStore.has(line))).toEqual([]);
      // What the killed left half done is finished by the sweep at this store's start, but for marks whose number is still free.
      const heads = await store.log.heads(['room-0', 'room-1'].map(room));
      const marksBelow = heads.map(({ seq }, index) => ({ room: room(`room-${index}`), deleteAt: { $lte: seq } }));
      await waitUntil('no mark is left', async () => (await database.entries.countDocuments({ $or: marksBelow })) === 0);
      await store.close();
      const texts = await database.entries.find({ text: { $exists: true } }, { sort: { room: 1, seq: 1 } }).toArray();
      expect(texts.filter(({ scrubbed }) => scrubbed)).toEqual([]);
      expect(texts.length).toBe(shown);
    } finally {
      folder.remove();
      await database.db.dropDatabase();
      await database.close();
    }
  });
});
