/**
 * ArmRun: one arm with its load, from an empty folder to its removal; and what one step of load on it is.
 *
 * Guarantees: a fresh server and a fresh load process for each run; both are gone when the run ends, however it ends. A step in
 * which something acknowledged did not arrive, or arrived wrongly, rejects.
 */
import { rmSync } from 'node:fs';
import { type Arm, type ArmName, freshFolder, newSecret, type ServerOptions, startArm } from './arms.ts';
import type { BenchOptions } from './bench.ts';
import type { TalkSetup, TalkStep } from './load-talk.ts';
import { BenchProcess } from './processes.ts';
import { type Row, shown } from './result-table.ts';
import { spreadOf } from './stats.ts';

/** Where "healthy" ends: from when a message was due to its arrival at each receiver. */
export const p99MsMax = 100;

/** Rooms, who talks in them, and who only listens (see LoadGuests). */
export type TalkShape = Pick<TalkSetup, 'rooms' | 'membersPerRoom' | 'guestsPerRoom' | 'textTimes' | 'prefix' | 'onlyFirstTalks'>;

export interface Step extends TalkStep {
  /** Nothing refused, p99 within its bound. */
  readonly healthy: boolean;
  readonly serverMicrosPerDelivery: number | undefined;
}

export interface TalkRun {
  readonly server: { readonly process: Pick<BenchProcess, 'cpuSeconds'> };
  readonly load: BenchProcess;
}

export interface ArmRun extends TalkRun {
  readonly server: Arm;
  /** For setting up other loads in the same load process. */
  readonly target: Pick<TalkSetup, 'arm' | 'port' | 'secret'>;
}

export async function withArm<Result>(
  arm: ArmName,
  options: Pick<BenchOptions, 'folder'>,
  use: (run: ArmRun) => Promise<Result>,
  serverOptions?: ServerOptions,
): Promise<Result> {
  const dir = freshFolder(options.folder, 'arm-');
  const secret = newSecret();
  const server = await startArm(arm, dir, secret, serverOptions);
  const load = new BenchProcess('test/bench/load-main.js', 'load');
  try {
    return await use({ server, load, target: { arm, port: server.port, secret } });
  } catch (error) {
    throw new Error(`${arm}: ${error instanceof Error ? error.message : String(error)}\n${server.process.lastWords()}`, { cause: error });
  } finally {
    await load.stop();
    await server.process.stop();
    rmSync(dir, { recursive: true, force: true });
  }
}

export function startTalk({ load, target }: ArmRun, shape: TalkShape): Promise<void> {
  return load.call<void>('talkSetup', { ...target, ...shape } satisfies TalkSetup);
}

export async function talk({ server, load }: TalkRun, messagesPerSecond: number, durationMs: number): Promise<Step> {
  const cpuBefore = server.process.cpuSeconds();
  const found = await load.call<TalkStep>('talkStep', { messagesPerSecond, durationMs });
  const cpuAfter = server.process.cpuSeconds();
  if (found.violations.length > 0) throw new Error(`broke what it must keep:\n  ${found.violations.join('\n  ')}`);
  const cpu = cpuBefore === undefined || cpuAfter === undefined ? undefined : ((cpuAfter - cpuBefore) * 1e6) / found.deliveries;
  const healthy = found.p99Ms <= p99MsMax && Object.keys(found.refused).length === 0;
  return { ...found, healthy, serverMicrosPerDelivery: cpu };
}

export function lineOf(step: Step): string {
  const refused = Object.entries(step.refused).map(([code, count]) => `, ${count} × ${code}`);
  const share = `${Math.round(step.loadCpuShare * 100)} %`;
  const verdict = step.healthy ? 'healthy  ' : 'unhealthy';
  return `${shown(step.offeredPerSecond).padStart(7)}/s offered: ${verdict} p50 ${shown(step.p50Ms)} ms, p99 ${shown(step.p99Ms)} ms, ${shown(step.entriesPerFrame)} per frame, load CPU ${share}${refused.join('')}`;
}

export const armNames: Record<ArmName, string> = { bare: 'bare socket.io', playhouse: 'playhouse' };

/** Which arm goes first turns round by round. */
export const armsOf = (round: number): readonly ArmName[] => (round % 2 === 0 ? ['bare', 'playhouse'] : ['playhouse', 'bare']);

/** One absolute row for each arm that has figures. */
export function bothRows(what: string, unit: string, figures: Readonly<Record<ArmName, readonly number[]>>): Row[] {
  return (['playhouse', 'bare'] as const)
    .filter((arm) => figures[arm].length > 0)
    .map((arm) => ({ what: `${what}, ${armNames[arm]}`, unit, spread: spreadOf(figures[arm]) }));
}
