/**
 * Worker: runs seeds in a process of its own, for `fleet.ts`. Stops at the first that fails.
 */
import { pathToFileURL } from 'node:url';
import { addCounters, type Counters } from './counters.ts';
import { drawOptions, type FixedOptions } from './options.ts';
import { type RunResult, runSimulation } from './run.ts';
import type { MachineClass } from './world.ts';

/** Seeds first, first + step … below `end`. */
export interface Job {
  readonly id: number;
  readonly first: number;
  readonly end: number;
  readonly step: number;
  readonly fixed: FixedOptions;
  readonly machinePath?: string;
}

export type Report =
  | { readonly id: number; readonly type: 'progress'; readonly seeds: number; readonly counters: Counters }
  | { readonly id: number; readonly type: 'failed'; readonly seed: number; readonly violation: NonNullable<RunResult['violation']> }
  | { readonly id: number; readonly type: 'done' };

/** Sent while a job runs: another worker met a failure; seeds above it are of no interest. */
export interface Stop {
  readonly stopAbove: number;
}

const sliceMs = 200;
let stopAbove = Number.POSITIVE_INFINITY;

async function work(job: Job): Promise<void> {
  const send = (report: Report): void => void process.send?.(report);
  const { id } = job;
  const machine =
    job.machinePath === undefined
      ? undefined
      : ((await import(pathToFileURL(job.machinePath).href)) as { RoomState: MachineClass }).RoomState;
  let counters: Counters = {};
  let seeds = 0;
  let sliceEndMs = performance.now() + sliceMs;
  for (let seed = job.first; seed < job.end && seed < stopAbove; seed += job.step) {
    const result = runSimulation(drawOptions(seed, job.fixed), machine ? { machine } : {});
    seeds += 1;
    addCounters(counters, result.counters);
    if (result.violation) send({ id, type: 'failed', seed, violation: result.violation });
    if (result.violation || performance.now() >= sliceEndMs) {
      send({ id, type: 'progress', seeds, counters });
      counters = {};
      seeds = 0;
      await new Promise((resolve) => setImmediate(resolve)); // A Stop may be waiting.
      sliceEndMs = performance.now() + sliceMs;
    }
    if (result.violation) break;
  }
  send({ id, type: 'progress', seeds, counters });
  send({ id, type: 'done' });
}

process.on('message', (message: Job | Stop) => {
  if ('stopAbove' in message) {
    stopAbove = Math.min(stopAbove, message.stopAbove);
    return;
  }
  stopAbove = Number.POSITIVE_INFINITY;
  work(message).catch((error: unknown) => {
    process.stderr.write(`simulation worker: ${String(error)}\n`);
    process.exit(1);
  });
});
