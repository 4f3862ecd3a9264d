/**
 * Main: the process. Loads the configuration, starts a node, says what it runs on, stops on a signal.
 *
 * Exit codes: 0 after an orderly stop; 1 for a bad configuration, a part that cannot start, a failure, a second signal or a
 * stop that took too long.
 */
import { ConfigError, loadConfig } from '../config/load.ts';
import type { Config } from '../config/schema.ts';
import { systemClock } from './clock.ts';
import { Fault } from './errors.ts';
import { createLogger, type Logger } from './logger.ts';
import { incarnationOf, type RunningNode, startNode } from './node.ts';
import { installProcessGuard } from './supervision.ts';

const say = (text: string): void => void process.stderr.write(`${text}\n`);

function banner(config: Config, node: RunningNode): string {
  const tokens =
    config.jwt.kind === 'dev'
      ? "DEVELOPMENT MODE: whoever reaches this machine's loopback gets a token for any name.\n            Set CHAT_JWT_SECRET before anybody else can reach it."
      : `${config.jwt.algorithm}, ${config.jwt.kind === 'secret' ? 'shared secret' : 'public key'}`;
  const next =
    config.jwt.kind === 'dev'
      ? [
          'Next, in two other terminals:',
          `  npm run chat -- --user alice --room lobby${urlFlag(config, node)}`,
          `  npm run chat -- --user bob --room lobby${urlFlag(config, node)}`,
        ]
      : ['Next:', `  npm run chat -- --user alice --room lobby --token …${urlFlag(config, node)}`];
  return [
    '',
    `Playhouse is up: ${node.url}`,
    `  node      ${config.nodeId} (${node.incarnation})`,
    `  store     ${node.description.store}`,
    `  wire      ${node.description.wire}`,
    `  presence  ${node.description.presence}`,
    `  tokens    ${tokens}`,
    '',
    ...next,
    'Ctrl-C stops it.',
    '',
  ].join('\n');
}

const urlFlag = (config: Config, node: RunningNode): string => (config.port === 3000 ? '' : ` --url ${node.url}`);

/** Ends the process after an orderly stop, or at the deadline, or at the second signal. */
function stopOnce(node: RunningNode, config: Config, log: Logger): (exitCode: 0 | 1, reason: string) => void {
  let isStopping = false;
  return (exitCode, reason) => {
    if (isStopping) {
      say('stopped at once: a second signal, or a failure while stopping');
      process.exit(1);
    }
    isStopping = true;
    log.info({ ev: 'node.stop', reason }, 'stopping');
    systemClock.after(config.drainDeadlineMs, () => {
      say(`not stopped within ${config.drainDeadlineMs} ms; ending now`);
      process.exit(1);
    });
    node.stop().then(
      (isClean) => process.exit(isClean ? exitCode : 1),
      () => process.exit(1),
    );
  };
}

async function main(): Promise<void> {
  const config = loadConfig();
  const incarnation = incarnationOf(config);
  const log = createLogger({ level: config.logLevel, isPretty: config.logPretty, base: { node: config.nodeId, inc: incarnation } });
  let stop: (exitCode: 0 | 1, reason: string) => void = () => process.exit(1);
  installProcessGuard(log, () => stop(1, 'an error nobody caught'));
  const node = await startNode({ config, incarnation, log, onFatal: (reason) => stop(1, reason) });
  stop = stopOnce(node, config, log);
  process.on('SIGTERM', () => stop(0, 'SIGTERM'));
  process.on('SIGINT', () => stop(0, 'SIGINT'));
  say(banner(config, node));
}

main().catch((error: unknown) => {
  if (error instanceof ConfigError) say(error.message);
  else if (error instanceof Fault) say(`cannot start: ${error.message}`);
  else say(`cannot start: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
  process.exit(1);
});
