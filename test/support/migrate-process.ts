/**
 * MigrateProcess: `npm run migrate` as a child process, to its end or to be killed on the way.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const program = fileURLToPath(
  new URL(import.meta.url.includes('/dist/') ? '../../system/migrate.js' : '../../dist/system/migrate.js', import.meta.url),
);

export interface MigrateEnd {
  readonly code: number | null;
  readonly said: string;
}

export interface MigrateProcess {
  readonly child: ChildProcess;
  readonly ended: Promise<MigrateEnd>;
}

export function startMigrate(mongoUrl: string | undefined, ...args: string[]): MigrateProcess {
  const env = { PATH: process.env['PATH'], ...(mongoUrl !== undefined && { CHAT_MONGO_URL: mongoUrl }) };
  const child = spawn(process.execPath, ['--enable-source-maps', program, ...args], { env, stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  return { child, ended: new Promise((resolve) => child.once('close', (code) => resolve({ code, said }))) };
}

export const migrate = (mongoUrl: string | undefined, ...args: string[]): Promise<MigrateEnd> => startMigrate(mongoUrl, ...args).ended;
