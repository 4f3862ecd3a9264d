/**
 * Options: the command line of the benchmark.
 */
import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import type { BenchOptions } from './bench.ts';

export class UsageError extends Error {}

export interface CommandLine {
  readonly names: readonly string[];
  readonly options: BenchOptions;
  /** Where to write what was found. */
  readonly json: string | undefined;
  /** An earlier --json to compare with. */
  readonly against: string | undefined;
  /** Where to draw deliveries against offered load. Needs `hot` among the benchmarks. */
  readonly chart: string | undefined;
  readonly profile: string | undefined;
}

export function parseCommandLine(): CommandLine {
  const { values, positionals } = parse();
  const { json, against, chart, profile } = values;
  return { names: positionals, options: optionsOf(values), json, against, chart, profile };
}

function parse() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        quick: { type: 'boolean', default: false },
        rounds: { type: 'string' },
        json: { type: 'string' },
        against: { type: 'string' },
        chart: { type: 'string' },
        dir: { type: 'string', default: join('data', 'bench') },
        profile: { type: 'string' },
      },
    });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function optionsOf({ quick, rounds, dir }: ReturnType<typeof parse>['values']): BenchOptions {
  const given = rounds === undefined ? undefined : Number(rounds);
  if (given !== undefined && !(Number.isInteger(given) && given > 0))
    throw new UsageError(`--rounds must be a whole number above 0, not ${rounds}`);
  const folder = resolve(dir);
  mkdirSync(folder, { recursive: true });
  const startMs = performance.now();
  return {
    ...(quick ? quickSizes : fullSizes),
    rounds: given ?? (quick ? 1 : 5),
    isQuick: quick,
    folder,
    found: {},
    progress: (line) => console.error(`${((performance.now() - startMs) / 1_000).toFixed(1).padStart(7)} s  ${line}`),
  };
}

type Sizes = Omit<BenchOptions, 'rounds' | 'isQuick' | 'folder' | 'progress' | 'found'>;
const fullSizes: Sizes = {
  rateFactor: 1.3,
  hotWarmUpMs: 15_000,
  hotStepMs: 4_000,
  halfMs: 10_000,
  appendWarmUpMs: 4_000,
  appendMs: 5_000,
  coldRuns: 15,
  openEntries: 1_000_000,
  sessions: 6_000,
  crowdRooms: 100,
  crowdMs: 10_000,
  idleSessions: 20_000,
  stallWarmUpMs: 5_000,
  stallMs: 60_000,
  stormClients: 2_000,
  turnsMs: 5_000,
  clusterMs: 8_000,
};
const quickSizes: Sizes = {
  rateFactor: 2,
  hotWarmUpMs: 1_000,
  hotStepMs: 800,
  halfMs: 2_000,
  appendWarmUpMs: 500,
  appendMs: 800,
  coldRuns: 2,
  openEntries: 100_000,
  sessions: 1_000,
  crowdRooms: 10,
  crowdMs: 2_000,
  idleSessions: 1_000,
  stallWarmUpMs: 2_500,
  stallMs: 20_000,
  stormClients: 1_000,
  turnsMs: 1_500,
  clusterMs: 2_000,
};
