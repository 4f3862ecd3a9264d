/**
 * BackgroundThread: LevelDB's one thread for flushing and compacting yields to the event loop.
 *
 * It is busy for a quarter of a second at a time, and on a machine with one core takes half of it from everybody who waits for an answer:
 * that was the longest delay of a busy node. With a lower priority it gets a tenth while the loop is busy, and all that is left else.
 * Nothing starves: a write that has to wait for the thread leaves it the core.
 * Guarantees: never fails, never changes another thread; where the thread cannot be told apart (not Linux, other threads begin at the same
 * time), all stays as it is. Does not: matter where there are cores to spare.
 */
import { readdir } from 'node:fs/promises';
import { constants, getPriority, setPriority } from 'node:os';
import type { ClassicLevel } from 'classic-level';

/** Steps of nice(2) below the rest of the process: a tenth of its share. */
const nicer = 10;
/** Linux keeps a priority for each thread, under its id. */
const threadsFolder = '/proc/self/task';

/** Before LevelDB is opened. The folder has been read by then, so Node's own threads run. */
export const threadsNow = (): Promise<readonly string[]> => readdir(threadsFolder).catch(() => []);

/** After it: LevelDB begins its thread with the first work for it, so it gets some: to compact a range without keys. */
export async function yieldBackgroundThread(level: ClassicLevel<string, string>, before: readonly string[]): Promise<void> {
  if (before.length === 0) return;
  await level.compactRange('\0', '\0');
  const begun = (await threadsNow()).filter((id) => !before.includes(id));
  if (begun.length !== 1) return; // The thread of another folder in this process does the work, or something else began too.
  try {
    setPriority(Number(begun[0]), Math.min(getPriority() + nicer, constants.priority.PRIORITY_LOW));
  } catch {
    // It has ended, or the system does not allow it.
  }
}
