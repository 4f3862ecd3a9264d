/**
 * EngineConnection: a client that polls, or that began so and went over to a websocket, behind socket.io's own server.
 *
 * Guarantees: counts what engine.io and its transport hold, which neither tells. engine.io is pinned; `outbox.test` has a twin of it.
 * Does not: shorten its way; few clients come by it.
 */
import type { ClientSocket, ClientSocketListener } from './client-socket.ts';
import type { EncodedFrame, FrameOptions } from './frame-encoder.ts';

/** The part of an engine.io connection that is used. */
export interface EngineSide {
  readonly transport: EngineTransport;
  write(packet: string, options?: FrameOptions): unknown;
  /** `discard`: at once, without waiting for what is buffered. */
  close(discard?: boolean): void;
  on(event: 'packetCreate', listener: (packet: EnginePacket) => void): unknown;
  on(event: 'flush' | 'close', listener: () => void): unknown;
  on(event: 'upgrade', listener: (transport: EngineTransport) => void): unknown;
}
interface EngineTransport {
  /** After the bytes were handed to the kernel. (The connection's own `drain` comes before that.) */
  on(event: 'drain', listener: () => void): unknown;
  /** The ws socket; polling has none. */
  readonly socket?: { terminate(): void };
}
interface EnginePacket {
  readonly data?: unknown;
  readonly options?: { readonly bytes?: number };
}
/** The part of a socket.io socket that is used. */
export interface SocketSide {
  readonly conn: EngineSide;
  /** true: the transport too. A client that is told so does not come back by itself. */
  disconnect(close: boolean): unknown;
}

export class EngineConnection implements ClientSocket {
  readonly #socket: SocketSide;
  #listener: ClientSocketListener | undefined;
  /** In engine.io's buffer, and handed to the transport but not yet to the kernel. */
  #waiting = { bytes: 0, frames: 0 };
  #inTransport = { bytes: 0, frames: 0 };
  #isOver = false;

  constructor(socket: SocketSide) {
    this.#socket = socket;
    const { conn } = socket;
    conn.on('close', () => this.#over());
    conn.on('packetCreate', (packet) => this.#created(packet));
    conn.on('flush', () => this.#flushed());
    const watch = (transport: EngineTransport) => transport.on('drain', () => this.#drained());
    watch(conn.transport);
    conn.on('upgrade', (transport) => {
      watch(transport);
      // What the old transport held has left with its last poll, or will never be reported.
      this.#drained();
    });
  }

  get unsentBytes(): number {
    return this.#waiting.bytes + this.#inTransport.bytes;
  }

  get unsentFrames(): number {
    return this.#waiting.frames + this.#inTransport.frames;
  }

  listen(listener: ClientSocketListener): void {
    this.#listener = listener;
  }

  write(packets: readonly string[], frame?: EncodedFrame): void {
    for (const packet of packets) this.#socket.conn.write(packet);
    if (frame) this.#socket.conn.write(frame.packet, frame.options);
  }

  end(mayReturn: boolean): void {
    if (mayReturn) this.#socket.conn.close();
    else this.#socket.disconnect(true);
  }

  cut(): void {
    const { transport } = this.#socket.conn;
    this.#socket.conn.close(true);
    transport.socket?.terminate();
    this.#over();
  }

  /** Every packet of engine.io passes here, its pings too. */
  #created(packet: EnginePacket): void {
    this.#waiting.frames += 1;
    this.#waiting.bytes += packet.options?.bytes ?? sizeOf(packet.data);
    this.#listener?.grown();
  }

  /** engine.io hands all it has to the transport at once. */
  #flushed(): void {
    this.#inTransport.bytes += this.#waiting.bytes;
    this.#inTransport.frames += this.#waiting.frames;
    this.#waiting = { bytes: 0, frames: 0 };
  }

  /** The transport takes one lot at a time, so all of it has left. What waits follows by itself. */
  #drained(): void {
    this.#inTransport = { bytes: 0, frames: 0 };
    this.#listener?.sent();
  }

  #over(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#listener?.closed();
  }
}

function sizeOf(data: unknown): number {
  if (typeof data === 'string') return Buffer.byteLength(data);
  return ArrayBuffer.isView(data) ? data.byteLength : 0;
}
