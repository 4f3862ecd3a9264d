/**
 * DevSecret: the token secret of development mode, made once and kept in the data folder, readable by its owner only.
 *
 * Guarantees: the same folder gives the same secret, so that tokens survive a restart. Never used outside development mode.
 */
import { randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Fault } from './errors.ts';

const fileName = 'dev-token-secret';

export async function devSecret(dataDir: string): Promise<string> {
  const path = join(dataDir, fileName);
  try {
    await mkdir(dataDir, { recursive: true });
    await writeFile(path, randomBytes(48).toString('base64url'), { flag: 'wx', mode: 0o600 });
  } catch (error) {
    const isThere = error instanceof Error && 'code' in error && error.code === 'EEXIST';
    if (!isThere)
      throw new Fault('STORE_UNWRITABLE', `cannot write to the data folder ${dataDir}; make it writable or set CHAT_DATA_DIR`, error);
  }
  return (await readFile(path, 'utf8')).trim();
}
