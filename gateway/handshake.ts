/**
 * Handshake: who may connect. Origin before anything else, then a token, then the session's own say.
 *
 * Guarantees: a web page of a foreign origin gets neither a websocket nor a poll; a refusal is `connect_error` with
 * `err.data = { code, message, retryable, retryAfterMs? }`; one engine connection opens at most one session.
 * Does not: look at cookies or at the URL for a token: both leak, and the first makes cross-site attacks possible.
 */
import type { IncomingHttpHeaders } from 'node:http';
import { type Refusal, refuse } from '../system/errors.ts';
import { encodeRefusal } from './client-encoding.ts';
import { protocolVersion } from './client-protocol.ts';
import { type Identity, isRefusal, type TokenVerifier } from './session-port.ts';

// ---- origin ----

export interface OriginRule {
  /** Exactly as browsers send them: scheme, host, port unless default. */
  readonly origins: readonly string[];
  /** In development mode pages of any loopback port may connect: a front end's own dev server is one. */
  readonly allowLoopback: boolean;
}

const loopbackNames: ReadonlySet<string> = new Set(['localhost', '127.0.0.1', '[::1]']);

/**
 * `cors` does not stop websockets, so this is asked for both transports. No Origin: no browser, hence no confused deputy.
 * The own origin passes by comparing it with Host. A page that rebinds its name to our address passes too, and gains
 * nothing: no credential is sent by a browser of itself.
 */
export function isOriginAllowed(headers: IncomingHttpHeaders, rule: OriginRule): boolean {
  const { origin, host } = headers;
  if (origin === undefined) return true;
  if (rule.origins.includes(origin)) return true;
  if (!/^https?:\/\/[^/?#@\s\\]+$/.test(origin) || !URL.canParse(origin)) return false;
  const url = new URL(origin);
  if (url.origin !== origin) return false;
  return url.host === host?.toLowerCase() || (rule.allowLoopback && loopbackNames.has(url.hostname));
}

/** The host part of a Host header names this machine itself. Anything else at a loopback address is a rebound name. */
export function isLoopbackHost(host: string | undefined): boolean {
  return host !== undefined && /^(?:localhost|127\.0\.0\.1|\[::1\])(?::\d{1,5})?$/i.test(host);
}

export function isLoopbackAddress(address: string | undefined): boolean {
  return address !== undefined && /^(?:::1|(?:::ffff:)?127\.\d{1,3}\.\d{1,3}\.\d{1,3})$/.test(address);
}

// ---- token ----

interface Credentials {
  readonly token: string;
  /** From the older `user-id` header: must equal the token's sub. */
  readonly claimedUser?: string;
}

/** `auth.token`, else `Authorization: Bearer`, else the older `access-token` with `user-id`. */
export function credentialsOf(auth: Readonly<Record<string, unknown>>, headers: IncomingHttpHeaders): Credentials | Refusal {
  if (Object.hasOwn(auth, 'token')) {
    return typeof auth['token'] === 'string' ? { token: auth['token'] } : refuse('UNAUTHENTICATED', 'auth.token must be a string');
  }
  const { authorization } = headers;
  if (authorization !== undefined) {
    const token = /^Bearer ([\x21-\x7e]+)$/i.exec(authorization)?.[1];
    return token === undefined ? refuse('UNAUTHENTICATED', 'the Authorization header must be: Bearer <token>') : { token };
  }
  const token = headers['access-token'];
  const claimedUser = headers['user-id'];
  if (token === undefined) return refuse('UNAUTHENTICATED', 'a token is required: auth.token, or the header Authorization: Bearer <token>');
  if (typeof token !== 'string' || typeof claimedUser !== 'string')
    return refuse('UNAUTHENTICATED', 'access-token needs user-id, each of them once');
  return { token, claimedUser };
}

export function identify(auth: unknown, headers: IncomingHttpHeaders, verifier: TokenVerifier): Identity | Refusal {
  const fields = typeof auth === 'object' && auth !== null ? (auth as Readonly<Record<string, unknown>>) : {};
  if (Object.hasOwn(fields, 'protocol') && fields['protocol'] !== protocolVersion) {
    return refuse('INVALID', `auth.protocol must be ${protocolVersion} or left out`);
  }
  const credentials = credentialsOf(fields, headers);
  if (isRefusal(credentials)) return credentials;
  const identity = verifier.verify(credentials.token);
  if (isRefusal(identity)) return identity;
  if (credentials.claimedUser !== undefined && credentials.claimedUser !== identity.userId) {
    return refuse('UNAUTHENTICATED', 'user-id must equal the sub of the token');
  }
  return identity;
}

// ---- refusal ----

/** socket.io sends `message` and `data` of an error given to a middleware's `next`. */
export class ConnectRefused extends Error {
  readonly data: ReturnType<typeof encodeRefusal>;
  constructor(refusal: Refusal) {
    super(refusal.message);
    this.name = 'ConnectRefused';
    this.data = encodeRefusal(refusal);
  }
}
