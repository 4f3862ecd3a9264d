/**
 * Half: how late messages are when nobody is busy: p99 of hot rooms at half of what bare socket.io can take, fsync before broadcast.
 *
 * Bare's capacity is what `hot` found in this run, or is found once; then both arms get half of it in every round, each on a fresh server.
 */
import { armsOf, bothRows, lineOf, startTalk, talk, withArm } from './arm-run.ts';
import type { ArmName } from './arms.ts';
import type { BareCapacity, BenchOptions } from './bench.ts';
import { findCapacity, hotShape } from './capacity.ts';
import { pinning } from './processes.ts';
import { type BenchResult, shown } from './result-table.ts';
import { ratiosOf, spreadOf } from './stats.ts';

export async function runHalf(options: BenchOptions): Promise<BenchResult> {
  const say = (text: string): void => options.progress(`half  ${text}`);
  const { messagesPerSecond: capacity } = options.found.bareHot ?? (await bareCapacity(options, say));
  const messagesPerSecond = capacity / 2;
  const p50: Record<ArmName, number[]> = { bare: [], playhouse: [] };
  const p99: Record<ArmName, number[]> = { bare: [], playhouse: [] };
  const cpu: Record<ArmName, number[]> = { bare: [], playhouse: [] };
  for (let round = 0; round < options.rounds; round += 1) {
    for (const arm of armsOf(round)) {
      const step = await withArm(arm, options, async (run) => {
        await startTalk(run, hotShape);
        await talk(run, messagesPerSecond, options.hotWarmUpMs);
        return talk(run, messagesPerSecond, options.halfMs);
      });
      p50[arm].push(step.p50Ms);
      p99[arm].push(step.p99Ms);
      cpu[arm].push(step.serverMicrosPerDelivery ?? Number.NaN);
      say(`round ${round + 1}/${options.rounds} ${arm.padEnd(9)} ${lineOf(step)}`);
    }
  }
  return {
    bench: `half: p99 at half of bare's capacity (${shown(messagesPerSecond)} messages/s), ${hotShape.rooms} rooms × ${hotShape.membersPerRoom} members`,
    rows: [
      {
        what: 'p99: playhouse with fsync before broadcast / bare',
        unit: '×',
        spread: spreadOf(ratiosOf(p99.playhouse, p99.bare)),
        goal: { bound: 'at most', value: 2 },
      },
      { what: 'p50: the same', unit: '×', spread: spreadOf(ratiosOf(p50.playhouse, p50.bare)) },
      ...bothRows('p99', 'ms', p99),
      ...bothRows('p50', 'ms', p50),
      ...bothRows('server CPU per delivery', 'µs', cpu),
    ],
    notes: [`from when a message was due to each of its receivers; ${options.halfMs / 1_000} s each; ${pinning}`],
  };
}

async function bareCapacity(options: BenchOptions, say: (text: string) => void): Promise<BareCapacity> {
  const { best } = await withArm('bare', options, async (run) => {
    await startTalk(run, hotShape);
    return findCapacity(run, hotShape.startRate.bare, options, (step) => say(`bare's capacity: ${lineOf(step)}`));
  });
  return { messagesPerSecond: best.offeredPerSecond / hotShape.membersPerRoom };
}
