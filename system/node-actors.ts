/**
 * NodeActors: the actors of a node, with what each of them needs, and what comes to them from the wire, the store and other nodes.
 *
 * Guarantees: an actor that has failed for good ends the node, unless it is stopping. Does not: open or close what they stand on.
 */

import { type Guardian, spawnGuardian } from '../actors/guardian.ts';
import { NodeForwards } from '../actors/node-forwards.ts';
import type { RoomSettings } from '../actors/room-protocol.ts';
import { RoomTally } from '../actors/room-tally.ts';
import type { Config } from '../config/schema.ts';
import { createFrameEncoder } from '../gateway/frame-encoder.ts';
import type { RevocationList } from '../gateway/revocation-list.ts';
import type { ActorSystem } from './actor.ts';
import type { Clock } from './clock.ts';
import type { Health } from './health.ts';
import type { Cid, Incarnation } from './ids.ts';
import type { Lifecycle } from './lifecycle.ts';
import type { Logger } from './logger.ts';
import type { LoopLoad } from './loop-load.ts';
import type { Metrics } from './metrics.ts';
import type { NodeCluster } from './node-cluster.ts';
import type { NodeDirectory } from './node-directory.ts';
import type { StateLink } from './state/state-link.ts';
import { batchBytesMax, batchEntriesMax } from './store/room-log.ts';
import type { RoomStore } from './store/room-store.ts';
import type { Wire } from './wire/wire.ts';

/** Entries per read of a log, and per answer of a replay. */
const readEntriesMax = 500;
const reorderEntriesMax = 1_024;
const reorderBytesMax = 1_000_000;
/** Upper end of the wait for a missing event before it is read: long enough for a reordered one, short for people. */
const gapMs = 75;
/** Delivered entries a room keeps for readers that are a little behind. */
const recentEntriesMax = 256;

/** Of a node's options. */
export interface ActorOptions {
  readonly config: Config;
  readonly incarnation: Incarnation;
  readonly log: Logger;
  readonly onFatal: (reason: string) => void;
  readonly parts?: { readonly sharedLog: boolean };
}

export interface ActorParts {
  readonly outside: NodeDirectory;
  readonly revocations: RevocationList;
  readonly system: ActorSystem;
  readonly store: RoomStore;
  readonly wire: Wire;
  readonly link: StateLink;
  readonly cluster: NodeCluster;
  readonly clock: Clock;
  readonly lifecycle: Lifecycle;
  readonly load: LoopLoad;
  readonly metrics: Metrics;
  readonly health: Health;
}

export function startActors(
  options: ActorOptions,
  { outside, revocations, system, store, wire, link, cluster, clock, lifecycle, load, metrics, health }: ActorParts,
): Guardian {
  const { config, incarnation } = options;
  const tally = new RoomTally();
  tally.tell(metrics, config.roomPendingMax);
  let lost: string | undefined;
  health.add('actors', () => (lost === undefined ? 'up' : { down: `have lost ${lost} for good; the node stops` }));
  const forwards = cluster.link && new NodeForwards(cluster.link);
  const settings: RoomSettings = {
    writer: incarnation,
    sharedLog: options.parts?.sharedLog ?? config.mongoUrl !== undefined,
    pendingMax: config.roomPendingMax,
    senderPendingMax: config.senderPendingMax,
    ackDeadlineMs: config.ackDeadlineMs,
    batchEntriesMax,
    batchBytesMax,
    readEntriesMax,
    resumeEntriesMax: config.resumeEntriesMax,
    reorderEntriesMax,
    reorderBytesMax,
    gapMs,
    recentEntriesMax,
    ...(forwards && { canForward: forwards.canForward.bind(forwards) }),
  };
  let systemCids = 0;
  const encoder = createFrameEncoder(metrics.histogram('playhouse_frame_entries'));
  const reads = { log: store.log, userRooms: store.userRooms };
  const guardian = spawnGuardian(system, {
    rooms: {
      ...reads,
      wire,
      directory: outside.directory,
      encoder,
      clock,
      settings,
      roomIdleMs: config.roomIdleMs,
      roomsActiveMax: config.roomsActiveMax,
      pace: load,
      tally,
      ...(forwards && { forwards }),
    },
    presence: {
      link,
      encoder,
      clock,
      pingTimeoutMs: config.pingTimeoutMs,
      presenceWatchesMax: config.presenceWatchesMax,
      presenceUsersMax: config.presenceUsersMax,
    },
    reads: { ...reads, clock, logger: options.log },
    notifier: outside.notifier,
    gateway: {
      encoder,
      tokenNoticeMs: config.tokenNoticeMs,
      isRevoked: (identity) => revocations.isRevoked(identity),
      roomsPerSocketMax: config.roomsPerSocketMax,
      connectionsMax: config.connectionsMax,
      wallMs: clock.wallMs,
      newSystemCid: () => {
        systemCids += 1;
        return `sys:${incarnation}:${systemCids}` as Cid;
      },
    },
    onChildLost: (child) => {
      lost = child;
      // While the node drains, the actors are meant to stop.
      if (lifecycle.state === 'starting' || lifecycle.state === 'up') options.onFatal(`the ${child} actor failed for good`);
    },
  });
  const { rooms, heads } = guardian;
  guardian.reads.tell(metrics);
  forwards?.serve((room, forwarded) => rooms.send(room, { type: 'room.forwarded', ...forwarded }) === undefined);
  wire.subscribe({
    wants: (room) => rooms.isActive(room),
    wantsUser: (user) => guardian.gateway.isHere(user),
    onEntries: (room, entries) => rooms.onEntries(room, entries),
    onHint: (room, seq) => rooms.onHead(room, seq),
    onSignal: (room, signal) => rooms.onSignal(room, signal),
  });
  // Where a wire to other nodes is up, what they stored comes by it in a moment; else it has to be read.
  const hasWire = config.kafkaBrokers.length > 0 || options.parts !== undefined;
  store.log.tail((room, head) => {
    rooms.onHead(room, head.seq, !hasWire || wire.health() !== 'up');
    heads.onHead(room, head);
  });
  return guardian;
}
