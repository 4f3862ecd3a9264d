/**
 * TestNodes: whole nodes in this process, on free ports, on stores of memory that several of them may share.
 *
 * Guarantees: everything is what `npm start` runs but for the store's disk; what was started is stopped by `stopNodes`.
 */
import jwt from 'jsonwebtoken';
import type { Config } from '../../config/schema.ts';
import { systemClock } from '../../system/clock.ts';
import { createLogger } from '../../system/logger.ts';
import { incarnationOf, type RunningNode, startNode } from '../../system/node.ts';
import type { RoomStore } from '../../system/store/room-store.ts';
import { openMemoryStore } from '../../system/store/room-store-memory.ts';
import { createMemoryWireHub } from '../../system/wire/wire-memory.ts';
import { testSecret } from './gateway-fixtures.ts';
import { testConfig } from './test-config.ts';

export interface TestNode extends RunningNode {
  /** Lines of its log, newest last. */
  readonly lines: string[];
}

/** What several nodes share. A node that closes it takes it from the others: it is closed by the last. */
export interface Shared {
  readonly store: RoomStore;
  readonly hub: ReturnType<typeof createMemoryWireHub>;
}
export const shared = (store: RoomStore = openMemoryStore()): Shared => ({
  store: { ...store, close: async () => {} },
  hub: createMemoryWireHub(),
});

const nodes: TestNode[] = [];

export async function startTestNode(overrides: Partial<Config> = {}, { store, hub }: Shared = shared()): Promise<TestNode> {
  const lines: string[] = [];
  const config = testConfig({
    nodeId: `test-${nodes.length + 1}`,
    dev: false,
    jwt: { kind: 'secret', algorithm: 'HS256', secret: testSecret },
    drainDeadlineMs: 2_000,
    ...overrides,
  });
  const incarnation = incarnationOf(config);
  const log = createLogger({ level: 'info', base: {}, destination: { write: (line: string) => void lines.push(line) } });
  const parts = { store, wire: hub.join(incarnation), sharedLog: true };
  const node = await startNode({ config, incarnation, log, onFatal: () => {}, parts });
  const started = { ...node, lines };
  nodes.push(started);
  return started;
}

export async function stopNodes(): Promise<void> {
  await Promise.all(nodes.splice(0).map((node) => node.stop()));
}

const nowS = (): number => Math.floor(systemClock.wallMs() / 1_000);

/** A token as a login service would sign it. `livesS`: to exp. Other claims as given; undefined takes one away. */
export function signToken(user: string, { livesS = 3_600, ...claims }: { livesS?: number } & Record<string, unknown> = {}): string {
  const all = { sub: user, iat: nowS(), exp: nowS() + livesS, ...claims };
  // `noTimestamp` takes an iat away that was given; without it one is put in.
  return jwt.sign(JSON.parse(JSON.stringify(all)) as object, testSecret, { algorithm: 'HS256', noTimestamp: all.iat === undefined });
}
