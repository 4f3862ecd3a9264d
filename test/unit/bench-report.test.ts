/**
 * What a benchmark run says about itself: verdicts, the comparison with an earlier run, the chart.
 */
import { describe, expect, it } from 'vitest';
import { chartSvg, mergePoints } from '../bench/chart.ts';
import { compare, type Report, renderComparison } from '../bench/compare.ts';
import { type LoadPoint, type Row, renderResult, renderVerdicts } from '../bench/result-table.ts';
import { spreadOf } from '../bench/stats.ts';

const machine = { cores: 2, cpu: 'A', node: 'v20.20.2', platform: 'linux x64', pinning: '', busyShareBefore: 0, openFilesMax: 20_000 };
const report = (rows: readonly Row[], changes: Partial<Report> = {}): Report => ({
  machine,
  quick: false,
  failures: [],
  results: [{ name: 'hot', bench: 'hot: rooms', rows, notes: [] }],
  ...changes,
});
const row = (rounds: readonly number[], unit = '×', goal?: Row['goal']): Row => ({
  what: 'figure',
  unit,
  spread: spreadOf(rounds),
  ...(goal && { goal }),
});
const movedOf = (old: Row, now: Row) => compare(report([old]), report([now])).map(({ moved }) => moved);

describe('a result', () => {
  it('says of each goal whether its median reached it, and shows a stretch goal without judging it', () => {
    const atLeast = { bound: 'at least', value: 15, stretch: 30 } as const;
    expect(renderResult({ bench: 'hot', rows: [row([14, 15, 40], '×', atLeast)], notes: [] })).toMatch(
      /≥ 15\.0 \(stretch 30\.0\) +reached/,
    );
    expect(renderResult({ bench: 'hot', rows: [row([14, 14.9, 40], '×', atLeast)], notes: [] })).toContain('MISSED');
    expect(renderResult({ bench: 'hot', rows: [row([1.9, 2.1, 2.2], '×', { bound: 'at most', value: 2 })], notes: [] })).toContain(
      'MISSED',
    );
  });

  it('is in the table of goals only with the rows that have one', () => {
    const rows = [row([3], '×', { bound: 'at least', value: 2 }), { ...row([5]), what: 'without a goal' }];
    const table = renderVerdicts([{ bench: 'hot: rooms', rows, notes: [] }]);
    expect(table).toContain('hot');
    expect(table).toContain('reached');
    expect(table).not.toContain('without a goal');
    expect(renderVerdicts([{ bench: 'hot: rooms', rows: [row([5])], notes: [] }])).toBe('');
  });
});

describe('a comparison with an earlier run', () => {
  it('gives the ratio new / old of the medians of each row that both have', () => {
    const changes = compare(report([row([10, 20, 30]), { ...row([1]), what: 'gone since' }]), report([row([30, 40, 50])]));
    expect(changes.map(({ what, ratio }) => [what, ratio])).toEqual([['figure', 2]]);
  });

  it('calls a row moved only when the two spreads do not touch', () => {
    expect(movedOf(row([10, 20, 30]), row([30, 40, 50]))).toEqual([undefined]);
    expect(movedOf(row([10, 20, 30]), row([31, 40, 50]))).toEqual(['better']);
    expect(movedOf(row([10, 20, 30]), row([1, 5, 9]))).toEqual(['worse']);
    expect(movedOf(row([10, 20, 30]), row([1, 5, 10]))).toEqual([undefined]);
  });

  it('takes less for better where the goal is an upper bound, or the unit a cost', () => {
    expect(movedOf(row([10, 20]), row([30, 40], '×', { bound: 'at most', value: 50 }))).toEqual(['worse']);
    expect(movedOf(row([10, 20], 'ms'), row([1, 2], 'ms'))).toEqual(['better']);
    expect(movedOf(row([10, 20], '/s'), row([1, 2], '/s'))).toEqual(['worse']);
  });

  it('never calls a row of a single round moved, nor compares figures of different units', () => {
    expect(movedOf(row([10]), row([100, 110]))).toEqual([undefined]);
    expect(movedOf(row([1, 2], 'ms'), row([100, 110], '/s'))).toEqual([]);
  });

  it('says when the runs are of two machines or Nodes, and when one was too quick', () => {
    const rows = [row([1, 2])];
    expect(renderComparison(report(rows), report(rows))).not.toContain('ANOTHER MACHINE');
    const other = report(rows, { machine: { ...machine, node: 'v24.1.0' }, quick: true });
    expect(renderComparison(report(rows), other)).toMatch(/ANOTHER MACHINE \(node: v20\.20\.2, now v24\.1\.0\)[\s\S]*--quick/);
  });
});

