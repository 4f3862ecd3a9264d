/**
 * Options: the arguments of `npm run cluster`, and the commands that are typed while it runs. Pure.
 */
import { parseArgs } from 'node:util';

export const usage = `usage: npm run cluster -- [--nodes 3] [--port 3000] [--balancer auto|nginx|haproxy|none] [--without kafka,redis]
         [--members 1] [--kafka 3.9|4.2] [--log debug|info|warn|error] [--restart] | --stop
  --port      the load balancer's; node 1 has the next one, and so on, the state server that + 100. 0: any free ones
  --restart   a node that dies is started again after a second; without it, it stays away until you say so`;

const nodesMax = 9;
const balancers = ['auto', 'nginx', 'haproxy', 'none'] as const;
const logLevels = ['debug', 'info', 'warn', 'error'] as const;
const kafkaLines = ['3.9', '4.2'] as const;
const accelerators = ['kafka', 'redis'] as const;
export type Accelerator = (typeof accelerators)[number];

export interface RunOptions {
  readonly nodes: number;
  /** 0: any free ports. */
  readonly port: number;
  readonly balancer: (typeof balancers)[number];
  readonly without: readonly Accelerator[];
  readonly members: number;
  readonly kafka: (typeof kafkaLines)[number];
  readonly log: (typeof logLevels)[number];
  readonly restart: boolean;
}

/** Words for a person: what is wrong with what was given. */
export class UsageError extends Error {}

/** 'stop': end what an earlier run left. Throws UsageError. */
export function parseOptions(args: readonly string[]): RunOptions | 'stop' {
  const values = parsed(args);
  if (values.stop === true) return 'stop';
  const without = (values.without ?? []).flatMap((list) => list.split(',')).filter((name) => name !== '');
  return {
    nodes: integer('nodes', values.nodes ?? '3', 1, nodesMax),
    port: integer('port', values.port ?? '3000', 0, 65_000),
    balancer: oneOf('balancer', values.balancer ?? 'auto', balancers),
    without: without.map((name) => oneOf('without', name, accelerators)),
    members: integer('members', values.members ?? '1', 1, 7),
    kafka: oneOf('kafka', values.kafka ?? '3.9', kafkaLines),
    log: oneOf('log', values.log ?? 'info', logLevels),
    restart: values.restart === true,
  };
}

function parsed(args: readonly string[]) {
  const text = { type: 'string' } as const;
  try {
    return parseArgs({
      args: [...args],
      options: {
        nodes: text,
        port: text,
        balancer: text,
        without: { type: 'string', multiple: true },
        members: text,
        kafka: text,
        log: text,
        restart: { type: 'boolean' },
        stop: { type: 'boolean' },
      },
    }).values;
  } catch (error) {
    throw new UsageError(`${error instanceof Error ? error.message : String(error)}\n${usage}`);
  }
}

function integer(name: string, given: string, min: number, max: number): number {
  const value = Number(given);
  if (given === '' || !Number.isInteger(value) || value < min || value > max)
    throw new UsageError(`--${name} must be a whole number from ${min} to ${max}\n${usage}`);
  return value;
}

function oneOf<Word extends string>(name: string, given: string, words: readonly Word[]): Word {
  const word = words.find((each) => each === given);
  if (word === undefined) throw new UsageError(`--${name} must be one of ${words.join(', ')}\n${usage}`);
  return word;
}

// ---- while it runs ----

const verbs = ['start', 'stop', 'kill', 'freeze', 'thaw'] as const;
export type Verb = (typeof verbs)[number];
export const commandHelp = 'kill 2 (as kill -9), stop 2 (drains), start 2, freeze 2, thaw 2; also with "state" for the state server';

/** `kill 2` or `kill state`. undefined: no such command. */
export function parseCommand(line: string, nodes: number): { readonly verb: Verb; readonly member: string } | undefined {
  const [word, target, ...rest] = line.trim().split(/\s+/);
  const verb = verbs.find((each) => each === word);
  if (verb === undefined || target === undefined || rest.length > 0) return undefined;
  if (target === 'state') return { verb, member: 'state' };
  const [, digits] = /^(?:node-)?(\d)$/.exec(target) ?? [];
  const number = Number(digits ?? 0);
  return number >= 1 && number <= nodes ? { verb, member: `node-${number}` } : undefined;
}
