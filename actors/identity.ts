/**
 * Identity: who a valid token says a client is, and what a session holds of it. Raw tokens never get this far.
 */
import type { UserId } from '../system/ids.ts';

/** Clean: ids fit their patterns, names hold no control characters. Times are wall-clock milliseconds since the epoch. */
export interface Identity {
  readonly userId: UserId;
  readonly name: string;
  readonly roles: readonly string[];
  readonly jti?: string;
  /** The token's `iat`, where it has one. */
  readonly issuedAtMs?: number;
  /** The token's `exp`. */
  readonly expiresAtMs: number;
}

/** Who a session is now. Written by the session alone, when its token is refreshed; read when something is revoked. */
export interface Credential {
  identity: Identity;
}
