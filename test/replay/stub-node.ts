/**
 * StubNode: a small node in memory that speaks the client protocol, for tests of the client library and of the replay.
 *
 * Owns: logs (they survive `stop` and `start`, as a restarted node's would), who reads what, and faults put in on purpose.
 * Does not: check rights, tokens or payloads; keep anything on disk.
 */
import { createServer, type Server as HttpServer } from 'node:http';
import type { AddressInfo, Socket as TcpSocket } from 'node:net';
import { Server, type Socket } from 'socket.io';
import type { ServerEvents, WireEntry } from '../../gateway/client-protocol.ts';

type Payload = Record<string, unknown> & { room: string; cid: string };
type Answer = (answer: unknown) => void;
type Draft = Pick<WireEntry, 'kind'> & Partial<WireEntry>;

export interface StubFaults {
  /** Changes what one reader is sent live. */
  deliver?: (entries: readonly WireEntry[], user: string, room: string) => readonly WireEntry[];
  /** Answers in place of the node; undefined: the node answers. */
  command?: (event: string, payload: Payload, user: string) => unknown;
  /** true: the answer is never given. */
  swallow?: (event: string, payload: Payload, user: string) => boolean;
  /** Refuses a connect with this as `err.data`. */
  refuse?: (user: string) => unknown;
}

/** Entries in the answer of an open; the rest follows as events. */
const pageEntries = 100;

export class StubNode {
  readonly logs: Map<string, WireEntry[]>;
  readonly faults: StubFaults = {};
  /** Every command that arrived, in order. */
  readonly heard: { readonly event: string; readonly payload: Payload; readonly user: string }[] = [];
  resumeEntriesMax = 10_000;
  private port: number;
  private http: HttpServer | undefined;
  private io: Server | undefined;
  private readonly tcp = new Set<TcpSocket>();
  private readonly readers = new Map<string, Map<Socket, string>>();

