/**
 * Append: what share of the disk's own group commit is left after the store, the room actors and the sockets.
 *
 * All arms have one load shape (256 messages in flight over 50 rooms), each in a fresh process and a fresh folder on the same disk.
 */
import { closeSync, fdatasyncSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { AppendRequest, AppendArm as ProcessArm } from './append-arms.ts';
import type { AppendRun } from './append-drive.ts';
import { freshFolder, newSecret, startArm } from './arms.ts';
import type { BenchOptions } from './bench.ts';
import type { AppendLoadSetup } from './load-append.ts';
import { BenchProcess, pinning } from './processes.ts';
import { type BenchResult, type Row, shown } from './result-table.ts';
import { median, ratiosOf, spreadOf } from './stats.ts';

const rooms = 50;
const senders = 256;
const goal = { bound: 'at least', value: 0.8 } as const;

type Arm = ProcessArm | 'sockets' | 'bare';
const arms: readonly Arm[] = ['raw', 'array', 'store', 'actors', 'sockets', 'bare'];
const names: Record<Arm, string> = {
  raw: 'a: raw LevelDB, chained batch',
  array: 'A: raw LevelDB, batch of an array',
  store: 'b: the store alone',
  actors: 'c: room actors',
  sockets: 'd: the node over sockets',
  bare: 'bare socket.io: only acks',
};

export async function runAppend(options: BenchOptions): Promise<BenchResult> {
  const perSecond: Record<Arm, number[]> = { raw: [], array: [], store: [], actors: [], sockets: [], bare: [] };
  const cpuMicros: Record<Arm, number[]> = { raw: [], array: [], store: [], actors: [], sockets: [], bare: [] };
  const loadCpu: number[] = [];
  const syncs: number[] = [];
  for (let round = 0; round < options.rounds; round += 1) {
    // Turned by one each round, so that no arm is always first or always after the same one.
    for (const arm of [...arms.slice(round % arms.length), ...arms.slice(0, round % arms.length)]) {
      const dir = freshFolder(options.folder, 'append-');
      try {
        syncs.push(syncMs(dir));
        const run = arm === 'sockets' || arm === 'bare' ? await runSockets(arm, dir, options) : await runInProcess(arm, dir, options);
        if (run.acked !== run.stored) throw new Error(`${names[arm]}: ${run.acked} acknowledged, ${run.stored} stored`);
        perSecond[arm].push(run.perSecond);
        cpuMicros[arm].push(run.cpuMicrosPerMessage ?? Number.NaN);
        if (run.loadCpuShare !== undefined) loadCpu.push(run.loadCpuShare);
        options.progress(`append  round ${round + 1}/${options.rounds} ${names[arm].padEnd(26)} ${shown(run.perSecond)}/s`);
      } finally {
        rmSync(dir, { recursive: true, force: true });
      }
    }
  }
  const ratio = (what: string, arm: Arm, to: Arm, isGoal: boolean): Row => {
    return { what, unit: '×', spread: spreadOf(ratiosOf(perSecond[arm], perSecond[to])), ...(isGoal && { goal }) };
  };
  return {
    bench: `append: durable messages, ${senders} in flight over ${rooms} rooms, 80–200 bytes`,
    rows: [
      ratio('b / A: the store', 'store', 'array', false),
      ratio('c / A: room actors', 'actors', 'array', true),
      ratio('d / A: over sockets', 'sockets', 'array', false),
      ratio('b / a: the store', 'store', 'raw', false),
      ratio('c / a: room actors', 'actors', 'raw', true),
      ratio('d / a: over sockets', 'sockets', 'raw', true),
      ratio('bare / a: what socket.io leaves of a', 'bare', 'raw', false),
      ratio('d / bare: over sockets', 'sockets', 'bare', false),
      ...arms.map((arm): Row => ({ what: names[arm], unit: 'messages/s', spread: spreadOf(perSecond[arm]) })),
      ...arms.map((arm): Row => ({ what: `CPU of the server, ${names[arm]}`, unit: 'µs/message', spread: spreadOf(cpuMicros[arm]) })),
      { what: 'load process CPU in d and bare', unit: 'cores', spread: spreadOf(loadCpu) },
      { what: 'write and fdatasync of 4 kB on this disk', unit: 'ms', spread: spreadOf(syncs) },
    ],
    notes: [
      'every arm: what was acknowledged equals what is stored afterwards; else the run fails',
      'no node on socket.io can ack more than bare: where bare / a is below the goal, d / a cannot reach it on this machine',
      `a and A: one synced batch at a time of entry and idempotency key per message, values made beforehand. b: RoomLog.append. d: rate limits raised, nobody reads. a, b, c have no load process and use both cores; d and bare: ${pinning}`,
    ],
  };
}

async function runInProcess(arm: ProcessArm, dir: string, { appendWarmUpMs, appendMs }: BenchOptions): Promise<AppendRun> {
  const child = new BenchProcess('test/bench/append-arms.js', 'alone');
  const request: AppendRequest = { arm, dir: join(dir, 'log'), rooms, senders, warmUpMs: appendWarmUpMs, durationMs: appendMs };
  try {
    return await child.call<AppendRun>('run', request);
  } finally {
    await child.stop();
  }
}

async function runSockets(arm: 'sockets' | 'bare', dir: string, { appendWarmUpMs, appendMs }: BenchOptions): Promise<AppendRun> {
  const secret = newSecret();
  // One connection here sends as fast as it is answered: the limit of 100 a second would be what is measured.
  const unlimited = Object.fromEntries(
    ['COMMANDS', 'USER_COMMANDS', 'ADDRESS_COMMANDS'].flatMap((kind) => [
      [`CHAT_${kind}_PER_SECOND_MAX`, '1000000'],
      [`CHAT_${kind}_BURST_MAX`, '1000000'],
    ]),
  );
  const server = await startArm(arm === 'bare' ? 'bare' : 'playhouse', dir, secret, { environment: unlimited });
  const load = new BenchProcess('test/bench/load-main.js', 'load');
  try {
    const setup: AppendLoadSetup = { arm: arm === 'bare' ? 'bare' : 'playhouse', port: server.port, secret, rooms, senders };
    await load.call('appendSetup', setup);
    await load.call('appendStart');
    await new Promise((resolve) => setTimeout(resolve, appendWarmUpMs));
    const cpuBefore = server.process.cpuSeconds();
    type Measured = { readonly perSecond: number; readonly counted: number; readonly loadCpuShare: number };
    const { perSecond, counted, loadCpuShare } = await load.call<Measured>('appendMeasure', { durationMs: appendMs });
    const cpuAfter = server.process.cpuSeconds();
    const cpuMicrosPerMessage = cpuBefore === undefined || cpuAfter === undefined ? undefined : ((cpuAfter - cpuBefore) * 1e6) / counted;
    return { perSecond, cpuMicrosPerMessage, loadCpuShare, ...(await load.call<{ acked: number; stored: number }>('appendFinish')) };
  } catch (error) {
    throw new Error(`${names[arm]}: ${String(error)}\n${server.process.lastWords()}`);
  } finally {
    await load.stop();
    await server.process.stop();
  }
}

/** Far below 0.05 ms there is no disk behind the folder, and the ratios mean nothing. */
function syncMs(dir: string): number {
  const file = openSync(join(dir, 'probe'), 'w');
  const block = Buffer.alloc(4_096, 1);
  const times = Array.from({ length: 25 }, () => {
    const startMs = performance.now();
    writeSync(file, block);
    fdatasyncSync(file);
    return performance.now() - startMs;
  });
  closeSync(file);
  return median(times);
}
