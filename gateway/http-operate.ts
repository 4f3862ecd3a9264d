/**
 * HTTP for operators: /healthz, /readyz, /version, /metrics.
 *
 * Guarantees: health and readiness are open, say why not, and name no host, version or secret; /version and /metrics tell
 * more than a stranger should know of a node, so they are for this machine and for operators' tokens.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Readiness } from '../system/health.ts';
import type { Metrics } from '../system/metrics.ts';
import { protocolVersion } from './client-protocol.ts';
import { type OperatorAccess, refusalToOperate } from './http-access.ts';
import { problem } from './http-problem.ts';
import type { TokenVerifier } from './session-port.ts';

export interface OperateOptions {
  readonly readiness: () => Readiness;
  readonly metrics: Metrics;
  readonly operatorAccess: OperatorAccess;
  readonly verifier: TokenVerifier;
  /** Of the program. */
  readonly version: string;
}

export function addOperatorRoutes(app: FastifyInstance, options: OperateOptions): void {
  const forOperators = async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply | undefined> => {
    const refusal = refusalToOperate(request, options.operatorAccess, options.verifier);
    return refusal && problem(reply, refusal);
  };
  app.get('/healthz', (_request, reply) => reply.send({ status: 'ok' }));
  app.get('/readyz', (_request, reply) => {
    const { ready, reasons, parts } = options.readiness();
    return reply.code(ready ? 200 : 503).send({ status: ready ? 'ready' : 'not ready', reasons, parts });
  });
  app.get('/version', { onRequest: forOperators }, (_request, reply) =>
    reply.send({ name: 'playhouse', version: options.version, node: process.version, protocol: protocolVersion }),
  );
  app.get('/metrics', { onRequest: forOperators }, async (_request, reply) =>
    reply.type(options.metrics.contentType).send(await options.metrics.text()),
  );
}
