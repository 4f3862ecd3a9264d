/**
 * FileStore: the contract of where uploaded bytes are kept. Twins: memory, embedded (a folder), mongo (GridFS).
 *
 * A file belongs to one command of one sender in one room (`FileOwner`), whether or not its entry was ever appended: the room's log
 * alone says whether it exists for anybody. What the log does not name is an orphan, and is collected by age (file-collector).
 * Every method may be called concurrently. Faults: `Fault` STORE_UNAVAILABLE when the store cannot answer, FILE_CORRUPT when what is
 * stored does not verify. A crash at any moment leaves a file whole or not at all; what else it leaves is swept away at the next start.
 */
import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import { type Cid, type FileId, newId, type RoomId, type UserId } from '../ids.ts';

export interface FileOwner {
  readonly room: RoomId;
  readonly by: UserId;
  readonly cid: Cid;
}

export interface StoredFile extends FileOwner {
  readonly id: FileId;
  readonly bytes: number;
  readonly sha256: string;
  /** Since the epoch, by the clock of the node that took it. For the collector. */
  readonly atMs: number;
}

/** Bytes from `first` to `last`, both included; 0 ≤ first ≤ last < the bytes of the file. */
export interface ByteRange {
  readonly first: number;
  readonly last: number;
}

/** What a put came to. tooLarge: more bytes came than `bytesMax`, and nothing is left of them. */
export type PutOutcome = { readonly type: 'stored'; readonly file: StoredFile } | { readonly type: 'tooLarge' };

export interface FileStore {
  /**
   * Takes the bytes as they come, never all of them in memory, and resolves when they are durable. Rejects with the stream's own
   * error when that fails before its end; nothing is left then. `id`: made by `newFileId`, used once.
   */
  put(id: FileId, owner: FileOwner, bytes: Readable, bytesMax: number): Promise<PutOutcome>;

  /** undefined: no such file. */
  stat(id: FileId): Promise<StoredFile | undefined>;

  /**
   * The bytes from the first to the last, or those of the range. The stream fails before its last part when the whole does not verify; of a
   * part only its length is sure, and whoever puts parts together has `sha256`. Whoever asked reads it or destroys it. undefined: no such file.
   */
  get(id: FileId, range?: ByteRange): Promise<{ readonly file: StoredFile; readonly bytes: Readable } | undefined>;

  /** Idempotent. Resolves when the bytes are gone for every reader that begins later. */
  remove(id: FileId): Promise<void>;

  /** Ids of all files of this owner: several when a command was tried several times. */
  ofOwner(owner: FileOwner): Promise<readonly FileId[]>;

  /**
   * Up to `limit` (≤ 1,000) files whose id comes after `after`, ascending by id; '' begins. For the collector: a file that is put
   * meanwhile may be missed. Damaged ones are left out.
   */
  list(after: FileId | '', limit: number): Promise<readonly StoredFile[]>;

  /** Takes away what puts left behind that began before this time (since the epoch) and never came to an end: their process died. */
  sweep(beforeMs: number): Promise<void>;

  /** One line for the start banner. */
  readonly description: string;
  /** Waits for nothing: puts and streams under way fail. Idempotent. */
  close(): Promise<void>;
}

export const listLimitMax = 1_000;

/** What files of one owner have in common. Ids hold no line feed. Hexadecimal: some disks do not tell small letters from large ones. */
export const ownerPrefix = ({ room, by, cid }: FileOwner): string =>
  createHash('sha256').update(`${room}\n${by}\n${cid}`).digest('hex').slice(0, 32);

/** 54 characters that fit an id, a key and a file's name. */
export const newFileId = (owner: FileOwner): FileId => `${ownerPrefix(owner)}${newId()}` as FileId;

export const isFileId = (value: string): value is FileId => /^[0-9a-f]{32}[A-Za-z0-9_-]{22}$/.test(value);
