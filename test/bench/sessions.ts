/**
 * Sessions: what one connected session weighs in the server's heap, with its actor and three rooms open, beside bare socket.io.
 *
 * (heap after a forced collection with n sessions − before them) / n. Before: other sessions have been and gone, so that what is made
 * once is there already. Rooms are shared by 100 sessions each; their actors are in the figure.
 */
import { type ArmRun, armsOf, bothRows, withArm } from './arm-run.ts';
import type { ArmName } from './arms.ts';
import type { BenchOptions } from './bench.ts';
import type { SessionsSetup } from './load-sessions.ts';
import { sessionsPossible } from './machine.ts';
import type { BenchResult } from './result-table.ts';
import { shown } from './result-table.ts';
import type { ServerMemory } from './server-probe.ts';
import { ratiosOf, spreadOf } from './stats.ts';

const roomsPerSession = 3;
const warmUpSessions = 300;
const goal = { bound: 'at most', value: 10.5 } as const;

type Weight = { readonly heapKB: number; readonly externalKB: number; readonly rssKB: number };

export async function runSessions(options: BenchOptions): Promise<BenchResult> {
  const sessions = sessionsPossible(options.sessions);
  const weights: Record<ArmName, Weight[]> = { bare: [], playhouse: [] };
  for (let round = 0; round < options.rounds; round += 1) {
    for (const arm of armsOf(round)) {
      const weight = await withArm(arm, options, (run) => weigh(run, sessions));
      weights[arm].push(weight);
      options.progress(`sessions  round ${round + 1}/${options.rounds} ${arm.padEnd(9)} ${shown(weight.heapKB)} kB of heap each`);
    }
  }
  const figures = (of: (weight: Weight) => number): Record<ArmName, number[]> => ({
    bare: weights.bare.map(of),
    playhouse: weights.playhouse.map(of),
  });
  const heap = figures(({ heapKB }) => heapKB);
  return {
    bench: `sessions: ${sessions.toLocaleString('en')} sessions, ${roomsPerSession} rooms open each, nobody talks`,
    rows: [
      { what: 'heap per session, playhouse with its actor', unit: 'kB', spread: spreadOf(heap.playhouse), goal },
      { what: 'heap per session, bare socket.io', unit: 'kB', spread: spreadOf(heap.bare) },
      { what: 'heap per session: playhouse / bare', unit: '×', spread: spreadOf(ratiosOf(heap.playhouse, heap.bare)), lessIsBetter: true },
      ...bothRows(
        'buffers outside of the heap per session',
        'kB',
        figures(({ externalKB }) => externalKB),
      ),
      ...bothRows(
        'RSS per session',
        'kB',
        figures(({ rssKB }) => rssKB),
      ),
    ],
    notes: ['1 kB: 1,024 bytes. Rooms of 100 sessions each: 0.03 of a room actor is in each figure'],
  };
}

async function weigh({ server, load, target }: ArmRun, sessions: number): Promise<Weight> {
  const setup = { ...target, roomsPerSession };
  await load.call('sessionsOpen', { ...setup, prefix: 'w', sessions: warmUpSessions } satisfies SessionsSetup);
  await load.call('sessionsClose');
  await new Promise((resolve) => setTimeout(resolve, 1_000)); // The server sees them go.
  const before = await server.process.call<ServerMemory>('memory');
  await load.call('sessionsOpen', { ...setup, prefix: 's', sessions } satisfies SessionsSetup);
  const after = await server.process.call<ServerMemory>('memory');
  const open = await load.call<number>('sessionsStillOpen');
  if (open !== sessions) throw new Error(`${open} of ${sessions} sessions are open`);
  const each = (of: (memory: ServerMemory) => number): number => (of(after) - of(before)) / sessions / 1_024;
  return {
    heapKB: each(({ heapBytes }) => heapBytes),
    externalKB: each(({ externalBytes }) => externalBytes),
    rssKB: each(({ rssBytes }) => rssBytes),
  };
}
