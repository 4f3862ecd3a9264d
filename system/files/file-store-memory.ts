/**
 * FileStore in memory, for tests. Several nodes of one process may share one; it ends with the process.
 */
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import type { Clock } from '../clock.ts';
import { Fault } from '../errors.ts';
import type { FileId } from '../ids.ts';
import {
  type ByteRange,
  type FileOwner,
  type FileStore,
  listLimitMax,
  ownerPrefix,
  type PutOutcome,
  type StoredFile,
} from './file-store.ts';

export class MemoryFileStore implements FileStore {
  readonly description = 'memory (nothing survives the process)';
  readonly #clock: Pick<Clock, 'wallMs'>;
  readonly #files = new Map<FileId, { readonly file: StoredFile; readonly bytes: Buffer }>();
  #isClosed = false;

  constructor(clock: Pick<Clock, 'wallMs'>) {
    this.#clock = clock;
  }

  async put(id: FileId, { room, by, cid }: FileOwner, source: Readable, bytesMax: number): Promise<PutOutcome> {
    this.#assertOpen();
    const parts: Buffer[] = [];
    let count = 0;
    for await (const part of source as AsyncIterable<Buffer>) {
      count += part.length;
      if (count > bytesMax) return { type: 'tooLarge' };
      parts.push(part);
    }
    this.#assertOpen();
    const bytes = Buffer.concat(parts);
    const sha256 = createHash('sha256').update(bytes).digest('base64url');
    const file: StoredFile = { id, room, by, cid, bytes: count, sha256, atMs: this.#clock.wallMs() };
    this.#files.set(id, { file, bytes });
    return { type: 'stored', file };
  }

  async stat(id: FileId): Promise<StoredFile | undefined> {
    this.#assertOpen();
    return this.#files.get(id)?.file;
  }

  async get(id: FileId, range?: ByteRange): Promise<{ file: StoredFile; bytes: Readable } | undefined> {
    this.#assertOpen();
    const found = this.#files.get(id);
    if (!found) return undefined;
    const bytes = range ? found.bytes.subarray(range.first, range.last + 1) : found.bytes;
    return { file: found.file, bytes: Readable.from([bytes], { objectMode: false }) };
  }

  async remove(id: FileId): Promise<void> {
    this.#assertOpen();
    this.#files.delete(id);
  }

  async ofOwner(owner: FileOwner): Promise<readonly FileId[]> {
    this.#assertOpen();
    const prefix = ownerPrefix(owner);
    return [...this.#files.keys()].filter((id) => id.startsWith(prefix));
  }

  async list(after: FileId | '', limit: number): Promise<readonly StoredFile[]> {
    this.#assertOpen();
    const ids = [...this.#files.keys()].filter((id) => id > after).sort();
    return ids.slice(0, Math.min(limit, listLimitMax)).flatMap((id) => this.#files.get(id)?.file ?? []);
  }

  async sweep(): Promise<void> {
    this.#assertOpen();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
  }

  #assertOpen(): void {
    if (this.#isClosed) throw new Fault('STORE_UNAVAILABLE', 'the file store is closed');
  }
}
