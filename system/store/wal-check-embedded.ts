/**
 * WalCheck: looks through LevelDB's log before LevelDB does. LevelDB drops a bad record and the rest of its 32 KB block
 * silently, which would be acknowledged entries lost without a word.
 *
 * A bad end with nothing sound behind it is a torn tail: nothing in it was acknowledged, LevelDB cuts it. Damage before
 * sound records is repaired: the log is rebuilt with all that can be read, in its order. Rooms that lost something are
 * marked before the rebuilt log takes the place of the old one, which stays beside it as `.damaged`.
 * Faults: STORE_CORRUPT, with file and offset, when what was lost cannot be named.
 */
import { copyFile, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { Fault } from '../errors.ts';
import type { Logger } from '../logger.ts';
import { type Damage, type FolderFacts, syncFolder, writeFacts, writeSynced } from './folder-facts.ts';
import { buildWal, scanWal, type WalPiece } from './wal-format.ts';
import { type Salvage, salvage } from './wal-salvage-embedded.ts';
import { buildWrites } from './write-batch.ts';

interface LogFile {
  readonly name: string;
  readonly pieces: readonly WalPiece[];
  readonly tail: WalPiece | undefined;
}

/** `names` are the logs that LevelDB will recover, oldest first. Nobody else may own the folder. Answers the facts, with what was found. */
export async function checkWal(dir: string, names: readonly string[], facts: FolderFacts, log: Logger): Promise<FolderFacts> {
  let { damaged } = facts;
  const files: LogFile[] = [];
  for (const name of names) files.push({ name, ...scanWal(await readFile(join(dir, name))) });
  const lastSound = files.findLastIndex(({ pieces }) => pieces.length > 0);
  for (const [index, { name, pieces, tail }] of files.entries()) {
    // The tail of a log that was followed by another one was complete once: LevelDB goes on to the next between records.
    const all = tail && index < lastSound ? [...pieces, tail] : pieces;
    if (all.some(({ state }) => state === 'damaged')) damaged = await rebuild(dir, name, all, { ...facts, damaged }, log);
    else if (tail)
      log.warn(
        { ev: 'store.tornTail', file: join(dir, name), offset: tail.offset, bytes: tail.content.length },
        'cutting the half-written end of the log',
      );
  }
  return { ...facts, damaged };
}

async function rebuild(
  dir: string,
  name: string,
  pieces: readonly WalPiece[],
  facts: FolderFacts,
  log: Logger,
): Promise<FolderFacts['damaged']> {
  const path = join(dir, name);
  const records: Buffer[] = [];
  const damaged: Damage[] = [...facts.damaged];
  for (const [index, { state, offset, content, framesLost }] of pieces.entries()) {
    if (state === 'sound') {
      records.push(content);
      continue;
    }
    const saved = salvage(content, framesLost);
    if (!saved.isNamed) {
      throw new Fault(
        'STORE_CORRUPT',
        `${path} is damaged at offset ${offset}, and what was lost there cannot be named: restore the data folder from a copy, or remove this file to go on without what is only in it`,
      );
    }
    if (saved.writes.length > 0) records.push(buildWrites(sequenceOf(saved, pieces, index), saved.writes));
    for (const [room, seq] of saved.damaged) {
      if (damaged.some((known) => known.room === room)) continue;
      damaged.push({ room, seq, reason: `lost with a damaged record of ${name} at offset ${offset}` });
    }
    log.error(
      { ev: 'store.damage', file: path, offset, bytes: content.length, rooms: [...saved.damaged].map(([room, seq]) => ({ room, seq })) },
      'the log is damaged: what can be read is kept, the rooms named here are refused until they are restored from a copy',
    );
  }
  // In this order: a crash in between finds the same damage again, and the same marks.
  await writeFacts(dir, { ...facts, damaged });
  await copyFile(path, `${path}.damaged`);
  await writeSynced(`${path}.rebuilt`, buildWal(records));
  await rename(`${path}.rebuilt`, path);
  await syncFolder(dir);
  return damaged;
}

const endOf = (record: Buffer): bigint => (record.length < 12 ? 0n : record.readBigUInt64LE(0) + BigInt(record.readUInt32LE(8)));

/**
 * Sequences number the writes of a LevelDB: a later one for the same key wins. A damaged record keeps its own, unless that
 * was damaged as well: then it follows the sound record before it, or goes before the one behind it.
 */
function sequenceOf({ sequence, writes }: Salvage, pieces: readonly WalPiece[], index: number): bigint {
  const before = pieces.slice(0, index).findLast(({ state }) => state === 'sound');
  const behind = pieces.slice(index + 1).find(({ state }) => state === 'sound');
  const most = behind && behind.content.length >= 8 ? behind.content.readBigUInt64LE(0) : undefined;
  const least = before ? endOf(before.content) : most === undefined ? 0n : most - BigInt(writes.length) - hiddenSequences;
  return sequence >= least && (most === undefined || sequence < most) ? sequence : least;
}

/** The first record of a log with a damaged sequence: how far before the next one it may have begun, at most. */
const hiddenSequences = 100_000n;
