/**
 * State proof: shows the knowledge of the shared secret without sending it. Both ends of the link use it.
 *
 * Guarantees: a proof is good for one nonce, one node and one life; comparing takes the same time for every wrong proof.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';

export interface Claim {
  /** As the server's hello gave it. */
  readonly nonce: string;
  readonly node: string;
  readonly inc: string;
}

/** The `mac` of an `auth` line. Names hold no line feed, so two claims never read the same. */
export function proofOf(secret: string, { nonce, node, inc }: Claim): string {
  return createHmac('sha256', secret).update(`${nonce}\n${node}\n${inc}`).digest('base64url');
}

export function isProof(mac: string, secret: string, claim: Claim): boolean {
  const expected = Buffer.from(proofOf(secret, claim));
  const given = Buffer.from(mac);
  return given.length === expected.length && timingSafeEqual(given, expected);
}
