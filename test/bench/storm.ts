/**
 * Storm: all clients of a node lose their connection in one moment and come back: how long until the last one has resumed, and how
 * long the server's event loop was held up meanwhile. Others talk in the rooms all the time.
 */
import { type ArmRun, armsOf, bothRows, startTalk, talk, withArm } from './arm-run.ts';
import type { ArmName } from './arms.ts';
import type { BenchOptions } from './bench.ts';
import type { GuestSetup, SettleReport, StormReport } from './load-guests.ts';
import type { BenchResult } from './result-table.ts';
import { shown } from './result-table.ts';
import type { LoopLag } from './server-probe.ts';
import { spreadOf } from './stats.ts';

const guestsPerRoom = 99;
const messagesPerSecond = 100;
/** Talk goes on at least as long as the storm should last. */
const talkMs = 6_000;
const warmUpMs = 1_500;

type Storm = StormReport & LoopLag;

export async function runStorm(options: BenchOptions): Promise<BenchResult> {
  const rooms = Math.round(options.stormClients / (guestsPerRoom + 1));
  const clients = rooms * guestsPerRoom;
  const storms: Record<ArmName, Storm[]> = { bare: [], playhouse: [] };
  for (let round = 0; round < options.rounds; round += 1) {
    for (const arm of armsOf(round)) {
      const storm = await withArm(arm, options, (run) => storming(run, rooms, options.isQuick ? talkMs / 2 : talkMs));
      storms[arm].push(storm);
      options.progress(
        `storm round ${round + 1}/${options.rounds} ${arm.padEnd(9)} all back after ${shown(storm.lastBackMs)} ms, loop lag p99 ${shown(storm.p99Ms)} ms, ${storm.failedTries} tries failed`,
      );
    }
  }
  const figures = (of: (storm: Storm) => number): Record<ArmName, number[]> => ({
    bare: storms.bare.map(of),
    playhouse: storms.playhouse.map(of),
  });
  return {
    bench: `storm: ${clients.toLocaleString('en')} clients cut at once, ${rooms} rooms, ${messagesPerSecond} messages/s go on`,
    rows: [
      {
        what: 'until the last one has resumed, playhouse',
        unit: 's',
        spread: spreadOf(storms.playhouse.map(({ lastBackMs }) => lastBackMs / 1_000)),
        goal: { bound: 'at most', value: 15 },
      },
      {
        what: 'until the last one is connected, bare socket.io',
        unit: 's',
        spread: spreadOf(storms.bare.map(({ lastBackMs }) => lastBackMs / 1_000)),
      },
      {
        what: 'event loop late, p99, playhouse',
        unit: 'ms',
        spread: spreadOf(storms.playhouse.map(({ p99Ms }) => p99Ms)),
        goal: { bound: 'at most', value: 250 },
      },
      { what: 'event loop late, p99, bare socket.io', unit: 'ms', spread: spreadOf(storms.bare.map(({ p99Ms }) => p99Ms)) },
      ...bothRows(
        'event loop late, at most',
        'ms',
        figures(({ maxMs }) => maxMs),
      ),
      ...bothRows(
        'until the median client',
        'ms',
        figures(({ medianBackMs }) => medianBackMs),
      ),
      ...bothRows(
        'tries refused or lost',
        '',
        figures(({ failedTries }) => failedTries),
      ),
    ],
    notes: [
      "each client by the client library's back-off (full jitter, 0.2 s doubling to 3 s); every client of playhouse has every entry in order afterwards, else the run fails",
      'lag: monitorEventLoopDelay of the server, from the cut until all are back. Bare has no token to check, no room to load and forgets what was said',
    ],
  };
}

async function storming(run: ArmRun, rooms: number, talkingMs: number): Promise<Storm> {
  const { server, load, target } = run;
  await startTalk(run, { rooms, membersPerRoom: 1, guestsPerRoom });
  await load.call('guestsSetup', { ...target, rooms, guestsPerRoom } satisfies GuestSetup);
  await talk(run, messagesPerSecond, warmUpMs);
  const talking = talk(run, messagesPerSecond, talkingMs);
  talking.catch(() => {}); // Awaited below; a storm that fails first must not leave it unheard.
  await server.process.call('lagStart');
  const storm = await load.call<StormReport>('guestsStorm');
  const lag = await server.process.call<LoopLag>('lagStop');
  await talking;
  const { violations } = await load.call<SettleReport>('guestsSettle');
  if (storm.notBack > 0) throw new Error(`${storm.notBack} clients did not come back`);
  if (violations.length > 0) throw new Error(`broke what it must keep:\n  ${violations.slice(0, 20).join('\n  ')}`);
  return { ...storm, ...lag };
}
