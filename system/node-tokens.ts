/**
 * NodeTokens: how this node tells whose a token is, by its settings. Where no key is given it makes a secret for development and gives
 * out tokens itself; only then.
 */
import type { Config } from '../config/schema.ts';
import type { TokenVerifier } from '../gateway/session-port.ts';
import { createTokenSigner, createTokenVerifier, type TokenSigner } from '../gateway/token.ts';
import type { Clock } from './clock.ts';
import { devSecret } from './dev-secret.ts';

/** Lifetime of a token from the development endpoint. */
const devTokenMs = 12 * 60 * 60 * 1_000;

export async function tokensOf(
  { jwt, dataDir, tokenLifetimeMaxS }: Config,
  clock: Clock,
): Promise<{ verifier: TokenVerifier; devTokens?: TokenSigner }> {
  const claims = { ...(jwt.issuer !== undefined && { issuer: jwt.issuer }), ...(jwt.audience !== undefined && { audience: jwt.audience }) };
  const lifetimeMaxMs = tokenLifetimeMaxS * 1_000;
  if (jwt.kind === 'publicKey') {
    return { verifier: createTokenVerifier({ ...claims, algorithm: jwt.algorithm, key: jwt.publicKeyPem, lifetimeMaxMs, clock }) };
  }
  const { algorithm } = jwt;
  if (jwt.kind === 'secret') return { verifier: createTokenVerifier({ ...claims, algorithm, key: jwt.secret, lifetimeMaxMs, clock }) };
  const key = await devSecret(dataDir);
  return {
    verifier: createTokenVerifier({ ...claims, algorithm, key, lifetimeMaxMs, clock }),
    devTokens: createTokenSigner({ ...claims, algorithm, key, lifetimeMs: Math.min(devTokenMs, lifetimeMaxMs), clock }),
  };
}
