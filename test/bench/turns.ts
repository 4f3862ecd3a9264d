/**
 * Turns: how many messages one room takes while every turn of the event loop lasts 5 ms, beside a bare nact actor, which handles one
 * message per turn.
 */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { freshFolder } from './arms.ts';
import type { BenchOptions } from './bench.ts';
import { BenchProcess } from './processes.ts';
import { type BenchResult, shown } from './result-table.ts';
import { ratiosOf, spreadOf } from './stats.ts';
import type { TurnsRequest, TurnsRun } from './turns-run.ts';

const turnMs = 5;
const senders = 1_024;

export async function runTurns(options: BenchOptions): Promise<BenchResult> {
  const runs: TurnsRun[] = [];
  for (let round = 0; round < options.rounds; round += 1) {
    const dir = freshFolder(options.folder, 'turns-');
    const child = new BenchProcess('test/bench/turns-run.js', 'alone');
    const request: TurnsRequest = { dir: join(dir, 'log'), turnMs, senders, durationMs: options.turnsMs, isNactFirst: round % 2 === 0 };
    try {
      const run = await child.call<TurnsRun>('run', request);
      runs.push(run);
      options.progress(`turns round ${round + 1}/${options.rounds} room ${shown(run.roomPerSecond)}/s, nact ${shown(run.nactPerSecond)}/s`);
    } finally {
      await child.stop();
      rmSync(dir, { recursive: true, force: true });
    }
  }
  const figures = (of: (run: TurnsRun) => number): number[] => runs.map(of);
  const ratios = ratiosOf(
    figures(({ roomPerSecond }) => roomPerSecond),
    figures(({ nactPerSecond }) => nactPerSecond),
  );
  return {
    bench: `turns: one room, event loop turns of ${turnMs} ms, ${senders} messages in flight`,
    rows: [
      { what: 'messages a second: a room / a nact actor', unit: '×', spread: spreadOf(ratios), goal: { bound: 'at least', value: 100 } },
      {
        what: 'a room: validated, stored with fsync, acknowledged',
        unit: '/s',
        spread: spreadOf(figures(({ roomPerSecond }) => roomPerSecond)),
      },
      { what: 'a nact actor: handled, nothing done', unit: '/s', spread: spreadOf(figures(({ nactPerSecond }) => nactPerSecond)) },
      { what: 'turns a second', unit: '', spread: spreadOf(figures(({ turnsPerSecond }) => turnsPerSecond)) },
    ],
    notes: ['both in one process, one after the other, turned round by round; what is acknowledged is counted in the store afterwards'],
  };
}
