/**
 * FileStore in MongoDB's GridFS, for any number of nodes.
 *
 * Guarantees: every part and the document that makes them a file are written by a majority and journalled before `put` resolves; the
 * document comes last, so a file is there whole or not at all. What is put or removed is named in a list of its own meanwhile, so that
 * parts which a dead node left are found without looking through all of them.
 * It has connections of its own: uploads take none from appends.
 */
import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import mongoose, { type mongo } from 'mongoose';
import { Fault } from '../errors.ts';
import type { FileId } from '../ids.ts';
import { connectMongo, type MongoDatabase, type MongoOptions } from '../store/mongo-database.ts';
import {
  type ByteRange,
  type FileOwner,
  type FileStore,
  listLimitMax,
  ownerPrefix,
  type PutOutcome,
  type StoredFile,
} from './file-store.ts';
import { verifiedBytes } from './verified-bytes.ts';

type Facts = Omit<StoredFile, 'id' | 'bytes'>;
/** GridFS's document of a file; its id is ours. */
interface FileRow {
  readonly _id: FileId;
  readonly length: number;
  readonly metadata: Facts;
}
interface UnderWay {
  readonly _id: FileId;
  readonly atMs: number;
}

const bucketName = 'files';
/** After every character of an id. */
const afterIds = '~';

export async function openMongoFiles(options: MongoOptions): Promise<FileStore> {
  return new MongoFileStore(await connectMongo(options));
}

class MongoFileStore implements FileStore {
  readonly description: string;
  readonly #database: MongoDatabase;
  readonly #bucket: mongo.GridFSBucket;
  readonly #files: mongo.Collection<FileRow>;
  readonly #parts: mongo.Collection<{ readonly files_id: FileId }>;
  readonly #underWay: mongo.Collection<UnderWay>;

  constructor(database: MongoDatabase) {
    const { db } = database;
    this.#database = database;
    this.#bucket = new mongoose.mongo.GridFSBucket(db, { bucketName });
    this.#files = db.collection(`${bucketName}.files`);
    this.#parts = db.collection(`${bucketName}.chunks`);
    this.#underWay = db.collection(`${bucketName}.under_way`);
    this.description = `GridFS in MongoDB, database ${db.databaseName}`;
  }

  async put(id: FileId, { room, by, cid }: FileOwner, bytes: Readable, bytesMax: number): Promise<PutOutcome> {
    bytes.on('error', () => {}); // It may fail before it is read; the reading says so.
    const atMs = this.#database.clock.wallMs();
    await this.#begin(id, atMs);
    const metadata = { room, by, cid, atMs, sha256: '' };
    const upload = this.#bucket.openUploadStreamWithId(id as unknown as mongo.ObjectId, id, { metadata });
    upload.on('error', () => {}); // Said by the write that fails.
    try {
      const hash = createHash('sha256');
      let count = 0;
      for await (const part of bytes as AsyncIterable<Buffer>) {
        count += part.length;
        if (count > bytesMax) {
          await this.#abandon(id, upload);
          return { type: 'tooLarge' };
        }
        hash.update(part);
        await this.#run(() => done((written) => upload.write(part, written)));
      }
      // Written with the document that comes last.
      metadata.sha256 = hash.digest('base64url');
      await this.#run(() => done((ended) => upload.end(ended)));
      await this.#underWay.deleteOne({ _id: id }).catch(() => {});
      return { type: 'stored', file: { id, bytes: count, ...metadata } };
    } catch (error) {
      await this.#abandon(id, upload).catch(() => {}); // Else it is swept away.
      throw error;
    }
  }

  async stat(id: FileId): Promise<StoredFile | undefined> {
    const row = await this.#run(() => this.#files.findOne({ _id: id }));
    return row ? fileOf(row) : undefined;
  }

  async get(id: FileId, range?: ByteRange): Promise<{ file: StoredFile; bytes: Readable } | undefined> {
    const file = await this.stat(id);
    if (!file) return undefined;
    const verified = verifiedBytes(file, range);
    const ends = range && { start: range.first, end: range.last + 1 };
    const source = this.#bucket.openDownloadStream(id as unknown as mongo.ObjectId, ends);
    source.on('error', (cause) => verified.destroy(new Fault('STORE_UNAVAILABLE', 'MongoDB did not give the file', cause)));
    verified.on('close', () => source.destroy());
    source.pipe(verified);
    return { file, bytes: verified };
  }

  async remove(id: FileId): Promise<void> {
    const isThere = await this.#run(() => this.#files.findOne({ _id: id }, { projection: { _id: 1 } }));
    if (!isThere) return;
    await this.#begin(id, this.#database.clock.wallMs());
    await this.#run(() => this.#files.deleteOne({ _id: id }));
    await this.#removeParts(id);
  }

  async ofOwner(owner: FileOwner): Promise<readonly FileId[]> {
    const prefix = ownerPrefix(owner);
    const range = { _id: { $gte: prefix as FileId, $lt: `${prefix}${afterIds}` as FileId } };
    const rows = await this.#run(() => this.#files.find(range, { projection: { _id: 1 } }).toArray());
    return rows.map(({ _id }) => _id as FileId);
  }

  async list(after: FileId | '', limit: number): Promise<readonly StoredFile[]> {
    const most = Math.min(limit, listLimitMax);
    const rows = await this.#run(() =>
      this.#files
        .find({ _id: { $gt: after as FileId } })
        .sort({ _id: 1 })
        .limit(most)
        .toArray(),
    );
    return rows.map((row) => fileOf(row as FileRow));
  }

  async sweep(beforeMs: number): Promise<void> {
    const left = await this.#run(() =>
      this.#underWay
        .find({ atMs: { $lt: beforeMs } })
        .limit(listLimitMax)
        .toArray(),
    );
    for (const { _id: id } of left) {
      if (await this.stat(id)) await this.#run(() => this.#underWay.deleteOne({ _id: id }));
      else await this.#removeParts(id);
    }
  }

  async close(): Promise<void> {
    await this.#database.close();
  }

  #begin(id: FileId, atMs: number): Promise<unknown> {
    return this.#run(() => this.#underWay.updateOne({ _id: id }, { $set: { atMs } }, { upsert: true }));
  }

  async #abandon(id: FileId, upload: mongo.GridFSBucketWriteStream): Promise<void> {
    await this.#run(() => upload.abort()).catch(() => {}); // Not while it is ending; the parts are taken away all the same.
    await this.#run(() => this.#files.deleteOne({ _id: id }));
    await this.#removeParts(id);
  }

  async #removeParts(id: FileId): Promise<void> {
    await this.#run(() => this.#parts.deleteMany({ files_id: id }));
    await this.#run(() => this.#underWay.deleteOne({ _id: id }));
  }

  #run<T>(call: () => Promise<T>): Promise<T> {
    return this.#database.run(call);
  }
}

const fileOf = ({ _id: id, length: bytes, metadata }: FileRow): StoredFile => ({ id, bytes, ...metadata });

function done(call: (settle: (error?: Error | null) => void) => unknown): Promise<void> {
  return new Promise((resolve, reject) => {
    call((error) => (error ? reject(error) : resolve()));
  });
}
