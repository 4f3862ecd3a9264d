/**
 * ClusterReport: what the rounds of `cluster` found, as rows with goals and notes. Pure.
 */
import { type BenchResult, type Row, shown } from './result-table.ts';
import { median, ratiosOf, spreadOf } from './stats.ts';

/**
 * one: a single node. tail: three nodes that hear of each other's messages from MongoDB. kafka: from Kafka besides. unlinked: as tail,
 * without links between nodes. All have Redis where there is one.
 */
export type ClusterArm = 'one' | 'tail' | 'kafka' | 'unlinked';

/** From when a message was due until a member has it, on the writer's node and on the others: the median's mean, the worst p99. */
export interface LatenessFound {
  readonly nearP50Ms: number;
  readonly nearP99Ms: number;
  readonly farP50Ms: number;
  readonly farP99Ms: number;
}
export interface OneRoomFound {
  readonly sent: number;
  readonly refused: number;
  readonly ackP50Ms: number;
  readonly ackP99Ms: number;
  readonly conflicts: number;
  readonly forwarded: number;
}
/** At the highest healthy load. */
export interface CapacityFound {
  readonly deliveriesPerSecond: number;
  readonly p99Ms: number;
  readonly nodesCores: number;
  readonly loadCores: number;
  readonly machineBusyShare: number;
}
/** Late at the lowest load already. */
export const neverHealthy: CapacityFound = {
  deliveriesPerSecond: 0,
  p99Ms: Number.NaN,
  nodesCores: Number.NaN,
  loadCores: Number.NaN,
  machineBusyShare: Number.NaN,
};

export interface ArmFound {
  readonly lateness?: LatenessFound;
  readonly oneRoom?: OneRoomFound;
  readonly capacity?: CapacityFound;
}
/** One for each round and arm; an arm that has no server has none. */
export type Found = Readonly<Partial<Record<ClusterArm, readonly ArmFound[]>>>;

/** As the acceptance of the cluster has it: delivery without Kafka. */
const tailP99MsMax = 250;
/** Of what collides without links. With them nearly nothing does; half would also be had by luck, without any link. */
const conflictShareMax = 0.1;
/** Above it nothing on this machine has a core left. */
const machineFullShare = 0.9;
const armNames = { one: 'one node', tail: 'three nodes', kafka: 'three nodes with Kafka', unlinked: 'without links' } as const;

/** Arms in the order of a round: each is first in one of so many. */
export const turned = (arms: readonly ClusterArm[], round: number): readonly ClusterArm[] => {
  const first = round % Math.max(1, arms.length);
  return [...arms.slice(first), ...arms.slice(0, first)];
};

export interface About {
  readonly cores: number;
  readonly missing: readonly string[];
  /** What the loads were. */
  readonly loads: readonly string[];
}

export function clusterResult(found: Found, { cores, missing, loads }: About): BenchResult {
  return {
    bench: 'cluster: nodes as processes on real servers',
    rows: [...latenessRows('kafka', found.kafka), ...latenessRows('tail', found.tail), ...capacityRows(found), ...oneRoomRows(found)],
    notes: [
      ...loads,
      'across nodes: the same messages, read on the writer’s node and on the two others; p50 the mean of the two, p99 the worse one’s',
      'every load: everything acknowledged at every member on every node, once, in order; else the run fails',
      `nodes, load process and servers share the ${cores} cores of this machine, unpinned: 1 -> 3 nodes is what three nodes cost here, not what they add`,
      ...capacityNotes(found),
      ...missing.map((what) => `left out, no ${what}`),
    ],
  };
}

/** The figures of one part of what was found, one for each round in which the part was measured. */
function figures<Part>(
  rounds: readonly ArmFound[] | undefined,
  part: (round: ArmFound) => Part | undefined,
  of: (part: Part) => number,
): number[] {
  return (rounds ?? []).flatMap((round) => {
    const found = part(round);
    return found === undefined ? [] : [of(found)];
  });
}

function latenessRows(arm: 'kafka' | 'tail', rounds: readonly ArmFound[] | undefined): Row[] {
  const all = (of: (late: LatenessFound) => number): number[] => figures(rounds, ({ lateness }) => lateness, of);
  const [near50, near99] = [all(({ nearP50Ms }) => nearP50Ms), all(({ nearP99Ms }) => nearP99Ms)];
  const [far50, far99] = [all(({ farP50Ms }) => farP50Ms), all(({ farP99Ms }) => farP99Ms)];
  if (far50.length === 0) return [];
  const by = arm === 'kafka' ? 'by Kafka' : 'by the tail alone';
  return [
    { what: `p50 on another node / on the writer's, ${by}`, unit: '×', spread: spreadOf(ratiosOf(far50, near50)), lessIsBetter: true },
    { what: `p99 on another node / on the writer's, ${by}`, unit: '×', spread: spreadOf(ratiosOf(far99, near99)), lessIsBetter: true },
    { what: `p50 on another node, ${by}`, unit: 'ms', spread: spreadOf(far50) },
    {
      what: `p99 on another node, ${by}`,
      unit: 'ms',
      spread: spreadOf(far99),
      ...(arm === 'tail' && { goal: { bound: 'at most', value: tailP99MsMax } as const }),
    },
    { what: `p50 on the writer's node, ${by}`, unit: 'ms', spread: spreadOf(near50) },
    { what: `p99 on the writer's node, ${by}`, unit: 'ms', spread: spreadOf(near99) },
  ];
}

