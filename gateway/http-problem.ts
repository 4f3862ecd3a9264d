/**
 * HTTP problem: how a refusal looks over HTTP (RFC 9457), for every route.
 *
 * Owns: the one table of statuses. The body carries the same `code`, `retryable` and `retryAfterMs` as an answer on a socket.
 * Guarantees: no word of a library, a driver or a stack reaches a client.
 */
import { STATUS_CODES } from 'node:http';
import type { FastifyError, FastifyReply } from 'fastify';
import { type ErrorCode, type Refusal, refuse } from '../system/errors.ts';
import type { Logger } from '../system/logger.ts';

/** The status of each code. 503 is for what another try, here or on another node, may change. */
export const httpStatus: Readonly<Record<ErrorCode, number>> = {
  INVALID: 400,
  UNAUTHENTICATED: 401,
  TOKEN_EXPIRED: 401,
  FORBIDDEN: 403,
  NOT_FOUND: 404,
  UNKNOWN_EVENT: 404,
  CONFLICT: 409,
  PAYLOAD_TOO_LARGE: 413,
  RATE_LIMITED: 429,
  INTERNAL: 500,
  BUSY: 503,
  ROOM_UNAVAILABLE: 503,
  STORE_UNAVAILABLE: 503,
  TOO_MANY_CONNECTIONS: 503,
};

/** `status`: where the code's own says too little (415 for a body of another type). */
export function problem(reply: FastifyReply, refusal: Refusal, status = httpStatus[refusal.code]): FastifyReply {
  if (status === 401) reply.header('www-authenticate', 'Bearer');
  if (refusal.retryAfterMs !== undefined) reply.header('retry-after', retryAfterSeconds(refusal.retryAfterMs));
  return reply.code(status).type('application/problem+json').send(problemBody(refusal, status));
}

export function problemBody({ code, message, retryable, retryAfterMs }: Refusal, status: number): string {
  const body = { type: 'about:blank', title: STATUS_CODES[status] ?? 'Error', status, detail: message, code, retryable };
  return JSON.stringify(retryAfterMs === undefined ? body : { ...body, retryAfterMs });
}

/** The header has whole seconds, and 0 would mean "at once". */
export const retryAfterSeconds = (retryAfterMs: number): string => String(Math.max(1, Math.ceil(retryAfterMs / 1_000)));

/** Fastify's own errors by status; its words stay inside. */
const faults: Readonly<Record<number, readonly [ErrorCode, string]>> = {
  400: ['INVALID', 'the body is not valid JSON, or holds a forbidden key'],
  413: ['PAYLOAD_TOO_LARGE', 'the body is larger than this route takes'],
  414: ['INVALID', 'the path is too long'],
  415: ['INVALID', 'the body must be application/json'],
};

export function answerError(error: FastifyError, reply: FastifyReply, log: Logger): FastifyReply {
  const status = error.statusCode ?? 500;
  if (status >= 500) {
    log.error({ ev: 'http.error', err: error }, 'a request failed');
    return problem(reply, refuse('INTERNAL', 'the server failed; it is logged'));
  }
  const [code, message] = faults[status] ?? ['INVALID', 'the request is not valid'];
  return problem(reply, refuse(code, message), status);
}
