/**
 * HTTP: what is served beside the sockets, on the same port.
 *
 * Owns: health, readiness, development tokens, the shape of errors (RFC 9457), the headers of every answer.
 * Guarantees: no message of a library or stack reaches a client; development tokens go to this machine only.
 * Does not: serve files or history (later waves register routes of their own through `routes`).
 */
import { createServer, type Server, STATUS_CODES } from 'node:http';
import { type FastifyError, type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from 'fastify';
import { z } from 'zod';
import { idPattern, type UserId } from '../system/ids.ts';
import type { Logger } from '../system/logger.ts';
import { isLoopbackAddress, isLoopbackHost, isOriginAllowed, type OriginRule } from './handshake.ts';
import type { Readiness } from './session-port.ts';
import { cleanName, type TokenSigner } from './token.ts';

export interface HttpOptions {
  readonly readiness: () => Readiness;
  /** Given in development mode only: POST /api/dev/token exists. */
  readonly devTokens?: TokenSigner;
  readonly originRule: OriginRule;
  /** More routes: metrics, files, a web page. */
  readonly routes?: (app: FastifyInstance) => void;
  readonly log: Logger;
}
export interface HttpApp {
  readonly app: FastifyInstance;
  readonly server: Server;
}

/** All headers of a request within this time, else 408: a slow sender must not hold a connection. */
const headersTimeoutMs = 10_000;
const requestTimeoutMs = 30_000;
const keepAliveTimeoutMs = 10_000;
/** Longer headers: 431. */
const headerBytesMax = 16_384;
/** Larger bodies: 413. Routes that take files set their own. */
const bodyBytesMax = 8_192;

const securityHeaders = {
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'cache-control': 'no-store',
} as const;

export const hint = `Playhouse, a chat server. Talk to it with a socket.io 4 client.

In development mode get a token on this machine:
  curl -X POST http://localhost:<port>/api/dev/token -H 'content-type: application/json' -d '{"user":"ada"}'
then, in another terminal:
  npm run chat -- --user ada --room lobby

Health: /healthz   Readiness: /readyz
`;

export async function createHttpApp(options: HttpOptions): Promise<HttpApp> {
  let server: Server | undefined;
  const app = fastify({
    logger: false,
    bodyLimit: bodyBytesMax,
    routerOptions: { maxParamLength: 128 },
    serverFactory(handler) {
      server = createServer(
        {
          headersTimeout: headersTimeoutMs,
          requestTimeout: requestTimeoutMs,
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
  app.setNotFoundHandler((_request, reply) => problem(reply, 404, 'nothing here; GET / says what this is'));
  app.setErrorHandler((error: FastifyError, _request, reply) => answerError(error, reply, options.log));
  app.get('/', (_request, reply) => reply.type('text/plain; charset=utf-8').send(hint));
  app.get('/healthz', (_request, reply) => reply.send({ status: 'ok' }));
  app.get('/readyz', (_request, reply) => {
    const { ready, reasons } = options.readiness();
    return reply.code(ready ? 200 : 503).send({ status: ready ? 'ready' : 'not ready', reasons });
  });
  if (options.devTokens) addDevTokens(app, options.devTokens, options.originRule);
  options.routes?.(app);
  await app.ready();
  if (server === undefined) throw new TypeError('fastify did not ask for a server');
  return { app, server };
}

// ---- development tokens ----

const tokenRequest = z.strictObject({
  user: z.string('must be a string').regex(idPattern, 'must match [A-Za-z0-9_-]{1,64}'),
  name: z.string('must be a string').min(1, 'must not be empty').max(256, 'must have at most 256 characters').optional(),
});

function addDevTokens(app: FastifyInstance, signer: TokenSigner, originRule: OriginRule): void {
  app.post('/api/dev/token', (request, reply) => {
    const refused = outsider(request, originRule);
    if (refused) return problem(reply, 403, refused);
    const parsed = tokenRequest.safeParse(request.body);
    if (!parsed.success) return problem(reply, 400, explain(parsed.error.issues[0]));
    const user = parsed.data.user as UserId;
    const { token, expiresAtMs } = signer.sign(user, parsed.data.name === undefined ? undefined : cleanName(parsed.data.name, user));
    return reply.send({ token, user, expiresAt: new Date(expiresAtMs).toISOString() });
  });
}

/** Whoever is not a program or a page of this machine: by address, by a name that was rebound, through a proxy, or by origin. */
function outsider(request: FastifyRequest, originRule: OriginRule): string | undefined {
  const { headers } = request;
  if (!isLoopbackAddress(request.socket.remoteAddress)) return 'development tokens are for this machine only';
  if (!isLoopbackHost(headers.host)) return 'development tokens need the Host localhost, 127.0.0.1 or [::1]';
  if (headers['x-forwarded-for'] !== undefined || headers.forwarded !== undefined) return 'development tokens do not pass a proxy';
  return isOriginAllowed(headers, originRule) ? undefined : 'development tokens are not for pages of another origin';
}

// ---- errors ----

export function problem(reply: FastifyReply, status: number, detail: string): FastifyReply {
  return reply
    .code(status)
    .type('application/problem+json')
    .send(JSON.stringify({ type: 'about:blank', title: STATUS_CODES[status] ?? 'Error', status, detail }));
}

/** Fastify's own errors by status; its words stay inside. */
const details: Readonly<Record<number, string>> = {
  400: 'the body is not valid JSON, or holds a forbidden key',
  413: `the body is larger than ${bodyBytesMax} bytes`,
  415: 'the body must be application/json',
};

function answerError(error: FastifyError, reply: FastifyReply, log: Logger): FastifyReply {
  const status = error.statusCode ?? 500;
  if (status < 500) return problem(reply, status, details[status] ?? 'the request is not valid');
  log.error({ ev: 'http.error', err: error }, 'a request failed');
  return problem(reply, 500, 'the server failed; it is logged');
}

function explain(issue: z.core.$ZodIssue | undefined): string {
  if (issue?.code === 'unrecognized_keys') return `unknown field ${JSON.stringify(issue.keys[0]?.slice(0, 64))}`;
  return issue === undefined || issue.path.length === 0 ? 'the body must be a JSON object' : `${issue.path.join('.')} ${issue.message}`;
}
