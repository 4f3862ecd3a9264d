/**
 * Balancer: which load balancer this machine has, and its configuration, written and checked by the program itself.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type BalancerKind, type BalancerPlan, balancerConfig } from './balancer-config.ts';

/** Debian keeps both where a user's PATH does not look. */
const env = { PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/usr/local/sbin` };

export const hasBalancer = (kind: BalancerKind): boolean => spawnSync('sh', ['-c', `command -v ${kind}`], { env }).status === 0;

/** haproxy first: it asks nodes for their health, nginx only finds out by a request that failed. undefined: neither is there. */
export function chooseBalancer(wanted: BalancerKind | 'auto'): BalancerKind | undefined {
  const candidates: readonly BalancerKind[] = wanted === 'auto' ? ['haproxy', 'nginx'] : [wanted];
  return candidates.find(hasBalancer);
}

export interface BalancerCommand {
  readonly command: string;
  readonly args: readonly string[];
}

/** Writes the configuration and has it checked. Throws what the program says against it. */
export function prepareBalancer(kind: BalancerKind, given: Omit<BalancerPlan, 'filesMax'>): BalancerCommand {
  const plan = { ...given, filesMax: filesMax() };
  mkdirSync(plan.folder, { recursive: true });
  const path = join(plan.folder, `${kind}.cfg`);
  writeFileSync(path, balancerConfig[kind](plan));
  const args = kind === 'nginx' ? ['-e', 'stderr', '-p', plan.folder, '-c', path] : ['-db', '-f', path];
  const check = spawnSync(kind, kind === 'nginx' ? ['-t', '-q', ...args] : ['-c', '-q', '-f', path], { env, encoding: 'utf8' });
  if (check.status !== 0) throw new Error(`${kind} does not take its configuration: ${check.stderr.trim()}`);
  return { command: kind, args };
}

function filesMax(): number {
  const { stdout } = spawnSync('sh', ['-c', 'ulimit -Hn'], { encoding: 'utf8' });
  const files = Number(stdout.trim());
  return Number.isInteger(files) && files > 0 ? files : Number.MAX_SAFE_INTEGER; // unlimited
}
