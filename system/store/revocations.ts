/**
 * Revocations: tokens that are refused before their time, the contract. Twins: memory, embedded.
 *
 * A revocation names one token (its jti), one user, or everybody. The last two have a time: what was issued up to then is
 * refused, what was issued later passes. A token that does not say when it was issued counts as issued before.
 * Each ends when no token it speaks of can live any more; whoever makes it knows the longest life of a token.
 * Faults: every method rejects with STORE_UNAVAILABLE when the store cannot answer. Nothing here retries; callers do.
 */
import type { UserId } from '../ids.ts';

export type Revoked = { readonly jti: string } | { readonly user: UserId } | { readonly everybody: true };

/** Times are wall-clock milliseconds since the epoch: they are compared with those in tokens. */
export interface Revocation {
  readonly of: Revoked;
  readonly atMs: number;
  /** From then on no token it speaks of can be valid. */
  readonly endsAtMs: number;
}

export interface RevocationsRead {
  /** In the order they were added. One that was added again stands where it was added last. */
  readonly revocations: readonly Revocation[];
  /** For the next read. */
  readonly cursor: string;
}

export interface Revocations {
  /**
   * Durable when it resolves, and part of every read that begins then, on every node. A second one of the same token, user or
   * everybody takes the place of the first, with the later of both times. Rejects with a Fault: REVOCATIONS_FULL when
   * `revocationsMax` of them live; STORE_UNAVAILABLE: it may be stored or not, add it again.
   */
  add(revocation: Revocation): Promise<void>;
  /**
   * Without a cursor all that live; with one at least those that were added since the read that gave it, perhaps some again.
   * Ended ones may be among them. Cheap when nothing was added: it is called every second.
   */
  read(cursor?: string): Promise<RevocationsRead>;
}

/** That live at once. More: REVOCATIONS_FULL; then revoke everybody, or change the key. */
export const revocationsMax = 100_000;
export const jtiCharsMax = 128;

/** Whose token it is, and what it says of itself. */
export interface TokenFacts {
  readonly userId: UserId;
  readonly jti?: string;
  readonly issuedAtMs?: number;
}

export function revokes({ of, atMs }: Revocation, token: TokenFacts): boolean {
  if ('jti' in of) return of.jti === token.jti;
  if ('user' in of && of.user !== token.userId) return false;
  // iat has whole seconds: a token of the same second may be from before. Refusing one too many costs its user a new token.
  return token.issuedAtMs === undefined || token.issuedAtMs <= atMs;
}
