/**
 * NodeInProcess: a whole node on memory parts and a free port, within the test's process.
 *
 * Guarantees: everything but disk and log destination is what `npm start` runs. Its secret is the fixtures' one, so `tokenOf` works.
 */
import type { Config } from '../../config/schema.ts';
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
