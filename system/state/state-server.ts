/**
 * State server: knows who is online anywhere, over TCP. Nodes tell it their sessions and hear of users they watch; older chat
 * servers and services ask it in their own lines.
 *
 * Guarantees: what one peer does never shifts or ends what another one hears; memory is bounded by the limits below, whatever is
 * sent; a lost node's users are offline 8 s after its last line; a stop ends every connection in order.
 * Does not: wait for what keeps its sessions over a restart; without, nodes tell theirs again within seconds.
 */
import { createServer, type Server, type Socket } from 'node:net';
import type { Clock } from '../clock.ts';
import { Fault } from '../errors.ts';
import { newId } from '../ids.ts';
import type { Logger } from '../logger.ts';
import type { OlderAnswer } from './older-answers.ts';
import type { OlderRequest } from './older-lines.ts';
import type { Hello, NodeAnswer } from './state-answers.ts';
import type { KeptSession, StateKeep } from './state-keep.ts';
import type { NodeRequest, ServerLine, StateRow } from './state-lines.ts';
import { voiceWatchedMax, watchedMax } from './state-link.ts';
import { type PeerHost, StatePeer } from './state-peer.ts';
import { StateServerLog } from './state-server-log.ts';
import { type StateCounts, type StateLimits, StateServerState } from './state-server-state.ts';
import { tickMs } from './state-settling.ts';
import type { StateNews } from './state-voice-moves.ts';

export interface StateServerLimits extends StateLimits {
  /** More: a connection that has said nothing yet makes room; without such a one the new one is told so and closed. */
  readonly connectionsMax: number;
  /** Of lines whose end has not come, of all connections. More: the connection that holds the most of them is cut. */
  readonly heldBytesMax: number;
}

export const stateServerLimits: StateServerLimits = {
  connectionsMax: 1_024,
  heldBytesMax: 16 * 1024 * 1024,
  livesMax: 512,
  graceMs: 8_000,
  sessionsMax: 500_000,
  watchedMax,
  watchesMax: 1_000_000,
  voiceWatchedMax,
  guestsMax: 100_000,
  olderKeptMs: 24 * 60 * 60 * 1_000,
  communitiesMax: 100_000,
  channelsPerCommunityMax: 1_000,
  usersPerCommunityMax: 5_000,
};

export interface StateServerOptions {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  /** Without one everybody who reaches the port is believed: loopback only. */
  readonly secret?: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly limits?: Partial<StateServerLimits>;
  /** After the start, or a freeze, nobody is told to be offline for so long: nodes of before come back meanwhile. 0: there are none. */
  readonly settleMs?: number;
  /** Where sessions are kept for the next life of this server. Closed by `stop`. */
  readonly keep?: StateKeep;
  /** First session in, last session out, whoever caused it, and voice channels by nodes given up; in order for one user. It must not throw. */
  readonly onNews?: (news: readonly StateNews[]) => void;
}

export interface StateServer {
  readonly port: number;
  /** Where a node on this machine finds it: host and port. */
  readonly address: string;
  /** One line for the start banner. */
  readonly description: string;
  counts(): StateCounts & { readonly connections: number };
  /** Ends every connection in order and frees the port. Idempotent; takes at most `stopMs`. */
  stop(): Promise<void>;
}

/** Of `connectionsMax`, those that are ending included. Beyond it a connection is closed without a word. */
const socketsShare = 2;
const stopMs = 500;

/** Resolves when connections are taken; rejects with a Fault. */
export async function startStateServer(options: StateServerOptions): Promise<StateServer> {
  // Before anybody is heard: nobody is offline whom the life before knew.
  const kept = await options.keep?.load();
  const server = new TcpStateServer(options, kept ?? []);
  await server.listen();
  return server;
}

const bracketed = (host: string): string => (host.includes(':') ? `[${host}]` : host);

/** A wildcard is no place to connect to. */
export function connectableHost(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1';
  return bracketed(host === '::' ? '::1' : host);
}

