/**
 * TestNodes: whole nodes within the test's process, on free ports, on stores of memory that several of them may share.
 *
 * Guarantees: everything but the store's disk and the log's destination is what `npm start` runs; their secret is the fixtures' one, so
 * `tokenOf` works; what was started is stopped by `stopNodes`.
 */
import jwt from 'jsonwebtoken';
import type { Config } from '../../config/schema.ts';
import { systemClock } from '../../system/clock.ts';
import type { SharedCache } from '../../system/cluster/shared-cache.ts';
import type { FileStore } from '../../system/files/file-store.ts';
import { MemoryFileStore } from '../../system/files/file-store-memory.ts';
import { createLogger, type LogLevel } from '../../system/logger.ts';
import { incarnationOf, type NodeOptions, type RunningNode, startNode } from '../../system/node.ts';
import type { RoomStore } from '../../system/store/room-store.ts';
import { openMemoryStore } from '../../system/store/room-store-memory.ts';
import { createMemoryWireHub } from '../../system/wire/wire-memory.ts';
import { testSecret } from './gateway-fixtures.ts';
import { testConfig } from './test-config.ts';

export interface InProcess {
  readonly node: RunningNode;
  readonly url: string;
  readonly store: RoomStore;
  /** Lines of its log, as written. */
  readonly lines: string[];
  readonly fatal: string[];
}

const running = new Set<RunningNode>();

export async function startInProcess(
  overrides: Partial<Config> = {},
  options: Partial<NodeOptions> & { readonly store?: RoomStore; readonly level?: LogLevel } = {},
): Promise<InProcess> {
  const { store = openMemoryStore(), level = 'debug', ...rest } = options;
  const lines: string[] = [];
  const fatal: string[] = [];
  const config = testConfig({ dev: false, jwt: { kind: 'secret', algorithm: 'HS256', secret: testSecret }, ...overrides });
  const incarnation = incarnationOf(config);
  const node = await startNode({
    config,
    incarnation,
    log: createLogger({
      level,
      base: { node: config.nodeId, inc: incarnation },
      destination: { write: (line: string) => void lines.push(line) },
    }),
    onFatal: (reason) => fatal.push(reason),
    parts: { store, wire: createMemoryWireHub().join(incarnation), sharedLog: false },
    ...rest,
  });
  running.add(node);
  return { node, url: node.url, store, lines, fatal };
}

/** For afterEach. */
export async function stopNodes(): Promise<void> {
  const nodes = [...running];
  running.clear();
  await Promise.all(nodes.map((node) => node.stop()));
}

// ---- several on one store ----

export interface TestNode extends RunningNode {
  /** Lines of its log, newest last. */
  readonly lines: string[];
}

/** What several nodes share. A node that closes it takes it from the others: it is closed by the last. */
export interface Shared {
  readonly store: RoomStore;
  readonly hub: ReturnType<typeof createMemoryWireHub>;
  readonly files: FileStore;
}
export function shared(store: RoomStore = openMemoryStore()): Shared {
  const files: FileStore = new MemoryFileStore(systemClock);
  files.close = async () => {};
  return { store: { ...store, close: async () => {} }, hub: createMemoryWireHub(), files };
}

export async function startTestNode(
  overrides: Partial<Config> = {},
  { store, hub, files }: Shared = shared(),
  cache?: SharedCache,
): Promise<TestNode> {
  const config = { nodeId: `test-${running.size + 1}`, drainDeadlineMs: 2_000, ...overrides };
  const incarnation = incarnationOf(testConfig(config));
  const parts = { store, files, wire: hub.join(incarnation), sharedLog: true, ...(cache && { cache }) };
  const { node, lines } = await startInProcess(config, { incarnation, parts, level: 'info' });
  return { ...node, lines };
}

// ---- tokens ----

const nowS = (): number => Math.floor(systemClock.wallMs() / 1_000);

/** A token as a login service would sign it. `livesS`: to exp. Other claims as given; undefined takes one away. */
export function signToken(user: string, { livesS = 3_600, ...claims }: { livesS?: number } & Record<string, unknown> = {}): string {
  const all = { sub: user, iat: nowS(), exp: nowS() + livesS, ...claims };
  // `noTimestamp` takes an iat away that was given; without it one is put in.
  return jwt.sign(JSON.parse(JSON.stringify(all)) as object, testSecret, { algorithm: 'HS256', noTimestamp: all.iat === undefined });
}
