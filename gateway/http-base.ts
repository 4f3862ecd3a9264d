/**
 * HTTP base: the server under everything that is served over HTTP, of a node and of a state server that stands alone.
 *
 * Owns: the bounds of a request, the headers of every answer, what becomes of a path that nobody serves, the count of answers.
 * Guarantees: no message of a library or stack reaches a client; a slow sender holds nothing for long.
 * Does not: hold routes, or look at tokens and origins.
 */
import { createServer, type Server } from 'node:http';
import { type FastifyError, type FastifyInstance, fastify } from 'fastify';
import type { Clock } from '../system/clock.ts';
import { refuse } from '../system/errors.ts';
import type { Logger } from '../system/logger.ts';
import type { Metrics } from '../system/metrics.ts';
import { answerError, problem } from './http-problem.ts';

export interface HttpBaseOptions {
  readonly clock: Pick<Clock, 'after'>;
  readonly log: Logger;
  readonly metrics: Metrics;
}
/** Routes are added before `app.ready()`, and the server listens after it. */
export interface HttpApp {
  readonly app: FastifyInstance;
  readonly server: Server;
}

/** All headers of a request within this time, else 408: a slow sender must not hold a connection. */
const headersTimeoutMs = 10_000;
/** The whole of a request, unless its route takes longer ones (`isSlow`, which looks after itself): else it is cut. */
const requestTimeoutMs = 30_000;
const keepAliveTimeoutMs = 10_000;
/** Longer headers: 431. */
export const headerBytesMax = 16_384;
/** Larger bodies: 413. Routes that take files set their own. */
export const bodyBytesMax = 8_192;

const securityHeaders = {
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'cache-control': 'no-store',
} as const;

export function createHttpBase({ clock, log, metrics }: HttpBaseOptions): HttpApp {
  let server: Server | undefined;
  const app = fastify({
    logger: false,
    bodyLimit: bodyBytesMax,
    routerOptions: { maxParamLength: 128 },
    serverFactory(handler) {
      server = createServer(
        {
          headersTimeout: headersTimeoutMs,
          requestTimeout: 0,
          keepAliveTimeout: keepAliveTimeoutMs,
          maxHeaderSize: headerBytesMax,
        },
        handler,
      );
      return server;
    },
  });
  app.addHook('onSend', async (_request, reply) => {
    // A route that serves a page brings its own policy.
    for (const [name, value] of Object.entries(securityHeaders)) if (!reply.hasHeader(name)) reply.header(name, value);
  });
  addRequestTimeout(app, clock);
  countAnswers(app, metrics);
  app.setNotFoundHandler((_request, reply) => problem(reply, refuse('NOT_FOUND', 'nothing here; GET / says what this is')));
  app.setErrorHandler((error: FastifyError, _request, reply) => answerError(error, reply, log));
  if (server === undefined) throw new TypeError('fastify did not ask for a server');
  return { app, server };
}

/** Node's own timeout is one for all routes. What has no body is there when its headers are. */
function addRequestTimeout(app: FastifyInstance, clock: Pick<Clock, 'after'>): void {
  app.addHook('onRequest', async ({ raw, headers, routeOptions }) => {
    const hasBody = headers['transfer-encoding'] !== undefined || (headers['content-length'] ?? '0') !== '0';
    if (!hasBody || routeOptions.config.isSlow) return;
    const cancel = clock.after(requestTimeoutMs, () => raw.destroy());
    raw.once('end', cancel);
    raw.once('close', cancel);
  });
}

declare module 'fastify' {
  interface FastifyContextConfig {
    readonly isSlow?: boolean;
  }
}

const statusClasses = ['1xx', '2xx', '3xx', '4xx', '5xx'] as const;

function countAnswers(app: FastifyInstance, metrics: Metrics): void {
  const counters = statusClasses.map((status) => metrics.counter('playhouse_http_requests_total', { status }));
  app.addHook('onResponse', async (_request, reply) => {
    const counter = counters[Math.floor(reply.statusCode / 100) - 1];
    if (counter) counter.value += 1;
  });
}
