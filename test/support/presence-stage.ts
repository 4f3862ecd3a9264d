/**
 * PresenceStage: a state server and some nodes as processes, and people on unmodified clients who come, go and watch each other.
 *
 * Guarantees: everything is its own (ports, folders, secrets) and ends with `stop`. Each node has an embedded store of its own: presence
 * needs no shared one.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import jwt from 'jsonwebtoken';
import type { Socket } from 'socket.io-client';
import type { WirePresence } from '../../gateway/client-protocol.ts';
import { newId } from '../../system/ids.ts';
import { ask, client, closeClients, connected } from './gateway-client.ts';
import { freePort, NodeProcess } from './node-process.ts';
import { waitUntil } from './store-processes.ts';

export interface StagedNode {
  readonly process: NodeProcess;
  readonly url: string;
}

type State = WirePresence['state'];

export class PresenceStage {
  readonly stateServer: NodeProcess;
  readonly nodes: StagedNode[] = [];
  readonly address: string;
  private readonly dir = mkdtempSync(join(tmpdir(), 'playhouse-presence-'));
  private readonly tokenSecret = newId() + newId();
  private readonly env: Readonly<Record<string, string>>;
  private readonly watchers: Watcher[] = [];

  private constructor(port: number, env: Readonly<Record<string, string>>, stateServerEnv: Readonly<Record<string, string>>) {
    this.address = `127.0.0.1:${port}`;
    this.env = { CHAT_STATE_SECRET: newId() + newId(), CHAT_LOG_LEVEL: 'info', ...env };
    this.stateServer = new NodeProcess({ ...this.env, CHAT_STATE_PORT: String(port), ...stateServerEnv }, 'state-server-main');
  }

  /** `env`: for all processes; `stateServerEnv`: for that one. */
  static async start(
    nodes: readonly string[],
    env: Readonly<Record<string, string>> = {},
    stateServerEnv: Readonly<Record<string, string>> = {},
  ): Promise<PresenceStage> {
    const stage = new PresenceStage(await freePort(), env, stateServerEnv);
    try {
      await stage.stateServer.start();
      for (const name of nodes) await stage.startNode(name);
    } catch (error) {
      await stage.stop();
      throw error;
    }
    return stage;
  }

  /** Another process under the same name is the next life of that node. */
  async startNode(name: string, env: Readonly<Record<string, string>> = {}): Promise<StagedNode> {
    const port = await freePort();
    const process = new NodeProcess({
      ...this.env,
      CHAT_NODE_ID: name,
      CHAT_PORT: String(port),
      CHAT_DATA_DIR: join(this.dir, newId()),
      CHAT_JWT_SECRET: this.tokenSecret,
      CHAT_STATE_SERVER: this.address,
      ...env,
    });
    const node = { process, url: `http://127.0.0.1:${port}` };
    this.nodes.push(node);
    await process.start();
    return node;
  }

  tokenOf(user: string): string {
    return jwt.sign({ sub: user }, this.tokenSecret, { algorithm: 'HS256', expiresIn: 3_600 });
  }

  connect(node: StagedNode, user: string): Promise<Socket> {
    return connected(client(node.url, { auth: { token: this.tokenOf(user) } }));
  }

  /** Somebody on this node who watches these users from now on, and is told what their states are by now. */
  async watch(node: StagedNode, users: readonly string[]): Promise<Watcher> {
    const name = `w-${newId().slice(0, 8)}`;
    const watcher = new Watcher(name);
    this.watchers.push(watcher);
    const socket = await this.connect(node, name);
    socket.on('presence', ({ changes }: { changes: WirePresence[] }) => watcher.keep(changes));
    watcher.keep((await ask(socket, 'presence:watch', { users }))['states'] as WirePresence[]);
    return watcher;
  }

  dump(): string {
    const logs = [this.stateServer, ...this.nodes.map(({ process }) => process)].map((process) => process.log.slice(-1_500));
    return `\n${this.watchers.map((watcher) => watcher.toString()).join('\n')}\n${logs.join('\n----\n')}`;
  }

  async stop(): Promise<void> {
    closeClients();
    // A frozen one dies of SIGKILL as well.
    await Promise.all([this.stateServer, ...this.nodes.map(({ process }) => process)].map((process) => process.kill()));
    rmSync(this.dir, { recursive: true, force: true });
  }
}

/** What one watching client was told, in order. */
export class Watcher {
  private readonly name: string;
  private readonly told: { readonly user: string; readonly state: State; readonly atMs: number }[] = [];

  constructor(name: string) {
    this.name = name;
  }

  keep(changes: readonly WirePresence[]): void {
    for (const { user, state } of changes) this.told.push({ user, state, atMs: performance.now() });
  }

  now(user: string): State | undefined {
    return this.told.findLast((row) => row.user === user)?.state;
  }

  /** The states of the user since that moment, without repetitions, the one that held before it first. */
  history(user: string, sinceMs = 0): State[] {
    const rows = this.told.filter((row) => row.user === user);
    const from = Math.max(
      0,
      rows.findLastIndex(({ atMs }) => atMs <= sinceMs),
    );
    return rows
      .slice(from)
      .map(({ state }) => state)
      .filter((state, i, all) => i === 0 || state !== all[i - 1]);
  }

  toString(): string {
    return `${this.name}: ${this.told.map(({ user, state, atMs }) => `${Math.round(atMs)} ${user} ${state}`).join(', ')}`;
  }
}

/** All of them are told so, within the time; gives how long it took the last of them. */
export async function allSee(
  stage: PresenceStage,
  watchers: readonly Watcher[],
  expected: Readonly<Record<string, State>>,
  withinMs: number,
): Promise<number> {
  const fromMs = performance.now();
  const what = `${watchers.length} watchers see ${JSON.stringify(expected)}`;
  const isSeen = (watcher: Watcher): boolean => Object.entries(expected).every(([user, state]) => watcher.now(user) === state);
  await waitUntil(
    what,
    () => watchers.every(isSeen),
    withinMs,
    () => stage.dump(),
  );
  return performance.now() - fromMs;
}
