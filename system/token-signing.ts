/**
 * Token signing: tokens made on this machine with the node's own secret, for the command line.
 *
 * Does not: sign where the node has a public key only, or in development mode without the node's data folder.
 */
import jwt from 'jsonwebtoken';
import type { Config } from '../config/schema.ts';
import { systemClock } from './clock.ts';
import { devSecret } from './dev-secret.ts';

export interface Subject {
  readonly user: string;
  readonly name?: string;
  readonly roles?: readonly string[];
}

/** undefined: this node's key cannot sign. `withDevSecret`: in development mode use the secret in the data folder. */
export async function signHere(
  { jwt: keys, dataDir }: Config,
  { user, name, roles }: Subject,
  lifetimeS: number,
  withDevSecret = false,
): Promise<string | undefined> {
  if (keys.kind === 'publicKey' || (keys.kind === 'dev' && !withDevSecret)) return undefined;
  const secret = keys.kind === 'secret' ? keys.secret : await devSecret(dataDir);
  const iat = Math.floor(systemClock.wallMs() / 1_000);
  const claims = { sub: user, iat, exp: iat + lifetimeS, ...(name !== undefined && { name }), ...(roles !== undefined && { roles }) };
  const { algorithm, issuer, audience } = keys;
  return jwt.sign(claims, secret, { algorithm, ...(issuer !== undefined && { issuer }), ...(audience !== undefined && { audience }) });
}
