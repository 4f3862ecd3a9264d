/**
 * FileFormat: how an uploaded file lies on the disk: its bytes, then what is known of it, in one file, so that one rename makes both.
 *
 *   bytes · JSON of the facts · 4 bytes length of the JSON · 4 bytes crc32 of the JSON · `PHF1`
 *
 * Guarantees: what was cut, or is no such file, does not open. That the bytes are those that were taken is seen by their SHA-256,
 * when they are read.
 */
import { crc32 } from 'node:zlib';
import { type FileId, isCid, isRoomId, isUserId } from '../ids.ts';
import { isFileId, type StoredFile } from './file-store.ts';

const magic = 'PHF1';
export const tailBytes = 12;
/** Ids are at most 64 characters each: far above what facts take. */
export const factsBytesMax = 2_048;

export function encodeFacts(file: StoredFile): Buffer {
  const facts = Buffer.from(JSON.stringify(file));
  const tail = Buffer.alloc(tailBytes);
  tail.writeUInt32LE(facts.length, 0);
  tail.writeUInt32LE(crc32(facts), 4);
  tail.write(magic, 8, 'latin1');
  return Buffer.concat([facts, tail]);
}

/** Length of the facts before the tail; undefined: this is no tail. */
export function factsLength(tail: Buffer): number | undefined {
  if (tail.length !== tailBytes || tail.toString('latin1', 8) !== magic) return undefined;
  const length = tail.readUInt32LE(0);
  return length > 0 && length <= factsBytesMax ? length : undefined;
}

/** undefined: it does not verify, or belongs to another file. */
export function decodeFacts(facts: Buffer, tail: Buffer, id: FileId, bytes: number): StoredFile | undefined {
  if (crc32(facts) !== tail.readUInt32LE(4)) return undefined;
  try {
    const file = JSON.parse(facts.toString()) as StoredFile;
    const isSound = isFileId(file.id) && isRoomId(file.room) && isUserId(file.by) && isCid(file.cid) && typeof file.sha256 === 'string';
    return isSound && file.id === id && file.bytes === bytes && Number.isFinite(file.atMs) ? file : undefined;
  } catch {
    return undefined;
  }
}