const capacityArms = ['one', 'tail', 'kafka'] as const;

function capacityRows(found: Found): Row[] {
  const rate = (arm: ClusterArm): number[] =>
    figures(
      found[arm],
      ({ capacity }) => capacity,
      ({ deliveriesPerSecond }) => deliveriesPerSecond,
    );
  const row = (what: string, unit: string, rounds: readonly number[]): Row[] =>
    rounds.length === 0 ? [] : [{ what, unit, spread: spreadOf(rounds) }];
  const [one, measured] = [rate('one'), capacityArms.filter((arm) => rate(arm).length > 0)];
  return [
    ...measured
      .filter((arm) => arm !== 'one')
      .flatMap((arm) => row(`healthy deliveries: ${armNames[arm]} / one`, '×', ratiosOf(rate(arm), one).filter(Number.isFinite))),
    ...measured.flatMap((arm) => {
      const healthy = healthyOf(found[arm]);
      return [
        ...row(`healthy deliveries, ${armNames[arm]}`, '/s', rate(arm)),
        ...row(
          `p99 there, ${armNames[arm]}`,
          'ms',
          healthy.map(({ p99Ms }) => p99Ms),
        ),
        ...row(
          `CPU of the nodes there, ${armNames[arm]}`,
          'cores',
          healthy.map(({ nodesCores }) => nodesCores),
        ),
      ];
    }),
  ];
}

/** Of the rounds that had a healthy load at all. */
const healthyOf = (rounds: readonly ArmFound[] | undefined): readonly CapacityFound[] =>
  (rounds ?? []).flatMap(({ capacity }) => (capacity && capacity.deliveriesPerSecond > 0 ? [capacity] : []));

function capacityNotes(found: Found): string[] {
  return capacityArms.flatMap((arm) => {
    const [rounds, healthy] = [found[arm]?.length ?? 0, healthyOf(found[arm])];
    const late = rounds - healthy.length;
    const notes =
      late === 0 ? [] : [`${armNames[arm]}: late at the lowest load already in ${late} of ${rounds} rounds; counted as 0 deliveries/s`];
    if (healthy.length === 0) return notes;
    const of = (figure: (capacity: CapacityFound) => number): number => median(healthy.map(figure));
    const at = {
      busy: of(({ machineBusyShare }) => machineBusyShare),
      nodes: of(({ nodesCores }) => nodesCores),
      load: of(({ loadCores }) => loadCores),
    };
    const shares = `nodes ${shown(at.nodes)}, load ${shown(at.load)} cores, machine ${Math.round(100 * at.busy)} % busy`;
    return [...notes, `${armNames[arm]}: ${limitOf(arm, at)} (${shares})`];
  });
}

/** What could not do more at the highest healthy load, as far as the figures tell. */
export function limitOf(arm: ClusterArm, { busy, nodes, load }: { busy: number; nodes: number; load: number }): string {
  if (busy >= machineFullShare) return 'the limit was the cores of this machine';
  if (load >= machineFullShare) return 'the limit was the load process';
  if (nodes >= machineFullShare * (arm === 'one' ? 1 : 3)) return 'the limit was the nodes’ own threads';
  return 'the limit was latency: nothing was full on average';
}

function oneRoomRows(found: Found): Row[] {
  const of = (arm: ClusterArm, figure: (room: OneRoomFound) => number): number[] => figures(found[arm], ({ oneRoom }) => oneRoom, figure);
  const conflicts = (arm: ClusterArm): number[] => of(arm, ({ conflicts: count, sent }) => (100 * count) / sent);
  const [linked, alone] = [conflicts('tail'), conflicts('unlinked')];
  if (linked.length === 0 || alone.length === 0) return [];
  const both = (what: string, unit: string, figure: (room: OneRoomFound) => number): Row[] => [
    { what: `${what}, with links`, unit, spread: spreadOf(of('tail', figure)), lessIsBetter: true },
    { what: `${what}, without`, unit, spread: spreadOf(of('unlinked', figure)), lessIsBetter: true },
  ];
  const share = linked.map((count, round) => (count === 0 ? 0 : count / (alone[round] as number)));
  const p99 = (arm: ClusterArm): number[] => of(arm, ({ ackP99Ms }) => ackP99Ms);
  return [
    {
      what: 'one room through three nodes: conflicts with links / without',
      unit: '×',
      spread: spreadOf(share),
      goal: { bound: 'at most', value: conflictShareMax },
    },
    {
      what: 'one room through three nodes: ack p99 with links / without',
      unit: '×',
      spread: spreadOf(ratiosOf(p99('tail'), p99('unlinked'))),
      lessIsBetter: true,
    },
    ...both('ack p50', 'ms', ({ ackP50Ms }) => ackP50Ms),
    ...both('ack p99', 'ms', ({ ackP99Ms }) => ackP99Ms),
    ...both('conflicts per 100 messages', '', ({ conflicts: count, sent }) => (100 * count) / sent),
    ...both('refused per 100 messages', '', ({ refused, sent }) => (100 * refused) / sent),
    {
      what: 'forwarded per 100 messages, with links',
      unit: '',
      spread: spreadOf(of('tail', ({ forwarded, sent }) => (100 * forwarded) / sent)),
    },
  ];
}
