/**
 * ClusterRun: a whole cluster on this machine, from its services to its load balancer.
 *
 * Guarantees: `stop` ends everything in order: nodes drain while all they need is there, then the load balancer, the state server, the
 * services; it is safe at any time of `start`. What cannot be had is left out with a note; only MongoDB is a must.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { connect } from 'node:net';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { devSecret } from '../../system/dev-secret.ts';
import { kafka } from '../services/kafka.ts';
import { mongo } from '../services/mongo.ts';
import { freePorts } from '../services/processes.ts';
import { redis } from '../services/redis.ts';
import type { InUse } from '../services/service-set.ts';
import { ServiceSet } from '../services/service-set.ts';
import { nodeFlags } from '../support/node-flags.ts';
import { chooseBalancer, prepareBalancer } from './balancer.ts';
import { Member, type MemberEvents } from './member.ts';
import type { RunOptions, Verb } from './options.ts';
import {
  allPorts,
  closingTable,
  nodeSettings,
  type Ports,
  portsFrom,
  type Row,
  secretsIn,
  sharedSettings,
  stateServerSettings,
  urlOf,
} from './plan.ts';
import type { RunRecord } from './record.ts';

export interface RunDeps {
  readonly options: RunOptions;
  readonly folder: string;
  readonly record: RunRecord;
  readonly say: (text: string) => void;
  readonly onLine: (name: string, line: string) => void;
}

const programs = new URL('../../system/', import.meta.url);
const programOf = (name: string): string => fileURLToPath(new URL(`${name}.js`, programs));
/** Longer than a node takes to drain (CHAT_DRAIN_DEADLINE_MS). */
const drainMs = 20_000;
const endMs = 5_000;
const restartMs = 1_000;

export class ClusterRun {
  private readonly deps: RunDeps;
  private readonly services: ServiceSet;
  private readonly events: MemberEvents;
  private inUse: readonly InUse[] = [];
  private state: Member | undefined;
  private nodes: readonly Member[] = [];
  private balancer: Member | undefined;
  private isStopping = false;

  constructor(deps: RunDeps) {
    this.deps = deps;
    this.services = new ServiceSet(join(deps.folder, 'services'), (name, text) => deps.say(`${name.padEnd(8)} ${text}`));
    this.events = {
      onLine: deps.onLine,
      onDeath: (name, how) => this.died(name, how),
      onChange: () => this.remember(),
    };
  }

  /** Resolves to the table for people when all is up. */
  async start(): Promise<string> {
    const { options, folder, say } = this.deps;
    const ports = await this.choosePorts();
    this.remember();
    await this.startServices();
    const dataDir = join(folder, 'data');
    await devSecret(dataDir);
    const services = Object.assign({}, ...this.inUse.map((each) => each.environment)) as Record<string, string>;
    let shared = sharedSettings({ ports, secrets: secretsIn(folder), given: process.env, services, dataDir, log: options.log });
    say('mongo    creating indexes');
    this.runToEnd('migrate', shared);
    if (shared['CHAT_KAFKA_BROKERS'] !== undefined && !this.createTopics(shared)) {
      const { CHAT_KAFKA_BROKERS: _, ...rest } = shared;
      shared = rest;
      this.inUse = this.inUse.filter(({ name }) => name !== 'kafka');
    }
    await this.up('state', 'state-server-main', stateServerSettings(shared, ports), () => connects(ports.state), ports.state);
    await Promise.all(
      ports.nodes.map((port, index) => this.up(`node-${index + 1}`, 'main', nodeSettings(shared, ports, index), () => isReady(port), port)),
    );
    await this.startBalancer(ports);
    return closingTable(this.rows(ports), ports, this.balancer !== undefined);
  }

  async stop(): Promise<void> {
    const { say } = this.deps;
    this.isStopping = true;
    const end = async (member: Member | undefined, graceMs: number): Promise<void> => {
      if (!member?.runs) return;
      const isInTime = await member.stop(graceMs);
      say(`${member.plan.name.padEnd(8)} ${isInTime ? 'ended' : `killed: it had not ended within ${graceMs / 1_000} s`}`);
    };
    await Promise.all(this.nodes.map((node) => end(node, drainMs)));
    await end(this.balancer, endMs);
    await end(this.state, endMs);
    await this.services.stop();
    this.deps.record.forget();
  }

  /** At once, without order: for the second signal. */
  kill(): void {
    this.isStopping = true;
    for (const member of this.members()) member.signal('SIGKILL');
  }

  async command(verb: Verb, name: string): Promise<void> {
    const member = this.members().find((each) => each.plan.name === name);
    if (!member || this.isStopping) return;
    const { say } = this.deps;
    if (verb === 'start') {
      await member.start();
      say(`${name} is up`);
    } else if (!member.runs) say(`${name} does not run`);
    else if (verb === 'stop') {
      await member.stop(drainMs);
      say(`${name} has drained and ended`);
    } else {
      member.signal(verb === 'kill' ? 'SIGKILL' : verb === 'freeze' ? 'SIGSTOP' : 'SIGCONT');
      if (verb !== 'kill') say(`${name} ${verb === 'freeze' ? 'is frozen' : 'goes on'}`);
    }
  }

  // ---- inside ----

  private members(): readonly Member[] {
    return [...this.nodes, this.balancer, this.state].filter((member) => member !== undefined);
  }

  private remember(): void {
    const running = this.members().flatMap(({ pid, plan: { name, folder } }) => (pid === undefined ? [] : [{ name, pid, folder }]));
    this.deps.record.write(running);
  }

