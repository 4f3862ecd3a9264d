/**
 * Record: which processes a run has, in a file, so that the next run can end what a kill -9 of this one left.
 *
 * Guarantees: written whole (by rename) before and after each change; a process is ended only if it still runs in the folder it had.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { endProcesses } from '../services/processes.ts';

interface Recorded {
  /** The program's own. */
  readonly pid: number;
  /** In the order to be ended. */
  readonly members: readonly { readonly name: string; readonly pid: number; readonly folder: string }[];
}

export class RunRecord {
  private readonly path: string;

  constructor(folder: string) {
    this.path = join(folder, 'run.json');
  }

  /** The process of a run that goes on, if any. */
  owner(): number | undefined {
    const pid = this.read()?.pid;
    return pid !== undefined && pid !== process.pid && isRun(pid) ? pid : undefined;
  }

  write(members: Recorded['members']): void {
    mkdirSync(join(this.path, '..'), { recursive: true });
    const draft = `${this.path}.${process.pid}.part`;
    writeFileSync(draft, JSON.stringify({ pid: process.pid, members } satisfies Recorded, null, 2));
    renameSync(draft, this.path);
  }

  forget(): void {
    rmSync(this.path, { force: true });
  }

  /** Ends what is left of a run whose program is gone. Answers the names of what was in its record. */
  async endLeftovers(): Promise<readonly string[]> {
    const left = this.read()?.members ?? [];
    for (const { pid, folder } of left) await endProcesses([pid], folder, 20_000);
    this.forget();
    return left.map(({ name }) => name);
  }

  private read(): Recorded | undefined {
    if (!existsSync(this.path)) return undefined;
    return JSON.parse(readFileSync(this.path, 'utf8')) as Recorded;
  }
}

/** A number that some other program has taken over is no run. */
function isRun(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('cluster-run');
  } catch {
    return !existsSync('/proc/self/cmdline');
  }
}
