/**
 * LevelDB's background thread has a lower priority than all others of the process (Linux; elsewhere it is skipped).
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { tempFolder } from '../support/embedded-stores.ts';
import { startStoreProcess, waitUntil } from '../support/store-processes.ts';

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

/** Of each thread of a process, as proc(5) has it: the 19th field, behind a name that may hold anything. */
function priorities(pid: number): number[] {
  return readdirSync(`/proc/${pid}/task`).map((thread) => {
    const stat = readFileSync(`/proc/${pid}/task/${thread}/stat`, 'utf8');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[16]);
  });
}

it.skipIf(process.platform !== 'linux')("an embedded store's background thread yields to all others, and only that one", async () => {
  const data = tempFolder();
  const lines = tempFolder();
  cleanups.push(data.remove, lines.remove);
  const holder = startStoreProcess(join(lines.dir, 'lines'), ['hold', data.dir]);
  cleanups.push(() => void holder.child.kill('SIGKILL'));
  await waitUntil('the store is open', () => holder.lines().length > 0);
  const own = priorities(process.pid)[0] as number;
  const found = priorities(holder.child.pid as number).sort((a, b) => a - b);
  expect(found.length).toBeGreaterThan(2);
  expect(found.at(-1)).toBe(Math.min(19, own + 10));
  expect(new Set(found.slice(0, -1))).toEqual(new Set([own]));
});
