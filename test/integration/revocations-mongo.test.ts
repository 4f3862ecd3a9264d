/**
 * Revocations on one MongoDB by several nodes: a reader misses none, and a node that is killed with -9 in the middle of one holds up nobody.
 */
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../system/clock.ts';
import { newId } from '../../system/ids.ts';
import { connectMongo, type MongoDatabase, migrateMongo } from '../../system/store/mongo-database.ts';
import type { Revocation } from '../../system/store/revocations.ts';
import { MongoRevocations } from '../../system/store/revocations-mongo.ts';
import { tempFolder } from '../support/embedded-stores.ts';
import { user } from '../support/entries.ts';
import { startStoreProcess, waitUntil } from '../support/store-processes.ts';

const url = process.env['PLAYHOUSE_TEST_MONGO_URL'] ?? '';
const noWaitMs = 1_000;
const atMs = 1_700_000_000_000;
const revocation = (of: Revocation['of'], afterMs = 0): Revocation => ({ of, atMs: atMs + afterMs, endsAtMs: atMs + 3_600_000 });

describe.skipIf(url === '')('revocations of several nodes (need PLAYHOUSE_TEST_MONGO_URL: npm run services)', () => {
  const folder = tempFolder();
  let name: string;
  const open = () => connectMongo({ url, database: name, clock: systemClock });
  afterAll(() => folder.remove());

  async function inDatabase(story: (fresh: MongoDatabase) => Promise<void>): Promise<void> {
    name = `test-${newId()}`;
    const fresh = await open();
    try {
      await migrateMongo(fresh);
      await story(fresh);
    } finally {
      await fresh.db.dropDatabase();
      await fresh.close();
    }
  }

  it('are missed by no reader that goes from cursor to cursor while three nodes add and add again', { timeout: 60_000 }, () =>
    inDatabase(async (fresh) => {
      const reader = new MongoRevocations(fresh);
      const databases = await Promise.all([open(), open(), open()]);
      const seen = new Map<string, number>();
      let cursor: string | undefined;
      const read = async (): Promise<void> => {
        const found = await reader.read(cursor);
        cursor = found.cursor;
        for (const { of, atMs: at } of found.revocations) seen.set(JSON.stringify(of), at);
      };
      let isAdding = true;
      const reading = (async () => {
        while (isAdding) await read();
      })();
      const expected = new Map<string, number>();
      const added = databases.flatMap((each, node) => {
        const revocations = new MongoRevocations(each);
        return Array.from({ length: 40 }, (_, index) => {
          const own = revocation(index % 4 === 0 ? { user: user('ada') } : { jti: `${node}-${index}` }, index);
          expected.set(JSON.stringify(own.of), Math.max(own.atMs, expected.get(JSON.stringify(own.of)) ?? 0));
          return revocations.add(own);
        });
      });
      await Promise.all(added);
      isAdding = false;
      await reading;
      await read();
      expect(Object.fromEntries(seen)).toEqual(Object.fromEntries(expected));
      await Promise.all(databases.map((each) => each.close()));
    }),
  );

  /** A process that died right before this write of its revocation; its last line when it needed fewer. */
  async function victim(write: number): Promise<string> {
    const ownUrl = url.replace(/\/(\?|$)/, `/${name}$1`);
    const child = startStoreProcess(join(folder.dir, name), [ownUrl, `${write}`, 'revoke', 'dead', `${atMs}`], 'write-victim-child');
    await waitUntil('the process stands before its write, or is done', () => child.lines().length > 0, 30_000);
    await child.kill();
    return child.lines()[0] ?? '';
  }

  const writes: readonly [number, string, readonly string[]][] = [
    [1, 'gate', ['before', 'after']],
    [2, 'gate', ['before', 'after']],
    [3, 'gate', ['before', 'after']],
    // Its place was taken: whoever comes next fills it.
    [4, 'gate', ['before', 'dead', 'after']],
    [5, 'done added', ['before', 'dead', 'after']],
  ];
  it.each(writes)(
    'of a node that dies before its write number %i hold up nobody, and leave no gap',
    { timeout: 60_000 },
    (write, said, left) =>
      inDatabase(async (fresh) => {
        const revocations = new MongoRevocations(fresh);
        await revocations.add(revocation({ jti: 'before' }));
        const { cursor } = await revocations.read();
        expect(await victim(write)).toBe(said);
        const early = await revocations.read(cursor);
        const startMs = performance.now();
        await revocations.add(revocation({ jti: 'after' }));
        expect(performance.now() - startMs).toBeLessThan(noWaitMs);
        const late = await revocations.read(early.cursor);
        const idsOf = (found: readonly Revocation[]) => found.map(({ of }) => ('jti' in of ? of.jti : ''));
        expect(idsOf((await revocations.read()).revocations)).toEqual(left);
        expect(['before', ...idsOf(early.revocations), ...idsOf(late.revocations)]).toEqual(left);
      }),
  );

  it('go on from the counter of a version that knew no other way', () =>
    inDatabase(async (fresh) => {
      const old = { _id: 'token old', of: { jti: 'old' }, atMs, endsAtMs: atMs + 3_600_000, added: 7 };
      await fresh.revocations.insertMany([{ _id: 'counter', added: 7 }, old]);
      const revocations = new MongoRevocations(fresh);
      const { cursor } = await revocations.read();
      await revocations.add(revocation({ jti: 'new' }));
      expect((await revocations.read(cursor)).revocations).toEqual([revocation({ jti: 'new' })]);
    }));
});
