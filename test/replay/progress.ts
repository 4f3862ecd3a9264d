/**
 * Progress: how the run is going. One line that is rewritten on a terminal, a line every few seconds elsewhere; the table at the end.
 */
import type { Timing } from '../../gateway/client/timing.ts';
import type { Played } from './player.ts';
import type { Pool } from './pool.ts';
import type { Stats } from './stats.ts';

const barCells = 24;
const everyMs = { terminal: 250, plain: 2_000 };

export interface Progress {
  stop(): void;
}

export function showProgress(stats: Stats, pool: Pool, timing: Timing): Progress {
  const { stdout } = process;
  const isTerminal = stdout.isTTY === true;
  const startMs = timing.nowMs();
  let last = { atMs: startMs, sent: 0, acked: 0, delivered: 0 };
  let isStopped = false;
  const show = (): void => {
    const nowMs = timing.nowMs();
    const seconds = Math.max(0.001, (nowMs - last.atMs) / 1_000);
    const rate = (now: number, before: number): string => `${Math.round((now - before) / seconds)}/s`;
    const share = stats.total === 0 ? 0 : stats.done / stats.total;
    const bar = isTerminal ? `[${'#'.repeat(Math.round(share * barCells)).padEnd(barCells, '.')}] ` : '';
    const line = [
      `${bar}${Math.round((nowMs - startMs) / 1_000)}s`,
      `${stats.done}/${stats.total} lines`,
      `sent ${rate(stats.sent, last.sent)} acked ${rate(stats.acked, last.acked)} delivered ${rate(stats.delivered, last.delivered)}`,
      `sockets ${pool.size} reconnects ${stats.reconnects} evicted ${stats.evictions}`,
      ...(stats.awayCount > 0 ? [`OFFLINE ${stats.awayCount}`] : []),
    ].join('  ');
    if (isTerminal) stdout.write(`\r\u001b[2K${line.slice(0, (stdout.columns ?? 120) - 1)}`);
    else stdout.write(`${line}\n`);
    last = { atMs: nowMs, sent: stats.sent, acked: stats.acked, delivered: stats.delivered };
  };
  const again = (): void => {
    if (isStopped) return;
    show();
    timing.after(isTerminal ? everyMs.terminal : everyMs.plain, again);
  };
  timing.after(isTerminal ? everyMs.terminal : everyMs.plain, again);
  return {
    stop: () => {
      isStopped = true;
      if (isTerminal) stdout.write('\r\u001b[2K');
    },
  };
}

/** One row a transcript. */
export function verdictTable(played: readonly Played[]): string {
  const head = ['transcript', 'lines', 'people', 'acked', 'log', 'seen', 'jumps', 'verdict'];
  const rows = played.map(({ name, lines, people, verdict: { acked, entries, seen, jumps, violations } }) => {
    const word = violations.length === 0 ? 'clean' : `${violations.length} violations`;
    return [name, lines, people, acked, entries, seen, jumps, word].map(String);
  });
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)));
  const isText = (column: number): boolean => column === 0 || column === head.length - 1;
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) => (isText(column) ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join('  ')
      .trimEnd();
  return [head, ...rows].map(line).join('\n');
}

/** The rate that was asked for beside the one that was reached: more than conversations and machine allow cannot be had by asking. */
export function rateLine(askedPerSecond: number, reachedPerSecond: number): string {
  const told = `${askedPerSecond} lines/s asked for, ${reachedPerSecond.toFixed(0)} reached`;
  if (reachedPerSecond >= askedPerSecond * 0.95) return told;
  return `${told}: lines wait for acks, for what they answer and for their speaker's last one; more rooms at once (--parallel) allow more`;
}
