/**
 * The contract of FileStore as tests. Every twin passes all of them.
 */
import { createHash, randomBytes } from 'node:crypto';
import { PassThrough, Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { Fault } from '../../system/errors.ts';
import { type FileOwner, type FileStore, isFileId, newFileId, type StoredFile } from '../../system/files/file-store.ts';
import { type FileId, newId } from '../../system/ids.ts';
import { cid, room, user } from '../support/entries.ts';

export interface FileStoreFactory {
  /** An empty store. */
  open(): Promise<FileStore>;
  /** The same files in a new store, after `store` was closed; undefined when closing loses them. */
  readonly reopen?: (store: FileStore) => Promise<FileStore>;
  /** Everything that lies where the store keeps bytes, however unfinished: names of files, documents. */
  readonly leftovers: (store: FileStore) => Promise<readonly string[]>;
}

const megabyte = 1_048_576;
const ownerOf = (id = newId()): FileOwner => ({ room: room('lobby'), by: user('ada'), cid: cid(id) });
const inParts = (bytes: Buffer, partBytes = 65_536): Readable =>
  Readable.from(
    (function* () {
      for (let i = 0; i < bytes.length; i += partBytes) yield bytes.subarray(i, i + partBytes);
    })(),
    { objectMode: false },
  );

async function stored(store: FileStore, bytes: Buffer, owner = ownerOf()): Promise<StoredFile> {
  const outcome = await store.put(newFileId(owner), owner, inParts(bytes), 10 * megabyte);
  if (outcome.type !== 'stored') throw new Error(outcome.type);
  return outcome.file;
}

async function bytesOf(store: FileStore, id: FileId): Promise<Buffer | undefined> {
  const found = await store.get(id);
  return found && Buffer.concat(await found.bytes.toArray());
}

export function fileStoreContract(factory: FileStoreFactory): void {
  const withStore = (story: (store: FileStore) => Promise<void>) => async (): Promise<void> => {
    const store = await factory.open();
    try {
      await story(store);
    } finally {
      await store.close();
    }
  };

  describe('what was put', () => {
    it.each([1, 11, 65_536, 65_537, 700_001, 3 * megabyte])(
      'is read as it came: %i bytes',
      async (size) =>
        await withStore(async (store) => {
          const bytes = randomBytes(size);
          const owner = ownerOf();
          const file = await stored(store, bytes, owner);
          expect(file).toMatchObject({ ...owner, bytes: size, sha256: createHash('sha256').update(bytes).digest('base64url') });
          expect(isFileId(file.id)).toBe(true);
          expect(await store.stat(file.id)).toEqual(file);
          const given = await store.get(file.id);
          expect(given?.file).toEqual(file);
          given?.bytes.destroy(); // Not wanted after all.
          expect((await bytesOf(store, file.id))?.equals(bytes)).toBe(true);
        })(),
    );

    it(
      'is read in parts: from any byte to any other, across what the store keeps together',
      withStore(async (store) => {
        const bytes = randomBytes(700_001);
        const { id } = await stored(store, bytes);
        for (const [first, last] of [
          [0, 0],
          [0, 699_999],
          [1, 700_000],
          [65_535, 65_536],
          [261_119, 522_241],
          [700_000, 700_000],
          [0, 700_000],
        ] as const) {
          const part = await store.get(id, { first, last });
          const got = Buffer.concat((await part?.bytes.toArray()) ?? []);
          expect(got.equals(bytes.subarray(first, last + 1)), `${first} to ${last}`).toBe(true);
        }
        const unwanted = await store.get(id, { first: 5, last: 600_000 });
        unwanted?.bytes.destroy();
        expect(await store.get(newFileId(ownerOf()), { first: 0, last: 1 })).toBeUndefined();
      }),
    );

    it(
      'is found by its owner, each try of it',
      withStore(async (store) => {
        const owner = ownerOf();
        const tries = [await stored(store, Buffer.from('a'), owner), await stored(store, Buffer.from('b'), owner)];
        await stored(store, Buffer.from('c'));
        await stored(store, Buffer.from('d'), { ...owner, by: user('bob') });
        expect([...(await store.ofOwner(owner))].sort()).toEqual(tries.map(({ id }) => id).sort());
        expect(await store.ofOwner(ownerOf())).toEqual([]);
      }),
    );

    it(
      'is listed once, in pages, ascending by id',
      withStore(async (store) => {
        const files: StoredFile[] = [];
        for (let i = 0; i < 25; i += 1) files.push(await stored(store, Buffer.from(`${i}`)));
        files.sort((a, b) => (a.id < b.id ? -1 : 1));
        const listed: StoredFile[] = [];
        for (let after: FileId | '' = ''; ; after = listed.at(-1)?.id ?? '') {
          const page = await store.list(after, 7);
          expect(page.length).toBeLessThanOrEqual(7);
          if (page.length === 0) break;
          listed.push(...page);
        }
        expect(listed).toEqual(files);
      }),
    );

    it(
      'is gone once it was removed, and removing it again changes nothing',
      withStore(async (store) => {
        const [file, other] = [await stored(store, Buffer.from('gone')), await stored(store, Buffer.from('here'))];
        await store.remove(file.id);
        await store.remove(file.id);
        expect(await store.stat(file.id)).toBeUndefined();
        expect(await store.get(file.id)).toBeUndefined();
        expect(await store.ofOwner(file)).toEqual([]);
        expect(await store.list('', 10)).toEqual([other]);
        expect(JSON.stringify(await factory.leftovers(store))).not.toContain(file.id);
      }),
    );

    it(
      'is there again when the store was closed and opened',
      withStore(async (store) => {
        if (!factory.reopen) return;
        const bytes = randomBytes(300_000);
        const file = await stored(store, bytes);
        await store.close();
        const again = await factory.reopen(store);
        try {
          expect(await again.list('', 10)).toEqual([file]);
          expect((await bytesOf(again, file.id))?.equals(bytes)).toBe(true);
        } finally {
          await again.close();
        }
      }),
    );
  });

  describe('what did not come whole', () => {
    it(
      'leaves nothing when it is too large, and takes no more of it than the limit',
      withStore(async (store) => {
        let taken = 0;
        const endless = Readable.from(
          (function* () {
            for (;;) {
              taken += 65_536;
              yield Buffer.alloc(65_536);
            }
          })(),
          { objectMode: false },
        );
        const owner = ownerOf();
        expect(await store.put(newFileId(owner), owner, endless, megabyte)).toEqual({ type: 'tooLarge' });
        expect(taken).toBeLessThan(3 * megabyte);
        expect(await store.list('', 10)).toEqual([]);
        expect(await factory.leftovers(store)).toEqual([]);
      }),
    );

    it(
      'leaves nothing when its stream fails, and says why',
      withStore(async (store) => {
        for (const before of [0, 10, 600_000]) {
          const source = new PassThrough();
          source.write(Buffer.alloc(before));
          const owner = ownerOf();
          const put = store.put(newFileId(owner), owner, source, megabyte);
          source.destroy(new Error('the client went away'));
          await expect(put).rejects.toThrow('the client went away');
        }
        expect(await store.list('', 10)).toEqual([]);
        expect(await factory.leftovers(store)).toEqual([]);
      }),
    );
  });

  it(
    'takes many at once, and reads of one while others come',
    withStore(async (store) => {
      const contents = Array.from({ length: 12 }, (_, i) => randomBytes(100_000 + i));
      const files = await Promise.all(contents.map((bytes) => stored(store, bytes)));
      const read = await Promise.all(files.map(({ id }) => bytesOf(store, id)));
      expect(read.every((bytes, i) => bytes?.equals(contents[i] as Buffer))).toBe(true);
    }),
  );

  it(
    'has no file of an id that was never given, and reads nothing beside it',
    withStore(async (store) => {
      const id = newFileId(ownerOf());
      expect(await store.stat(id)).toBeUndefined();
      expect(await store.get(id)).toBeUndefined();
      await store.remove(id);
    }),
  );

  it('is unavailable once it was closed', async () => {
    const store = await factory.open();
    await store.close();
    await store.close();
    const owner = ownerOf();
    for (const call of [
      () => store.put(newFileId(owner), owner, Readable.from([Buffer.from('x')]), 10),
      () => store.stat(newFileId(owner)),
      () => store.get(newFileId(owner)),
      () => store.list('', 1),
      () => store.ofOwner(owner),
      () => store.remove(newFileId(owner)),
    ]) {
      await expect(call()).rejects.toMatchObject({ name: Fault.name, code: 'STORE_UNAVAILABLE' });
    }
  });
}
