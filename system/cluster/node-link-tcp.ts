/**
 * NodeLink over TCP: a listener for other nodes, and a connection to each of them once there is something to ask.
 *
 * Guarantees: as the contract says. Addresses come from the cluster view; a connection to a node that left it is closed. Log lines of one
 * kind are written once in ten seconds at most, whoever connects; the counters have all.
 */
import { createServer, type Server, type Socket } from 'node:net';
import type { Clock } from '../clock.ts';
import { Fault } from '../errors.ts';
import { chance, type Incarnation, type NodeId } from '../ids.ts';
import type { Logger } from '../logger.ts';
import { type LinkTimes, linkTimes } from '../state/link-times.ts';
import { addressOf } from '../state/state-link-tcp.ts';
import { WakeTimer } from '../state/wake-timer.ts';
import type { ClusterView } from './cluster-view.ts';
import type { NodeAnswerer, NodeLink, NodeLinkEvent } from './node-link.ts';
import { NodeLinkIn } from './node-link-in-tcp.ts';
import { NodeLinkOut } from './node-link-out-tcp.ts';

export interface TcpNodeLinkOptions {
  readonly node: NodeId;
  readonly incarnation: Incarnation;
  readonly secret: string;
  readonly view: Pick<ClusterView, 'find' | 'onChange'>;
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  readonly clock: Clock;
  readonly log: Pick<Logger, 'info' | 'warn'>;
  readonly count?: (event: NodeLinkEvent, by?: number) => void;
  /** Other waits than the usual ones, for tests. */
  readonly times?: LinkTimes;
  /** From 0 up to 1. */
  readonly random?: () => number;
}

export interface TcpNodeLink extends NodeLink {
  /** Where others on this machine or network reach it: host and port. */
  readonly address: string;
}

/** Connections of others, proved or not; more are closed without a word. */
export const acceptedMax = 256;
const tickMs = 250;
/** A tick so late means that this process stood still. */
const stoodStillMs = 1_000;
const lineEveryMs = 10_000;

/** Resolves when others can connect; rejects with a Fault. */
export async function startTcpNodeLink(options: TcpNodeLinkOptions): Promise<TcpNodeLink> {
  const link = new NodeLinkOverTcp(options);
  await link.open();
  return link;
}

const bracketed = (host: string): string => (host.includes(':') ? `[${host}]` : host);

class NodeLinkOverTcp implements TcpNodeLink {
  readonly #options: TcpNodeLinkOptions;
  readonly #times: LinkTimes;
  readonly #tcp: Server;
  readonly #out = new Map<Incarnation, { readonly address: string; readonly link: NodeLinkOut }>();
  readonly #in = new Set<NodeLinkIn>();
  readonly #sockets = new Set<Socket>();
  readonly #linesAtMs = new Map<string, number>();
  readonly #timer: WakeTimer;
  readonly #forget: () => void;
  #tickedMs: number;
  #answerer: NodeAnswerer | undefined;
  #isClosed = false;

  constructor(options: TcpNodeLinkOptions) {
    this.#options = options;
    this.#times = options.times ?? linkTimes;
    this.#tcp = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => this.#accept(socket));
    this.#tickedMs = options.clock.nowMs();
    this.#timer = new WakeTimer(options.clock, () => this.#tick());
    this.#forget = options.view.onChange(() => this.#drop());
  }

  get address(): string {
    const { host } = this.#options;
    const at = this.#tcp.address();
    const reachable = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host;
    return `${bracketed(reachable)}:${at !== null && typeof at === 'object' ? at.port : 0}`;
  }

  get description(): string {
    return `other nodes at ${this.address}`;
  }

