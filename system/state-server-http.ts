/**
 * State server HTTP: what a state server that stands alone tells its operators: health, readiness, version and metrics, by the code and
 * under the names that a node has for them. Part of the composition.
 *
 * Guarantees: off unless an address is given; it is ready from when it takes connections until it is told to stop, whatever Kafka and
 * Redis do (`degraded`); one that stood still is not ready until it has caught up.
 */
import type { Config } from '../config/schema.ts';
import { startOperatorServer } from '../gateway/operator-server.ts';
import type { Clock } from './clock.ts';
import { Health, type PartState } from './health.ts';
import type { Logger } from './logger.ts';
import { LoopLoad } from './loop-load.ts';
import { LoopWatch } from './loop-watch.ts';
import { Metrics } from './metrics.ts';
import { tellHealth, tellLoop, tellProcess, tellStateServer } from './node-metrics.ts';
import { tokensOf } from './node-tokens.ts';
import { addressOf } from './state/state-link-tcp.ts';
import type { StateServer } from './state/state-server.ts';
import { createSupervision } from './supervision.ts';
import { programVersion } from './version.ts';

export interface StateServerHttpOptions {
  readonly name: string;
  readonly server: Pick<StateServer, 'counts'>;
  /** Beside the server itself, by the names /readyz has for them. */
  readonly parts: Readonly<Record<string, () => PartState>>;
  readonly isStopping: () => boolean;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface StateServerHttp {
  /** One line for the start banner. */
  readonly description: string;
  /** Never rejects. */
  close(): Promise<void>;
}

/** undefined: no address is given. Rejects with a Fault when it cannot be had. */
export async function openStateServerHttp(config: Config, options: StateServerHttpOptions): Promise<StateServerHttp | undefined> {
  if (config.stateHttpAddress === '') return undefined;
  const { name, server, parts, isStopping, clock, log } = options;
  const metrics = new Metrics();
  const health = new Health();
  const version = programVersion();
  const supervision = createSupervision({ clock, log });
  const load = new LoopLoad(clock);
  const watch = new LoopWatch({ clock, supervision, lag: metrics.histogram('playhouse_loop_lag_seconds') });
  health.add('state', () => (isStopping() ? { down: 'is stopping' } : 'up'));
  health.add('loop', () => watch.state());
  for (const [part, state] of Object.entries(parts)) health.add(part, state);
  tellHealth(metrics, health);
  tellLoop(metrics, { load, watch });
  tellProcess(metrics, { version, node: name });
  tellStateServer(metrics, server);
  metrics.read('playhouse_supervision_events_total', () => supervision.counts);
  const close = (): void => {
    load.stop();
    watch.stop();
  };
  try {
    const { verifier } = await tokensOf(config, clock);
    const http = await startOperatorServer({
      config,
      ...addressOf(config.stateHttpAddress),
      setting: 'CHAT_STATE_HTTP_ADDRESS',
      readiness: () => health.readiness(),
      metrics,
      operatorAccess: config.operatorAccess,
      verifier,
      version,
      clock,
      log,
    });
    return {
      description: `health and metrics at ${http.url}`,
      async close() {
        close();
        await http.close();
      },
    };
  } catch (error) {
    close();
    throw error;
  }
}
