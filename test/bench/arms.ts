/**
 * Arms: the servers that are compared, each a fresh process on the server's core, with a fresh folder and the same probe.
 */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { nodeFlags } from '../support/node-flags.ts';
import { BenchProcess, freePort } from './processes.ts';

export type ArmName = 'bare' | 'playhouse';
export const otherArm = (arm: ArmName): ArmName => (arm === 'bare' ? 'playhouse' : 'bare');

export interface Arm {
  readonly process: BenchProcess;
  readonly port: number;
}

export interface ServerOptions {
  /** CHAT_ variables, for the node only: its settings are the defaults except for these. */
  readonly environment?: Readonly<Record<string, string>>;
  readonly nodeArgs?: readonly string[];
  /** Nobody is found dead by a ping: for what a silent reader costs while it stays. */
  readonly isPingless?: boolean;
}

/** The longest the node allows. */
const longPingMs = 300_000;
const startWithinMs = 15_000;
const probe = ['--import', fileURLToPath(new URL('server-probe.js', import.meta.url))];

export const newSecret = (): string => randomBytes(48).toString('base64');

export async function startArm(arm: ArmName, dir: string, secret: string, options: ServerOptions = {}): Promise<Arm> {
  const port = await freePort();
  const nodeArgs = [...(options.nodeArgs ?? []), ...probe];
  const process =
    arm === 'bare'
      ? new BenchProcess('test/bench/bare-server.js', 'server', {
          nodeArgs,
          args: [String(port), ...(options.isPingless ? [String(longPingMs)] : [])],
        })
      : new BenchProcess('system/main.js', 'server', {
          nodeArgs: [...nodeFlags, ...nodeArgs],
          environment: nodeEnvironment(port, dir, secret, options),
        });
  await process.untilReady(port, arm === 'bare' ? '/' : '/readyz', startWithinMs);
  return { process, port };
}

function nodeEnvironment(port: number, dir: string, secret: string, { environment, isPingless }: ServerOptions): Record<string, string> {
  return {
    CHAT_PORT: String(port),
    CHAT_DATA_DIR: dir,
    CHAT_JWT_SECRET: secret,
    CHAT_LOG_LEVEL: 'warn',
    CHAT_LOG_PRETTY: 'false',
    ...(isPingless && { CHAT_PING_INTERVAL_MS: String(longPingMs), CHAT_PING_TIMEOUT_MS: String(longPingMs) }),
    ...environment,
  };
}

/** An empty folder for one arm; the caller removes it, and if it cannot, the end of this process does. */
export function freshFolder(parent: string, prefix: string): string {
  const dir = mkdtempSync(join(parent, prefix));
  process.once('exit', () => rmSync(dir, { recursive: true, force: true }));
  return dir;
}
