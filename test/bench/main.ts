/**
 * Main: `npm run bench -- [names] [--quick] [--rounds n] [--json file] [--against file] [--chart file] [--dir folder] [--profile folder]`.
 *
 * Exit codes: 0 when everything ran and everything expected was delivered and stored, goals reached or missed; else 1.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { runAppend } from './append.ts';
import { p99MsMax } from './arm-run.ts';
import { type Bench, BenchSkipped } from './bench.ts';
import { hotShape, runCool, runHot } from './capacity.ts';
import { chartSvg } from './chart.ts';
import { runCluster } from './cluster.ts';
import { type Report, renderComparison } from './compare.ts';
import { runForeign } from './foreign.ts';
import { runHalf } from './half.ts';
import { aboutMachine, busyShareMax, type Machine } from './machine.ts';
import { runMongo } from './mongo.ts';
import { runList, runOpen } from './open-list.ts';
import { type CommandLine, parseCommandLine, UsageError } from './options.ts';
import { profileServers } from './processes.ts';
import { isReached, renderResult, renderVerdicts } from './result-table.ts';
import { runSessions } from './sessions.ts';
import { runSmallHeap } from './small-heap.ts';
import { runStalled } from './stalled.ts';
import { runStorm } from './storm.ts';
import { runTurns } from './turns.ts';

const benches: readonly Bench[] = [
  { name: 'hot', summary: 'healthy deliveries a second of hot rooms, beside bare socket.io', run: runHot },
  { name: 'cool', summary: 'the same of cool rooms: 10 members', run: runCool },
  { name: 'half', summary: "p99 of hot rooms at half of bare's capacity", run: runHalf },
  { name: 'sessions', summary: 'heap of a connected session with three rooms', run: runSessions },
  { name: 'memory256', summary: '10,000 talking and 20,000 idle sessions in a heap of 256 MB', run: runSmallHeap },
  { name: 'stalled', summary: 'memory of readers that do not read, and what they have afterwards', run: runStalled },
  { name: 'storm', summary: 'all clients come back at once', run: runStorm },
  { name: 'turns', summary: 'one room in a busy event loop, beside a bare nact actor', run: runTurns },
  { name: 'foreign', summary: 'a record from Kafka of a room that nobody reads here, beside parsing it', run: runForeign },
  { name: 'cluster', summary: 'three nodes on real servers: messages across nodes, 1 -> 3 nodes, one room through all', run: runCluster },
  { name: 'append', summary: 'durable messages a second, as a share of raw LevelDB', run: runAppend },
  { name: 'mongo', summary: 'appends to MongoDB, as a share of raw insertMany', run: runMongo },
  { name: 'list', summary: 'room:list of a user with 500 rooms, cold', run: runList },
  { name: 'open', summary: 'room:open of a room with 1,000,000 entries, cold', run: runOpen },
];

/** Exit listeners: one for each fresh folder. */
process.setMaxListeners(0);

async function main(): Promise<void> {
  const line = parseCommandLine();
  const chosen = chosenOf(line);
  // Better to fail now than after an hour.
  for (const file of [line.json, line.chart]) if (file !== undefined) writeFileSync(file, '', { flag: 'a' });
  const earlier = line.against === undefined ? undefined : (JSON.parse(readFileSync(line.against, 'utf8')) as Report);
  if (line.profile !== undefined) profileServers(resolve(line.profile));
  if (line.names.length === 0) {
    console.log('Benchmarks (name one or more to run only these):');
    for (const { name, summary } of benches) console.log(`  ${name.padEnd(11)}${summary}`);
  }
  const machine = await aboutMachine();
  console.log(headline(machine));
  if (line.options.isQuick) console.log('QUICK: too short and too few rounds to prove anything.');
  const report = await runAll(chosen, line, machine);
  const verdicts = renderVerdicts(report.results);
  if (verdicts !== '') console.log(`\n${verdicts}`);
  if (line.json !== undefined) writeFileSync(line.json, `${JSON.stringify(report, withVerdict, 2)}\n`);
  if (line.chart !== undefined) writeChart(line.chart, report);
  if (earlier) console.log(`\n${renderComparison(earlier, report)}`);
  if (report.failures.length > 0) process.exit(1);
}

function chosenOf({ names, chart }: CommandLine): readonly Bench[] {
  const known = benches.map(({ name }) => name);
  const unknown = names.filter((name) => !known.includes(name));
  if (unknown.length > 0) throw new UsageError(`no benchmark ${unknown.join(', ')}; there are: ${known.join(', ')}`);
  if (chart !== undefined && names.length > 0 && !names.includes('hot')) throw new UsageError('--chart draws what hot found: name hot too');
  return names.length === 0 ? benches : benches.filter(({ name }) => names.includes(name));
}

function headline({ cores, cpu, node, platform, pinning, busyShareBefore, openFilesMax }: Machine): string {
  const about = `${cores} × ${cpu}, Node ${node}, ${platform}, ${openFilesMax} open files; ${pinning}`;
  if (busyShareBefore <= busyShareMax) return about;
  const percent = Math.round(100 * busyShareBefore);
  return `${about}\nNOT A QUIET MACHINE: ${percent} % of its CPU was in use before this began. The figures are noise.`;
}

async function runAll(chosen: readonly Bench[], { options }: CommandLine, machine: Machine): Promise<Report> {
  const results: Report['results'][number][] = [];
  const failures: string[] = [];
  for (const { name, run } of chosen) {
    try {
      const result = { name, ...(await run(options)) };
      results.push(result);
      console.log(`\n${renderResult(result)}\n`);
    } catch (error) {
      if (error instanceof BenchSkipped) {
        console.error(`\n${name} SKIPPED: ${error.message}\n`);
        continue;
      }
      failures.push(name);
      console.error(`\n${name} FAILED: ${error instanceof Error ? error.message : String(error)}\n`);
    }
  }
  return { machine, quick: options.isQuick, failures, results };
}

/** In the file, each row with a goal says whether it was reached. */
function withVerdict(_key: string, value: unknown): unknown {
  const isRow = typeof value === 'object' && value !== null && 'goal' in value && 'spread' in value;
  return isRow ? { ...value, reached: isReached(value as Parameters<typeof isReached>[0]) } : value;
}

function writeChart(file: string, { results, machine, quick }: Report): void {
  const hot = results.find(({ name }) => name === 'hot');
  if (!hot?.points) return console.error(`no chart: hot failed`);
  const rounds = hot.rows[0]?.spread.rounds.length ?? 0;
  const subtitle = `${machine.cores} × ${machine.cpu}, Node ${machine.node}; ${quick ? 'QUICK, proves nothing' : `${rounds} rounds, medians`}`;
  const title = `${hotShape.rooms} rooms × ${hotShape.membersPerRoom} members on one core: what arrives of what is asked`;
  const { value: ratio, stretch } = hotShape.goal;
  const goals = { ratio, ...(stretch !== undefined && { stretch }), p99Ms: p99MsMax };
  writeFileSync(file, chartSvg(hot.points, { title, subtitle }, goals));
  console.log(`\nchart: ${file}`);
}

main().catch((error: unknown) => {
  console.error(error instanceof UsageError ? error.message : error);
  process.exit(1);
});
