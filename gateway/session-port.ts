/**
 * Session port: what the edge needs of the inside, and what it offers. The composition root joins the two.
 *
 * Owns: the contract between a connection and its session. No behaviour.
 */
import type { Answer, ClientCommand } from '../actors/client-command.ts';
import type { ClientSink } from '../actors/client-sink.ts';
import type { Refusal } from '../system/errors.ts';
import type { UserId } from '../system/ids.ts';

/** Who a valid token says the client is. Clean: ids fit their patterns, names hold no control characters. */
export interface Identity {
  readonly userId: UserId;
  readonly name: string;
  readonly roles: readonly string[];
  readonly jti?: string;
  /** Wall-clock milliseconds since the epoch (the token's `exp`). */
  readonly expiresAtMs: number;
}

/** What a connection talks to. Called on the connection's own turn, one call at a time. */
export interface SessionHandle {
  /**
   * Takes a decoded command, in order. `reply` is called at most once, on any later turn; calls after the first, or after
   * the connection is gone, are harmless. refused: the session's queue is full; `reply` must not be called, the client hears BUSY.
   */
  command(command: ClientCommand, reply: (answer: Answer) => void): 'accepted' | 'refused';
  /** The connection is gone. Called exactly once for each handle, also when the client vanished before it was connected. */
  disconnected(): void;
}

/**
 * Called once per connection with a verified identity, before the client is told that it is connected. Until then the sink
 * refuses frames (and calls `onRoom` afterwards). A Refusal reaches the client as `connect_error`.
 */
export type OpenSession = (identity: Identity, sink: ClientSink) => SessionHandle | Refusal;

export interface TokenVerifier {
  /** Never throws. The refusal is UNAUTHENTICATED or TOKEN_EXPIRED and says what to do, never what the library said. */
  verify(token: string): Identity | Refusal;
}

/** For GET /readyz. */
export interface Readiness {
  readonly ready: boolean;
  /** Why not, in words for operators; no hosts, no secrets. */
  readonly reasons: readonly string[];
}

export const isRefusal = (value: object): value is Refusal => 'code' in value && 'retryable' in value;