class TcpStateServer implements StateServer, PeerHost {
  readonly server = newId();
  readonly secret: string | undefined;
  readonly clock: Clock;
  readonly #options: StateServerOptions;
  readonly #limits: StateServerLimits;
  readonly #log: StateServerLog;
  readonly #state: StateServerState;
  readonly #tcp: Server;
  readonly #peers = new Set<StatePeer>();
  /** Those there is no room for, until they are told so. */
  readonly #excess = new Set<StatePeer>();
  /** node → its connection. */
  readonly #nodes = new Map<string, StatePeer>();
  /** life → its connection. */
  readonly #lives = new Map<string, StatePeer>();
  readonly #sockets = new Set<Socket>();
  /** Who is told by nodes that come back and was not known before has come meanwhile. */
  #knewBefore: boolean;
  #heldBytes = 0;
  #cancelTick: () => void = () => {};
  #stopping: Promise<void> | undefined;

  constructor(options: StateServerOptions, kept: readonly KeptSession[]) {
    this.#options = options;
    this.#limits = { ...stateServerLimits, ...options.limits };
    this.secret = options.secret;
    this.clock = options.clock;
    this.#log = new StateServerLog(options);
    this.#state = new StateServerState(this.#limits, {
      startedAtMs: options.clock.nowMs(),
      settleMs: options.settleMs ?? 0,
      onSession: (owner, id) => options.keep?.changed(owner, id),
    });
    this.#state.restore(kept, options.clock.nowMs());
    this.#knewBefore = kept.length > 0;
    if (kept.length > 0) this.note('info', 'state.kept', { count: kept.length }, 'sessions of the life before are known again');
    this.#tcp = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => this.#onConnection(socket));
  }

  get port(): number {
    const address = this.#tcp.address();
    return address !== null && typeof address === 'object' ? address.port : 0;
  }

  get address(): string {
    return `${connectableHost(this.#options.host)}:${this.port}`;
  }

  get description(): string {
    return `${bracketed(this.#options.host)}:${this.port}, ${this.secret === undefined ? 'no secret' : 'shared secret'}`;
  }

  counts(): StateCounts & { readonly connections: number } {
    return { ...this.#state.counts(), connections: this.#peers.size };
  }

  listen(): Promise<void> {
    const { host, port } = this.#options;
    return new Promise((resolve, reject) => {
      const failed = (error: NodeJS.ErrnoException): void => {
        const why = `cannot listen on ${host}:${port} for the state server: ${error.code ?? 'unknown error'}; set CHAT_STATE_HOST or CHAT_STATE_PORT`;
        reject(new Fault('STATE_SERVER_LISTEN_FAILED', why, error));
      };
      this.#tcp.once('error', failed);
      this.#tcp.listen({ host, port }, () => {
        this.#tcp.off('error', failed);
        this.#tcp.on('error', (error) =>
          this.note('warn', 'state.error', { why: error.message }, 'the state server cannot take a connection'),
        );
        this.#scheduleTick();
        // Not before the port is there: another server that has it may keep its own.
        this.#options.keep?.follow(this.#state.kept);
        resolve();
      });
    });
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #stop(): Promise<void> {
    this.#cancelTick();
    const closed = new Promise<void>((resolve) => this.#tcp.close(() => resolve()));
    for (const peer of [...this.#peers, ...this.#excess]) peer.finish();
    const cancelCut = this.clock.after(stopMs, () => {
      for (const socket of this.#sockets) socket.destroy();
    });
    await closed;
    cancelCut();
    await this.#options.keep?.close();
  }

  // ---- what peers need ----

  hello(node: string, inc: string, peer: StatePeer): Hello {
    const hello = this.#state.hello(node, inc, this.#wake());
    if (!hello.ok) return hello;
    const before = this.#nodes.get(node);
    this.#nodes.set(node, peer);
    this.#lives.set(hello.life, peer);
    before?.supersede();
    return hello;
  }

  apply(life: string, request: NodeRequest): NodeAnswer {
    const nowMs = this.#wake();
    const answer = this.#state.apply(life, request, nowMs);
    // Who was there before this server was is no news, as far as it can know.
    this.#tellChanges(request.type === 'snapshot' && !this.#knewBefore && !this.#state.isSettled(nowMs));
    return answer;
  }

  heard(life: string): void {
    this.#state.heard(life, this.#wake());
  }

  held(deltaBytes: number): void {
    this.#heldBytes += deltaBytes;
    if (deltaBytes <= 0 || this.#heldBytes <= this.#limits.heldBytesMax) return;
    let most: StatePeer | undefined;
    for (const peer of this.#peers) if (most === undefined || peer.heldBytes > most.heldBytes) most = peer;
    most?.cut('all connections together hold too much of unfinished lines, and it holds the most');
  }

  rowOf(user: string): StateRow {
    return this.#state.row(user);
  }

  voiceLines(community: string): readonly ServerLine[] {
    return this.#state.voiceLines(community, this.#wake());
  }

  answer(request: OlderRequest): OlderAnswer {
    const answer = this.#state.answer(request, this.#wake());
    this.#tellChanges();
    return answer;
  }

  closed(peer: StatePeer, life: string | undefined): void {
    this.#peers.delete(peer);
    this.#excess.delete(peer);
    // Only if no newer connection has taken its place.
    if (life === undefined || this.#lives.get(life) !== peer) return;
    this.#lives.delete(life);
    this.#state.left(life);
    for (const [node, current] of this.#nodes) if (current === peer) this.#nodes.delete(node);
  }

  note(level: 'info' | 'warn', ev: string, about: Readonly<Record<string, string | number>>, message: string): void {
    this.#log.write(level, ev, about, message);
  }

  // ---- connections and time ----

  #onConnection(socket: Socket): void {
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
    const hasRoom = this.#peers.size < this.#limits.connectionsMax || this.#makeRoom();
    if (this.#sockets.size > this.#limits.connectionsMax * socketsShare) socket.destroy();
    else (hasRoom ? this.#peers : this.#excess).add(new StatePeer(this, socket, hasRoom));
  }

  /** The longest connected of those that have said nothing yet gives way: idle connections lock nobody out. */
  #makeRoom(): boolean {
    for (const peer of this.#peers) {
      if (!peer.isNew) continue;
      peer.cut('it had said nothing when its place was needed');
      return true;
    }
    return false;
  }

  #scheduleTick(): void {
    this.#cancelTick = this.clock.after(tickMs, () => this.#tick());
  }

  /** The time. Whoever is heard first after a freeze, a peer or a timer, finds that the server stood still, before anything is judged by it. */
  #wake(): number {
    const nowMs = this.clock.nowMs();
    const awayMs = this.#state.wake(nowMs);
    if (awayMs > 0) {
      // Lines may wait in the sockets that came in time: nobody is judged by what could not be read.
      for (const peer of [...this.#peers, ...this.#excess]) peer.forgive(awayMs);
      this.note(
        'warn',
        'state.away',
        { ms: awayMs },
        'the state server stood still; it says of nobody that they are offline until nodes are back',
      );
    }
    return nowMs;
  }

  #tick(): void {
    const nowMs = this.#wake();
    for (const peer of [...this.#peers, ...this.#excess]) peer.tick();
    const ended = this.#state.expire(nowMs);
    for (const life of ended)
      this.note('warn', 'link.gone', { life: life.replace('\n', ' ') }, 'a node did not come back; its sessions have ended');
    this.#tellOnceSettled(nowMs);
    this.#tellChanges();
    this.#scheduleTick();
  }

  /** What was told before may have lacked somebody; of voice channels it said so. */
  #tellOnceSettled(nowMs: number): void {
    const owed = this.#state.settle(nowMs);
    if (owed === undefined) return;
    this.#knewBefore = true;
    for (const { life, users } of owed) for (const user of users) this.#lives.get(life)?.push(user);
    for (const [life, peer] of this.#lives) for (const community of this.#state.voiceWatchedBy(life)) peer.pushVoice(community);
  }

  #tellChanges(isReturn = false): void {
    for (const community of this.#state.takeVoiceChanges()) {
      for (const life of this.#state.voiceWatchersOf(community)) this.#lives.get(life)?.pushVoice(community);
    }
    const nowMs = this.clock.nowMs();
    const { news, users } = this.#state.takeChanges(nowMs);
    for (const user of users) {
      if (!this.#state.isTold(user, nowMs)) continue;
      for (const life of this.#state.watchersOf(user)) this.#lives.get(life)?.push(user);
    }
    if (news.length > 0 && !isReturn) this.#options.onNews?.(news);
  }
}
