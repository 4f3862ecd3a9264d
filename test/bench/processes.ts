/**
 * Processes: the children of a benchmark: servers on one core, load on another, all gone when the benchmark ends.
 *
 * The child's side of a call is in calls.ts.
 * Guarantees: every arm is pinned the same way; a child that dies early fails the call that waits for it, with its last words.
 * Does not: pin where `taskset` or a second core is missing; `pinning` says so in the output.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';

/** alone: nothing else runs beside it, so it may use every core, as a node on a machine of its own would. */
export type Core = 'server' | 'load' | 'alone';
const coreOf = { server: '0', load: '1' } as const;

const canPin = Object.values(coreOf).every((core) => spawnSync('taskset', ['-c', core, 'true']).status === 0);
export const pinning = canPin ? 'servers on core 0, load on core 1 (taskset)' : 'not pinned: taskset or a second core is missing';

let profileFolder: string | undefined;
/** From now on every process on the server's core writes a CPU profile there when it ends. Figures are worth less then. */
export function profileServers(folder: string): void {
  profileFolder = folder;
}

const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));

interface Reply {
  readonly id: number;
  readonly value?: unknown;
  readonly error?: string;
  readonly progress?: string;
}

/** Kept of what a child printed, for when it dies. */
const lastWordsChars = 4_000;

export interface ProcessOptions {
  readonly args?: readonly string[];
  /** Beside what the caller's environment has; its CHAT_ variables are left out. */
  readonly environment?: Readonly<Record<string, string>>;
  readonly nodeArgs?: readonly string[];
  /** Lines that come before the answer of a long call. */
  readonly onProgress?: (line: string) => void;
}

export class BenchProcess {
  readonly #child: ChildProcess;
  readonly #name: string;
  readonly #waiting = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
  readonly #ended: Promise<void>;
  #hasEnded = false;
  #isStopping = false;
  #lastWords = '';
  #nextId = 0;

  /** `script`: from dist/, as system/main.js. */
  constructor(script: string, core: Core, options: ProcessOptions = {}) {
    this.#name = script;
    const path = fileURLToPath(new URL(`../../${script}`, import.meta.url));
    const inherited = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('CHAT_')));
    const profile = core !== 'load' && profileFolder !== undefined ? ['--cpu-prof', `--cpu-prof-dir=${profileFolder}`] : [];
    const command = [
      ...(canPin && core !== 'alone' ? ['taskset', '-c', coreOf[core]] : []),
      process.execPath,
      ...profile,
      ...(options.nodeArgs ?? []),
      path,
      ...(options.args ?? []),
    ];
    this.#child = spawn(command[0] as string, command.slice(1), {
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      env: { ...inherited, ...options.environment },
    });
    running.add(this.#child);
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.#lastWords = (this.#lastWords + text).slice(-lastWordsChars);
      });
    }
    this.#child.on('message', (reply: Reply) => {
      if (reply.progress !== undefined) return options.onProgress?.(reply.progress);
      const waiting = this.#waiting.get(reply.id);
      this.#waiting.delete(reply.id);
      if (reply.error === undefined) waiting?.resolve(reply.value);
      else waiting?.reject(new Error(`${script}: ${reply.error}`));
    });
    this.#ended = new Promise((resolve) => {
      this.#child.once('error', (error) => this.#onEnd(String(error), resolve));
      this.#child.once('exit', (code, signal) => this.#onEnd(`ended with ${signal ?? code}`, resolve));
    });
  }

  #onEnd(how: string, resolve: () => void): void {
    this.#hasEnded = true;
    running.delete(this.#child);
    const error = new Error(`${this.#name} ${how}\n${this.#lastWords}`);
    for (const waiting of this.#waiting.values()) waiting.reject(error);
    this.#waiting.clear();
    if (!this.#isStopping) this.#lastWords += `\n(${how})`;
    resolve();
  }

  /** Rejects when the child answers with an error, or ends first. */
  call<Answer>(name: string, argument: unknown = {}): Promise<Answer> {
    if (this.#hasEnded) return Promise.reject(new Error(`${this.#name} has ended\n${this.#lastWords}`));
    this.#nextId += 1;
    const id = this.#nextId;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve: resolve as (value: unknown) => void, reject });
      this.#child.send({ id, name, argument });
    });
  }

  /** Waits until `http://127.0.0.1:port/path` answers 200. */
  async untilReady(port: number, path: string, withinMs: number): Promise<void> {
    const deadlineMs = performance.now() + withinMs;
    while (performance.now() < deadlineMs) {
      if (this.#hasEnded) throw new Error(`${this.#name} did not start\n${this.#lastWords}`);
      const response = await fetch(`http://127.0.0.1:${port}${path}`).catch(() => undefined);
      await response?.body?.cancel();
      if (response?.status === 200) return;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    throw new Error(`${this.#name} was not ready after ${withinMs} ms\n${this.#lastWords}`);
  }

  /** Seconds of CPU used so far, all threads; undefined where /proc is missing. */
  cpuSeconds(): number | undefined {
    return cpuSecondsOf(this.#child.pid);
  }

  /** Memory of the process that is in RAM now; undefined where /proc is missing. */
  rssBytes(): number | undefined {
    try {
      const kB = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${this.#child.pid}/status`, 'utf8'))?.[1];
      return kB === undefined ? undefined : Number(kB) * 1_024;
    } catch {
      return undefined;
    }
  }

  /** How it ended, if it did, and the last of what it printed: for messages about failures. */
  lastWords(): string {
    return `${this.#name}${this.#hasEnded ? ' (has ended)' : ''} said: ${this.#lastWords.trim() || 'nothing'}`;
  }

  /** Asks it to end, then makes it. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    if (!this.#hasEnded) this.#child.kill('SIGTERM');
    const killer = setTimeout(() => this.#child.kill('SIGKILL'), 20_000);
    await this.#ended;
    clearTimeout(killer);
  }
}

export function cpuSecondsOf(pid: number | undefined): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const times = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return (Number(times[11]) + Number(times[12])) / 100;
  } catch {
    return undefined;
  }
}

export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => (typeof address === 'object' && address ? resolve(address.port) : reject(new Error('no port'))));
    });
  });
}
