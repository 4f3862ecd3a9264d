/**
 * HTTP CORS: which pages may read the answers of /api, by the same rule that sockets have (handshake.ts).
 *
 * Guarantees: a foreign page's request is refused before a route sees it, and its preflight is answered with 403; the
 * allowed origin is named, never `*`; no credentials: there are no cookies to send.
 */
import type { FastifyInstance } from 'fastify';
import { refuse } from '../system/errors.ts';
import { isOriginAllowed, type OriginRule } from './handshake.ts';
import { problem } from './http-problem.ts';

/** How long a browser may keep the answer to a preflight. */
const preflightSeconds = 600;

export function addCors(app: FastifyInstance, originRule: OriginRule): void {
  app.addHook('onRequest', async (request, reply) => {
    const { origin } = request.headers;
    if (!request.url.startsWith('/api/') || origin === undefined) return undefined;
    reply.header('vary', 'Origin');
    if (!isOriginAllowed(request.headers, originRule))
      return problem(reply, refuse('FORBIDDEN', 'this origin is not allowed; see CHAT_ORIGINS'));
    reply.header('access-control-allow-origin', origin);
    reply.header('access-control-expose-headers', 'retry-after, accept-ranges, content-range, etag');
    if (request.method !== 'OPTIONS') return undefined;
    reply.header('access-control-allow-methods', 'GET, POST');
    reply.header('access-control-allow-headers', 'authorization, content-type, range, if-range');
    reply.header('access-control-max-age', String(preflightSeconds));
    return reply.code(204).send();
  });
}
