/**
 * Plan: which ports, secrets and settings each process of the cluster gets. Pure, but for the secrets that are kept in a file.
 */
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RunOptions } from './options.ts';

export interface Ports {
  readonly balancer: number;
  readonly nodes: readonly number[];
  readonly state: number;
}

const stateAhead = 100;

/** From the one that was given; the others follow from it, so that they can be typed from memory. */
export function portsFrom(base: number, nodes: number): Ports {
  return { balancer: base, nodes: Array.from({ length: nodes }, (_, index) => base + 1 + index), state: base + stateAhead };
}

export const allPorts = ({ balancer, nodes, state }: Ports): readonly number[] => [balancer, ...nodes, state];

export interface Secrets {
  readonly state: string;
  readonly cluster: string;
}

/** Made once and kept, readable by their owner only. The secret of tokens is the one development mode keeps in the data folder. */
export function secretsIn(folder: string): Secrets {
  const path = join(folder, 'secrets.json');
  if (!existsSync(path)) {
    mkdirSync(folder, { recursive: true });
    const secret = (): string => randomBytes(48).toString('base64url');
    writeFileSync(path, JSON.stringify({ state: secret(), cluster: secret() } satisfies Secrets), { mode: 0o600 });
  }
  return JSON.parse(readFileSync(path, 'utf8')) as Secrets;
}

export interface SharedSettings {
  readonly ports: Ports;
  readonly secrets: Secrets;
  /** The environment of who starts the cluster: any other setting is taken over from it. */
  readonly given: Readonly<Record<string, string | undefined>>;
  /** CHAT_MONGO_URL and what else there is. */
  readonly services: Readonly<Record<string, string>>;
  /** One for all: the secret of development tokens is in it, so that each node takes the tokens of the others. */
  readonly dataDir: string;
  readonly log: RunOptions['log'];
}

type Settings = Readonly<Record<string, string>>;

/** Each process has its own, or the plan decides. */
const notTakenOver =
  /^CHAT_(NODE_ID|PORT|DATA_DIR|STATE_SERVER|STATE_PORT|CLUSTER_PORT|CLUSTER_ADDRESS|MONGO_URL|REDIS_URL|KAFKA_BROKERS)$/;

const chatOnly = (environment: Readonly<Record<string, string | undefined>>): Settings =>
  Object.fromEntries(
    Object.entries(environment).filter((entry): entry is [string, string] => entry[0].startsWith('CHAT_') && entry[1] !== undefined),
  );

/** What every process of the cluster is told, and migrate and topics too. */
export function sharedSettings({ ports, secrets, given, services, dataDir, log }: SharedSettings): Settings {
  const takenOver = Object.entries(chatOnly(given)).filter(([name]) => !notTakenOver.test(name));
  return {
    ...chatOnly(services),
    CHAT_CLUSTER_SECRET: secrets.cluster,
    CHAT_STATE_SECRET: secrets.state,
    CHAT_LOG_LEVEL: log,
    ...Object.fromEntries(takenOver),
    CHAT_STATE_SERVER: `127.0.0.1:${ports.state}`,
    CHAT_DATA_DIR: dataDir,
    CHAT_LOG_PRETTY: 'false',
  };
}

export function nodeSettings(shared: Settings, ports: Ports, index: number): Settings {
  return { ...shared, CHAT_NODE_ID: `node-${index + 1}`, CHAT_PORT: String(ports.nodes[index]) };
}

export function stateServerSettings({ CHAT_STATE_SERVER: _, ...shared }: Settings, ports: Ports): Settings {
  return { ...shared, CHAT_STATE_PORT: String(ports.state) };
}

export const urlOf = (port: number): string => `http://127.0.0.1:${port}`;

export interface Row {
  readonly what: string;
  readonly address: string;
  readonly note?: string;
}

/** What is where, and what to type next. */
export function closingTable(rows: readonly Row[], ports: Ports, hasBalancer: boolean): string {
  const width = (of: (row: Row) => string): number => Math.max(...rows.map((row) => of(row).length));
  const [whatChars, addressChars] = [width((row) => row.what), width((row) => row.address)];
  const lines = rows.map(({ what, address, note }) =>
    `  ${what.padEnd(whatChars)}  ${address.padEnd(addressChars)}  ${note ?? ''}`.trimEnd(),
  );
  const nodes = ports.nodes.map(urlOf).join(',');
  // Commands look at port 3000 unless they are told otherwise.
  const entry = hasBalancer ? (ports.balancer === 3000 ? '' : ` --url ${urlOf(ports.balancer)}`) : ` --url ${nodes}`;
  const tokenUrl = hasBalancer ? entry : ` --url ${urlOf(ports.nodes[0] ?? 0)}`;
  return [
    `The cluster is up: ${hasBalancer ? urlOf(ports.balancer) : nodes}`,
    ...lines,
    '',
    'Next, in other terminals:',
    `  npm run chat -- --user alice --room lobby${entry}`,
    `  npm run chat -- --user bob --room lobby --url ${nodes} --node ${ports.nodes.length}`,
    `  npm run token -- carol${tokenUrl}`,
    `  npm run replay -- test/support/transcripts/*.gz --url ${nodes}`,
  ].join('\n');
}
