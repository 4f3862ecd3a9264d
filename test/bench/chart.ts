/**
 * Chart: what arrives, and how late, against what is asked of each arm: from the points of a climb to the text of an SVG. Pure.
 *
 * Both axes of deliveries are logarithmic: the arms are an order of magnitude apart, and "as much as was asked" is one straight line.
 * Does not: draw without points, or hide unhealthy ones: they are hollow.
 */
import type { ArmName } from './arms.ts';
import { type LoadPoint, shown } from './result-table.ts';
import { median } from './stats.ts';

export interface ChartText {
  readonly title: string;
  /** Machine, Node, rounds. */
  readonly subtitle: string;
}
export interface ChartGoals {
  /** Times the best healthy figure of bare. */
  readonly ratio: number;
  readonly stretch?: number;
  readonly p99Ms: number;
}

const [width, height] = [820, 640] as const;
const plot = { left: 88, right: 790, top: 84, bottom: 372 } as const;
const lateness = { left: plot.left, right: plot.right, top: 428, bottom: 572 } as const;
const colours: Readonly<Record<ArmName, string>> = { bare: '#b4532a', playhouse: '#1f5fa8' };
const names: Readonly<Record<ArmName, string>> = {
  bare: 'bare socket.io, nothing stored',
  playhouse: 'Playhouse, fsync before ack and delivery',
};
const ink = '#2b2b2b';
const faint = '#e4e4e0';
const goalInk = '#5c8a3a';

interface Axis {
  readonly from: number;
  readonly to: number;
  readonly ticks: readonly number[];
}
interface Panel {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

/** Powers of ten and their doubles and fives, one step wider than the values. */
function logAxis(values: readonly number[]): Axis {
  const all = values.filter((value) => Number.isFinite(value) && value > 0);
  const steps = [1, 2, 5];
  const marks = Array.from({ length: 42 }, (_, index) => (steps[index % 3] as number) * 10 ** (Math.floor(index / 3) - 3));
  const from = Math.max(...marks.filter((mark) => mark <= Math.min(...all)), marks[0] as number);
  const to = Math.min(...marks.filter((mark) => mark >= Math.max(...all)), marks.at(-1) as number);
  return { from, to: to > from ? to : from * 10, ticks: marks.filter((mark) => mark >= from && mark <= to) };
}

const share = ({ from, to }: Axis, value: number): number => Math.log(value / from) / Math.log(to / from);
const place = (pixels: number): string => pixels.toFixed(1);

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}

/** Steps at the same offered load, of several rounds, are one point: the median of each figure, healthy when most were. */
export function mergePoints(points: readonly LoadPoint[]): LoadPoint[] {
  const groups = new Map<string, LoadPoint[]>();
  for (const point of points) {
    // Rounds climb from where the last one ended, so that loads nearly meet: within 5 % they are the same.
    const key = `${point.arm} ${Math.round(Math.log(point.offeredPerSecond) / 0.05)}`;
    groups.set(key, [...(groups.get(key) ?? []), point]);
  }
  return [...groups.values()]
    .map((group) => ({
      arm: (group[0] as LoadPoint).arm,
      offeredPerSecond: median(group.map(({ offeredPerSecond }) => offeredPerSecond)),
      deliveriesPerSecond: median(group.map(({ deliveriesPerSecond }) => deliveriesPerSecond)),
      p99Ms: median(group.map(({ p99Ms }) => p99Ms)),
      healthy: group.filter(({ healthy }) => healthy).length * 2 > group.length,
    }))
    .sort((a, b) => a.offeredPerSecond - b.offeredPerSecond);
}

export function chartSvg(points: readonly LoadPoint[], { title, subtitle }: ChartText, goals: ChartGoals): string {
  const merged = mergePoints(points);
  if (merged.length === 0) throw new TypeError('a chart needs points');
  const best = bestOf(merged, 'bare');
  const goalLines = best === undefined ? [] : goalsOf(goals, best);
  const offered = logAxis(merged.map(({ offeredPerSecond }) => offeredPerSecond));
  const delivered = logAxis([...merged.map(({ deliveriesPerSecond }) => deliveriesPerSecond), ...goalLines.map(({ value }) => value)]);
  const late = logAxis([...merged.map(({ p99Ms }) => p99Ms), goals.p99Ms]);
  const x = (value: number): number => plot.left + share(offered, value) * (plot.right - plot.left);
  const yIn =
    (panel: Panel, axis: Axis) =>
    (value: number): number =>
      panel.bottom - share(axis, value) * (panel.bottom - panel.top);
  const [yDelivered, yLate] = [yIn(plot, delivered), yIn(lateness, late)];
  return `${[
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="system-ui, Helvetica, Arial, sans-serif" font-size="12" fill="${ink}">`,
    `<title>${escaped(title)}</title>`,
    `<rect width="${width}" height="${height}" fill="#ffffff"/>`,
    `<text x="${plot.left}" y="28" font-size="17" font-weight="600">${escaped(title)}</text>`,
    `<text x="${plot.left}" y="47" fill="#6a6a6a">${escaped(subtitle)}</text>`,
    ...legend(),
    ...grid(plot, offered, delivered, x, yDelivered),
    ...grid(lateness, offered, late, x, yLate),
    ...offered.ticks.map((tick) => label(x(tick), lateness.bottom + 18, axisText(tick), 'middle')),
    label((plot.left + plot.right) / 2, height - 22, 'deliveries a second that should be (offered load × members of the room)', 'middle'),
    turned(plot, 'deliveries a second that were'),
    turned(lateness, 'p99, ms'),
    ...goalLines.map(({ value, text }) => goalLine(plot, yDelivered(value), text)),
    goalLine(lateness, yLate(goals.p99Ms), `p99 ≤ ${goals.p99Ms} ms`),
    ...(['bare', 'playhouse'] as const).flatMap((arm) => {
      const own = merged.filter((point) => point.arm === arm);
      return [
        ...curve(own, arm, (point) => [x(point.offeredPerSecond), yDelivered(point.deliveriesPerSecond)]),
        ...curve(own, arm, (point) => [x(point.offeredPerSecond), yLate(point.p99Ms)]),
      ];
    }),
    '</svg>',
  ].join('\n')}\n`;
}

function bestOf(points: readonly LoadPoint[], arm: ArmName): number | undefined {
  const healthy = points.filter((point) => point.arm === arm && point.healthy);
  return healthy.length === 0 ? undefined : Math.max(...healthy.map(({ deliveriesPerSecond }) => deliveriesPerSecond));
}

function goalsOf({ ratio, stretch }: ChartGoals, best: number): { value: number; text: string }[] {
  const lines = [{ value: best * ratio, text: `goal: ${ratio} × bare's best healthy figure` }];
  return stretch === undefined ? lines : [...lines, { value: best * stretch, text: `stretch: ${stretch} ×` }];
}