  private async choosePorts(): Promise<Ports> {
    const { nodes, port } = this.deps.options;
    if (port === 0) {
      const [balancer = 0, state = 0, ...rest] = await freePorts(nodes + 2);
      return { balancer, nodes: rest, state };
    }
    const ports = portsFrom(port, nodes);
    for (const each of allPorts(ports)) {
      if (await connects(each).then(...yesOrNo))
        throw new Error(`port ${each} is taken by another program; give another first port: npm run cluster -- --port ${port + 1_000}`);
    }
    return ports;
  }

  private async startServices(): Promise<void> {
    const { options, say } = this.deps;
    const wanted = [mongo, redis, kafka].filter(({ name }) => !options.without.some((left) => left === name));
    for (const service of wanted) {
      if (this.isStopping) throw new Error('stopped while starting');
      try {
        this.inUse = [...this.inUse, await this.services.use(service, options, process.env)];
      } catch (error) {
        const why = error instanceof Error ? error.message : String(error);
        if (service === mongo)
          throw new Error(`a cluster needs MongoDB, and there is none: ${why}\nWith one of your own: CHAT_MONGO_URL=…`);
        say(`${service.name.padEnd(8)} left out: ${why.split('\n')[0]}`);
      }
    }
  }

  /** Without topics there is no Kafka, and that costs milliseconds only. */
  private createTopics(shared: Readonly<Record<string, string>>): boolean {
    const { say } = this.deps;
    if (!existsSync(programOf('topics'))) return true;
    say('kafka    creating topics');
    try {
      this.runToEnd('topics', shared);
      return true;
    } catch (error) {
      say(`kafka    left out: ${error instanceof Error ? error.message : String(error)}`);
      return false;
    }
  }

  private runToEnd(program: string, env: Readonly<Record<string, string>>): void {
    const { status, stderr } = spawnSync(process.execPath, [programOf(program)], {
      env: { PATH: process.env['PATH'] ?? '', ...env },
      encoding: 'utf8',
      timeout: 60_000,
    });
    if (status !== 0) throw new Error(`${program}: ${stderr.trim().slice(-1_000)}`);
  }

  private async up(
    name: string,
    program: string,
    env: Readonly<Record<string, string>>,
    probe: () => Promise<unknown>,
    port: number,
  ): Promise<void> {
    const args = ['--enable-source-maps', ...(name === 'state' ? [] : nodeFlags), programOf(program)];
    const member = this.memberOf(name, process.execPath, args, env, probe);
    if (name === 'state') this.state = member;
    else this.nodes = [...this.nodes, member];
    await this.begin(member, port);
  }

  private async startBalancer(ports: Ports): Promise<void> {
    const { options, folder, say } = this.deps;
    if (options.balancer === 'none') return;
    const kind = chooseBalancer(options.balancer);
    if (kind === undefined)
      return say('balancer left out: neither haproxy nor nginx is installed; give clients the addresses of all nodes');
    const own = join(folder, 'balancer');
    const isRoot = process.getuid?.() === 0;
    const { command, args } = prepareBalancer(kind, { port: ports.balancer, nodePorts: ports.nodes, folder: own, isRoot });
    this.balancer = this.memberOf('balancer', command, args, {}, () => isReady(ports.balancer));
    await this.begin(this.balancer, ports.balancer);
  }

  private memberOf(
    name: string,
    command: string,
    args: readonly string[],
    env: Readonly<Record<string, string>>,
    probe: () => Promise<unknown>,
  ): Member {
    return new Member({ name, command, args, env, folder: join(this.deps.folder, name), probe }, this.events);
  }

  private async begin(member: Member, port: number): Promise<void> {
    if (this.isStopping) throw new Error('stopped while starting');
    this.deps.say(`${member.plan.name.padEnd(8)} starting on ${port}`);
    await member.start();
  }

  private rows(ports: Ports): readonly Row[] {
    const { folder } = this.deps;
    const nodes = this.nodes
      .map(({ pid, plan: { name } }, index) => ({ what: name, address: urlOf(ports.nodes[index] ?? 0), note: `pid ${pid}` }))
      .sort((a, b) => (a.what < b.what ? -1 : 1));
    const missing = [redis, kafka].filter(({ name }) => !this.inUse.some((each) => each.name === name));
    return [
      ...(this.balancer
        ? [{ what: 'balancer', address: urlOf(ports.balancer), note: `${this.balancer.plan.command}, pid ${this.balancer.pid}` }]
        : []),
      ...nodes,
      { what: 'state', address: `127.0.0.1:${ports.state}`, note: `state server, pid ${this.state?.pid}` },
      ...this.inUse.map(({ name, address, origin }) => ({ what: name, address, ...(origin === 'given' && { note: 'as given' }) })),
      ...missing.map(({ name }) => ({ what: name, address: 'none' })),
      { what: 'logs', address: join(relative(process.cwd(), folder), '*.log') },
    ];
  }

  private died(name: string, how: string): void {
    if (this.isStopping) return;
    const { options, say } = this.deps;
    const member = this.members().find((each) => each.plan.name === name);
    if (!options.restart || !member) return say(`${name} ENDED ${how}. It stays away until you type: start ${name.replace('node-', '')}`);
    say(`${name} ENDED ${how}. It is started again.`);
    setTimeout(() => {
      if (this.isStopping) return;
      member.start().then(
        () => say(`${name} is up again`),
        (error: unknown) => say(String(error instanceof Error ? error.message : error)),
      );
    }, restartMs);
  }
}

const yesOrNo = [() => true, () => false] as const;

async function isReady(port: number): Promise<void> {
  const { ok, status } = await fetch(`${urlOf(port)}/readyz`, { signal: AbortSignal.timeout(2_000) });
  if (!ok) throw new Error(`answers ${status}`);
}

function connects(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy();
      resolve();
    });
    socket.once('error', reject);
    socket.setTimeout(1_000, () => {
      socket.destroy();
      reject(new Error('no answer'));
    });
  });
}
