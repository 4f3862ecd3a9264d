/**
 * FileStore in a folder of the data folder: one file each, under 256 folders by the first two characters of its id.
 *
 * Guarantees: a file is written beside its place, fsynced, renamed, and its folder fsynced before `put` resolves; nothing of what a
 * client sent becomes part of a path. What a crash left unfinished is removed when the store opens.
 * Does not: share the folder with another process; the embedded room store's lock keeps the data folder to one.
 */
import { createHash } from 'node:crypto';
import { type FileHandle, mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import type { Clock } from '../clock.ts';
import { Fault } from '../errors.ts';
import type { FileId } from '../ids.ts';
import { decodeFacts, encodeFacts, factsLength, tailBytes } from './file-format-embedded.ts';
import {
  type ByteRange,
  type FileOwner,
  type FileStore,
  isFileId,
  listLimitMax,
  ownerPrefix,
  type PutOutcome,
  type StoredFile,
} from './file-store.ts';
import { verifiedBytes } from './verified-bytes.ts';

const incomingFolder = 'incoming';
const shardChars = 2;
const readBytes = 64 * 1024;

/** Rejects with STORE_UNWRITABLE when the folder cannot be made. */
export async function openEmbeddedFiles(dir: string, clock: Pick<Clock, 'wallMs'>): Promise<FileStore> {
  try {
    await rm(join(dir, incomingFolder), { recursive: true, force: true });
    await mkdir(join(dir, incomingFolder), { recursive: true, mode: 0o700 });
  } catch (cause) {
    throw new Fault('STORE_UNWRITABLE', `the folder of files ${dir} cannot be written: ${codeOf(cause) ?? 'unknown error'}`, cause);
  }
  return new EmbeddedFileStore(dir, clock);
}

class EmbeddedFileStore implements FileStore {
  readonly description: string;
  readonly #dir: string;
  readonly #clock: Pick<Clock, 'wallMs'>;
  /** Folders that are known to be there, durably. */
  readonly #made = new Set<string>();
  #isClosed = false;

  constructor(dir: string, clock: Pick<Clock, 'wallMs'>) {
    this.#dir = dir;
    this.#clock = clock;
    this.description = dir;
  }

  async put(id: FileId, owner: FileOwner, bytes: Readable, bytesMax: number): Promise<PutOutcome> {
    this.#assertOpen();
    bytes.on('error', () => {}); // It may fail before it is read; the reading says so.
    const place = this.#placeOf(id);
    const incoming = join(this.#dir, incomingFolder, id);
    try {
      const file = await this.#write(incoming, { id, owner, bytes, bytesMax });
      if (file) {
        await disk(() => this.#settle(incoming, place));
        return { type: 'stored', file };
      }
    } catch (error) {
      await rm(incoming, { force: true }).catch(() => {});
      throw error;
    }
    await disk(() => rm(incoming, { force: true }));
    return { type: 'tooLarge' };
  }

  async stat(id: FileId): Promise<StoredFile | undefined> {
    const handle = await this.#open(id);
    if (!handle) return undefined;
    try {
      return await readFacts(handle, id);
    } finally {
      await handle.close();
    }
  }

  async get(id: FileId, range?: ByteRange): Promise<{ file: StoredFile; bytes: Readable } | undefined> {
    const handle = await this.#open(id);
    if (!handle) return undefined;
    try {
      const file = await readFacts(handle, id);
      const { first, last } = range ?? { first: 0, last: Math.max(file.bytes, 1) - 1 };
      const verified = verifiedBytes(file, range);
      // The stream closes the handle, also when nobody ever reads.
      const source = handle.createReadStream({ start: first, end: last, highWaterMark: readBytes });
      source.on('error', (cause) => verified.destroy(unavailable(cause)));
      verified.on('close', () => source.destroy());
      source.pipe(verified);
      return { file, bytes: verified };
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  async remove(id: FileId): Promise<void> {
    this.#assertOpen();
    await disk(() => rm(this.#placeOf(id), { force: true }));
  }

  async ofOwner(owner: FileOwner): Promise<readonly FileId[]> {
    this.#assertOpen();
    const prefix = ownerPrefix(owner);
    return (await this.#idsIn(prefix.slice(0, shardChars))).filter((id) => id.startsWith(prefix));
  }

  async list(after: FileId | '', limit: number): Promise<readonly StoredFile[]> {
    this.#assertOpen();
    const most = Math.min(limit, listLimitMax);
    const found: StoredFile[] = [];
    const shards = (await disk(() => readdir(this.#dir))).filter((name) => name.length === shardChars).sort();
    for (const shard of shards) {
      if (shard < after.slice(0, shardChars)) continue;
      for (const id of await this.#idsIn(shard)) {
        if (id <= after) continue;
        const file = await this.stat(id).catch(() => undefined);
        if (file) found.push(file);
        if (found.length >= most) return found;
      }
    }
    return found;
  }

  /** Done when it opened: one process owns the folder. */
  async sweep(): Promise<void> {
    this.#assertOpen();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
  }

  #assertOpen(): void {
    if (this.#isClosed) throw new Fault('STORE_UNAVAILABLE', 'the file store is closed');
  }

  #placeOf(id: FileId): string {
    if (!isFileId(id)) throw new TypeError('not a file id');
    return join(this.#dir, id.slice(0, shardChars), id);
  }

  async #open(id: FileId): Promise<FileHandle | undefined> {
    this.#assertOpen();
    const place = this.#placeOf(id);
    return disk(() => open(place, 'r')).catch((error: unknown) => {
      if (error instanceof Fault && codeOf(error.cause) === 'ENOENT') return undefined;
      throw error;
    });
  }

  /** undefined: too many bytes came. */
  async #write(path: string, put: { id: FileId; owner: FileOwner; bytes: Readable; bytesMax: number }): Promise<StoredFile | undefined> {
    const { id, bytesMax } = put;
    const { room, by, cid } = put.owner;
    const handle = await disk(() => open(path, 'wx', 0o600));
    try {
      const hash = createHash('sha256');
      let count = 0;
      for await (const part of put.bytes as AsyncIterable<Buffer>) {
        this.#assertOpen();
        count += part.length;
        if (count > bytesMax) return undefined;
        hash.update(part);
        await disk(() => handle.writeFile(part));
      }
      const file: StoredFile = { id, room, by, cid, bytes: count, sha256: hash.digest('base64url'), atMs: this.#clock.wallMs() };
      await disk(async () => {
        await handle.writeFile(encodeFacts(file));
        await handle.sync();
      });
      return file;
    } finally {
      await handle.close();
    }
  }

  async #settle(from: string, to: string): Promise<void> {
    const folder = dirname(to);
    if (!this.#made.has(folder)) {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      await syncFolder(this.#dir);
      this.#made.add(folder);
    }
    await rename(from, to);
    await syncFolder(folder);
  }

  /** Ascending. */
  async #idsIn(shard: string): Promise<FileId[]> {
    try {
      return (await readdir(join(this.#dir, shard))).filter(isFileId).sort();
    } catch (cause) {
      if (codeOf(cause) === 'ENOENT') return [];
      throw unavailable(cause);
    }
  }
}

async function readFacts(handle: FileHandle, id: FileId): Promise<StoredFile> {
  const corrupt = (): Fault => new Fault('FILE_CORRUPT', `file ${id} does not verify`);
  const { size } = await disk(() => handle.stat());
  const tail = await readAt(handle, size - tailBytes, tailBytes);
  const length = tail && factsLength(tail);
  const facts = length === undefined ? undefined : await readAt(handle, size - tailBytes - length, length);
  const file = tail && facts && decodeFacts(facts, tail, id, size - tailBytes - facts.length);
  if (!file) throw corrupt();
  return file;
}

async function readAt(handle: FileHandle, from: number, length: number): Promise<Buffer | undefined> {
  if (from < 0) return undefined;
  const { bytesRead, buffer } = await disk(() => handle.read(Buffer.alloc(length), 0, length, from));
  return bytesRead === length ? buffer : undefined;
}

/** A name in a folder is durable when the folder is. */
async function syncFolder(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function disk<T>(task: () => Promise<T>): Promise<T> {
  try {
    return await task();
  } catch (cause) {
    throw cause instanceof Fault ? cause : unavailable(cause);
  }
}

const codeOf = (cause: unknown): string | undefined => (cause as { readonly code?: string } | undefined)?.code;
const unavailable = (cause: unknown): Fault => new Fault('STORE_UNAVAILABLE', `files: ${codeOf(cause) ?? 'the disk failed'}`, cause);
