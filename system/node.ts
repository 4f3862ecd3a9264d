/**
 * Node: puts the parts together, each built by a `node-*` file. Only these know every name.
 *
 * Guarantees: `startNode` either gives a serving node or rejects with a Fault and leaves nothing open; `stop` runs the
 * steps of stopping in a fixed order.
 */
import { join } from 'node:path';
import type { Config } from '../config/schema.ts';
import { addDirectoryRoutes } from '../gateway/http-directory.ts';
import { addRevocations } from '../gateway/http-revocations.ts';
import { RevocationList, withRevocations } from '../gateway/revocation-list.ts';
import { startGatewayServer } from '../gateway/server.ts';
import { createActorSystem } from './actor.ts';
import { type Clock, systemClock } from './clock.ts';
import type { ClusterView } from './cluster/cluster-view.ts';
import type { NodeLink } from './cluster/node-link.ts';
import type { RevocationPush } from './cluster/revocation-push.ts';
import type { SharedCache } from './cluster/shared-cache.ts';
import type { FileStore } from './files/file-store.ts';
import { Health, type PartState } from './health.ts';
import { type Incarnation, type NodeId, newIncarnation } from './ids.ts';
import { Lifecycle } from './lifecycle.ts';
import type { Logger } from './logger.ts';
import { LoopLoad } from './loop-load.ts';
import { LoopWatch } from './loop-watch.ts';
import { Metrics } from './metrics.ts';
import { startActors } from './node-actors.ts';
import { openNodeCluster } from './node-cluster.ts';
import { openNodeDirectory } from './node-directory.ts';
import { openNodeFiles } from './node-files.ts';
import { tellNode, tellProcess } from './node-metrics.ts';
import { NodeMoves } from './node-moves.ts';
import { openNodeRedis } from './node-redis.ts';
import { type NodeState, openNodeState } from './node-state.ts';
import { tokensOf } from './node-tokens.ts';
import { openWire, tellWire } from './node-wire.ts';
import type { StateLink } from './state/state-link.ts';
import { stopSteps } from './stop-steps.ts';
import { measuredRoomLog } from './store/room-log-measured.ts';
import type { RoomStore } from './store/room-store.ts';
import { openEmbeddedStore } from './store/room-store-embedded.ts';
import { programVersion } from './version.ts';
import type { Wire } from './wire/wire.ts';
import { WireTally } from './wire/wire-tally.ts';

/** A start that failed waits so long for its own state server to hear of it. */
const goodbyeMs = 200;
export interface RunningNode {
  readonly url: string;
  readonly incarnation: Incarnation;
  /** What it runs on, for the start banner. */
  readonly description: Readonly<Record<'store' | 'files' | 'wire' | 'presence' | 'others', string>>;
  /** Stops in order; resolves to whether every step finished in time. Idempotent. */
  stop(): Promise<boolean>;
}

export interface NodeOptions {
  readonly config: Config;
  readonly incarnation: Incarnation;
  readonly log: Logger;
  readonly clock?: Clock;
  /** The node cannot go on (an actor failed for good): it is to be stopped and the process to end with 1. */
  readonly onFatal: (reason: string) => void;
  /** Other parts than the configured ones, for tests of several nodes in one process. `sharedLog`: others append to the store too. */
  readonly parts?: {
    readonly store: RoomStore;
    readonly wire: Wire;
    readonly sharedLog: boolean;
    readonly link?: StateLink;
    readonly files?: FileStore;
    readonly cache?: SharedCache;
    /** In which the others are. */
    readonly view?: ClusterView;
    readonly nodeLink?: NodeLink;
  };
}

export const incarnationOf = (config: Config): Incarnation => newIncarnation(config.nodeId as NodeId);

