/**
 * WriteBatch: what one record of a LevelDB log holds: sequence (8), count (4), then per write a tag, a key and a value.
 *
 * `readWrites` goes on behind what it cannot read, as long as keys look like ours: a damaged batch gives back the rest.
 */

export interface Write {
  readonly key: string;
  /** undefined: the key is deleted. */
  readonly value: string | undefined;
}

/** What the store itself writes: it deletes nothing. */
export interface Put extends Write {
  readonly value: string;
}

export interface ReadWrites {
  readonly sequence: bigint;
  readonly count: number;
  readonly writes: readonly Put[];
  /** Runs of bytes that are no writes: how many, and the writes on both sides. */
  readonly gaps: readonly { readonly bytes: number; readonly before: Put | undefined; readonly after: Put | undefined }[];
}

const headBytes = 12;
const tagPut = 1;
const tagDelete = 0;
/** One of our keys: a letter, `!`, then printable ASCII. Bounds what a broken length can claim. */
const ourKey = /^[a-z]![!-~]{1,500}$/;

/** The varint at `at`; undefined when there is none. */
export function readVarint(bytes: Buffer, at: number): { readonly value: number; readonly end: number } | undefined {
  let value = 0;
  for (let i = 0; i < 10; i += 1) {
    const byte = bytes[at + i];
    if (byte === undefined) return undefined;
    value += (byte & 0x7f) * 2 ** (7 * i);
    if (byte < 0x80) return { value, end: at + i + 1 };
  }
  return undefined;
}

function slice(bytes: Buffer, at: number): Buffer | undefined {
  const length = readVarint(bytes, at);
  if (!length || length.end + length.value > bytes.length) return undefined;
  return bytes.subarray(length.end, length.end + length.value);
}

function writeAt(bytes: Buffer, at: number): { readonly write: Put; readonly end: number } | undefined {
  if (bytes[at] !== tagPut) return undefined;
  const key = slice(bytes, at + 1);
  if (!key || key.length > 502) return undefined;
  const text = key.toString('latin1');
  if (!ourKey.test(text)) return undefined;
  const keyEnd = key.byteOffset - bytes.byteOffset + key.length;
  const value = slice(bytes, keyEnd);
  if (!value) return undefined;
  return { write: { key: text, value: value.toString('utf8') }, end: value.byteOffset - bytes.byteOffset + value.length };
}

/** A write is followed by another one, or by the end. */
const endsWell = (bytes: Buffer, end: number): boolean => end === bytes.length || writeAt(bytes, end) !== undefined;

export function readWrites(content: Buffer): ReadWrites {
  const writes: Put[] = [];
  const gaps: { bytes: number; before: Put | undefined; after: Put | undefined }[] = [];
  let gap = 0;
  for (let at = Math.min(headBytes, content.length); at < content.length; ) {
    const found = writeAt(content, at);
    if (!found || (!endsWell(content, found.end) && hidesWrites(content, at, found.end))) {
      gap += 1;
      at += 1;
      continue;
    }
    if (gap > 0) gaps.push({ bytes: gap, before: writes.at(-1), after: found.write });
    gap = 0;
    writes.push(found.write);
    at = found.end;
  }
  if (gap > 0 || content.length < headBytes) gaps.push({ bytes: gap, before: writes.at(-1), after: undefined });
  const hasHead = content.length >= headBytes;
  return { sequence: hasHead ? content.readBigUInt64LE(0) : 0n, count: hasHead ? content.readUInt32LE(8) : 0, writes, gaps };
}

/** A write inside which others begin has a broken length. Values are JSON or digits, so they hold no tag. */
function hidesWrites(content: Buffer, at: number, end: number): boolean {
  for (let inside = at + 1; inside < end; inside += 1) {
    const found = writeAt(content, inside);
    if (found && endsWell(content, found.end)) return true;
  }
  return false;
}

export function buildWrites(sequence: bigint, writes: readonly Write[]): Buffer {
  const head = Buffer.alloc(headBytes);
  head.writeBigUInt64LE(sequence, 0);
  head.writeUInt32LE(writes.length, 8);
  const parts: Buffer[] = [head];
  for (const { key, value } of writes) {
    parts.push(Buffer.from([value === undefined ? tagDelete : tagPut]), ...lengthAnd(key));
    if (value !== undefined) parts.push(...lengthAnd(value));
  }
  return Buffer.concat(parts);
}

function lengthAnd(text: string): readonly Buffer[] {
  const bytes = Buffer.from(text, 'utf8');
  return [Buffer.from(varint(bytes.length)), bytes];
}

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80);
  bytes.push(rest);
  return bytes;
}
