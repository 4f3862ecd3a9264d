/**
 * RevocationPush: tells other nodes of a revocation ahead of the store, which they read every second. Twins: redis; a node alone has none.
 *
 * An accelerator: what is told may be lost, late, or told twice; the store says it too.
 */
import type { Revocation } from '../store/revocations.ts';

export interface RevocationPush {
  /** It was made here. Returns at once, never throws. Where others could not tell it from a forged one, nothing is told yet. */
  made(revocation: Revocation): void;
  /** It is stored: whoever was told nothing finds it by reading. Returns at once, never throws. */
  stored(): void;
  /** Calls with what another node made (its own word for it is proof enough), or without: then a reading of the store is due. */
  listen(listener: (revocation: Revocation | undefined) => void): () => void;
}
