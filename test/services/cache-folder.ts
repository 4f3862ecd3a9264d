/**
 * CacheFolder: where programs that were fetched are kept, for all checkouts of this user.
 *
 * Guarantees: a program is there whole or not at all: it is made in a folder of this process and put in place by one rename, so that
 * two that fetch at once do not disturb each other. What a fetch left behind that was killed is cleared away by the next one.
 */
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

export function openCache(): string {
  const cache = process.env['PLAYHOUSE_CACHE'] ?? join(homedir(), '.cache', 'playhouse');
  mkdirSync(cache, { recursive: true });
  return cache;
}

/** `make` gets an empty folder and answers the folder in it that is to be kept as `name`. Nothing is done when that is there. */
export async function keep(cache: string, name: string, make: (work: string) => Promise<string>): Promise<void> {
  const place = join(cache, name);
  clearLeftovers(cache);
  if (existsSync(place)) return;
  const work = join(cache, `${name}.${process.pid}.part`);
  rmSync(work, { recursive: true, force: true });
  mkdirSync(work, { recursive: true });
  try {
    const made = await make(work);
    try {
      renameSync(made, place);
    } catch (error) {
      if (!existsSync(place)) throw error; // Else another process was faster: the same thing.
    }
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function clearLeftovers(cache: string): void {
  for (const name of readdirSync(cache)) {
    if (!name.endsWith('.part')) continue;
    const pid = Number(/\.(\d+)\.part$/.exec(name)?.[1]);
    if (!(pid > 0 && isAlive(pid))) rmSync(join(cache, name), { recursive: true, force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}
