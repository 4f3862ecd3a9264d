/**
 * ResultTable: what a benchmark found, for people (a table) and for programs (JSON).
 *
 * Guarantees: a ratio is never shown without its spread and the number of its rounds. Pure.
 */
import type { ArmName } from './arms.ts';
import type { Spread } from './stats.ts';

export interface Goal {
  /** at least: larger is better. at most: smaller is. */
  readonly bound: 'at least' | 'at most';
  readonly value: number;
  /** What would be splendid; shown, not judged. */
  readonly stretch?: number;
}

export interface Row {
  readonly what: string;
  /** '×' for a ratio: the result proper. Anything else is an absolute figure of this machine and this hour. */
  readonly unit: string;
  readonly spread: Spread;
  readonly goal?: Goal;
  /** For a comparison, where neither goal nor unit says it: × of a cost. */
  readonly lessIsBetter?: boolean;
}

/** One step of load on one arm: a point of the chart. */
export interface LoadPoint {
  readonly arm: ArmName;
  /** Deliveries a second that should be. */
  readonly offeredPerSecond: number;
  readonly deliveriesPerSecond: number;
  readonly p99Ms: number;
  readonly healthy: boolean;
}

export interface BenchResult {
  readonly bench: string;
  readonly rows: readonly Row[];
  readonly points?: readonly LoadPoint[];
  /** What a reader must know to believe it. */
  readonly notes: readonly string[];
}

export function isReached({ spread, goal }: Row): boolean | undefined {
  if (!goal) return undefined;
  return goal.bound === 'at least' ? spread.median >= goal.value : spread.median <= goal.value;
}

export function shown(value: number): string {
  if (!Number.isFinite(value)) return '-';
  const size = Math.abs(value);
  if (size >= 1_000_000) return `${(value / 1_000_000).toFixed(2)} M`;
  if (size >= 10_000) return `${(value / 1_000).toFixed(0)} k`;
  if (size >= 1_000) return `${(value / 1_000).toFixed(1)} k`;
  return value.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : 2);
}

function wanted({ bound, value, stretch }: Goal): string {
  const sign = bound === 'at least' ? '≥' : '≤';
  return `${sign} ${shown(value)}${stretch === undefined ? '' : ` (stretch ${shown(stretch)})`}`;
}

function cells(row: Row): string[] {
  const { what, unit, spread, goal } = row;
  const reached = isReached(row);
  const verdict = reached === undefined ? '' : reached ? 'reached' : 'MISSED';
  return [
    what,
    shown(spread.median),
    unit,
    `${shown(spread.min)} – ${shown(spread.max)}`,
    String(spread.rounds.length),
    goal ? wanted(goal) : '',
    verdict,
  ];
}

export function renderResult({ bench, rows, notes }: BenchResult): string {
  const text = renderTable([['', 'median', '', 'min – max', 'n', 'goal', ''], ...rows.map(cells)], [1, 3, 4]);
  const rule = '-'.repeat(Math.max(...text.map((line) => line.length)));
  return [bench, rule, ...text, rule, ...notes.map((note) => `  ${note}`)].join('\n');
}

/** Every goal of the run in one table. Empty when no row had one. */
export function renderVerdicts(results: readonly BenchResult[]): string {
  const judged = results.flatMap(({ bench, rows }) =>
    rows.filter(({ goal }) => goal).map((row) => [bench.split(':')[0] as string, ...cells(row)]),
  );
  if (judged.length === 0) return '';
  return renderTable([['goals', '', 'median', '', 'min – max', 'n', 'goal', ''], ...judged], [2, 4, 5]).join('\n');
}

/** Columns in line; those of `right` end in line. */
export function renderTable(lines: readonly (readonly string[])[], right: readonly number[]): string[] {
  const widths = (lines[0] ?? []).map((_, column) => Math.max(...lines.map((line) => (line[column] as string).length)));
  return lines.map((line) =>
    line
      .map((cell, column) => (right.includes(column) ? cell.padStart(widths[column] as number) : cell.padEnd(widths[column] as number)))
      .join('  ')
      .trimEnd(),
  );
}
