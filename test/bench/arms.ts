/**
 * Arms: the servers that are compared, each a fresh process on the server's core, with a fresh folder.
 */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { BenchProcess, freePort } from './processes.ts';

export interface Arm {
  readonly process: BenchProcess;
  readonly port: number;
}

const startWithinMs = 15_000;

export const newSecret = (): string => randomBytes(48).toString('base64');

export async function startBare(): Promise<Arm> {
  const port = await freePort();
  const process = new BenchProcess('test/bench/bare-server.js', 'server', { args: [String(port)] });
  await process.untilReady(port, '/', startWithinMs);
  return { process, port };
}

/** The real node: default settings, except what `environment` says. */
export async function startPlayhouse(dir: string, secret: string, environment: Readonly<Record<string, string>> = {}): Promise<Arm> {
  const port = await freePort();
  const process = new BenchProcess('system/main.js', 'server', {
    environment: {
      CHAT_PORT: String(port),
      CHAT_DATA_DIR: dir,
      CHAT_JWT_SECRET: secret,
      CHAT_LOG_LEVEL: 'warn',
      CHAT_LOG_PRETTY: 'false',
      ...environment,
    },
  });
  await process.untilReady(port, '/readyz', startWithinMs);
  return { process, port };
}

/** An empty folder for one arm; the caller removes it, and if it cannot, the end of this process does. */
export function freshFolder(parent: string, prefix: string): string {
  const dir = mkdtempSync(join(parent, prefix));
  process.once('exit', () => rmSync(dir, { recursive: true, force: true }));
  return dir;
}
