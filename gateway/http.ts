/**
 * HTTP: what a node serves beside the sockets, on the same port.
 *
 * Guarantees: development tokens go to this machine only; bad tokens count against their address before a route looks at one.
 * Does not: hold routes; each kind has a file (http-operate, http-dev-token …), later ones come in through `routes`.
 */
import type { FastifyInstance } from 'fastify';
import type { OriginRule } from './handshake.ts';
import { type ApiOptions, addApi } from './http-api.ts';
import { createHttpBase, type HttpApp, type HttpBaseOptions } from './http-base.ts';
import { addCors } from './http-cors.ts';
import { addDevTokens } from './http-dev-token.ts';
import { addTokenGuard, type GuardOptions } from './http-guard.ts';
import { addOperatorRoutes, type OperateOptions } from './http-operate.ts';
import type { TokenSigner } from './token.ts';

export interface HttpOptions extends OperateOptions, ApiOptions, GuardOptions, HttpBaseOptions {
  /** Given in development mode only: POST /api/dev/token exists. */
  readonly devTokens?: TokenSigner;
  readonly originRule: OriginRule;
  /** More routes: files, a web page. */
  readonly routes?: (app: FastifyInstance, edge: Pick<ApiOptions, 'userCommands'>) => void;
}

export const hint = `Playhouse, a chat server. Talk to it with a socket.io 4 client.

In development mode get a token on this machine:
  curl -X POST http://localhost:<port>/api/dev/token -H 'content-type: application/json' -d '{"user":"ada"}'
then, in another terminal:
  npm run chat -- --user ada --room lobby

Health: /healthz   Readiness: /readyz
`;

export async function createHttpApp(options: HttpOptions): Promise<HttpApp> {
  const { app, server } = createHttpBase(options);
  addCors(app, options.originRule);
  addTokenGuard(app, options);
  app.get('/', (_request, reply) => reply.type('text/plain; charset=utf-8').send(hint));
  addOperatorRoutes(app, options);
  addApi(app, options);
  if (options.devTokens) addDevTokens(app, options.devTokens, options.originRule);
  options.routes?.(app, options);
  await app.ready();
  return { app, server };
}
