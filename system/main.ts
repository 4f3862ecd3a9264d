/**
 * Main: the process. Loads the configuration, starts a node, says what it runs on, stops on a signal.
 */
import { loadConfig } from '../config/load.ts';
import type { Config } from '../config/schema.ts';
import { createLogger } from './logger.ts';
import { incarnationOf, type RunningNode, startNode } from './node.ts';
import { failStart, runUntilSignal } from './process-end.ts';

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
    `  files     ${node.description.files}`,
    `  wire      ${node.description.wire}`,
    `  presence  ${node.description.presence}`,
    ...(config.redisUrl === undefined ? [] : [`  others    ${node.description.others}`]),
    `  tokens    ${tokens}`,
    '',
    ...next,
    'Ctrl-C stops it.',
    '',
  ].join('\n');
}

const urlFlag = (config: Config, node: RunningNode): string => (config.port === 3000 ? '' : ` --url ${node.url}`);

async function main(): Promise<void> {
  const config = loadConfig();
  const incarnation = incarnationOf(config);
  const log = createLogger({ level: config.logLevel, isPretty: config.logPretty, base: { node: config.nodeId, inc: incarnation } });
  await runUntilSignal({
    start: (fail) => startNode({ config, incarnation, log, onFatal: fail }),
    banner: (node) => banner(config, node),
    deadlineMs: config.drainDeadlineMs,
    log,
  });
}

main().catch(failStart);
