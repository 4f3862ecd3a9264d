/**
 * WalCheck: looks through LevelDB's log before LevelDB does. LevelDB drops a bad record and the rest of its 32 KB block
 * silently, which would be acknowledged entries lost without a word.
 *
 * A bad end with nothing sound behind it is a torn tail: nothing in it was acknowledged, LevelDB cuts it. Damage before
 * sound records is repaired: the log is rebuilt with all that can be read, in its order; rooms that lost something are
 * marked in the same file (`d!`), so the marks are as durable as the rebuilt log. The old file stays beside it, `.damaged`.
 * Faults: STORE_CORRUPT, with file and offset, when what was lost cannot be named.
 */
import { copyFile, open, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { Fault } from '../errors.ts';
import type { RoomId } from '../ids.ts';
import type { Logger } from '../logger.ts';
import { damageKey } from './embedded-keys.ts';
import { buildWal, scanWal, type WalPiece } from './wal-format.ts';
import { type Salvage, salvage } from './wal-salvage-embedded.ts';
import { buildWrites, type Write } from './write-batch.ts';

interface LogFile {
  readonly name: string;
  readonly pieces: readonly WalPiece[];
  readonly tail: WalPiece | undefined;
}

/** `names` are the logs that LevelDB will recover, oldest first. Nobody else may own the folder. */
export async function checkWal(dir: string, names: readonly string[], log: Logger): Promise<void> {
  const files: LogFile[] = [];
  for (const name of names) files.push({ name, ...scanWal(await readFile(join(dir, name))) });
  const lastSound = files.findLastIndex(({ pieces }) => pieces.length > 0);
  for (const [index, { name, pieces, tail }] of files.entries()) {
    // The tail of a log that was followed by another one was complete once: LevelDB goes on to the next between records.
    const all = tail && index < lastSound ? [...pieces, tail] : pieces;
    if (all.some(({ state }) => state === 'damaged')) await rebuild(dir, name, all, sequenceAfter(files), log);
    else if (tail) log.warn({ ev: 'store.tornTail', file: join(dir, name), offset: tail.offset, bytes: tail.content.length }, 'cutting the half-written end of the log');
  }
}

async function rebuild(dir: string, name: string, pieces: readonly WalPiece[], nextSequence: bigint, log: Logger): Promise<void> {
  const path = join(dir, name);
  const records: Buffer[] = [];
  const marks = new Map<RoomId, Write>();
  let sequence = 0n;
  for (const { state, offset, content } of pieces) {
    if (state === 'sound') {
      records.push(content);
      sequence = endOf(content);
      continue;
    }
    const saved = salvage(content);
    if (!saved.isNamed) {
      throw new Fault(
        'STORE_CORRUPT',
        `${path} is damaged at offset ${offset}, and what was lost there cannot be named: restore the data folder from a copy, or remove this file to go on without what is only in it`,
      );
    }
    if (saved.writes.length > 0) records.push(buildWrites(plausible(saved, sequence, nextSequence), saved.writes));
    for (const [room, seq] of saved.damaged) {
      const reason = `lost with a damaged record of ${name} at offset ${offset}`;
      if (!marks.has(room)) marks.set(room, { key: damageKey(room), value: JSON.stringify({ seq, reason }) });
    }
    log.error(
      { ev: 'store.damage', file: path, offset, bytes: content.length, rooms: [...saved.damaged].map(([room, seq]) => ({ room, seq })) },
      'the log is damaged: what can be read is kept, the rooms named here are refused until they are restored from a copy',
    );
  }
  if (marks.size > 0) records.push(buildWrites(nextSequence, [...marks.values()]));
  await copyFile(path, `${path}.damaged`);
  await writeSynced(`${path}.rebuilt`, buildWal(records));
  await rename(`${path}.rebuilt`, path);
  const folder = await open(dir, 'r');
  await folder.sync().finally(() => folder.close());
}

async function writeSynced(path: string, bytes: Buffer): Promise<void> {
  const file = await open(path, 'w');
  try {
    await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Sequences number the writes of a LevelDB. This is the first that no record uses. */
function sequenceAfter(files: readonly LogFile[]): bigint {
  let after = 1n;
  for (const { pieces } of files) {
    for (const { state, content } of pieces) if (state === 'sound' && endOf(content) > after) after = endOf(content);
  }
  return after;
}

const endOf = (record: Buffer): bigint => (record.length < 12 ? 0n : record.readBigUInt64LE(0) + BigInt(record.readUInt32LE(8)));

/** The record's own sequence, unless that was damaged as well. */
const plausible = ({ sequence }: Salvage, least: bigint, most: bigint): bigint => (sequence >= least && sequence < most ? sequence : least);
