/**
 * State server main: the process of a state server that stands alone, for several nodes (`CHAT_STATE_SERVER` there) and older services.
 */
import { loadConfig } from '../config/load.ts';
import { stateServerPort } from '../config/settings-cluster.ts';
import { systemClock } from './clock.ts';
import { newId } from './ids.ts';
import { createLogger } from './logger.ts';
import { failStart, runUntilSignal } from './process-end.ts';
import { startStateServer } from './state/state-server.ts';

/** Nodes that lost it try again at least every 2 s, so all are back by then; and within 3 s of its start everybody is known. */
const settleMs = 2_500;

async function main(): Promise<void> {
  const config = loadConfig();
  const log = createLogger({ level: config.logLevel, isPretty: config.logPretty, base: { node: 'state-server', inc: newId() } });
  const { stateHost: host, stateSecret: secret } = config;
  const port = config.statePort === 0 ? stateServerPort : config.statePort;
  await runUntilSignal({
    start: () => startStateServer({ host, port, ...(secret !== undefined && { secret }), clock: systemClock, log, settleMs }),
    banner: (server) =>
      `The state server is up: ${server.description}\nNodes find it by CHAT_STATE_SERVER=${server.address}. Ctrl-C stops it.`,
    deadlineMs: config.drainDeadlineMs,
    log,
  });
}

main().catch(failStart);