  /** `logs`: those of another one, as nodes on one store have them. What is written through the other is read, but not told of. */
  constructor(port = 0, logs = new Map<string, WireEntry[]>()) {
    this.port = port;
    this.logs = logs;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  async start(): Promise<string> {
    const http = createServer((request, response) => {
      let body = '';
      request.on('data', (chunk: Buffer) => {
        body += chunk.toString();
      });
      request.on('end', () => {
        const { user } = JSON.parse(body) as { user: string };
        response.setHeader('content-type', 'application/json').end(JSON.stringify({ token: user }));
      });
    });
    http.on('connection', (socket) => {
      this.tcp.add(socket);
      socket.on('close', () => this.tcp.delete(socket));
    });
    const io = new Server(http, { transports: ['websocket'] });
    io.use((socket, next) => {
      const data = this.faults.refuse?.(userOf(socket));
      next(data === undefined ? undefined : Object.assign(new Error('refused'), { data }));
    });
    io.on('connection', (socket) => this.serve(socket));
    await new Promise<void>((resolve) => http.listen(this.port, '127.0.0.1', resolve));
    this.port = (http.address() as AddressInfo).port;
    this.http = http;
    this.io = io;
    return this.url;
  }

  /** As kill -9 looks from outside: every connection is cut, nothing is said, the port is closed. */
  async stop(): Promise<void> {
    const { http, io } = this;
    if (!http || !io) return;
    this.http = undefined;
    this.io = undefined;
    this.readers.clear();
    const closed = new Promise<void>((resolve) => http.close(() => resolve()));
    this.cut();
    await closed;
    io.removeAllListeners();
  }

  /** Cuts every connection; clients may come back at once. */
  cut(): void {
    for (const socket of this.tcp) socket.destroy();
  }

  /** Sends an event to everybody. */
  tell<Event extends keyof ServerEvents>(event: Event, payload: ServerEvents[Event]): void {
    this.io?.emit(event, payload);
  }

  log(room: string): WireEntry[] {
    return this.logs.get(room) ?? [];
  }

  append(room: string, by: string, cid: string, draft: Draft): WireEntry {
    const log = this.logs.get(room) ?? [];
    this.logs.set(room, log);
    const isMessage = draft.kind === 'message' || draft.kind === 'reply';
    const entry: WireEntry = { ...draft, seq: log.length + 1, n: (log.at(-1)?.n ?? 0) + (isMessage ? 1 : 0), by, at: log.length, cid };
    log.push(entry);
    for (const [socket, user] of this.readers.get(room) ?? []) this.deliver(socket, user, room, [entry]);
    return entry;
  }

  private deliver(socket: Socket, user: string, room: string, entries: readonly WireEntry[]): void {
    const given = this.faults.deliver?.(entries, user, room) ?? entries;
    if (given.length > 0) socket.emit('entries', { room, entries: given });
  }

  private serve(socket: Socket): void {
    const user = userOf(socket);
    socket.on('disconnect', () => {
      for (const readers of this.readers.values()) readers.delete(socket);
    });
    socket.onAny((event: string, payload: Payload, answer: Answer) => {
      this.heard.push({ event, payload, user });
      const result = this.faults.command?.(event, payload, user) ?? this.carryOut(event, payload, user);
      if (!this.faults.swallow?.(event, payload, user)) answer(result);
      this.afterwards(socket, event, payload, user);
    });
  }

  private carryOut(event: string, payload: Payload, user: string): unknown {
    const { room, cid } = payload;
    const { text, replyTo, target, emoji, on } = payload as unknown as WireEntry;
    const system = `sys-${this.log(room).length}`;
    switch (event) {
      case 'room:create': {
        const id = String(payload['id']);
        if (this.logs.has(id)) return refusal('CONFLICT', false);
        const facts = { kind: 'group' as const, public: true, members: [{ user, role: 'owner' as const }] };
        this.append(id, user, 'sys-0', { kind: 'room', room: facts });
        return this.roomAnswer(id);
      }
      case 'room:join':
        if (!this.logs.has(room)) return refusal('NOT_FOUND', false);
        if (!this.isMember(room, user))
          this.append(room, user, system, { kind: 'member', member: { user, change: 'joined', role: 'member' } });
        return this.roomAnswer(room);
      case 'room:leave':
        if (this.isMember(room, user)) this.append(room, user, system, { kind: 'member', member: { user, change: 'left' } });
        return { ok: true };
      case 'room:open':
        return this.open(payload, user);
      case 'message:send':
        if (!this.isMember(room, user)) return refusal('FORBIDDEN', false);
        if (replyTo !== undefined) return this.store(room, user, cid, { kind: 'reply', ...(text && { text }), replyTo });
        return this.store(room, user, cid, { kind: 'message', ...(text && { text }) });
      case 'message:modify':
      case 'message:delete':
      case 'message:react': {
        const kind = event.slice('message:'.length) as 'modify' | 'delete' | 'react';
        const change = { ...(target && { target }), ...(text && { text }), ...(emoji && { emoji }), ...(on !== undefined && { on }) };
        return this.store(room, user, cid, { kind, ...change });
      }
      case 'room:list':
        return { ok: true, rooms: [...this.logs].map(([id, log]) => ({ id, head: log.length, n: log.length, read: 0, unread: 0 })) };
      case 'history:get': {
        const before = Number(payload['before'] ?? Number.MAX_SAFE_INTEGER);
        const older = this.log(room).filter((entry) => entry.kind === 'message' && entry.seq < before);
        return { ok: true, entries: older.slice(-50), hasBefore: older.length > 50, hasAfter: false };
      }
      default:
        return { ok: true };
    }
  }

  private open(payload: Payload, user: string): unknown {
    const { room } = payload;
    const log = this.log(room);
    const head = log.length;
    const since = payload['since'] as number | undefined;
    if (log.length === 0)
      return since === undefined
        ? refusal('NOT_FOUND', false)
        : { ok: true, verdict: 'gone', head: 0, upTo: 0, epoch: '', entries: [], more: false };
    if (!this.isMember(room, user)) {
      if (since === undefined) return refusal('FORBIDDEN', false);
      return { ok: true, verdict: 'denied', head: 0, upTo: 0, epoch: '', entries: [], more: false };
    }
    const epoch = 'epoch-1';
    if (since === undefined || since > head || head - since > this.resumeEntriesMax) {
      const entries = log.filter((entry) => entry.kind === 'message' || entry.kind === 'reply').slice(-50);
      return { ok: true, verdict: 'snapshot', head, upTo: head, epoch, entries, more: head > 50 };
    }
    const entries = log.slice(since, since + pageEntries);
    return { ok: true, verdict: 'replay', head, upTo: since + entries.length, epoch, entries, more: since + entries.length < head };
  }

  /** What must follow an answer, not come before it. */
  private afterwards(socket: Socket, event: string, { room, since }: Payload, user: string): void {
    const readers = this.readers.get(room) ?? new Map<Socket, string>();
    this.readers.set(room, readers);
    if (event === 'room:open' && this.isMember(room, user)) {
      readers.set(socket, user);
      const rest =
        typeof since === 'number' && this.log(room).length - since <= this.resumeEntriesMax
          ? this.log(room).slice(since + pageEntries)
          : [];
      if (rest.length > 0) this.deliver(socket, user, room, rest);
    }
    if (event === 'room:close') readers.delete(socket);
    if (event === 'room:leave' && readers.delete(socket)) socket.emit('room:gone', { room, reason: 'left' });
  }

  private store(room: string, by: string, cid: string, draft: Draft): unknown {
    const stored = this.log(room).find((entry) => entry.by === by && entry.cid === cid);
    const { seq, at } = stored ?? this.append(room, by, cid, draft);
    return { ok: true, seq, at, ...(stored && { dup: true }) };
  }

  private isMember(room: string, user: string): boolean {
    const last = this.log(room).findLast((entry) => entry.member?.user === user || entry.room?.members[0]?.user === user);
    return last !== undefined && last.member?.change !== 'left';
  }

  private roomAnswer(id: string): unknown {
    const head = this.log(id).length;
    return { ok: true, room: { id, kind: 'group', public: true, role: 'member', head, epoch: 'epoch-1', members: 1 } };
  }
}

const userOf = (socket: Socket): string => String((socket.handshake.auth as { token?: unknown }).token);

export function refusal(code: string, retryable: boolean, retryAfterMs?: number): unknown {
  return { ok: false, error: { code, message: `stub: ${code}`, retryable, ...(retryAfterMs !== undefined && { retryAfterMs }) } };
}
