/**
 * Stalled: what readers that do not read cost the server, and whether they have everything after they read on.
 *
 * A tenth of the members stall while the others talk. The server's memory after forced collections, at its highest during the stall,
 * less its highest in the same talk before it, per stalled reader; of several samples in a row their median. Bare socket.io keeps everything for them, without an end.
 */
import { type ArmRun, armsOf, bothRows, startTalk, talk, withArm } from './arm-run.ts';
import type { ArmName } from './arms.ts';
import type { BenchOptions } from './bench.ts';
import type { GuestSetup, SettleReport } from './load-guests.ts';
import type { BenchResult } from './result-table.ts';
import { shown } from './result-table.ts';
import type { ServerMemory } from './server-probe.ts';
import { median, spreadOf } from './stats.ts';

/** Long texts: the kernel's buffers take some 2 MB for each connection before the server has to keep anything. */
const shape = { rooms: 4, membersPerRoom: 90, guestsPerRoom: 10, textTimes: 10 } as const;
const stalledReaders = shape.rooms * shape.guestsPerRoom;
/** Of all rooms: well below what bare can take. */
const messagesPerSecond = 400;
/** Our rooms remember their last messages (room-memory-state.ts: 2,048): until they have so many, the heap grows whoever reads. */
const fill = { messagesPerSecond: 1_600, durationMs: 6_000 } as const;
/** Who is closed for being slow resumes by replay, however far behind: every entry is to be checked. */
const serverOptions = { isPingless: true, environment: { CHAT_RESUME_ENTRIES_MAX: '1000000' } } as const;
const sampleEveryMs = 1_500;
/** The last entries that rooms keep come and go by 1.5 MB in 2.6 s: more samples than one such wave. */
const samplesOfLevel = 5;
const beforeMs = 12_000;

interface Stall {
  /** Per stalled reader, at the highest. */
  readonly growthKB: number;
  readonly rssGrowthKB: number;
  readonly closed: number;
  readonly p99Ms: number;
}

export async function runStalled(options: BenchOptions): Promise<BenchResult> {
  const stalls: Record<ArmName, Stall[]> = { bare: [], playhouse: [] };
  for (let round = 0; round < options.rounds; round += 1) {
    // Bare's own figure takes as long again: not in a quick run.
    for (const arm of options.isQuick ? (['playhouse'] as const) : armsOf(round)) {
      const stall = await withArm(arm, options, (run) => stalling(run, options), serverOptions);
      stalls[arm].push(stall);
      options.progress(
        `stalled round ${round + 1}/${options.rounds} ${arm.padEnd(9)} ${shown(stall.growthKB)} kB for each, p99 of the others ${shown(stall.p99Ms)} ms, ${stall.closed} closed`,
      );
    }
  }
  const figures = (of: (stall: Stall) => number): Record<ArmName, number[]> => ({
    bare: stalls.bare.map(of),
    playhouse: stalls.playhouse.map(of),
  });
  const growth = figures(({ growthKB }) => growthKB);
  return {
    bench: `stalled: ${stalledReaders} of ${shape.rooms * 100} readers do not read for ${options.stallMs / 1_000} s, ${messagesPerSecond} messages/s of 0.8–2 kB`,
    rows: [
      {
        what: 'memory per stalled reader, playhouse',
        unit: 'kB',
        spread: spreadOf(growth.playhouse),
        goal: { bound: 'at most', value: 64 },
      },
      ...(options.isQuick ? [] : [{ what: 'memory per stalled reader, bare socket.io', unit: 'kB', spread: spreadOf(growth.bare) }]),
      ...bothRows(
        'RSS per stalled reader',
        'kB',
        figures(({ rssGrowthKB }) => rssGrowthKB),
      ),
      ...bothRows(
        'p99 of those who read',
        'ms',
        figures(({ p99Ms }) => p99Ms),
      ),
      ...bothRows(
        'stalled connections the server ended',
        '',
        figures(({ closed }) => closed),
      ),
    ],
    notes: [
      'pings 5 minutes apart in both: at the usual ones a reader that does not read is gone after 14 s (bare: 45 s), for want of a pong',
      `memory: heap and buffers after a forced collection, the highest of the stall less the highest before it (medians of ${samplesOfLevel} samples), when the rooms remember all they do. 1 kB: 1,024 bytes`,
      'what the kernel holds for a connection is in neither arm; default settings but for the pings and CHAT_RESUME_ENTRIES_MAX',
      'after the stall every reader of playhouse reads on or resumes, and has every entry once and in order; else the run fails',
    ],
  };
}

async function stalling(run: ArmRun, { stallWarmUpMs, stallMs }: BenchOptions): Promise<Stall> {
  const { load, target } = run;
  await startTalk(run, shape);
  await load.call('guestsSetup', { ...target, rooms: shape.rooms, guestsPerRoom: shape.guestsPerRoom } satisfies GuestSetup);
  if (target.arm === 'playhouse') await talk(run, fill.messagesPerSecond, fill.durationMs);
  await talk(run, messagesPerSecond, stallWarmUpMs); // Not counted: code gets compiled, caches fill.
  const before = (await talkAndSample(run, beforeMs)).samples;
  await load.call('guestsStall');
  const { samples, p99Ms } = await talkAndSample(run, stallMs);
  await load.call('guestsReadOn');
  const { violations, closed } = await load.call<SettleReport>('guestsSettle');
  if (violations.length > 0) throw new Error(`broke what it must keep:\n  ${violations.slice(0, 20).join('\n  ')}`);
  const each = (of: (sample: Sample) => number): number =>
    (highestLevel(samples.map(of)) - highestLevel(before.map(of))) / stalledReaders / 1_024;
  return { growthKB: each(({ held }) => held), rssGrowthKB: each(({ rss }) => rss), closed, p99Ms };
}

function highestLevel(values: readonly number[]): number {
  let highest = 0;
  for (let end = Math.min(samplesOfLevel, values.length); end <= values.length; end += 1)
    highest = Math.max(highest, median(values.slice(Math.max(0, end - samplesOfLevel), end)));
  return highest;
}

interface Sample {
  readonly held: number;
  readonly rss: number;
}

async function talkAndSample(run: ArmRun, durationMs: number): Promise<{ samples: Sample[]; p99Ms: number }> {
  let isTalking = true;
  const talking = talk(run, messagesPerSecond, durationMs).finally(() => (isTalking = false));
  talking.catch(() => {}); // Awaited below.
  const samples: Sample[] = [];
  while (isTalking) {
    await new Promise((resolve) => setTimeout(resolve, sampleEveryMs));
    const { heapBytes, externalBytes, rssBytes } = await run.server.process.call<ServerMemory>('memory');
    samples.push({ held: heapBytes + externalBytes, rss: rssBytes });
  }
  return { samples, p99Ms: (await talking).p99Ms };
}
