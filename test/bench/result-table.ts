/**
 * ResultTable: what a benchmark found, for people (a table) and for programs (JSON).
 *
 * Guarantees: a ratio is never shown without its spread and the number of its rounds. Pure.
 */
import type { Spread } from './stats.ts';

export interface Goal {
  /** at least: larger is better. at most: smaller is. */
  readonly bound: 'at least' | 'at most';
  readonly value: number;
}

export interface Row {
  readonly what: string;
  /** '×' for a ratio: the result proper. Anything else is an absolute figure of this machine and this hour. */
  readonly unit: string;
  readonly spread: Spread;
  readonly goal?: Goal;
}

export interface BenchResult {
  readonly bench: string;
  readonly rows: readonly Row[];
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

function cells(row: Row): string[] {
  const { what, unit, spread, goal } = row;
  const reached = isReached(row);
  const wanted = goal ? `${goal.bound === 'at least' ? '≥' : '≤'} ${shown(goal.value)}` : '';
  const verdict = reached === undefined ? '' : reached ? 'reached' : 'MISSED';
  return [what, shown(spread.median), unit, `${shown(spread.min)} – ${shown(spread.max)}`, String(spread.rounds.length), wanted, verdict];
}

export function renderResult({ bench, rows, notes }: BenchResult): string {
  const lines = [['', 'median', '', 'min – max', 'n', 'goal', ''], ...rows.map(cells)];
  const widths = (lines[0] as string[]).map((_, column) => Math.max(...lines.map((line) => (line[column] as string).length)));
  const isNumber = (column: number): boolean => column === 1 || column === 3 || column === 4;
  const text = lines.map((line) =>
    line
      .map((cell, column) => (isNumber(column) ? cell.padStart(widths[column] as number) : cell.padEnd(widths[column] as number)))
      .join('  ')
      .trimEnd(),
  );
  const rule = '-'.repeat(Math.max(...text.map((line) => line.length)));
  return [bench, rule, ...text, rule, ...notes.map((note) => `  ${note}`)].join('\n');
}
