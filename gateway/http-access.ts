/**
 * HTTP access: who asks. A user by a Bearer token, an operator by a role in it, or this machine itself.
 *
 * Guarantees: a token is read from the Authorization header only; a cookie or a token in the URL counts as nothing, so that
 * no page can make a browser act for its user.
 * Does not: look at origins (http-cors.ts does, and the development tokens).
 */
import type { FastifyRequest } from 'fastify';
import { type Refusal, refuse } from '../system/errors.ts';
import { credentialsOf, isLoopbackAddress, isLoopbackHost } from './handshake.ts';
import { type Identity, isRefusal, type TokenVerifier } from './session-port.ts';

/** A token with this role may operate the node. */
export const operatorRole = 'operator';

/** Who may read /metrics and /version. local: this machine, and operators from elsewhere. */
export type OperatorAccess = 'local' | 'operator' | 'open';

/** UNAUTHENTICATED or TOKEN_EXPIRED where there is no valid token. */
export function bearerOf({ headers: { authorization } }: FastifyRequest, verifier: TokenVerifier): Identity | Refusal {
  if (authorization === undefined) return refuse('UNAUTHENTICATED', 'a token is required: Authorization: Bearer <token>');
  const credentials = credentialsOf({}, { authorization });
  return isRefusal(credentials) ? credentials : verifier.verify(credentials.token);
}

/** For routes that change things: an operator's token, from wherever. */
export function operatorOf(request: FastifyRequest, verifier: TokenVerifier): Identity | Refusal {
  const identity = bearerOf(request, verifier);
  if (isRefusal(identity) || identity.roles.includes(operatorRole)) return identity;
  return refuse('FORBIDDEN', `the token needs the role ${operatorRole}`);
}

/** For routes that only tell. undefined: go on. */
export function refusalToOperate(request: FastifyRequest, access: OperatorAccess, verifier: TokenVerifier): Refusal | undefined {
  if (access === 'open' || (access === 'local' && whyNotLocal(request) === undefined)) return undefined;
  const identity = operatorOf(request, verifier);
  return isRefusal(identity) ? identity : undefined;
}

/** Why this is no request of this machine: by address, by a name that was rebound, or through a proxy. */
export function whyNotLocal({ socket, headers }: FastifyRequest): string | undefined {
  if (!isLoopbackAddress(socket.remoteAddress)) return 'are for this machine only';
  if (!isLoopbackHost(headers.host)) return 'need the Host localhost, 127.0.0.1 or [::1]';
  if (headers['x-forwarded-for'] !== undefined || headers.forwarded !== undefined) return 'do not pass a proxy';
  return undefined;
}
