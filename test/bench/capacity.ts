/**
 * Capacity: how many deliveries a second the rooms of one shape take, beside bare socket.io, in the same run.
 *
 * Method: see README.md. An arm's figure is the highest offered load at which everything acknowledged reached everybody, in order,
 * without a hole, with p99 ≤ 100 ms from when a message was due to each receiver.
 */
import { armsOf, bothRows, lineOf, type Step, startTalk, type TalkRun, type TalkShape, talk, withArm } from './arm-run.ts';
import type { ArmName } from './arms.ts';
import type { BenchOptions } from './bench.ts';
import { pinning } from './processes.ts';
import { type BenchResult, type Goal, type LoadPoint, type Row, shown } from './result-table.ts';
import { climb, median, ratiosOf, spreadOf } from './stats.ts';

interface CapacityShape extends TalkShape {
  readonly name: string;
  /** Messages a second, all rooms together. Later rounds begin two steps below what the round before reached. */
  readonly startRate: Readonly<Record<ArmName, number>>;
  readonly goal: Goal;
}

export const hotShape: CapacityShape = {
  name: 'hot',
  rooms: 10,
  membersPerRoom: 100,
  startRate: { bare: 500, playhouse: 4_000 },
  goal: { bound: 'at least', value: 15, stretch: 30 },
};
const coolShape: CapacityShape = {
  name: 'cool',
  rooms: 100,
  membersPerRoom: 10,
  startRate: { bare: 3_000, playhouse: 4_000 },
  goal: { bound: 'at least', value: 3 },
};
const leastRate = 50;
/** Of a core: above it the load process may be what is measured. */
const loadFullShare = 0.9;

export const runHot = (options: BenchOptions): Promise<BenchResult> => runCapacity(hotShape, options);
export const runCool = (options: BenchOptions): Promise<BenchResult> => runCapacity(coolShape, options);

export interface Found {
  readonly best: Step;
  readonly limit: 'load process' | 'server';
}

async function runCapacity(shape: CapacityShape, options: BenchOptions): Promise<BenchResult> {
  const rounds: Record<ArmName, Found[]> = { bare: [], playhouse: [] };
  const points: LoadPoint[] = [];
  for (let round = 0; round < options.rounds; round += 1) {
    for (const arm of armsOf(round)) {
      const say = (text: string): void =>
        options.progress(`${shape.name.padEnd(5)} round ${round + 1}/${options.rounds} ${arm.padEnd(9)} ${text}`);
      const before = rounds[arm].at(-1)?.best.offeredPerSecond;
      const start = before === undefined ? shape.startRate[arm] : before / shape.membersPerRoom / options.rateFactor ** 2;
      const found = await withArm(arm, options, async (run) => {
        await startTalk(run, shape);
        return findCapacity(run, start, options, (step) => {
          say(lineOf(step));
          points.push(pointOf(arm, step));
        });
      });
      rounds[arm].push(found);
      say(`=> ${shown(found.best.deliveriesPerSecond)} deliveries/s`);
    }
  }
  if (shape === hotShape)
    options.found.bareHot = { messagesPerSecond: median(rounds.bare.map(({ best }) => best.offeredPerSecond)) / shape.membersPerRoom };
  return resultOf(shape, rounds, points, options);
}

/** Nothing was wrong but late. */
export class NeverHealthy extends Error {}

/** Climbs from `start` messages a second. The members are there already. */
export async function findCapacity(run: TalkRun, start: number, options: BenchOptions, onStep: (step: Step) => void): Promise<Found> {
  await talk(run, start / 2, options.hotWarmUpMs); // Not counted: code gets compiled, buffers grow.
  const { best, firstUnhealthy } = await climb(start, options.rateFactor, leastRate, async (rate) => {
    const step = await talk(run, rate, options.hotStepMs);
    onStep(step);
    return step;
  });
  if (!best) throw new NeverHealthy(`not healthy even at ${leastRate} messages a second`);
  return { best, limit: (firstUnhealthy?.loadCpuShare ?? 0) > loadFullShare ? 'load process' : 'server' };
}

const pointOf = (arm: ArmName, { offeredPerSecond, deliveriesPerSecond, p99Ms, healthy }: Step): LoadPoint => ({
  arm,
  offeredPerSecond,
  deliveriesPerSecond,
  p99Ms,
  healthy,
});

function resultOf(shape: CapacityShape, rounds: Record<ArmName, Found[]>, points: LoadPoint[], options: BenchOptions): BenchResult {
  const figures = (of: (step: Step) => number | undefined): Record<ArmName, number[]> => ({
    bare: rounds.bare.map(({ best }) => of(best) ?? Number.NaN),
    playhouse: rounds.playhouse.map(({ best }) => of(best) ?? Number.NaN),
  });
  const rate = figures(({ deliveriesPerSecond }) => deliveriesPerSecond);
  const limits = (arm: ArmName): string[] => {
    const byLoad = rounds[arm].filter(({ limit }) => limit === 'load process').length;
    const share = `${byLoad} of ${rounds[arm].length} rounds`;
    return byLoad === 0 ? [] : [`${arm}: in ${share} the load process was the limit; the true figure is higher`];
  };
  const ratio: Row = {
    what: 'healthy deliveries: playhouse / bare',
    unit: '×',
    spread: spreadOf(ratiosOf(rate.playhouse, rate.bare)),
    goal: shape.goal,
  };
  return {
    bench: `${shape.name}: ${shape.rooms} rooms × ${shape.membersPerRoom} members, everybody sends and reads, 80–200 bytes`,
    rows: [
      ratio,
      ...bothRows('healthy deliveries', '/s', rate),
      ...bothRows(
        'p50 there',
        'ms',
        figures(({ p50Ms }) => p50Ms),
      ),
      ...bothRows(
        'p99 there',
        'ms',
        figures(({ p99Ms }) => p99Ms),
      ),
      ...bothRows(
        'server CPU per delivery',
        'µs',
        figures(({ serverMicrosPerDelivery }) => serverMicrosPerDelivery),
      ),
      ...bothRows(
        'load process CPU',
        'cores',
        figures(({ loadCpuShare }) => loadCpuShare),
      ),
    ],
    points,
    notes: [
      `every step: all acknowledged messages at all members, in order, no hole; else the run fails. Steps of × ${options.rateFactor}; ${pinning}`,
      'playhouse: default settings, log level warn, embedded log with fsync before ack and broadcast. bare: nothing but io.to(room).emit',
      ...limits('bare'),
      ...limits('playhouse'),
    ],
  };
}
