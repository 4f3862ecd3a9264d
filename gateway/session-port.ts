/**
 * Session port: what the edge needs of the inside, and what it offers. The composition root joins the two.
 *
 * Owns: the contract between a connection and its session. No behaviour but telling a refusal from a handle.
 */
import type { ClientSink } from '../actors/client-sink.ts';
import type { SessionHandle } from '../actors/gateway.ts';
import type { Identity } from '../actors/identity.ts';
import type { Refusal } from '../system/errors.ts';

export type { SessionHandle } from '../actors/gateway.ts';
export type { Identity } from '../actors/identity.ts';
export type { Departure } from '../actors/user-state.ts';

/**
 * Called once per connection with a verified identity, before the client is told that it is connected. Until then the sink
 * refuses frames (and calls `onRoom` afterwards). A Refusal reaches the client as `connect_error`.
 */
export type OpenSession = (identity: Identity, sink: ClientSink) => SessionHandle | Refusal;

export interface TokenVerifier {
  /** Never throws. The refusal is UNAUTHENTICATED or TOKEN_EXPIRED and says what to do, never what the library said. */
  verify(token: string): Identity | Refusal;
}

export const isRefusal = (value: object): value is Refusal => 'code' in value && 'retryable' in value;
