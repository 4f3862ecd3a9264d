/**
 * NodeProcess: a real node, or a state server that stands alone, as a child process, to be killed.
 *
 * Guarantees: `start` resolves when the node serves; whatever is left is killed with the test's process. Runs what `npm start` runs.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import { nodeFlags } from './node-flags.ts';

/** Where what is run as a process is, for tests as they are and as they are compiled. */
export const programs = new URL(import.meta.url.includes('/dist/') ? '../../system/' : '../../dist/system/', import.meta.url);
const startMs = 20_000;

/** Whatever is left dies with this process. One listener for all: each process of a long test would add one. */
const living = new Set<NodeProcess>();
process.once('exit', () => {
  for (const node of living) node.signal('SIGKILL');
});

/** A file of system/ that is run as a process. */
export type ProgramName = 'main' | 'state-server-main' | 'state-server-probe';

export interface NodeExit {
  readonly code: number | null;
  readonly stderr: string;
}

export class NodeProcess {
  private child: ChildProcess | undefined;
  private output = '';
  /** All that was ever written to stdout, over restarts. */
  stdout = '';
  /** And to stderr. */
  stderr = '';
  private readonly env: Readonly<Record<string, string>>;
  private readonly program: string;

  /** `env`: CHAT_* variables; CHAT_PORT must be a fixed port where clients are to find it again. */
  constructor(env: Readonly<Record<string, string>>, program: ProgramName = 'main') {
    this.env = env;
    this.program = fileURLToPath(new URL(`${program}.js`, programs));
    living.add(this);
  }

  get log(): string {
    return this.output;
  }

  get pid(): number | undefined {
    return this.child?.pid;
  }

  start(): Promise<void> {
    const child = this.spawn();
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`the node did not start within ${startMs} ms:\n${this.output}`)), startMs);
      const look = (): void => {
        if (!this.output.includes(' is up: ')) return;
        clearTimeout(timer);
        resolve();
      };
      child.stderr?.on('data', look);
      child.once('exit', (code) => {
        clearTimeout(timer);
        reject(new Error(`the node ended with ${code} while starting:\n${this.output}`));
      });
    });
  }

  /** Runs it until it ends by itself: for starts that must fail. */
  run(): Promise<NodeExit> {
    const child = this.spawn();
    return new Promise((resolve) => child.once('exit', (code) => resolve({ code, stderr: this.output })));
  }

  /** SIGSTOP freezes it, SIGCONT lets it go on. Nothing happens when it does not run. */
  signal(signal: NodeJS.Signals): void {
    this.child?.kill(signal);
  }

  kill(signal: 'SIGKILL' | 'SIGTERM' | 'SIGINT' = 'SIGKILL'): Promise<number | null> {
    const { child } = this;
    if (!child || child.exitCode !== null || child.signalCode !== null) return Promise.resolve(child?.exitCode ?? null);
    return new Promise((resolve) => {
      child.once('exit', (code) => resolve(code));
      child.kill(signal);
    });
  }

  private spawn(): ChildProcess {
    this.output = '';
    const env = { PATH: process.env.PATH ?? '', CHAT_LOG_LEVEL: 'warn', CHAT_LOG_PRETTY: 'false', ...this.env };
    this.child = spawn(process.execPath, [...nodeFlags, this.program], { env, stdio: ['ignore', 'pipe', 'pipe'] });
    for (const name of ['stdout', 'stderr'] as const) {
      this.child[name]?.setEncoding('utf8').on('data', (data: string) => {
        this.output = (this.output + data).slice(-100_000);
        this[name] += data;
      });
    }
    return this.child;
  }
}

/** A port nobody listens on at the moment. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => (address && typeof address === 'object' ? resolve(address.port) : reject(new Error('no port'))));
    });
  });
}
