/**
 * Machine: what the benchmark runs on: for the heading of every result, and for what it cannot do here.
 */
import { spawnSync } from 'node:child_process';
import { cpus } from 'node:os';
import { pinning } from './processes.ts';

export interface Machine {
  readonly cores: number;
  readonly cpu: string;
  readonly node: string;
  readonly platform: string;
  readonly pinning: string;
  /** Share of all cores in use before anything of ours ran. */
  readonly busyShareBefore: number;
  readonly openFilesMax: number;
}

/** Above this share somebody else is at work. */
export const busyShareMax = 0.05;
const watchMs = 2_000;

export async function aboutMachine(): Promise<Machine> {
  const before = cpuTimes();
  await new Promise((resolve) => setTimeout(resolve, watchMs));
  const after = cpuTimes();
  return {
    cores: cpus().length,
    cpu: cpus()[0]?.model ?? 'unknown',
    node: process.version,
    platform: `${process.platform} ${process.arch}`,
    pinning,
    busyShareBefore: busyShareOf(before, after),
    openFilesMax: openFilesMax(),
  };
}

export interface CpuTimes {
  readonly idle: number;
  readonly all: number;
}

/** Share of all cores that was in use between two readings, by whomever. */
export const busyShareOf = (before: CpuTimes, after: CpuTimes): number =>
  1 - (after.idle - before.idle) / Math.max(1, after.all - before.all);

export function cpuTimes(): CpuTimes {
  const times = cpus().map((cpu) => cpu.times);
  const idle = times.reduce((sum, time) => sum + time.idle, 0);
  return { idle, all: times.reduce((sum, { user, nice, sys, irq }) => sum + user + nice + sys + irq, idle) };
}

/** Files and sockets one process may have open: the hard limit, to which Node raises the soft one by itself. */
export function openFilesMax(): number {
  const { stdout } = spawnSync('sh', ['-c', 'ulimit -Hn'], { encoding: 'utf8' });
  const limit = Number(stdout?.trim());
  return Number.isInteger(limit) && limit > 0 ? limit : Number.POSITIVE_INFINITY;
}

/** What a server needs besides its connections: files of the store, the listener, pipes. */
const filesBesideConnections = 500;

/** As many sessions as the limit of open files allows, at most `wanted`; whoever gets fewer says so in a note. */
export function sessionsPossible(wanted: number): number {
  return Math.min(wanted, openFilesMax() - filesBesideConnections);
}
