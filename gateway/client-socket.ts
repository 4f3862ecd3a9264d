/**
 * ClientSocket: one client's transport, as the outbox sees it. Two kinds: a websocket of our own (`websocket-connection`), and
 * socket.io's (`engine-connection`) for clients that poll.
 *
 * Guarantees: what was written leaves in order. Nothing throws. Does not: bound what waits; the outbox does.
 */
import type { EncodedFrame } from './frame-encoder.ts';

export interface ClientSocketListener {
  /** Something has left for the kernel. */
  sent(): void;
  /** More waits than was written by the listener: an answer that went by socket.io. */
  grown(): void;
  /** It is over; nothing more is heard. Once. */
  closed(): void;
}

export interface ClientSocket {
  /** Written, and not taken by the kernel yet. */
  readonly unsentBytes: number;
  readonly unsentFrames: number;
  /** One listener, the last one set. */
  listen(listener: ClientSocketListener): void;
  /** Socket.io packets, then a frame behind them; as one write where the transport can. */
  write(packets: readonly string[], frame?: EncodedFrame): void;
  /** Ends once what was written has left. `mayReturn` false: a client is told first not to come back by itself. */
  end(mayReturn: boolean): void;
  /** Ends at once. */
  cut(): void;
}
