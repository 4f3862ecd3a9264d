/**
 * Main: `npm run bench -- [hot] [append] [list] [open] [--quick] [--rounds n] [--json file] [--dir folder] [--profile folder]`.
 *
 * Exit codes: 0 when everything ran and everything expected was delivered and stored, goals reached or missed; else 1.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { runAppend } from './append.ts';
import type { Bench, BenchOptions } from './bench.ts';
import { runHot } from './hot.ts';
import { runList, runOpen } from './open-list.ts';
import { pinning, profileServers } from './processes.ts';
import { type BenchResult, isReached, renderResult } from './result-table.ts';

const benches: readonly Bench[] = [
  { name: 'hot', summary: 'healthy deliveries a second of hot rooms, beside bare socket.io', run: runHot },
  { name: 'append', summary: 'durable messages a second, as a share of raw LevelDB', run: runAppend },
  { name: 'list', summary: 'room:list of a user with 500 rooms, cold', run: runList },
  { name: 'open', summary: 'room:open of a room with 1,000,000 entries, cold', run: runOpen },
];

/** Exit listeners: one for each fresh folder. */
process.setMaxListeners(0);
/** Share of the machine's CPU in use before anything of ours runs, above which somebody else is at work. */
const busyShareMax = 0.05;

class UsageError extends Error {}

function parse() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        quick: { type: 'boolean', default: false },
        rounds: { type: 'string' },
        json: { type: 'string' },
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
    rounds: given ?? (quick ? 2 : 5),
    isQuick: quick,
    hotWarmUpMs: quick ? 2_000 : 6_000,
    hotStepMs: quick ? 1_500 : 4_000,
    appendWarmUpMs: quick ? 1_500 : 4_000,
    appendMs: quick ? 1_500 : 5_000,
    coldRuns: quick ? 3 : 15,
    openEntries: quick ? 100_000 : 1_000_000,
    folder,
    progress: (line) => console.error(`${((performance.now() - startMs) / 1_000).toFixed(1).padStart(7)} s  ${line}`),
  };
}

async function machine() {
  const sum = (of: (times: ReturnType<typeof cpus>[number]['times']) => number): number =>
    cpus().reduce((total, { times }) => total + of(times), 0);
  const now = () => ({ idle: sum(({ idle }) => idle), all: sum(({ user, nice, sys, idle, irq }) => user + nice + sys + idle + irq) });
  const before = now();
  await new Promise((resolve) => setTimeout(resolve, 2_000));
  const after = now();
  const busyShareBefore = 1 - (after.idle - before.idle) / Math.max(1, after.all - before.all);
  const cpu = cpus()[0]?.model ?? 'unknown';
  return { cores: cpus().length, cpu, node: process.version, platform: `${process.platform} ${process.arch}`, pinning, busyShareBefore };
}

async function main(): Promise<void> {
  const { values, positionals } = parse();
  const known = benches.map(({ name }) => name);
  const unknown = positionals.filter((name) => !known.includes(name));
  if (unknown.length > 0) throw new UsageError(`no benchmark ${unknown.join(', ')}; there are: ${known.join(', ')}`);
  const options = optionsOf(values);
  if (values.json !== undefined) writeFileSync(values.json, ''); // Better to fail now than after an hour.
  if (values.profile !== undefined) profileServers(resolve(values.profile));
  if (positionals.length === 0) {
    console.log('Benchmarks (name one or more to run only these):');
    for (const { name, summary } of benches) console.log(`  ${name.padEnd(8)}${summary}`);
  }
  const chosen = positionals.length === 0 ? benches : benches.filter(({ name }) => positionals.includes(name));
  const about = await machine();
  console.log(`${about.cores} × ${about.cpu}, Node ${about.node}, ${about.platform}; ${about.pinning}`);
  const busyPercent = Math.round(100 * about.busyShareBefore);
  if (about.busyShareBefore > busyShareMax)
    console.log(`NOT A QUIET MACHINE: ${busyPercent} % of its CPU was in use before this began. The figures are noise.`);
  if (options.isQuick) console.log('QUICK: too short and too few rounds to prove anything.');
  const results: BenchResult[] = [];
  const failures: string[] = [];
  for (const { name, run } of chosen) {
    try {
      const result = await run(options);
      results.push(result);
      console.log(`\n${renderResult(result)}\n`);
    } catch (error) {
      failures.push(name);
      console.error(`\n${name} FAILED: ${error instanceof Error ? error.message : String(error)}\n`);
    }
  }
  if (values.json !== undefined) {
    const withVerdicts = results.map((result) => ({ ...result, rows: result.rows.map((row) => ({ ...row, reached: isReached(row) })) }));
    writeFileSync(
      values.json,
      `${JSON.stringify({ machine: about, quick: options.isQuick, failures, results: withVerdicts }, undefined, 2)}\n`,
    );
  }
  if (failures.length > 0) process.exit(1);
}

main().catch((error: unknown) => {
  console.error(error instanceof UsageError ? error.message : error);
  process.exit(1);
});
