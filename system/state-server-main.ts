/**
 * State server main: the process of a state server that stands alone, for several nodes (`CHAT_STATE_SERVER` there) and older services.
 */
import { loadConfig } from '../config/load.ts';
import type { Config } from '../config/schema.ts';
import { stateServerPort } from '../config/settings-cluster.ts';
import { systemClock } from './clock.ts';
import { newId } from './ids.ts';
import { createLogger, type Logger } from './logger.ts';
import { failStart, runUntilSignal } from './process-end.ts';
import { type StateServer, startStateServer } from './state/state-server.ts';
import { openStateServerHttp } from './state-server-http.ts';
import { openEvents, openKeep } from './state-server-parts.ts';

const name = 'state-server';
/** Nodes that lost it try again at least every 2 s, so all are back by then; and within 3 s of its start everybody is known. */
const settleMs = 2_500;

async function main(): Promise<void> {
  const config = loadConfig();
  const log = createLogger({ level: config.logLevel, isPretty: config.logPretty, base: { node: name, inc: newId() } });
  await runUntilSignal({
    start: () => start(config, log),
    banner: ({ server, parts }) =>
      [
        `The state server is up: ${[server.description, ...parts.map(({ description }) => description)].join('; ')}`,
        `Nodes find it by CHAT_STATE_SERVER=${server.address}. Ctrl-C stops it.`,
      ].join('\n'),
    deadlineMs: config.drainDeadlineMs,
    log,
  });
}

async function start(config: Config, log: Logger) {
  const { stateHost: host, statePort, stateSecret: secret } = config;
  const port = statePort === 0 ? stateServerPort : statePort;
  const events = await openEvents(config, { clock: systemClock, log });
  const kept = await openKeep(config, { clock: systemClock, log });
  const parts = [events, kept].filter((part) => part !== undefined);
  const closeParts = async (): Promise<void> => {
    for (const part of parts) await part.close();
  };
  let server: StateServer | undefined;
  let isStopping = false;
  try {
    server = await startStateServer({
      host,
      port,
      clock: systemClock,
      log,
      settleMs,
      ...(secret !== undefined && { secret }),
      ...(events && { onNews: events.onNews }),
      ...(kept && { keep: kept.keep }),
    });
    const serving = server;
    const http = await openStateServerHttp(config, {
      name,
      server,
      parts: { ...(events && { kafka: events.health }), ...(kept && { redis: kept.health }) },
      isStopping: () => isStopping,
      clock: systemClock,
      log,
    });
    return {
      server,
      parts: [...parts, ...(http ? [http] : [])],
      async stop() {
        isStopping = true;
        await serving.stop();
        await closeParts();
        // Last: who asks meanwhile hears that it is stopping.
        await http?.close();
      },
    };
  } catch (error) {
    await server?.stop();
    await closeParts();
    throw error;
  }
}

main().catch(failStart);
