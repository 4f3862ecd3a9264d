/**
 * Arms: the servers that are compared, each a fresh process on the server's core.
 */
import { randomBytes } from 'node:crypto';
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
