/**
 * ClusterStage: n nodes as processes on real servers, with a state server of their own, to be killed and frozen.
 *
 * Guarantees: everything of one stage is its own (database, topics, keys, ports, secrets); `stop` ends and drops all of it.
 * Needs PLAYHOUSE_TEST_MONGO_URL; Kafka and Redis are used where PLAYHOUSE_TEST_KAFKA_BROKERS and PLAYHOUSE_TEST_REDIS_URL name them
 * and the story does not leave them out.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import jwt from 'jsonwebtoken';
import { Kafka, logLevel } from 'kafkajs';
import { systemClock } from '../../system/clock.ts';
import { newId } from '../../system/ids.ts';
import { connectMongo, type MongoDatabase } from '../../system/store/mongo-database.ts';
import { createIndexes } from '../../system/store/mongo-indexes.ts';
import { topicNames } from '../../system/wire/topics.ts';
import { freePort, NodeProcess, programs } from '../support/node-process.ts';

export const servers = {
  mongo: process.env['PLAYHOUSE_TEST_MONGO_URL'] ?? '',
  kafka: process.env['PLAYHOUSE_TEST_KAFKA_BROKERS'] ?? '',
  redis: process.env['PLAYHOUSE_TEST_REDIS_URL'] ?? '',
};

export interface StageOptions {
  readonly nodes: number;
  /** Left out though they are there. */
  readonly without?: readonly ('kafka' | 'redis' | 'tail' | 'link')[];
  /** Another MongoDB than the shared one, for stories that hurt it. */
  readonly mongoUrl?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** For whoever wants to see a story without something: CLUSTER_WITHOUT=kafka,link. */
const leftOut = (process.env['CLUSTER_WITHOUT'] ?? '').split(',');

const secret = (): string => newId() + newId();

export class ClusterStage {
  readonly urls: readonly string[];
  readonly nodes: readonly NodeProcess[];
  readonly stateServer: NodeProcess;
  readonly database: MongoDatabase;
  private readonly dir: string;
  private readonly dropTopics: () => Promise<void>;

  private constructor(
    parts: Pick<ClusterStage, 'urls' | 'nodes' | 'stateServer' | 'database'> & { readonly dir: string; dropTopics(): Promise<void> },
  ) {
    this.urls = parts.urls;
    this.nodes = parts.nodes;
    this.stateServer = parts.stateServer;
    this.database = parts.database;
    this.dir = parts.dir;
    this.dropTopics = parts.dropTopics;
  }

  static async start({ nodes: count, mongoUrl = servers.mongo, env = {}, ...options }: StageOptions): Promise<ClusterStage> {
    const without: readonly string[] = [...(options.without ?? []), ...leftOut];
    const dir = mkdtempSync(join(tmpdir(), 'playhouse-cluster-'));
    const name = `cluster-${newId().slice(0, 12)}`;
    const database = await connectMongo({ url: mongoUrl, database: name, clock: systemClock });
    await createIndexes(database.db);
    const statePort = await freePort();
    const shared: Record<string, string> = {
      CHAT_MONGO_URL: mongoUrl.replace(/\/(\?|$)/, `/${name}$1`),
      CHAT_STATE_SECRET: secret(),
      // Development mode keeps the secret of tokens in the data folder: nodes that share it take each other's tokens.
      CHAT_DATA_DIR: dir,
      CHAT_LOG_LEVEL: 'info',
      ...(!without.includes('link') && { CHAT_CLUSTER_SECRET: secret() }),
      ...(without.includes('tail') && { CHAT_STORE_TAIL: 'false' }),
      ...(servers.kafka !== '' && !without.includes('kafka') && { CHAT_KAFKA_BROKERS: servers.kafka, CHAT_KAFKA_TOPIC_PREFIX: `${name}.` }),
      ...(servers.redis !== '' && !without.includes('redis') && { CHAT_REDIS_URL: servers.redis, CHAT_REDIS_KEY_PREFIX: name }),
      ...env,
    };
    if (shared['CHAT_KAFKA_BROKERS'] !== undefined) createTopics(shared);
    const stateServer = new NodeProcess({ ...shared, CHAT_STATE_PORT: String(statePort) }, 'state-server-main');
    const ports = await Promise.all(Array.from({ length: count }, freePort));
    const nodes = ports.map(
      (port, index) =>
        new NodeProcess({
          ...shared,
          CHAT_NODE_ID: `node-${index + 1}`,
          CHAT_PORT: String(port),
          CHAT_STATE_SERVER: `127.0.0.1:${statePort}`,
        }),
    );
    const urls = ports.map((port) => `http://127.0.0.1:${port}`);
    const stage = new ClusterStage({ urls, nodes, stateServer, database, dir, dropTopics: () => dropTopics(shared) });
    try {
      await stateServer.start();
      // The first one makes the secret.
      await nodes[0]?.start();
      await Promise.all(nodes.slice(1).map((node) => node.start()));
    } catch (error) {
      await stage.stop();
      throw error;
    }
    return stage;
  }

  /** A token as the nodes' development endpoint gives it, without asking one. */
  tokenOf(user: string): string {
    const key = readFileSync(join(this.dir, 'dev-token-secret'), 'utf8').trim();
    return jwt.sign({ sub: user }, key, { algorithm: 'HS256', expiresIn: 3_600 });
  }

  async stop(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.kill('SIGKILL')));
    await this.stateServer.kill('SIGKILL');
    await this.database.db.dropDatabase().catch(() => {});
    await this.database.close();
    await this.dropTopics();
    rmSync(this.dir, { recursive: true, force: true });
  }

  /** The last lines of every node. */
  dump(): string {
    return this.nodes.map((node, index) => `node-${index + 1}:\n${node.log.slice(-2_000)}`).join('\n');
  }
}

function createTopics(env: Readonly<Record<string, string>>): void {
  const program = fileURLToPath(new URL('topics.js', programs));
  if (!existsSync(program)) return;
  const { status, stderr } = spawnSync(process.execPath, [program], { env: { PATH: process.env['PATH'] ?? '', ...env }, encoding: 'utf8' });
  if (status !== 0) throw new Error(`the topics could not be made:\n${stderr}`);
}

async function dropTopics({
  CHAT_KAFKA_BROKERS: brokers,
  CHAT_KAFKA_TOPIC_PREFIX: prefix,
}: Readonly<Record<string, string>>): Promise<void> {
  if (brokers === undefined || prefix === undefined) return;
  const admin = new Kafka({ clientId: 'stage', brokers: brokers.split(','), logLevel: logLevel.NOTHING }).admin();
  try {
    await admin.connect();
    await admin.deleteTopics({ topics: topicNames.map((name) => prefix + name) });
  } catch {
    // The story took the broker away, or never made them.
  } finally {
    await admin.disconnect();
  }
}
