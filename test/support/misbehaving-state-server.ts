/**
 * A state server that speaks the protocol of state-lines.ts, over real TCP, and misbehaves when it is told to.
 *
 * It keeps just enough to be right: sessions by node, watches by connection. What the real one does beyond it (grace, proofs, bounds)
 * is not here; this is for what the real one never does.
 */
import type { Socket } from 'node:net';
import { FrameDecoder } from '../../system/state/frame-codec.ts';
import { decodeNodeLine } from '../../system/state/state-line-decoder.ts';
import type { NodeLine, ServerLine, SessionRow, StateRow } from '../../system/state/state-lines.ts';
import { FixedPortServer } from './fixed-port-server.ts';

export const misbehaviours = [
  'refuses connections',
  'accepts and says nothing',
  'writes ten bytes a second',
  'forgets its connections without closing them',
  'sends garbage',
  'sends no UTF-8',
  'sends a line of 10 MB',
  'closes in the middle of a line',
  'answers twice',
  'answers in the wrong order',
  'answers with an unknown id',
  'answers with the wrong kind',
  'answers pings only',
  'answers hello with an odd line',
  'answers hello with nothing',
  'answers hello with a close',
] as const;
export type Misbehaviour = (typeof misbehaviours)[number];

export class MisbehavingStateServer {
  /** Bytes that came in since the start. */
  bytesIn = 0;
  connectionsSeen = 0;
  /** The lines that came in, newest last; at most some thousand. */
  readonly lines: NodeLine[] = [];
  private behaviour: Misbehaviour | 'behaves' = 'behaves';
  private readonly sessions = new Map<string, ReadonlyMap<string, SessionRow>>();
  private readonly connections = new Set<Connection>();
  private readonly server = new FixedPortServer((socket) => this.accept(socket));
  /** Scale of the one thing here that takes time. */
  private readonly drip: { readonly bytes: number; readonly everyMs: number };

  constructor(drip = { bytes: 1, everyMs: 10 }) {
    this.drip = drip;
  }

  get address(): { readonly host: string; readonly port: number } {
    return this.server.address;
  }

  start(port?: number): Promise<void> {
    return this.server.start(port);
  }

  /** As after a kill: connections are reset, what was known is gone, the port stays the same. */
  stop(): Promise<void> {
    this.sessions.clear();
    return this.server.stop();
  }

  /** From now on, on old and new connections. */
  async misbehave(behaviour: Misbehaviour): Promise<void> {
    this.behaviour = behaviour;
    if (behaviour === 'refuses connections') await this.stop();
    if (behaviour === 'forgets its connections without closing them') for (const connection of this.connections) connection.isDeaf = true;
  }

  /** Good from now on; what was held back stays lost. */
  async heal(): Promise<void> {
    this.behaviour = 'behaves';
    if (!this.server.isUp) await this.start();
  }

  // ---- what it should do ----

  private accept(socket: Socket): void {
    this.connectionsSeen += 1;
    const connection: Connection = { socket, node: '', watched: new Set(), staged: undefined, held: [], isDeaf: false };
    this.connections.add(connection);
    const decoder = new FrameDecoder(1_000_000);
    socket.on('error', () => {});
    socket.on('close', () => this.connections.delete(connection));
    socket.on('data', (chunk) => {
      this.bytesIn += chunk.length;
      for (const frame of decoder.push(chunk)) if (frame.type === 'line') this.heard(connection, frame.text);
    });
  }

  private heard(connection: Connection, text: string): void {
    const decoded = decodeNodeLine(text);
    if (connection.isDeaf || this.behaviour === 'accepts and says nothing') return;
    if (!decoded.ok) return this.write(connection, { type: 'refused', code: 'INVALID', message: decoded.reason });
    const { line } = decoded;
    if (this.lines.length < 5_000) this.lines.push(line);
    if (line.type === 'hello') return this.greet(connection, line.node);
    if (line.type === 'ping') return this.write(connection, { type: 'pong', id: line.id });
    if (this.behaviour === 'answers pings only' || line.type === 'auth' || line.type === 'health') return;
    const before = new Map([...this.watchedByAll()].map((user) => [user, JSON.stringify(this.stateOf(user))]));
    if (line.type === 'snapshot') this.stage(connection, line);
    else if (line.type === 'bye') this.sessions.delete(connection.node);
    else if (line.type === 'sessions') {
      const own = new Map(this.sessions.get(connection.node));
      for (const row of line.put) own.set(row[0], row);
      for (const id of line.gone) own.delete(id);
      this.sessions.set(connection.node, own);
    } else {
      for (const user of line.on) connection.watched.add(user);
      for (const user of line.off) connection.watched.delete(user);
    }
    this.push(before);
    if (line.type === 'watch') this.write(connection, { type: 'states', id: line.id, states: line.on.map((user) => this.stateOf(user)) });
    else this.write(connection, { type: 'ok', id: line.id });
  }

