/**
 * Operator server: what operators ask (/healthz, /readyz, /version, /metrics) on a port of its own, for a process that serves no chat.
 *
 * Guarantees: the bounds, the rights and the answers of a node's own port, by the same files; a port that cannot be had is a Fault.
 * Does not: know revocations; a token that was revoked counts here until it ends.
 */
import type { Clock } from '../system/clock.ts';
import { Admission, type AdmissionConfig } from './admission.ts';
import { createAddressRule } from './client-address.ts';
import { createHttpBase, type HttpBaseOptions } from './http-base.ts';
import { addTokenGuard } from './http-guard.ts';
import { addOperatorRoutes, type OperateOptions } from './http-operate.ts';
import { hostInUrl, listen } from './listen.ts';

export interface OperatorServerOptions extends OperateOptions, HttpBaseOptions {
  readonly config: AdmissionConfig & { readonly trustedProxies: readonly string[] };
  readonly host: string;
  readonly port: number;
  /** The setting that says where it listens, for who must change it. */
  readonly setting: string;
  readonly clock: Clock;
}

export interface OperatorServer {
  readonly url: string;
  /** Cuts what is under way and frees the port. Never rejects. */
  close(): Promise<void>;
}

export async function startOperatorServer(options: OperatorServerOptions): Promise<OperatorServer> {
  const { config, host, port, setting, clock } = options;
  const { app, server } = createHttpBase(options);
  addTokenGuard(app, { admission: new Admission(config, clock), addressOf: createAddressRule(config.trustedProxies) });
  addOperatorRoutes(app, options);
  await app.ready();
  await listen(server, { host, port }, { host: setting, port: setting }).catch(async (fault: unknown) => {
    await app.close();
    throw fault;
  });
  return {
    url: `http://${hostInUrl(host)}:${port}`,
    async close() {
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      });
      await app.close();
    },
  };
}
