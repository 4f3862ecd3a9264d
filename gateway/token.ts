/**
 * Token: checks the JSON web tokens that clients bring, and signs them in development mode.
 *
 * Guarantees: ONE pinned algorithm whatever the token's header says; exp required; a lifetime cap; no word of the library's
 * (which describes how to forge better) reaches a client. Keys are made once, at start.
 * Does not: know revocations (revocation-list.ts does), or fetch keys.
 */
import { createPublicKey, createSecretKey, type KeyObject } from 'node:crypto';
import jwt, { type JwtPayload, type VerifyOptions } from 'jsonwebtoken';
import type { Clock } from '../system/clock.ts';
import { Fault, type Refusal, refuse } from '../system/errors.ts';
import { isUserId, type UserId } from '../system/ids.ts';
import { jtiCharsMax } from '../system/store/revocations.ts';
import type { Identity, TokenVerifier } from './session-port.ts';

export type TokenAlgorithm = 'HS256' | 'HS384' | 'HS512' | 'RS256' | 'ES256';

export interface TokenOptions {
  /** Default HS256. */
  readonly algorithm?: TokenAlgorithm;
  /** HS…: the shared secret, at least 32 bytes (RFC 7518, 3.2). RS256, ES256: the public key as PEM. */
  readonly key: string;
  /** When given, `iss` must equal it. */
  readonly issuer?: string;
  /** When given, `aud` must equal or contain it. */
  readonly audience?: string;
  /** Longest exp - iat. Longer: UNAUTHENTICATED. Default 24 h. */
  readonly lifetimeMaxMs?: number;
  readonly clock: Pick<Clock, 'wallMs'>;
}

const secretBytesMin = 32;
/** `aaaa…` is long too. */
const secretDistinctBytesMin = 8;
/** Longer: refused before it is parsed. */
export const tokenCharactersMax = 8_192;
/** How far the issuer's clock may be ahead: iat and nbf. exp has no tolerance, since a session ends at exp. */
const clockSkewMaxMs = 30_000;
const lifetimeDefaultMs = 24 * 60 * 60 * 1_000;
/** Longer names are cut, further roles dropped. */
const nameCodePointsMax = 64;
const rolesMax = 32;
const rolePattern = /^[A-Za-z0-9_:.-]{1,64}$/;

const invalid = (message: string): Refusal => refuse('UNAUTHENTICATED', message);

/** Throws Fault WEAK_SECRET or BAD_KEY: the node must not start. */
export function createTokenVerifier(options: TokenOptions): TokenVerifier {
  const algorithm = options.algorithm ?? 'HS256';
  const key = keyFor(algorithm, options.key);
  const settings: VerifyOptions & { complete: true } = {
    algorithms: [algorithm],
    complete: true,
    // Times are checked below, by our clock and with one tolerance for each.
    ignoreExpiration: true,
    ignoreNotBefore: true,
    ...(options.issuer !== undefined && { issuer: options.issuer }),
    ...(options.audience !== undefined && { audience: options.audience }),
  };
  const lifetimeMaxMs = options.lifetimeMaxMs ?? lifetimeDefaultMs;
  return {
    verify(token) {
      if (typeof token !== 'string' || token.length === 0) return invalid('a token is required');
      if (token.length > tokenCharactersMax) return invalid('the token is too long');
      try {
        const { header, payload } = jwt.verify(token, key, settings);
        // An extension that we must understand and do not (RFC 7515, 4.1.11); the library ignores it.
        if (header.crit !== undefined) return invalid('the token is not valid');
        if (typeof payload !== 'object' || payload === null) return invalid('the token is not valid');
        return identityOf(payload, options.clock.wallMs(), lifetimeMaxMs);
      } catch {
        return invalid('the token is not valid: wrong signature, algorithm, issuer or audience');
      }
    },
  };
}

