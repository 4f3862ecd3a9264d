/** The contract of FileStore, kept by the embedded twin; and what a disk adds: damage, a full disk, a crash between. */
import { mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { afterAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../system/clock.ts';
import { type FileOwner, type FileStore, newFileId, type StoredFile } from '../../system/files/file-store.ts';
import { openEmbeddedFiles } from '../../system/files/file-store-embedded.ts';
import { cid, room, user } from '../support/entries.ts';
import { waitUntil } from '../support/store-processes.ts';
import { fileStoreContract } from './file-store.contract.ts';

const folders = new Map<FileStore, string>();
const made: string[] = [];

async function open(dir?: string): Promise<FileStore> {
  const folder = dir ?? (await mkdtemp(join(tmpdir(), 'playhouse-files-')));
  if (dir === undefined) made.push(folder);
  const store = await openEmbeddedFiles(folder, systemClock);
  folders.set(store, folder);
  return store;
}
const folderOf = (store: FileStore): string => folders.get(store) as string;
const filesIn = async (dir: string): Promise<string[]> =>
  (await readdir(dir, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name));
const owner: FileOwner = { room: room('lobby'), by: user('ada'), cid: cid('c1') };

async function put(store: FileStore, bytes: Buffer): Promise<StoredFile> {
  const outcome = await store.put(newFileId(owner), owner, Readable.from([bytes], { objectMode: false }), 1_000_000);
  if (outcome.type !== 'stored') throw new Error(outcome.type);
  return outcome.file;
}

afterAll(async () => {
  for (const dir of made) await rm(dir, { recursive: true, force: true });
});

describe('FileStore in a folder', () => {
  fileStoreContract({ open: () => open(), reopen: (store) => open(folderOf(store)), leftovers: (store) => filesIn(folderOf(store)) });

  it('does not give bytes that were changed on the disk as a whole file', async () => {
    const store = await open();
    const file = await put(store, Buffer.alloc(200_000, 7));
    const [path] = (await filesIn(folderOf(store))) as [string];
    const bytes = await readFile(path);
    for (const at of [0, 100_000, 199_999]) {
      const damaged = Buffer.from(bytes);
      damaged[at] = 8;
      await writeFile(path, damaged);
      const got = await store.get(file.id);
      let passed = 0;
      const read = (async () => {
        for await (const part of got?.bytes ?? []) passed += (part as Buffer).length;
      })();
      await expect(read).rejects.toMatchObject({ code: 'FILE_CORRUPT' });
      expect(passed).toBeLessThan(200_000);
    }
    await store.close();
  });

  it('refuses a file that was cut, and lists the others', async () => {
    const store = await open();
    const [cut, whole] = [await put(store, Buffer.from('cut short')), await put(store, Buffer.from('whole'))];
    const path = (await filesIn(folderOf(store))).find((name) => name.endsWith(cut.id)) as string;
    for (const size of [(await readFile(path)).length - 1, 20, 3, 0]) {
      await truncate(path, size);
      await expect(store.stat(cut.id)).rejects.toMatchObject({ code: 'FILE_CORRUPT' });
      await expect(store.get(cut.id)).rejects.toMatchObject({ code: 'FILE_CORRUPT' });
    }
    expect(await store.list('', 10)).toEqual([whole]);
    await store.close();
  });

  it('sweeps away what a process left unfinished that died in the middle of a put', async () => {
    const store = await open();
    const dir = folderOf(store);
    const source = new PassThrough();
    source.write(Buffer.alloc(100_000));
    const unfinished = store.put(newFileId(owner), owner, source, 1_000_000).catch(() => {});
    await waitUntil('the first bytes are on the disk', async () => (await filesIn(dir)).length === 1);
    const again = await openEmbeddedFiles(dir, systemClock);
    expect(await filesIn(dir)).toEqual([]);
    expect(await again.list('', 10)).toEqual([]);
    source.destroy();
    await unfinished;
    await again.close();
  });
});
