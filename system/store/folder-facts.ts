/**
 * FolderFacts: what must be known of a data folder before its database is opened: its format, and rooms found damaged.
 *
 * A file of its own, `playhouse.json`, since the database may be what is damaged. Replaced atomically and synced.
 * An operator who restored a room by hand takes it out of `damaged`.
 */
import { open, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { Fault } from '../errors.ts';
import type { RoomId } from '../ids.ts';

export interface Damage {
  readonly room: RoomId;
  readonly seq: number;
  readonly reason: string;
}

export interface FolderFacts {
  readonly format: number;
  readonly damaged: readonly Damage[];
}

/** 2: control entries stand in their index too. Rows of format 1 are read as they are; that program could not read these. */
export const formatVersion = 2;
const oldestFormat = 1;
const fileName = 'playhouse.json';

/** The facts of a folder; undefined for a new one. Faults: STORE_FORMAT, STORE_CORRUPT. */
export async function readFacts(dir: string): Promise<FolderFacts | undefined> {
  const path = join(dir, fileName);
  let facts: FolderFacts;
  try {
    facts = JSON.parse(await readFile(path, 'utf8')) as FolderFacts;
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return undefined;
    throw new Fault(
      'STORE_CORRUPT',
      `${path} cannot be read: restore it from a copy, or remove it if no room was ever marked as damaged`,
      cause,
    );
  }
  if (!(facts.format >= oldestFormat && facts.format <= formatVersion)) {
    throw new Fault(
      'STORE_FORMAT',
      `data folder ${dir} has format ${facts.format}, this program reads ${oldestFormat} to ${formatVersion}; run the program that wrote it, or give this one another CHAT_DATA_DIR`,
    );
  }
  return { format: facts.format, damaged: facts.damaged ?? [] };
}

export async function writeFacts(dir: string, facts: FolderFacts): Promise<void> {
  const path = join(dir, fileName);
  await writeSynced(`${path}.new`, Buffer.from(`${JSON.stringify(facts, null, 2)}\n`));
  await rename(`${path}.new`, path);
  await syncFolder(dir);
}

export async function writeSynced(path: string, bytes: Buffer): Promise<void> {
  const file = await open(path, 'w');
  try {
    await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Makes renames in a folder durable. */
export async function syncFolder(dir: string): Promise<void> {
  const folder = await open(dir, 'r');
  await folder.sync().finally(() => folder.close());
}
