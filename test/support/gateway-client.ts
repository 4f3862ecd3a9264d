/**
 * Unmodified socket.io clients for the gateway's tests, and raw packets for what the client library refuses to send.
 */
import { io, type Socket } from 'socket.io-client';

export interface ClientOptions {
  readonly auth?: Record<string, unknown>;
  readonly transports?: ('websocket' | 'polling')[];
  readonly headers?: Record<string, string>;
}
export interface WireReply {
  readonly ok: boolean;
  readonly error?: {
    readonly code: string;
    readonly message: string;
    readonly retryable: boolean;
    readonly retryAfterMs?: number;
    readonly limit?: number;
  };
  readonly [field: string]: unknown;
}

const open = new Set<Socket>();

export function client(url: string, options: ClientOptions = {}): Socket {
  const socket = io(url, {
    forceNew: true,
    reconnection: false,
    transports: options.transports ?? ['websocket'],
    auth: options.auth ?? {},
    ...(options.headers && { extraHeaders: options.headers }),
  });
  open.add(socket);
  return socket;
}

/** Resolves when connected; rejects with the connect error. */
export function connected(socket: Socket): Promise<Socket> {
  return new Promise((resolve, reject) => {
    socket.once('connect', () => resolve(socket));
    socket.once('connect_error', reject);
  });
}

/** The refusal of a connect. Fails when the server lets it in. */
export async function refusal(socket: Socket): Promise<{ readonly code: string; readonly message: string; readonly retryable: boolean }> {
  try {
    await connected(socket);
  } catch (error) {
    return (error as { data?: never }).data ?? { code: 'TRANSPORT', message: String(error), retryable: true };
  }
  throw new Error('the server let it in');
}

export const ask = (socket: Socket, event: string, ...args: unknown[]): Promise<WireReply> =>
  socket.timeout(10_000).emitWithAck(event, ...args) as Promise<WireReply>;

/** A socket.io packet as text, past everything that the client library checks. */
export function sendRaw(socket: Socket, packet: string | Buffer): void {
  (socket.io as unknown as { engine: { write(packet: string | Buffer): void } }).engine.write(packet);
}

/** The TCP connection stops and starts being read, as with a client that froze. */
export function readingOf(socket: Socket): { pause(): void; resume(): void } {
  return (socket.io as unknown as { engine: { transport: { ws: { pause(): void; resume(): void } } } }).engine.transport.ws;
}

export function closeClients(): void {
  for (const socket of open) socket.disconnect();
  open.clear();
}

export async function waitUntil(what: string, condition: () => boolean, withinMs = 5_000): Promise<void> {
  const untilMs = performance.now() + withinMs;
  while (!condition()) {
    if (performance.now() > untilMs) throw new Error(`not within ${withinMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
