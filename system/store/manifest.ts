/**
 * Manifest: which files of a LevelDB folder are alive, as its own manifest says. Read only.
 */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { scanWal } from './wal-format.ts';
import { readVarint } from './write-batch.ts';

export interface LiveFiles {
  /** Names of the logs that a recovery reads, oldest first. */
  readonly logs: readonly string[];
  readonly tables: readonly string[];
}

/** A folder without a database, or with a manifest that does not read (LevelDB refuses that one itself), has all its logs alive and no tables. */
export async function liveFiles(dir: string): Promise<LiveFiles> {
  const files = (await readdir(dir)).map((name) => ({ name, number: Number.parseInt(name, 10) })).sort((a, b) => a.number - b.number);
  let oldestLog = 0;
  const tables = new Set<number>();
  try {
    const manifest = (await readFile(join(dir, 'CURRENT'), 'utf8')).trim();
    for (const { content } of scanWal(await readFile(join(dir, manifest))).pieces) {
      const edit = readEdit(content);
      oldestLog = edit.logNumber ?? oldestLog;
      for (const number of edit.removed) tables.delete(number);
      for (const number of edit.added) tables.add(number);
    }
  } catch {
    tables.clear();
  }
  return {
    logs: files.filter(({ name, number }) => /^\d+\.log$/.test(name) && number >= oldestLog).map(({ name }) => name),
    tables: files.filter(({ name, number }) => /^\d+\.(ldb|sst)$/.test(name) && tables.has(number)).map(({ name }) => name),
  };
}

/** One edit: tagged fields of fixed shapes. Throws when it does not read. */
function readEdit(edit: Buffer): {
  readonly logNumber: number | undefined;
  readonly added: readonly number[];
  readonly removed: readonly number[];
} {
  const added: number[] = [];
  const removed: number[] = [];
  let logNumber: number | undefined;
  let at = 0;
  const next = (): number => {
    const varint = readVarint(edit, at);
    if (!varint) throw new RangeError('the edit ends early');
    at = varint.end;
    return varint.value;
  };
  const skipText = (): void => {
    const length = next();
    at += length;
  };
  while (at < edit.length) {
    const tag = next();
    if (tag === 1) skipText();
    else if (tag === 2) logNumber = next();
    else if (tag === 3 || tag === 4 || tag === 9) next();
    else if (tag === 5) {
      next();
      skipText();
    } else if (tag === 6) {
      next();
      removed.push(next());
    } else if (tag === 7) {
      next();
      added.push(next());
      next();
      skipText();
      skipText();
    } else throw new RangeError(`unknown tag ${tag} in an edit`);
  }
  return { logNumber, added, removed };
}
