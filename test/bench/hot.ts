/**
 * Hot: how many deliveries a second a room of 100 members takes, beside bare socket.io, in the same run.
 *
 * Method: see README.md. An arm's figure is the highest offered load at which everything acknowledged reached everybody, in order,
 * without a hole, with p99 ≤ 100 ms from when a message was due to each receiver.
 */
import { rmSync } from 'node:fs';
import { freshFolder, newSecret, startBare, startPlayhouse } from './arms.ts';
import type { BenchOptions } from './bench.ts';
import type { HotSetup, HotStep } from './load-hot.ts';
import { BenchProcess, pinning } from './processes.ts';
import { type BenchResult, type Row, shown } from './result-table.ts';
import { climb, ratiosOf, spreadOf } from './stats.ts';

const roomCount = 10;
const membersPerRoom = 100;
const p99MsMax = 100;
const rateFactor = 1.3;
/** Messages a second, all rooms together. Later rounds begin two steps below what the round before reached. */
const startRate = { bare: 400, playhouse: 2_000 } as const;
const leastRate = 50;

type Arm = HotSetup['arm'];
interface Step extends HotStep {
  readonly healthy: boolean;
  readonly serverMicrosPerDelivery: number | undefined;
}
interface Round {
  readonly best: Step;
  readonly limit: string;
}

export async function runHot(options: BenchOptions): Promise<BenchResult> {
  const rounds: Record<Arm, Round[]> = { bare: [], playhouse: [] };
  for (let round = 0; round < options.rounds; round += 1) {
    const arms: Arm[] = round % 2 === 0 ? ['bare', 'playhouse'] : ['playhouse', 'bare'];
    for (const arm of arms) {
      const say = (text: string): void => options.progress(`hot   round ${round + 1}/${options.rounds} ${arm.padEnd(9)} ${text}`);
      const before = rounds[arm].at(-1)?.best.offeredPerSecond;
      const start = before === undefined ? startRate[arm] : before / membersPerRoom / rateFactor ** 2;
      const found = await runArm(arm, start, options, say);
      rounds[arm].push(found);
      say(`=> ${shown(found.best.deliveriesPerSecond)} deliveries/s`);
    }
  }
  return resultOf(rounds);
}

async function runArm(arm: Arm, start: number, options: BenchOptions, say: (text: string) => void): Promise<Round> {
  const dir = freshFolder(options.folder, 'hot-');
  const secret = newSecret();
  const server = arm === 'bare' ? await startBare() : await startPlayhouse(dir, secret);
  const load = new BenchProcess('test/bench/load-main.js', 'load');
  try {
    const setup: HotSetup = { arm, port: server.port, secret, rooms: roomCount, membersPerRoom };
    await load.call('hotSetup', setup);
    const step = async (messagesPerSecond: number, durationMs: number): Promise<Step> => {
      const cpuBefore = server.process.cpuSeconds();
      const found = await load.call<HotStep>('hotStep', { messagesPerSecond, durationMs });
      const cpuAfter = server.process.cpuSeconds();
      if (found.violations.length > 0)
        throw new Error(`${arm} broke what it must keep:\n  ${found.violations.join('\n  ')}\n${server.process.lastWords()}`);
      const cpu = cpuBefore === undefined || cpuAfter === undefined ? undefined : ((cpuAfter - cpuBefore) * 1e6) / found.deliveries;
      const healthy = found.p99Ms <= p99MsMax && Object.keys(found.refused).length === 0;
      return { ...found, healthy, serverMicrosPerDelivery: cpu };
    };
    await step(start / 2, options.hotWarmUpMs); // Not counted: code gets compiled, buffers grow.
    const { best, firstUnhealthy } = await climb(start, rateFactor, leastRate, async (rate) => {
      const found = await step(rate, options.hotStepMs);
      say(lineOf(found));
      return found;
    });
    if (!best) throw new Error(`${arm}: not healthy even at ${leastRate} messages a second`);
    const isLoadFull = (firstUnhealthy?.loadCpuShare ?? 0) > 0.9;
    return { best, limit: isLoadFull ? 'load process' : 'server' };
  } finally {
    await load.stop();
    await server.process.stop();
    rmSync(dir, { recursive: true, force: true });
  }
}

function lineOf(step: Step): string {
  const refused = Object.entries(step.refused).map(([code, count]) => `, ${count} × ${code}`);
  const share = `${Math.round(step.loadCpuShare * 100)} %`;
  const verdict = step.healthy ? 'healthy  ' : 'unhealthy';
  return `${shown(step.offeredPerSecond).padStart(7)}/s offered: ${verdict} p50 ${shown(step.p50Ms)} ms, p99 ${shown(step.p99Ms)} ms, ${shown(step.entriesPerFrame)} per frame, load CPU ${share}${refused.join('')}`;
}

function resultOf(rounds: Record<Arm, Round[]>): BenchResult {
  const figures = (arm: Arm, of: (step: Step) => number | undefined): number[] => rounds[arm].map(({ best }) => of(best) ?? Number.NaN);
  const rate = (step: Step): number => step.deliveriesPerSecond;
  const absolute = (what: string, unit: string, arm: Arm, of: (step: Step) => number | undefined): Row => ({
    what: `${what}, ${arm === 'bare' ? 'bare socket.io' : 'playhouse'}`,
    unit,
    spread: spreadOf(figures(arm, of)),
  });
  const both = (what: string, unit: string, of: (step: Step) => number | undefined): Row[] => [
    absolute(what, unit, 'playhouse', of),
    absolute(what, unit, 'bare', of),
  ];
  const limits = (arm: Arm): string => {
    const byLoad = rounds[arm].filter(({ limit }) => limit === 'load process').length;
    return byLoad === 0
      ? ''
      : `${arm}: in ${byLoad} of ${rounds[arm].length} rounds the load process was the limit; the true figure is higher`;
  };
  const ratio: Row = {
    what: 'healthy deliveries: playhouse / bare',
    unit: '×',
    spread: spreadOf(ratiosOf(figures('playhouse', rate), figures('bare', rate))),
    goal: { bound: 'at least', value: 8 },
  };
  return {
    bench: `hot: ${roomCount} rooms × ${membersPerRoom} members, everybody sends and reads, 80–200 bytes`,
    rows: [
      ratio,
      ...both('healthy deliveries', '/s', rate),
      ...both('p50 there', 'ms', ({ p50Ms }) => p50Ms),
      ...both('p99 there', 'ms', ({ p99Ms }) => p99Ms),
      ...both('server CPU per delivery', 'µs', ({ serverMicrosPerDelivery }) => serverMicrosPerDelivery),
      ...both('load process CPU', 'cores', ({ loadCpuShare }) => loadCpuShare),
    ],
    notes: [
      `every step: all acknowledged messages at all members, in order, no hole; else the run fails. Steps of × ${rateFactor}; ${pinning}`,
      'playhouse: default settings, log level warn, embedded log with fsync before ack and broadcast. bare: nothing but io.to(room).emit',
      ...[limits('bare'), limits('playhouse')].filter((note) => note !== ''),
    ],
  };
}
