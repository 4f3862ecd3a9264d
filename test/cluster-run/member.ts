/**
 * Member: one process of the cluster on this machine: a node, the state server, the load balancer.
 *
 * Guarantees: it is in a process group of its own, so that a Ctrl-C of the terminal reaches the program alone, which ends its members in
 * their order; it runs in a folder of its own, by which it is known again after a kill -9 of the program.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream, mkdirSync, type WriteStream } from 'node:fs';
import { LineCutter, withoutBanner } from './log-lines.ts';

export interface MemberPlan {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Its working folder; what it prints is kept beside it in <folder>.log. */
  readonly folder: string;
  /** Rejects while it is not up. */
  readonly probe: () => Promise<unknown>;
}

export interface MemberEvents {
  onLine(name: string, line: string): void;
  /** Ended without having been told to. */
  onDeath(name: string, how: string): void;
  /** A process runs, or ran: the record is to be written. */
  onChange(): void;
}

const startMs = 60_000;
const probeEveryMs = 100;

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

export class Member {
  readonly plan: MemberPlan;
  private readonly events: MemberEvents;
  private child: ChildProcess | undefined;
  private exited: Promise<void> = Promise.resolve();
  private isWanted = false;
  private isUp = false;
  /** The last it said, for when it does not start. */
  private said: string[] = [];

  constructor(plan: MemberPlan, events: MemberEvents) {
    this.plan = plan;
    this.events = events;
  }

  get pid(): number | undefined {
    return this.runs ? this.child?.pid : undefined;
  }

  get runs(): boolean {
    return this.child !== undefined && this.child.exitCode === null && this.child.signalCode === null;
  }

  /** Resolves when it is up. Nothing happens when it runs. */
  async start(): Promise<void> {
    if (this.runs) return;
    const child = this.spawn();
    const end = performance.now() + startMs;
    for (;;) {
      if (await this.plan.probe().then(...yesOrNo)) break;
      if (!this.alive(child)) throw new Error(`${this.plan.name} ended while starting:\n${this.said.join('\n')}`);
      if (performance.now() > end) throw new Error(`${this.plan.name} was not up within ${startMs} ms:\n${this.said.join('\n')}`);
      await pause(probeEveryMs);
    }
    // Whoever answered must have been this one: a port taken by another program is told by an end.
    if (!this.alive(child)) throw new Error(`${this.plan.name} ended while starting:\n${this.said.join('\n')}`);
    this.isUp = true;
  }

  /** Asks it to end and waits; after `graceMs` it is killed. Resolves to whether it ended by itself. */
  async stop(graceMs: number): Promise<boolean> {
    this.isWanted = false;
    if (!this.runs) return true;
    this.signal('SIGTERM');
    this.signal('SIGCONT');
    const isInTime = await Promise.race([this.exited.then(() => true), pause(graceMs).then(() => false)]);
    if (!isInTime) this.signal('SIGKILL');
    await this.exited;
    return isInTime;
  }

  signal(name: NodeJS.Signals): void {
    if (this.runs) this.child?.kill(name);
  }

  private alive(child: ChildProcess): boolean {
    return child.exitCode === null && child.signalCode === null && this.child === child;
  }

  private spawn(): ChildProcess {
    const { command, args, env, folder, name } = this.plan;
    mkdirSync(folder, { recursive: true });
    this.said = [];
    this.isWanted = true;
    this.isUp = false;
    const log = createWriteStream(`${folder}.log`, { flags: 'a' });
    const path = { PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/usr/local/sbin` };
    const child = spawn(command, args, { cwd: folder, env: { ...path, ...env }, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
    this.child = child;
    this.listen(child, log);
    this.exited = new Promise((resolve) => {
      child.once('error', (error) => {
        this.said.push(error.message);
        resolve();
      });
      // Close, not exit: the last lines are to be read.
      child.once('close', (code, signal) => {
        log.end();
        const wasUp = this.isUp;
        this.isUp = false;
        this.events.onChange();
        if (this.isWanted && wasUp) this.events.onDeath(name, signal === null ? `with exit code ${code}` : `by ${signal}`);
        resolve();
      });
    });
    this.events.onChange();
    return child;
  }

  private listen(child: ChildProcess, log: WriteStream): void {
    for (const stream of [child.stdout, child.stderr]) {
      const isShown = withoutBanner();
      const cutter = new LineCutter((line) => {
        this.said = [...this.said.slice(-19), line];
        if (isShown(line)) this.events.onLine(this.plan.name, line);
      });
      stream?.setEncoding('utf8').on('data', (text: string) => {
        log.write(text);
        cutter.push(text);
      });
      stream?.once('end', () => cutter.end());
    }
  }
}

const yesOrNo = [() => true, () => false] as const;
