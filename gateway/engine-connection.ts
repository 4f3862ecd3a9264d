/**
 * EngineConnection: the parts of engine.io, ws and socket.io that the outbox uses, past what their own types say. Types only.
 *
 * Pinned with these packages: their tests are ours (`outbox.test`, `gateway-delivery.test`).
 */
import type { CloseCode } from '../system/errors.ts';
import type { FrameOptions } from './frame-encoder.ts';

/** The part of an engine.io connection that is used; the outbox test has a twin of it. */
export interface EngineConnection {
  readonly transport: EngineTransport;
  readonly readyState: string;
  /** Packets that wait for the transport. */
  readonly writeBuffer: readonly unknown[];
  write(packet: string, options?: FrameOptions): unknown;
  /** `discard`: at once, without waiting for what is buffered. */
  close(discard?: boolean): void;
  on(event: 'packetCreate', listener: (packet: EnginePacket) => void): unknown;
  on(event: 'flush' | 'close', listener: () => void): unknown;
  on(event: 'upgrade', listener: (transport: EngineTransport) => void): unknown;
}
export interface EngineTransport {
  /** After the bytes were handed to the kernel. (The connection's own `drain` comes before that.) */
  on(event: 'drain', listener: () => void): unknown;
  readonly name: string;
  /** The ws socket; polling has none. */
  readonly socket?: Websocket;
}
/** The part of a ws socket that is used. */
export interface Websocket {
  terminate(): void;
  /** Bytes that the kernel has not taken yet. */
  readonly bufferedAmount: number;
  /** What engine.io calls for a frame that is encoded already. */
  readonly _sender: { sendFrame(list: readonly Buffer[], sent: () => void): void };
}
export interface EnginePacket {
  readonly data?: unknown;
  readonly options?: { readonly bytes?: number };
}
/** The part of a socket.io socket that is used. */
export interface OutboxSocket {
  readonly conn: EngineConnection;
  emit(event: 'closing', body: { readonly code: CloseCode; readonly reconnectInMs?: number }): unknown;
  /** true: the transport too. A client that is told so does not come back by itself. */
  disconnect(close: boolean): unknown;
}
