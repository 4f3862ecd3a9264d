/**
 * EmbeddedFolder: opening a data folder as a LevelDB, and what stands in the way: no folder, another owner, no space,
 * a newer format, damage.
 *
 * Guarantees: before LevelDB recovers its log, the log was checked and, if damaged in the middle, rebuilt (wal-check).
 * Every failure is a Fault that says what to do.
 */
import { mkdir, open, readdir, rm, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { ClassicLevel } from 'classic-level';
import { Fault } from '../errors.ts';
import type { Logger } from '../logger.ts';
import { threadsNow, yieldBackgroundThread } from './background-thread-embedded.ts';
import { type FolderFacts, formatVersion, readFacts, writeFacts } from './folder-facts.ts';
import { liveFiles } from './manifest.ts';
import { checkTables } from './table-check.ts';
import { checkWal } from './wal-check-embedded.ts';

/** Blocks read from tables, kept uncompressed. */
const cacheBytes = 32 * 1024 * 1024;
/** LevelDB's log and its copy in memory; up to two at a time. Bounds the work of the next start. */
const writeBufferBytes = 4 * 1024 * 1024;
/** Beyond what the log will need as a table: room to go on for a while. */
const probeSpareBytes = 1024 * 1024;
const probeName = 'probe.tmp';

const settings = { keyEncoding: 'utf8', valueEncoding: 'utf8', cacheSize: cacheBytes, writeBufferSize: writeBufferBytes } as const;

/** The code of LevelDB's own answer: abstract-level wraps it once. */
function levelCode(error: unknown): string {
  const inner = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  return inner instanceof Error && 'code' in inner ? String(inner.code) : '';
}

const levelMessage = (error: unknown): string => {
  const inner = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  return inner instanceof Error ? inner.message : String(inner);
};

/** LevelDB met stored bytes that do not verify. */
export const isTableDamage = (error: unknown): boolean => levelCode(error) === 'LEVEL_CORRUPTION';

const claimed = new Set<string>();

/**
 * Claims the folder within this process; returns what gives it back. LevelDB would refuse a second opening too, but on
 * the way it closes a handle of its lock file, and with that POSIX drops the lock of the first one against other processes.
 */
export function claimFolder(dir: string): () => void {
  const path = resolve(dir);
  if (claimed.has(path)) throw lockedFault(dir, undefined);
  claimed.add(path);
  return () => {
    claimed.delete(path);
  };
}

export interface OpenFolder {
  readonly level: ClassicLevel<string, string>;
  /** Rooms known to be damaged, and where. */
  readonly damaged: FolderFacts['damaged'];
}

export async function openFolder(dir: string, log: Logger): Promise<OpenFolder> {
  try {
    await mkdir(dir, { recursive: true });
    await writeProbe(dir, 0);
  } catch (cause) {
    throw unwritable(dir, cause);
  }
  // Nobody else may own the folder when its log is checked and perhaps rebuilt.
  await refuseOtherOwner(dir);
  let level: ClassicLevel<string, string> | undefined;
  try {
    const facts = await currentFacts(dir);
    const live = await liveFiles(dir);
    await checkTables(dir, live.tables);
    const { damaged } = await checkWal(dir, live.logs, facts, log);
    const threads = await threadsNow();
    level = new ClassicLevel<string, string>(dir, settings);
    await level.open();
    await yieldBackgroundThread(level, threads);
    return { level, damaged };
  } catch (cause) {
    await level?.close();
    throw openFault(dir, cause);
  }
}

/** The facts of a folder; from now on it has the format of this program. */
async function currentFacts(dir: string): Promise<FolderFacts> {
  const known = await readFacts(dir);
  if (known?.format === formatVersion) return known;
  const facts = { format: formatVersion, damaged: known?.damaged ?? [] };
  await writeFacts(dir, facts);
  return facts;
}

function openFault(dir: string, cause: unknown): Fault {
  if (cause instanceof Fault) return cause;
  if (levelCode(cause) === 'LEVEL_LOCKED') return lockedFault(dir, cause);
  if (isTableDamage(cause)) {
    return new Fault('STORE_CORRUPT', `data folder ${dir} is damaged: ${levelMessage(cause)}; restore it from a copy`, cause);
  }
  return unwritable(dir, cause);
}

const lockedFault = (dir: string, cause: unknown): Fault =>
  new Fault('STORE_LOCKED', `data folder ${dir} is in use by another node; stop it or give this one another CHAT_DATA_DIR`, cause);

const unwritable = (dir: string, cause: unknown): Fault =>
  new Fault(
    'STORE_UNWRITABLE',
    `data folder ${dir} cannot be made or written: ${levelMessage(cause)}; fix its rights or space, or set CHAT_DATA_DIR`,
    cause,
  );

/** LevelDB takes its lock first and looks second whether a database is there, so this asks for the lock and nothing else. */
async function refuseOtherOwner(dir: string): Promise<void> {
  if (!(await readdir(dir)).includes('CURRENT')) return;
  const probe = new ClassicLevel(dir);
  try {
    await probe.open({ errorIfExists: true, createIfMissing: false });
  } catch (cause) {
    if (levelCode(cause) === 'LEVEL_LOCKED') throw lockedFault(dir, cause);
  } finally {
    await probe.close();
  }
}

/** Resolves when the folder takes, durably, as much as the next recovery will write, and some more. */
export async function probeFolder(dir: string): Promise<void> {
  let logBytes = 0;
  for (const name of await readdir(dir)) if (/^\d+\.log$/.test(name)) logBytes += (await stat(join(dir, name))).size;
  await writeProbe(dir, logBytes + probeSpareBytes);
}

async function writeProbe(dir: string, bytes: number): Promise<void> {
  const path = join(dir, probeName);
  try {
    const file = await open(path, 'w');
    try {
      if (bytes > 0) await file.writeFile(Buffer.alloc(bytes, 1));
      await file.sync();
    } finally {
      await file.close();
    }
  } finally {
    // A full disk must get its space back in any case; on a read-only one there is nothing to remove.
    await rm(path, { force: true }).catch(() => {});
  }
}

/** Rebuilds tables without what cannot be read. What is missing then shows as damage of its room when it is read. */
export async function repairTables(dir: string, log: Logger): Promise<void> {
  log.error(
    { ev: 'store.repair', dir },
    'a table of the data folder is damaged: rebuilding it without the unreadable parts; restore a copy to get them back',
  );
  const facts = await currentFacts(dir);
  // LevelDB's repair turns the log into a table as carelessly as its recovery does.
  await checkWal(dir, (await liveFiles(dir)).logs, facts, log);
  await ClassicLevel.repair(dir);
}