function grid(panel: Panel, xAxis: Axis, yAxis: Axis, x: (value: number) => number, y: (value: number) => number): string[] {
  const line = (x1: number, y1: number, x2: number, y2: number): string =>
    `<line x1="${place(x1)}" y1="${place(y1)}" x2="${place(x2)}" y2="${place(y2)}" stroke="${faint}"/>`;
  return [
    ...xAxis.ticks.map((tick) => line(x(tick), panel.top, x(tick), panel.bottom)),
    ...yAxis.ticks.map((tick) => line(panel.left, y(tick), panel.right, y(tick))),
    ...yAxis.ticks.map((tick) => label(panel.left - 8, y(tick) + 4, axisText(tick), 'end')),
    `<path d="M${panel.left} ${panel.top}V${panel.bottom}H${panel.right}" fill="none" stroke="${ink}"/>`,
  ];
}

function curve(points: readonly LoadPoint[], arm: ArmName, at: (point: LoadPoint) => readonly [number, number]): string[] {
  if (points.length === 0) return [];
  const path = points.map((point) => at(point).map(place).join(' ')).join('L');
  return [
    `<path d="M${path}" fill="none" stroke="${colours[arm]}" stroke-width="2" stroke-linejoin="round"/>`,
    ...points.map((point) => {
      const [cx, cy] = at(point);
      const fill = point.healthy ? colours[arm] : '#ffffff';
      return `<circle cx="${place(cx)}" cy="${place(cy)}" r="4" fill="${fill}" stroke="${colours[arm]}" stroke-width="2"><title>${tooltip(point)}</title></circle>`;
    }),
  ];
}

const tooltip = ({ arm, offeredPerSecond, deliveriesPerSecond, p99Ms, healthy }: LoadPoint): string =>
  `${names[arm]}: ${shown(deliveriesPerSecond)}/s of ${shown(offeredPerSecond)}/s, p99 ${shown(p99Ms)} ms${healthy ? '' : ', not healthy'}`;

function legend(): string[] {
  const items = (['playhouse', 'bare'] as const).map((arm, index) => {
    const left = plot.left + index * 300;
    return `<circle cx="${left + 5}" cy="64" r="4" fill="${colours[arm]}"/>${label(left + 15, 68, names[arm], 'start')}`;
  });
  const hollow = `<circle cx="${plot.left + 545}" cy="64" r="4" fill="#ffffff" stroke="${ink}" stroke-width="2"/>`;
  return [...items, `${hollow}${label(plot.left + 555, 68, 'too late or refused', 'start')}`];
}

function goalLine(panel: Panel, y: number, text: string): string {
  const line = `<line x1="${panel.left}" y1="${place(y)}" x2="${panel.right}" y2="${place(y)}" stroke="${goalInk}" stroke-dasharray="6 4"/>`;
  return `${line}<text x="${panel.left + 8}" y="${place(y - 5)}" fill="${goalInk}">${escaped(text)}</text>`;
}

const label = (x: number, y: number, text: string, anchor: 'start' | 'middle' | 'end'): string =>
  `<text x="${place(x)}" y="${place(y)}" text-anchor="${anchor}">${escaped(text)}</text>`;

function turned({ top, bottom }: Panel, text: string): string {
  const y = (top + bottom) / 2;
  return `<text x="24" y="${y}" text-anchor="middle" transform="rotate(-90 24 ${y})">${escaped(text)}</text>`;
}

/** 50 k, 2 M: ticks are round, decimals would be noise. */
function axisText(value: number): string {
  if (value >= 1_000_000) return `${value / 1_000_000} M`;
  if (value >= 1_000) return `${value / 1_000} k`;
  return String(Number(value.toPrecision(1)));
}
