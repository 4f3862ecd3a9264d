/**
 * Fleet: runs many seeds on several processes. Under a TypeScript runner its workers run the sources, from `dist` the
 * compiled files; nobody can test yesterday's build by mistake.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { addCounters, type Counters } from './counters.ts';
import type { FixedOptions } from './options.ts';
import type { RunResult } from './run.ts';
import type { Job, Report, Stop } from './worker.ts';

export interface SeedRange {
  readonly first: number;
  readonly count: number;
  readonly fixed?: FixedOptions;
  /** A patched machine, by path of its module. */
  readonly machinePath?: string | undefined;
}

export interface FleetResult {
  readonly seeds: number;
  readonly counters: Counters;
  readonly failure: { readonly seed: number; readonly violation: NonNullable<RunResult['violation']> } | undefined;
}

export class Fleet {
  private readonly workers: ChildProcess[] = [];
  private jobs = 0;

  constructor(size = Math.min(4, availableParallelism())) {
    const isSource = import.meta.url.endsWith('.ts');
    const file = fileURLToPath(new URL(isSource ? 'worker.ts' : 'worker.js', import.meta.url));
    for (let index = 0; index < size; index += 1) this.workers.push(fork(file, [], { execArgv: isSource ? ['--import', 'tsx'] : [] }));
  }

  /** Seeds of one range, on all workers. The failure is that of the lowest seed; seeds above it are not run any more. */
  async run(range: SeedRange, onProgress: (seedsDone: number) => void = () => {}): Promise<FleetResult> {
    const counters: Counters = {};
    let seeds = 0;
    let failure: FleetResult['failure'];
    const { first, count } = range;
    const size = this.workers.length;
    await Promise.all(
      this.workers.map((worker, index) =>
        this.give(
          worker,
          {
            first: first + index,
            end: first + count,
            step: size,
            fixed: range.fixed ?? {},
            ...(range.machinePath === undefined ? {} : { machinePath: range.machinePath }),
          },
          (report) => {
            if (report.type === 'failed' && (!failure || report.seed < failure.seed)) {
              failure = { seed: report.seed, violation: report.violation };
              for (const other of this.workers) other.send({ stopAbove: report.seed } satisfies Stop);
            }
            if (report.type !== 'progress') return;
            seeds += report.seeds;
            addCounters(counters, report.counters);
            onProgress(seeds);
          },
        ),
      ),
    );
    return { seeds, counters, failure };
  }

  private give(worker: ChildProcess, work: Omit<Job, 'id'>, onReport: (report: Report) => void): Promise<void> {
    const id = (this.jobs += 1);
    return new Promise((resolve, reject) => {
      const onExit = (code: number | null): void => reject(new Error(`a simulation worker ended with ${code}`));
      const onMessage = (report: Report): void => {
        if (report.id !== id) return;
        onReport(report);
        if (report.type !== 'done') return;
        worker.off('message', onMessage);
        worker.off('exit', onExit);
        resolve();
      };
      worker.on('message', onMessage);
      worker.on('exit', onExit);
      worker.send({ id, ...work } satisfies Job);
    });
  }

  close(): void {
    for (const worker of this.workers) worker.kill();
  }
}