  private greet(connection: Connection, node: string): void {
    connection.node = node;
    if (this.behaviour === 'answers hello with nothing') return;
    if (this.behaviour === 'answers hello with a close') connection.socket.destroy();
    else if (this.behaviour === 'answers hello with an odd line') connection.socket.write('HTTP/1.1 400 Bad Request\r\n');
    else this.write(connection, { type: 'hello', v: 1, server: 'model' });
  }

  private stage(connection: Connection, line: NodeLine & { readonly type: 'snapshot' }): void {
    if (line.first) connection.staged = new Map();
    for (const row of line.sessions) connection.staged?.set(row[0], row);
    if (!line.last || !connection.staged) return;
    this.sessions.set(connection.node, connection.staged);
    connection.staged = undefined;
    connection.watched = new Set(line.watch);
  }

  private stateOf(user: string): StateRow {
    const places = new Set<string>();
    for (const own of this.sessions.values()) for (const row of own.values()) if (row[1] === user) places.add(row[2]);
    return [user, places.size > 0 ? 'online' : 'offline', [...places].sort()];
  }

  private watchedByAll(): Set<string> {
    return new Set([...this.connections].flatMap(({ watched }) => [...watched]));
  }

  private push(before: ReadonlyMap<string, string>): void {
    for (const connection of this.connections) {
      const states = [...connection.watched].map((user) => this.stateOf(user)).filter((row) => before.get(row[0]) !== JSON.stringify(row));
      if (states.length > 0) this.write(connection, { type: 'changes', states });
    }
  }

  // ---- what it does ----

  private write(connection: Connection, line: ServerLine): void {
    const { socket, held } = connection;
    if (connection.isDeaf || !socket.writable) return;
    const text = `${JSON.stringify(line)}\r\n`;
    switch (this.behaviour) {
      case 'sends garbage':
        socket.write('\u0000{"type":\r\n}}}\r\n\r\n"1"\r\n'.repeat(3));
        return;
      case 'sends no UTF-8':
        socket.write(Buffer.from([0xff, 0xfe, 0x80, 0x0d, 0x0a]));
        return;
      case 'sends a line of 10 MB':
        socket.write(Buffer.alloc(10_000_000, 'x'));
        return;
      case 'closes in the middle of a line':
        socket.end(text.slice(0, text.length / 2));
        return;
      case 'answers twice':
        socket.write(text + text);
        return;
      case 'answers in the wrong order':
        held.unshift(text);
        if (held.length === 2) socket.write(held.splice(0).join(''));
        return;
      case 'answers with an unknown id':
        socket.write('id' in line ? `${JSON.stringify({ ...line, id: line.id + 1_000_000 })}\r\n` : text);
        return;
      case 'answers with the wrong kind':
        socket.write('id' in line && line.type !== 'pong' ? `${JSON.stringify({ type: 'pong', id: line.id })}\r\n` : text);
        return;
      case 'writes ten bytes a second':
        this.dripOut(connection, text);
        return;
      default:
        socket.write(text);
    }
  }

  private dripOut(connection: Connection, text: string): void {
    connection.held.push(...text);
    if (connection.held.length > text.length) return;
    const next = (): void => {
      if (!connection.socket.writable || connection.held.length === 0) return;
      connection.socket.write(connection.held.splice(0, this.drip.bytes).join(''));
      setTimeout(next, this.drip.everyMs);
    };
    next();
  }
}

interface Connection {
  readonly socket: Socket;
  node: string;
  watched: Set<string>;
  staged: Map<string, SessionRow> | undefined;
  /** Text that waits to be written. */
  readonly held: string[];
  isDeaf: boolean;
}