function identityOf(payload: JwtPayload, nowMs: number, lifetimeMaxMs: number): Identity | Refusal {
  const expiresAtMs = millis(payload.exp);
  if (expiresAtMs === undefined) return invalid('the token has no numeric exp');
  if (expiresAtMs <= nowMs) return refuse('TOKEN_EXPIRED', 'the token has expired; get a new one');
  const issuedAtMs = payload.iat === undefined ? nowMs : millis(payload.iat);
  if (issuedAtMs === undefined || issuedAtMs > nowMs + clockSkewMaxMs) return invalid('the token was issued in the future (iat)');
  // Without iat the whole time left counts, with the issuer's clock allowed to differ.
  if (expiresAtMs - Math.min(issuedAtMs, nowMs) > lifetimeMaxMs + clockSkewMaxMs) return invalid('the token lives too long (exp)');
  const notBeforeMs = payload.nbf === undefined ? 0 : millis(payload.nbf);
  if (notBeforeMs === undefined || notBeforeMs > nowMs + clockSkewMaxMs) return invalid('the token is not valid yet (nbf)');
  const sub: unknown = payload.sub;
  if (typeof sub !== 'string' || !isUserId(sub)) return invalid('the sub of the token must match [A-Za-z0-9_-]{1,64}');
  const jti: unknown = payload.jti;
  if (jti !== undefined && (typeof jti !== 'string' || jti.length === 0 || jti.length > jtiCharsMax))
    return invalid('the jti of the token is not valid');
  const name = cleanName(payload['name'], sub);
  const issued = payload.iat !== undefined && { issuedAtMs };
  return { userId: sub, name, roles: cleanRoles(payload['roles']), expiresAtMs, ...issued, ...(jti !== undefined && { jti }) };
}

/** Seconds of a claim in milliseconds. undefined: not a number that can be a time. */
function millis(seconds: unknown): number | undefined {
  return typeof seconds === 'number' && Number.isFinite(seconds) && seconds > 0 && seconds < 1e11 ? seconds * 1_000 : undefined;
}

/** Control characters, lone surrogates, line separators, and marks that turn the direction of the text around them. */
const notInNames = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;

export function cleanName(claim: unknown, fallback: string): string {
  // Four UTF-16 units a code point is ample; what follows is not looked at.
  const raw = typeof claim === 'string' ? claim.slice(0, 4 * nameCodePointsMax) : '';
  const name = [...raw.replace(notInNames, ' ').replace(/ +/g, ' ').trim()].slice(0, nameCodePointsMax).join('').trim();
  return name === '' ? fallback : name;
}

function cleanRoles(claim: unknown): readonly string[] {
  if (!Array.isArray(claim)) return [];
  const roles = claim.slice(0, rolesMax).filter((role): role is string => typeof role === 'string' && rolePattern.test(role));
  return [...new Set(roles)];
}

function keyFor(algorithm: TokenAlgorithm, key: string): KeyObject {
  if (algorithm !== 'RS256' && algorithm !== 'ES256') return secretKey(key);
  let made: KeyObject;
  try {
    made = createPublicKey(key);
  } catch (cause) {
    throw new Fault('BAD_KEY', `the key for ${algorithm} is not a public key in PEM form`, cause);
  }
  const type = algorithm === 'RS256' ? 'rsa' : 'ec';
  if (made.asymmetricKeyType !== type)
    throw new Fault('BAD_KEY', `${algorithm} needs a key of type ${type}, not ${made.asymmetricKeyType}`);
  return made;
}

function secretKey(secret: string): KeyObject {
  const bytes = Buffer.from(secret);
  if (bytes.length < secretBytesMin || new Set(bytes).size < secretDistinctBytesMin) {
    throw new Fault('WEAK_SECRET', `the token secret must be at least ${secretBytesMin} random bytes; try: openssl rand -base64 48`);
  }
  // A public key as a shared secret is the key confusion attack, done to oneself.
  if (secret.includes('-----BEGIN')) throw new Fault('BAD_KEY', 'the token secret is a PEM key; choose RS256 or ES256 for it');
  return createSecretKey(bytes);
}

// ---- development mode ----

export interface SignedToken {
  readonly token: string;
  /** Wall-clock milliseconds since the epoch. */
  readonly expiresAtMs: number;
}
export interface TokenSigner {
  sign(user: UserId, name?: string): SignedToken;
}

export type SignerOptions = Omit<TokenOptions, 'algorithm' | 'lifetimeMaxMs'> & {
  /** Default HS256. No public-key algorithm: a chat node has no business with a private key. */
  readonly algorithm?: 'HS256' | 'HS384' | 'HS512';
  readonly lifetimeMs: number;
};

/** Signs tokens that a verifier of the same options accepts. */
export function createTokenSigner(options: SignerOptions): TokenSigner {
  const key = secretKey(options.key);
  const algorithm = options.algorithm ?? 'HS256';
  return {
    sign(user, name) {
      const iat = Math.floor(options.clock.wallMs() / 1_000);
      const exp = iat + Math.floor(options.lifetimeMs / 1_000);
      const claims = { sub: user, iat, exp, ...(name !== undefined && { name }) };
      const to = {
        ...(options.issuer !== undefined && { issuer: options.issuer }),
        ...(options.audience !== undefined && { audience: options.audience }),
      };
      return { token: jwt.sign(claims, key, { algorithm, ...to }), expiresAtMs: exp * 1_000 };
    },
  };
}
