/**
 * Processes: tools that run to their end, and servers that outlive this program.
 */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, openSync, readFileSync, readlinkSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { MissingTool } from './service.ts';

export const hasTool = (name: string): boolean => spawnSync('sh', ['-c', `command -v ${name}`]).status === 0;

/** Runs a tool to its end; rejects with the last of what it said. */
export function run(command: string, args: readonly string[], cwd: string): Promise<void> {
  if (!hasTool(command)) return Promise.reject(new MissingTool(`${command} is not installed`));
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
    let said = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        said = (said + text).slice(-2_000);
      });
    }
    child.once('error', reject);
    child.once('exit', (code) => (code === 0 ? resolve() : reject(new Error(`${command} ${args.join(' ')} ended with ${code}\n${said}`))));
  });
}

/** Starts a server that goes on when this program ends. What it prints goes to `name`.out in `folder`. */
export function launch(name: string, command: string, args: readonly string[], folder: string): number {
  const out = openSync(join(folder, `${name}.out`), 'a');
  const child = spawn(command, args, { cwd: folder, detached: true, stdio: ['ignore', out, out] });
  child.unref();
  if (child.pid === undefined) throw new MissingTool(`${command} cannot be run`);
  return child.pid;
}

/** Whether the process that was launched in `folder` lives: a number that somebody else's process has taken over does not count. */
export function lives(pid: number, folder: string): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  try {
    // redis-server goes into a folder below it.
    return readlinkSync(`/proc/${pid}/cwd`).startsWith(folder);
  } catch {
    return !existsSync('/proc/self/cwd');
  }
}

/** SIGTERM, and after ten seconds SIGKILL, to those that still run in their folder. Resolves when they are gone. */
export async function endProcesses(pids: readonly number[], folder: string, graceMs = 10_000): Promise<void> {
  const left = (): number[] => pids.filter((pid) => lives(pid, folder));
  const untilGone = async (withinMs: number): Promise<void> => {
    const end = performance.now() + withinMs;
    while (left().length > 0 && performance.now() < end) await new Promise((resolve) => setTimeout(resolve, 50));
  };
  for (const pid of left()) signal(pid, 'SIGTERM');
  // One that was stopped would not hear it.
  for (const pid of left()) signal(pid, 'SIGCONT');
  await untilGone(graceMs);
  for (const pid of left()) signal(pid, 'SIGKILL');
  await untilGone(5_000);
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It ended meanwhile.
  }
}

/** Asks until it is so, or throws with the last of what the server printed. */
export async function untilUp(
  what: string,
  pid: number,
  folder: string,
  name: string,
  withinMs: number,
  isUp: () => Promise<boolean>,
): Promise<void> {
  const end = performance.now() + withinMs;
  for (;;) {
    if (await isUp().catch(() => false)) return;
    const words = () => readFileSync(join(folder, `${name}.out`), 'utf8').slice(-2_000);
    if (!lives(pid, folder)) throw new Error(`${what} ended while starting\n${words()}`);
    if (performance.now() > end) throw new Error(`${what} was not up within ${withinMs} ms\n${words()}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

export function freePorts(count: number): Promise<readonly number[]> {
  const one = () =>
    new Promise<{ readonly port: number; close(): void }>((resolve, reject) => {
      const server = createServer().once('error', reject);
      server.listen(0, '127.0.0.1', () => {
        const address = server.address();
        resolve({ port: typeof address === 'object' && address ? address.port : 0, close: () => void server.close() });
      });
    });
  return Promise.all(Array.from({ length: count }, one)).then((held) => {
    for (const { close } of held) close();
    return held.map(({ port }) => port);
  });
}
