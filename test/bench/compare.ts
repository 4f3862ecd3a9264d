/**
 * Compare: this run beside an earlier one, row by row. Pure.
 *
 * Guarantees: a row is called moved only when the spreads of both runs do not touch; a figure of one round has no spread, so it
 * never is. Ratios of one run may be compared between machines; absolute figures only on the same one, and `renderComparison` says so.
 */
import type { Machine } from './machine.ts';
import { type BenchResult, type Row, renderTable, shown } from './result-table.ts';
import type { Spread } from './stats.ts';

/** What `--json` writes. */
export interface Report {
  readonly machine: Machine;
  readonly quick: boolean;
  readonly failures: readonly string[];
  readonly results: readonly (BenchResult & { readonly name: string })[];
}

export interface Change {
  readonly name: string;
  readonly what: string;
  readonly unit: string;
  readonly old: Spread;
  readonly now: Spread;
  /** now / old, of the medians. */
  readonly ratio: number;
  readonly moved: 'better' | 'worse' | undefined;
}

/** Rows that both have, in the order of the new one. */
export function compare(old: Report, now: Report): Change[] {
  const before = new Map(old.results.flatMap(({ name, rows }) => rows.map((row) => [`${name} ${row.what}`, row] as const)));
  return now.results.flatMap(({ name, rows }) =>
    rows.flatMap((row) => {
      const earlier = before.get(`${name} ${row.what}`);
      return earlier && earlier.unit === row.unit ? [changeOf(name, earlier, row)] : [];
    }),
  );
}

function changeOf(name: string, { spread: old }: Row, row: Row): Change {
  const { what, unit, spread: now } = row;
  return { name, what, unit, old, now, ratio: now.median / old.median, moved: movedOf(old, now, isMoreBetter(row)) };
}

function movedOf(old: Spread, now: Spread, moreIsBetter: boolean): Change['moved'] {
  if (old.rounds.length < 2 || now.rounds.length < 2) return undefined;
  const isUp = now.min > old.max;
  if (!isUp && now.max >= old.min) return undefined;
  return isUp === moreIsBetter ? 'better' : 'worse';
}

/** The goal says it, or the row; else the unit: times, bytes and CPU are costs. */
function isMoreBetter({ goal, unit, lessIsBetter }: Row): boolean {
  if (goal) return goal.bound === 'at least';
  if (lessIsBetter) return false;
  return unit === '×' || unit.endsWith('/s');
}

export function renderComparison(old: Report, now: Report): string {
  const changes = compare(old, now);
  const moved = changes.filter((change) => change.moved);
  const range = ({ median, min, max }: Spread): string => `${shown(median)} (${shown(min)} – ${shown(max)})`;
  const lines = changes.map((change) => {
    const ratio = Number.isFinite(change.ratio) ? `× ${change.ratio.toFixed(2)}` : '-';
    return [change.name, change.what, range(change.old), range(change.now), change.unit, ratio, change.moved?.toUpperCase() ?? ''];
  });
  return [
    ...renderTable([['', '', 'old', 'now', '', 'now / old', ''], ...lines], [2, 3, 5]),
    `${changes.length} rows compared, ${moved.length} moved beyond both spreads (a row of a single round never counts as moved)`,
    ...differences(old, now),
  ].join('\n');
}

/** What makes absolute figures incomparable. */
function differences(old: Report, now: Report): string[] {
  const facts = (['cpu', 'cores', 'node', 'platform'] as const)
    .filter((fact) => old.machine[fact] !== now.machine[fact])
    .map((fact) => `${fact}: ${old.machine[fact]}, now ${now.machine[fact]}`);
  const other = facts.length === 0 ? [] : [`ANOTHER MACHINE (${facts.join('; ')}): only × rows compare`];
  return old.quick === now.quick ? other : [...other, 'one of the two runs was --quick: its figures prove nothing'];
}
