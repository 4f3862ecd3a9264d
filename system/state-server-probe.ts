/**
 * State server probe: asks the state server of this configuration whether it is at work, for health checks in containers.
 *
 *     node dist/system/state-server-probe.js [host:port]
 *
 * Exit codes: 0 it answers, 1 it does not; one line on stderr says why. Without an address it asks where `npm run state-server` with the
 * same variables listens.
 */
import { loadConfig } from '../config/load.ts';
import { stateServerPort } from '../config/settings-cluster.ts';
import { systemClock } from './clock.ts';
import { failStart, say } from './process-end.ts';
import { addressOf } from './state/state-link-tcp.ts';
import { probeStateServer } from './state/state-probe-tcp.ts';
import { connectableHost } from './state/state-server.ts';

/** Shorter than the time-out of a usual health check, so that the reason is still said. */
const answerMs = 2_000;

async function main(): Promise<void> {
  const { stateHost, statePort } = loadConfig();
  const address = process.argv[2] ?? `${connectableHost(stateHost)}:${statePort === 0 ? stateServerPort : statePort}`;
  const outcome = await probeStateServer(addressOf(address), answerMs, systemClock);
  say(outcome.ok ? `the state server at ${address} is at work` : `the state server at ${address} is not at work: ${outcome.why}`);
  process.exitCode = outcome.ok ? 0 : 1;
}

main().catch(failStart);