  open(): Promise<void> {
    const { host, port } = this.#options;
    return new Promise((resolve, reject) => {
      const onError = (cause: Error): void => {
        this.#forget();
        const message = `other nodes cannot reach this one at ${bracketed(host)}:${port}: ${(cause as NodeJS.ErrnoException).code ?? cause.name}`;
        reject(new Fault('INTERNAL', message, { cause }));
      };
      this.#tcp.once('error', onError);
      this.#tcp.listen({ host, port }, () => {
        this.#tcp.off('error', onError);
        this.#tcp.on('error', () => {});
        this.#timer.set(this.#tickedMs + tickMs);
        resolve();
      });
    });
  }

  // ---- asking ----

  isLinked(to: Incarnation): boolean {
    if (this.#isClosed || to === this.#options.incarnation) return false;
    const open = this.#out.get(to);
    return open ? open.link.isUsable : this.#options.view.find(to)?.address !== undefined;
  }

  ask(to: Incarnation, question: string, onAnswer: (answer: string | undefined) => void): boolean {
    const isAsked = this.isLinked(to) && this.#linkTo(to)?.ask(question, onAnswer) === true;
    this.#count(isAsked ? 'asked' : 'refused');
    return isAsked;
  }

  listen(answerer: NodeAnswerer): void {
    this.#answerer = answerer;
  }

  counts(): { links: number; accepted: number; waiting: number } {
    let links = 0;
    let waiting = 0;
    for (const { link } of this.#out.values()) {
      links += link.isLive ? 1 : 0;
      waiting += link.waiting;
    }
    let accepted = 0;
    for (const connection of this.#in) accepted += connection.isLive ? 1 : 0;
    return { links, accepted, waiting };
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#forget();
    this.#timer.set(undefined);
    for (const { link } of this.#out.values()) link.close();
    for (const connection of [...this.#in]) connection.cut('this node closes it');
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((resolve) => this.#tcp.close(() => resolve()));
  }

  #linkTo(to: Incarnation): NodeLinkOut | undefined {
    const open = this.#out.get(to);
    if (open) return open.link;
    const address = this.#options.view.find(to)?.address;
    if (address === undefined) return undefined;
    const { node, incarnation, secret, clock, random = chance } = this.#options;
    const link = new NodeLinkOut({
      self: { node, inc: incarnation },
      to,
      address: addressOf(address),
      secret,
      clock,
      times: this.#times,
      random,
      count: (event, by) => this.#count(event, by),
      note: (level, ev, about, message) => this.#note(level, ev, about, message),
    });
    this.#out.set(to, { address, link });
    return link;
  }

  /** Nodes that left the view, or are reached elsewhere now. */
  #drop(): void {
    for (const [to, { address, link }] of this.#out) {
      if (this.#options.view.find(to)?.address === address) continue;
      this.#out.delete(to);
      link.close();
    }
  }

  // ---- answering ----

  #accept(socket: Socket): void {
    if (this.#isClosed || this.#sockets.size >= acceptedMax) {
      this.#count('cut');
      socket.on('error', () => {});
      socket.destroy();
      return;
    }
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
    const { node, incarnation, secret, clock } = this.#options;
    const connection = new NodeLinkIn(
      {
        self: { node, inc: incarnation },
        secret,
        clock,
        times: this.#times,
        answer: (from, question, answer) => {
          if (this.#answerer) this.#answerer(from, question, answer);
          else answer(undefined);
        },
        count: (event, by) => this.#count(event, by),
        note: (level, ev, about, message) => this.#note(level, ev, about, message),
        closed: (ended) => this.#in.delete(ended),
      },
      socket,
    );
    this.#in.add(connection);
  }

  #tick(): void {
    const nowMs = this.#options.clock.nowMs();
    const lateMs = nowMs - this.#tickedMs - tickMs;
    this.#tickedMs = nowMs;
    for (const connection of [...this.#in]) connection.tick(lateMs >= stoodStillMs ? lateMs : 0);
    this.#timer.set(nowMs + tickMs);
  }

  #count(event: NodeLinkEvent, by = 1): void {
    this.#options.count?.(event, by);
  }

  /** A kind is the event with its reason: there are few of them, whoever connects. */
  #note(level: 'info' | 'warn', ev: string, about: Readonly<Record<string, string | number>>, message: string): void {
    const nowMs = this.#options.clock.nowMs();
    const kind = `${ev} ${about['of'] ?? ''} ${about['why'] ?? ''}`;
    if (nowMs - (this.#linesAtMs.get(kind) ?? Number.NEGATIVE_INFINITY) < lineEveryMs) return;
    if (this.#linesAtMs.size >= acceptedMax) this.#linesAtMs.clear();
    this.#linesAtMs.set(kind, nowMs);
    this.#options.log[level]({ ev, link: 'node', ...about }, message);
  }
}
