/**
 * A node killed with -9 after the bytes of an upload are durable and before their entry is: nothing is harmed, the bytes are collected, and
 * the same upload sent again is stored once. On the embedded stores, and on MongoDB.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, it } from 'vitest';
import { systemClock } from '../../system/clock.ts';
import type { FileStore } from '../../system/files/file-store.ts';
import { openEmbeddedFiles } from '../../system/files/file-store-embedded.ts';
import { openMongoFiles } from '../../system/files/file-store-mongo.ts';
import { newId } from '../../system/ids.ts';
import { connectMongo } from '../../system/store/mongo-database.ts';
import { createIndexes } from '../../system/store/mongo-indexes.ts';
import type { RoomStore } from '../../system/store/room-store.ts';
import { openEmbeddedStore } from '../../system/store/room-store-embedded.ts';
import { openMongoStore } from '../../system/store/room-store-mongo.ts';
import { createMemoryWireHub } from '../../system/wire/wire-memory.ts';
import { silentLog } from '../support/embedded-stores.ts';
import { room } from '../support/entries.ts';
import { collectorOver } from '../support/file-collectors.ts';
import { ask, client, closeClients, connected } from '../support/gateway-client.ts';
import { tokenOf } from '../support/gateway-fixtures.ts';
import { startInProcess, stopNodes } from '../support/test-nodes.ts';
import { downloadFile, uploadFile } from '../support/uploads.ts';

const server = process.env['PLAYHOUSE_TEST_MONGO_URL'];
const script = fileURLToPath(new URL('../../dist/test/support/upload-victim-child.js', import.meta.url));

const ends: (() => unknown)[] = [];
afterEach(async () => {
  closeClients();
  await stopNodes();
  for (const end of ends.splice(0).reverse()) await end();
});

interface Victim {
  /** The word behind it, once that line has been said. */
  said(word: 'up' | 'durable'): Promise<string>;
  kill(): Promise<void>;
}

function startVictim(args: readonly string[]): Victim {
  const child = spawn(process.execPath, ['--enable-source-maps', script, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  const end = once(child, 'exit');
  const lines = createInterface(child.stdout);
  const heard = new Map<string, string>();
  lines.on('line', (line) => {
    const [word = '', rest = ''] = line.split(' ');
    heard.set(word, rest);
    lines.emit('heard');
  });
  const kill = async (): Promise<void> => {
    child.kill('SIGKILL');
    await end;
  };
  ends.push(kill);
  return {
    kill,
    said: (word) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          const rest = heard.get(word);
          if (rest !== undefined) resolve(rest);
        };
        lines.on('heard', look);
        void end.then(() => reject(new Error(`it ended before it said: ${word}`)));
        look();
      }),
  };
}

interface Opened {
  readonly store: RoomStore;
  readonly files: FileStore;
}

async function story(args: readonly string[], open: () => Promise<Opened>): Promise<void> {
  const victim = startVictim(args);
  const url = await victim.said('up');
  const ada = await connected(client(url, { auth: { token: tokenOf('ada') } }));
  await ask(ada, 'room:create', { kind: 'group', id: 'lobby', members: ['bob'] });
  const before = await uploadFile(url, 'an older file', { cid: 'before' });
  expect(before.status).toBe(201);
  const lost = uploadFile(url, 'the photo', { cid: 'held-photo', name: 'photo.png' }).then(
    ({ status }) => status,
    () => 'cut',
  );
  const orphan = await victim.said('durable');
  await victim.kill();
  expect(await lost).toBe('cut');
  ada.disconnect();

  const { store, files } = await open();
  const wire = createMemoryWireHub().join('after');
  const { url: now } = await startInProcess({}, { store, parts: { store, files, wire, sharedLog: false } });
  const idsOf = async (): Promise<string[]> => (await files.list('', 100)).map(({ id }) => id).sort();
  const kindsOf = async (): Promise<unknown[]> => (await store.log.read(room('lobby'), { after: 0, limit: 9 })).map(({ kind }) => kind);
  const old = before.body.file?.id ?? 'none';
  // Whole, and nobody's.
  expect(await idsOf()).toEqual([old, orphan].sort());
  expect(await kindsOf()).toEqual(['room', 'file']);
  expect((await downloadFile(now, orphan)).status).toBe(404);

  const again = await uploadFile(now, 'the photo', { cid: 'held-photo', name: 'photo.png' });
  expect(again).toMatchObject({ status: 201, body: { seq: 3, kind: 'file', cid: 'held-photo' } });
  const photo = again.body.file?.id ?? 'none';
  expect(photo).not.toBe(orphan);
  expect((await uploadFile(now, 'the photo', { cid: 'held-photo', name: 'photo.png' })).body).toEqual({ ...again.body, dup: true });

  const collected: string[] = [];
  const collectorOf = (orphanAgeMs: number) => collectorOver({ files, store }, orphanAgeMs, (why) => collected.push(why));
  // Young, it may be on its way into the log.
  expect(await collectorOf(3_600_000).collect()).toBe(0);
  expect(await collectorOf(-1).collect()).toBe(1);
  expect(collected).toEqual(['orphan']);
  expect(await idsOf()).toEqual([old, photo].sort());
  expect(await kindsOf()).toEqual(['room', 'file', 'file']);
  expect((await downloadFile(now, old, 'bob')).bytes.toString()).toBe('an older file');
  expect((await downloadFile(now, photo, 'bob')).bytes.toString()).toBe('the photo');
}

it('a node killed between the bytes and their entry leaves an orphan and harms nothing: in the embedded stores', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'playhouse-files-crash-'));
  ends.push(() => rmSync(dir, { recursive: true, force: true }));
  await story([dir], async () => ({
    store: await openEmbeddedStore({ dir: join(dir, 'log'), clock: systemClock, log: silentLog }),
    files: await openEmbeddedFiles(join(dir, 'files'), systemClock),
  }));
}, 60_000);

it.skipIf(server === undefined)(
  'a node killed between the bytes and their entry leaves an orphan and harms nothing: in MongoDB (needs PLAYHOUSE_TEST_MONGO_URL: npm run services)',
  async () => {
    const url = new URL(server ?? 'mongodb://none');
    url.pathname = `/test-files-crash-${newId()}`;
    const dir = mkdtempSync(join(tmpdir(), 'playhouse-files-crash-'));
    ends.push(() => rmSync(dir, { recursive: true, force: true }));
    const keeper = await connectMongo({ url: url.href, clock: systemClock });
    ends.push(async () => {
      await keeper.db.dropDatabase();
      await keeper.close();
    });
    await createIndexes(keeper.db);
    await story([dir, url.href], async () => ({
      store: await openMongoStore({ url: url.href, clock: systemClock, log: silentLog }),
      files: await openMongoFiles({ url: url.href, clock: systemClock }),
    }));
  },
  60_000,
);