export async function startNode(options: NodeOptions): Promise<RunningNode> {
  const { config, log, incarnation } = options;
  const clock = options.clock ?? systemClock;
  const undo: (() => unknown)[] = [];
  try {
    const metrics = new Metrics();
    const health = new Health();
    // First: a node whose id is another's may not touch anything.
    const shared = await openNodeRedis(config, { incarnation, clock, log, health, metrics, onIdLost: options.onFatal });
    undo.unshift(() => shared.close());
    const opened = options.parts?.store ?? (await openStore(config, { clock, log, health, metrics }));
    undo.unshift(() => opened.close());
    const files = await openNodeFiles(options, { log: measuredRoomLog(opened.log, metrics, clock), clock, metrics });
    undo.unshift(() => files.close());
    const store = { ...opened, log: files.log, ...files.closedWith(opened) };
    const wire = options.parts?.wire ?? (await openWire(config, { incarnation, clock, log, metrics }));
    if (options.parts) tellWire(metrics, new WireTally());
    undo.unshift(() => wire.close());
    const given = options.parts?.link;
    const state = given ? stateOf(given) : await openNodeState(config, { incarnation, clock, log, store, wire, metrics });
    undo.unshift(() => state.drain(goodbyeMs));
    const { link } = state;
    const view = options.parts?.view ?? (config.redisUrl === undefined ? undefined : shared.view);
    const cluster = await openNodeCluster({ config, incarnation, view, link: options.parts?.nodeLink, clock, log, metrics });
    undo.unshift(() => cluster.close());
    const system = createActorSystem({ clock, log });
    undo.unshift(() => system.stop(0));
    const lifecycle = new Lifecycle({ supervision: system.supervision, clock, log });
    const load = new LoopLoad(clock);
    undo.unshift(() => load.stop());
    const watch = new LoopWatch({ clock, supervision: system.supervision, lag: metrics.histogram('playhouse_loop_lag_seconds') });
    undo.unshift(() => watch.stop());
    health.add('node', () => (lifecycle.state === 'up' ? 'up' : { down: `is ${lifecycle.state}` }));
    health.add('loop', () => watch.state());
    health.add('wire', () => wire.health());
    const cache = options.parts?.cache ?? shared.cache;
    const outside = openNodeDirectory(config, { cache, clock, log, metrics, health });
    undo.unshift(() => outside.drain(0));
    const revocations = await readRevocations(options, store, clock, shared.revocations);
    undo.unshift(() => revocations.stop());
    const guardian = startActors(options, {
      outside,
      revocations,
      system,
      store,
      wire,
      link,
      cluster,
      clock,
      lifecycle,
      load,
      metrics,
      health,
    });
    tellNode(metrics, {
      system,
      sessions: () => guardian.gateway.sessionCount(),
      rooms: () => guardian.rooms.activeCount(),
      presence: () => ({ ...guardian.presence.counts(), waiting: link.counts().waiting }),
      voice: () => guardian.voice.counts(),
      load,
      watch,
      health,
    });
    health.add('presence', () => (guardian.presence.counts().isLinkLive ? 'up' : { degraded: 'is unknown: no link to the state server' }));
    const version = programVersion();
    tellProcess(metrics, { version, node: config.nodeId });
    revocations.onRevoked((revocation) => guardian.gateway.revoke(revocation));
    health.add('revocations', () => (revocations.isBlind ? { down: 'cannot be read: nobody new is let in' } : 'up'));
    const { devTokens, ...tokens } = await tokensOf(config, clock);
    const verifier = withRevocations(tokens.verifier, revocations);
    const server = await startGatewayServer({
      config,
      openSession: (identity, sink) => guardian.gateway.openSession(identity, sink),
      supervision: system.supervision,
      verifier,
      limits: shared.limits,
      ...(devTokens && { devTokens }),
      routes(app, { userCommands }) {
        addRevocations(app, { verifier, revocations, log });
        files.addRoutes(app, guardian.rooms, { verifier, userCommands });
        addDirectoryRoutes(app, { verifier, directory: outside.directory, secret: config.directorySecret });
      },
      read: (user, command) => guardian.reads.ask(user, command),
      readiness: () => health.readiness(),
      metrics,
      operatorAccess: config.operatorAccess,
      version,
      clock,
      log,
    });
    lifecycle.enter('up');
    const { gateway } = guardian;
    const isStoreShared = options.parts?.sharedLog ?? config.mongoUrl !== undefined;
    const moves = view && new NodeMoves({ view, incarnation, health, moveAway: () => gateway.moveAway(), isStoreShared, clock, log });
    metrics.read('playhouse_clients_moved_total', () => moves?.moved ?? 0);
    const parts = {
      server,
      gateway,
      actors: system,
      outside,
      wire,
      cluster,
      presence: state,
      shared,
      measuring: [load, watch, ...(moves ? [moves] : [])],
      revocations,
      store,
    };
    const steps = stopSteps(parts, config.drainDeadlineMs);
    let stopping: Promise<boolean> | undefined;
    return {
      url: server.url,
      incarnation,
      description: {
        store: store.description,
        files: files.description,
        wire: wire.description,
        presence: state.description,
        others: shared.description,
      },
      stop: () => {
        stopping ??= lifecycle.stop(steps);
        return stopping;
      },
    };
  } catch (error) {
    for (const step of undo) await step();
    throw error;
  }
}

const stateOf = (link: StateLink): NodeState => ({
  link,
  description: link.description,
  drain: (goodbyeMs) => link.drain(goodbyeMs),
});

/** MongoDB where it is given, else the embedded store, with its word on whether it takes writes. */
async function openStore(
  { dataDir, mongoUrl, allowUnsafeStore, storeTail }: Config,
  { clock, log, health, metrics }: { readonly clock: Clock; readonly log: Logger; readonly health: Health; readonly metrics: Metrics },
): Promise<RoomStore> {
  let state: PartState = 'up';
  health.add('store', () => state);
  if (mongoUrl !== undefined) {
    // Its driver takes a quarter of a second to load: only where it is used.
    const { openMongoStore } = await import('./store/room-store-mongo.ts');
    return openMongoStore({
      url: mongoUrl,
      allowUnsafe: allowUnsafeStore === true,
      hasTail: storeTail !== false,
      clock,
      log,
      metrics,
      onState: (now) => {
        state = now === 'up' ? 'up' : { down: 'does not answer; see store.down in the log' };
      },
    });
  }
  return openEmbeddedStore({
    dir: join(dataDir, 'log'),
    clock,
    log,
    onState: (now) => {
      state = now === 'up' ? 'up' : { down: 'takes no writes; see store.down in the log' };
    },
  });
}

async function readRevocations(
  { config, log }: NodeOptions,
  { revocations: store }: RoomStore,
  clock: Clock,
  push: RevocationPush | undefined,
): Promise<RevocationList> {
  const list = new RevocationList({ store, clock, log, push, tokenLifetimeMaxMs: config.tokenLifetimeMaxS * 1_000 });
  await list.start();
  return list;
}
