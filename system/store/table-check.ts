/**
 * TableCheck: verifies the parts of LevelDB's tables by which everything else in them is found: footer, index, filter.
 *
 * LevelDB reads these without looking at their checksums; a flipped bit there makes whole ranges of keys look absent, and
 * an absent head is an empty room. Entries themselves are verified when they are read, by their own checksums.
 * Cost: about a twentieth of the tables is read. Faults: STORE_CORRUPT with file and offset.
 */
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { Fault } from '../errors.ts';
import { crc32c, maskCrc } from './crc32c.ts';
import { readVarint } from './write-batch.ts';

const footerBytes = 48;
const magic = 0xdb4775248b80fb57n;
/** Behind each block: how it is compressed (1), masked checksum (4). */
const trailerBytes = 5;
const uncompressed = 0;
const tablesAtOnce = 8;

interface Handle {
  readonly offset: number;
  readonly size: number;
}

export async function checkTables(dir: string, names: readonly string[]): Promise<void> {
  for (let i = 0; i < names.length; i += tablesAtOnce) {
    await Promise.all(names.slice(i, i + tablesAtOnce).map((name) => checkTable(join(dir, name))));
  }
}

async function checkTable(path: string): Promise<void> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    const start = size - footerBytes;
    if (start < 0) throw damage(path, 0);
    const footer = await readAt(file, { offset: start, size: footerBytes });
    const metaIndex = handleAt(footer, 0);
    const index = metaIndex && handleAt(footer, metaIndex.end);
    if (!metaIndex || !index || footer.readBigUInt64LE(footerBytes - 8) !== magic) throw damage(path, start);
    if (blockEnd(index.handle) !== start || blockEnd(metaIndex.handle) !== index.handle.offset) throw damage(path, start);
    await readBlock(file, path, index.handle);
    const filter = filterOf(await readBlock(file, path, metaIndex.handle));
    if (filter) await readBlock(file, path, filter);
  } finally {
    await file.close();
  }
}

const blockEnd = ({ offset, size }: Handle): number => offset + size + trailerBytes;

const damage = (path: string, offset: number): Fault =>
  new Fault('STORE_CORRUPT', `${path} is damaged at offset ${offset}, in the index of the table: restore the data folder from a copy`);

async function readAt(file: FileHandle, { offset, size }: Handle): Promise<Buffer> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(size), 0, size, offset);
  return buffer.subarray(0, bytesRead);
}

async function readBlock(file: FileHandle, path: string, handle: Handle): Promise<Buffer> {
  const block = await readAt(file, { offset: handle.offset, size: handle.size + trailerBytes });
  if (block.length !== handle.size + trailerBytes) throw damage(path, handle.offset);
  const checked = handle.size + 1;
  if (block.readUInt32LE(checked) !== maskCrc(crc32c(block, 0, checked))) throw damage(path, handle.offset);
  return block;
}

function handleAt(bytes: Buffer, at: number): { readonly handle: Handle; readonly end: number } | undefined {
  const offset = readVarint(bytes, at);
  const size = offset && readVarint(bytes, offset.end);
  return size && { handle: { offset: offset.value, size: size.value }, end: size.end };
}

/** Where the filter is: the value of the first and only entry of the meta index. */
function filterOf(metaIndex: Buffer): Handle | undefined {
  if (metaIndex[metaIndex.length - trailerBytes] !== uncompressed) return undefined;
  const shared = readVarint(metaIndex, 0);
  const keyLength = shared && readVarint(metaIndex, shared.end);
  const valueLength = keyLength && readVarint(metaIndex, keyLength.end);
  if (!valueLength || shared.value !== 0 || keyLength.value === 0) return undefined;
  return handleAt(metaIndex, valueLength.end + keyLength.value)?.handle;
}
