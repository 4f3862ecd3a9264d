/**
 * WalFormat: the log files of LevelDB, read and written byte by byte.
 *
 * A file is blocks of 32 KB; a block is fragments: masked crc32c (4), length (2), type (1), content. A record is one FULL
 * fragment, or FIRST, MIDDLE …, LAST. LevelDB's own recovery drops a bad fragment and the rest of its block without a
 * word; this reader goes on behind it and says what was bad.
 * Does not: know what a record holds.
 */
import { crc32c, maskCrc } from './crc32c.ts';

export const blockBytes = 32 * 1024;
const headerBytes = 7;
const full = 1;
const first = 2;
const middle = 3;
const last = 4;

export interface WalPiece {
  /** sound: a whole record. damaged: what is left of one or more, as far as it can be told. */
  readonly state: 'sound' | 'damaged';
  /** Where in the file it begins. */
  readonly offset: number;
  readonly content: Buffer;
  /** A frame in it could not be read, so records may have begun and ended there. */
  readonly framesLost: boolean;
}

export interface WalScan {
  readonly pieces: readonly WalPiece[];
  /** What stands behind the last sound record: half a record that a crash left, or garbage. */
  readonly tail: WalPiece | undefined;
}

interface Fragment {
  readonly type: number;
  readonly end: number;
}

/** The fragment that begins at `at`, when its checksum says so. */
function fragmentAt(file: Buffer, at: number, blockEnd: number): Fragment | undefined {
  if (at + headerBytes > blockEnd) return undefined;
  const type = file[at + 6] as number;
  const end = at + headerBytes + file.readUInt16LE(at + 4);
  if (type < full || type > last || end > blockEnd) return undefined;
  return file.readUInt32LE(at) === maskCrc(crc32c(file, at + 6, end)) ? { type, end } : undefined;
}

/** Where a bad fragment says that it ends. */
const claimedEnd = (file: Buffer, bad: number, blockEnd: number): number =>
  bad + headerBytes <= blockEnd ? bad + headerBytes + file.readUInt16LE(bad + 4) : blockEnd;

/** Where the next sound fragment of the block begins; its end when there is none. */
function resync(file: Buffer, bad: number, blockEnd: number): number {
  const claimed = claimedEnd(file, bad, blockEnd);
  if (claimed <= blockEnd && (blockEnd - claimed < headerBytes || fragmentAt(file, claimed, blockEnd))) return claimed;
  for (let at = bad + 1; at + headerBytes <= blockEnd; at += 1) if (fragmentAt(file, at, blockEnd)) return at;
  return blockEnd;
}

/** Reads a whole log file. */
export function scanWal(file: Buffer): WalScan {
  const pieces: WalPiece[] = [];
  let open: { state: WalPiece['state']; readonly offset: number; readonly parts: Buffer[]; framesLost: boolean } | undefined;
  const finish = (state: WalPiece['state']): void => {
    if (open) {
      const { offset, parts, framesLost } = open;
      pieces.push({ state: open.state === 'sound' ? state : 'damaged', offset, content: Buffer.concat(parts), framesLost });
    }
    open = undefined;
  };
  for (let at = 0; at < file.length; ) {
    const blockEnd = Math.min(at - (at % blockBytes) + blockBytes, file.length);
    if (blockEnd - at < headerBytes) {
      at = blockEnd;
      continue;
    }
    const fragment = fragmentAt(file, at, blockEnd);
    if (!fragment) {
      const end = resync(file, at, blockEnd);
      open ??= { state: 'damaged', offset: at, parts: [], framesLost: false };
      open.state = 'damaged';
      open.framesLost ||= end !== claimedEnd(file, at, blockEnd);
      open.parts.push(file.subarray(Math.min(at + headerBytes, end), end));
      at = end;
      continue;
    }
    const { type, end } = fragment;
    // A record begins, so one that is still open lost its end.
    if (type === full || type === first) finish('damaged');
    open ??= { state: type === full || type === first ? 'sound' : 'damaged', offset: at, parts: [], framesLost: false };
    open.parts.push(file.subarray(at + headerBytes, end));
    if (type === full || type === last) finish('sound');
    at = end;
  }
  finish('damaged');
  const soundEnd = pieces.findLastIndex(({ state }) => state === 'sound') + 1;
  const rest = pieces.slice(soundEnd);
  const [start] = rest;
  const tail: WalPiece | undefined = start && {
    state: 'damaged',
    offset: start.offset,
    content: Buffer.concat(rest.map(({ content }) => content)),
    framesLost: rest.length > 1 || start.framesLost,
  };
  return { pieces: pieces.slice(0, soundEnd), tail };
}

/** A log file with these records. */
export function buildWal(records: readonly Buffer[]): Buffer {
  const parts: Buffer[] = [];
  let used = 0;
  const put = (bytes: Buffer): void => {
    parts.push(bytes);
    used = (used + bytes.length) % blockBytes;
  };
  for (const record of records) {
    let at = 0;
    do {
      if (blockBytes - used < headerBytes) put(Buffer.alloc(blockBytes - used));
      const length = Math.min(record.length - at, blockBytes - used - headerBytes);
      const isFirst = at === 0;
      const isLast = at + length === record.length;
      const fragment = Buffer.alloc(headerBytes + length);
      fragment.writeUInt16LE(length, 4);
      fragment[6] = isFirst && isLast ? full : isFirst ? first : isLast ? last : middle;
      record.copy(fragment, headerBytes, at, at + length);
      fragment.writeUInt32LE(maskCrc(crc32c(fragment, 6, fragment.length)), 0);
      put(fragment);
      at += length;
    } while (at < record.length);
  }
  return Buffer.concat(parts);
}