const point = (arm: LoadPoint['arm'], offeredPerSecond: number, changes: Partial<LoadPoint> = {}): LoadPoint => ({
  arm,
  offeredPerSecond,
  deliveriesPerSecond: offeredPerSecond,
  p99Ms: 10,
  healthy: true,
  ...changes,
});
const chart = (points: readonly LoadPoint[]): string =>
  chartSvg(points, { title: 'a < b', subtitle: '2 cores' }, { ratio: 15, stretch: 30, p99Ms: 100 });
const count = (text: string, part: string): number => text.split(part).length - 1;
/** Of the markers: [x, y, whether filled], first panel first. */
const markers = (svg: string, colour: string): [number, number, boolean][] =>
  [...svg.matchAll(/<circle cx="([\d.]+)" cy="([\d.]+)" r="4" fill="(#\w+)" stroke="(#\w+)" stroke-width="2"><title>/g)]
    .filter(([, , , , stroke]) => stroke === colour)
    .map(([, x, y, fill]) => [Number(x), Number(y), fill === colour]);

describe('the chart of deliveries against offered load', () => {
  const points = [
    point('bare', 50_000),
    point('bare', 100_000, { deliveriesPerSecond: 80_000, p99Ms: 700, healthy: false }),
    point('playhouse', 50_000),
    point('playhouse', 1_000_000, { p99Ms: 60 }),
  ];

  it('has one marker for each point in each panel, hollow where the arm was not healthy', () => {
    const svg = chart(points);
    expect(markers(svg, '#b4532a').map(([, , filled]) => filled)).toEqual([true, false, true, false]);
    expect(markers(svg, '#1f5fa8').map(([, , filled]) => filled)).toEqual([true, true, true, true]);
  });

  it('puts more load farther right, more deliveries higher, and equal figures of both arms in the same place', () => {
    const svg = chart(points);
    const [bare, ours] = [markers(svg, '#b4532a'), markers(svg, '#1f5fa8')];
    expect(bare[0]?.slice(0, 2)).toEqual(ours[0]?.slice(0, 2));
    expect(ours[1]?.[0]).toBeGreaterThan(ours[0]?.[0] as number);
    expect(ours[1]?.[1]).toBeLessThan(ours[0]?.[1] as number);
  });

  it('keeps every marker and goal line inside its frame', () => {
    const svg = chart(points);
    for (const [x, y] of [...markers(svg, '#b4532a'), ...markers(svg, '#1f5fa8')]) {
      expect(x).toBeGreaterThanOrEqual(88);
      expect(x).toBeLessThanOrEqual(790);
      expect(y).toBeGreaterThanOrEqual(84);
      expect(y).toBeLessThanOrEqual(572);
    }
    expect(count(svg, 'stroke-dasharray')).toBe(3);
    for (const [, y] of svg.matchAll(/y1="([\d.]+)" x2="790" y2="[\d.]+" stroke="#5c8a3a"/g)) expect(Number(y)).toBeGreaterThanOrEqual(84);
  });

  it('takes steps of several rounds at one load together: the median, healthy when most were', () => {
    const rounds = [60, 90, 300].map((p99Ms) => point('bare', 100_000 + p99Ms, { p99Ms, healthy: p99Ms <= 100 }));
    expect(mergePoints([...rounds, point('bare', 200_000)])).toEqual([
      point('bare', 100_090, { p99Ms: 90, deliveriesPerSecond: 100_090 }),
      point('bare', 200_000),
    ]);
  });

  it('is well-formed text: markup in a title is escaped, and one point is enough', () => {
    expect(chart([point('bare', 1_000)])).toContain('a &lt; b');
    expect(chart([point('bare', 1_000)])).not.toMatch(/NaN|Infinity|undefined/);
    expect(() => chart([])).toThrow('a chart needs points');
  });
});
