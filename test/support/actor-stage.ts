/**
 * ActorStage: the node's real actors on a memory store, with recording sinks in place of sockets and a clock the test moves.
 *
 * Guarantees: everything below the guardian is the production code; only sockets, disk and time are stand-ins.
 */

import type { Answer, ClientCommand, CommandResult } from '../../actors/client-command.ts';
import type { ClientSink, Frame, FrameEncoder } from '../../actors/client-sink.ts';
import type { Gateway, SessionHandle } from '../../actors/gateway.ts';
import { spawnGuardian } from '../../actors/guardian.ts';
import type { HeadWatch } from '../../actors/head-watch.ts';
import type { Identity } from '../../actors/identity.ts';
import type { RoomForwards } from '../../actors/node-forwards.ts';
import type { Presence, PresenceDeps } from '../../actors/presence.ts';
import type { RoomSettings } from '../../actors/room-protocol.ts';
import { RoomTally } from '../../actors/room-tally.ts';
import type { Rooms } from '../../actors/rooms.ts';
import { type ActorSystem, createActorSystem } from '../../system/actor.ts';
import type { Directory } from '../../system/directory/directory.ts';
import { createMemoryDirectory } from '../../system/directory/directory-memory.ts';
import type { Notifier } from '../../system/directory/notifier.ts';
import { createMemoryNotifier } from '../../system/directory/notifier-memory.ts';
import type { CloseCode, Refusal } from '../../system/errors.ts';
import type { Cid, RoomId, UserId } from '../../system/ids.ts';
import { createLogger, type Logger } from '../../system/logger.ts';
import { createMemoryStateHub, type MemoryStateHub } from '../../system/state/state-link-memory.ts';
import type { Entry } from '../../system/store/entry.ts';
import type { RoomLog } from '../../system/store/room-log.ts';
import type { RoomStore } from '../../system/store/room-store.ts';
import { openMemoryStore } from '../../system/store/room-store-memory.ts';
import type { Wire } from '../../system/wire/wire.ts';
import { createMemoryWireHub } from '../../system/wire/wire-memory.ts';
import { type ManualClock, manualClock, turns } from './manual-clock.ts';

export const testRoomSettings: RoomSettings = {
  writer: 'test.1',
  sharedLog: false,
  pendingMax: 1_000,
  senderPendingMax: 100,
  ackDeadlineMs: 5_000,
  batchEntriesMax: 512,
  batchBytesMax: 256 * 1024,
  readEntriesMax: 500,
  resumeEntriesMax: 10_000,
  reorderEntriesMax: 1_024,
  reorderBytesMax: 1_000_000,
  gapMs: 75,
  recentEntriesMax: 256,
};

type TestFrame = Frame & { readonly event: string; readonly body: unknown };
const frame = (event: string, body: unknown): TestFrame => ({ bytes: 1, event, body });

export const testEncoder: FrameEncoder = {
  entries: (room, entries) => frame('entries', { room, entries }),
  entriesAgain: (room, entries) => frame('entries', { room, entries }),
  presence: (changes) => frame('presence', { changes }),
  authExpiring: (expiresAt, inMs) => frame('auth:expiring', { expiresAt, inMs }),
  voice: ({ community, channels, complete }) => frame('voice', { community, channels: Object.fromEntries(channels), complete }),
  typing: (room, users) => frame('typing', { room, users }),
  roomHead: (room, { seq, n }) => frame('room:head', { room, head: seq, n }),
  read: (room, marks) => frame('read', { room, marks: marks.map(({ user, seq, n }) => ({ user, seq, n })) }),
  roomGone: (room, reason) => frame('room:gone', { room, reason }),
};

/** A client's connection as the actors see it: keeps what it was given. */
export class RecordingSink implements ClientSink {
  readonly frames: TestFrame[] = [];
  closed: { code: CloseCode; reconnectInMs?: number } | undefined;
  isFull = false;
  /** Takes no minor frames. */
  isBusy = false;
  /** Throws on the next send: a bug in the connection, as the room would meet it. */
  mustThrow = false;
  private again: () => void = () => {};

  send(given: Frame): boolean {
    if (this.mustThrow) {
      this.mustThrow = false;
      throw new Error('the sink broke');
    }
    if (this.isFull || this.closed) return false;
    this.frames.push(given as TestFrame);
    return true;
  }
  sendVolatile(given: Frame): void {
    if (!this.isFull) this.frames.push(given as TestFrame);
  }
  sendMinor(given: Frame): boolean {
    return !this.isBusy && this.send(given);
  }
  onRoom(callback: () => void): void {
    this.again = callback;
  }
  drain(): void {
    this.isFull = false;
    this.isBusy = false;
    this.again();
  }
  close(code: CloseCode, reconnectInMs?: number): void {
    this.closed ??= { code, ...(reconnectInMs === undefined ? undefined : { reconnectInMs }) };
  }
  events(event: string): unknown[] {
    return this.frames.filter((given) => given.event === event).map((given) => given.body);
  }
  /** Seqs of a room as they came. */
  seqs(room: string): number[] {
    return (this.events('entries') as { room: string; entries: Entry[] }[])
      .filter((body) => body.room === room)
      .flatMap((body) => body.entries.map((entry) => entry.seq));
  }
}

export interface StageClient {
  readonly sink: RecordingSink;
  readonly handle: SessionHandle;
  /** Gives a command and waits for its answer, letting turns pass. */
  ask(command: ClientCommand): Promise<Answer>;
  /** As `ask`, for a command that must succeed. */
  done(command: ClientCommand): Promise<CommandResult>;
}

export interface Stage {
  readonly system: ActorSystem;
  readonly clock: ManualClock;
  readonly store: RoomStore;
  readonly rooms: Rooms;
  readonly presence: Presence;
  readonly heads: HeadWatch;
  readonly gateway: Gateway;
  /** The state server of this node and of those that join it. */
  readonly hub: MemoryStateHub;
  readonly lost: string[];
  readonly lines: Record<string, unknown>[];
  connect(user: string, expiresInMs?: number): StageClient;
  stop(): Promise<void>;
}

export interface StageOptions {
  readonly store?: RoomStore;
  /** To others on the same store. */
  readonly wire?: Wire;
  /** Services outside; none: the built-in ones. */
  readonly directory?: Directory;
  readonly notifier?: Notifier;
  /** Replaces functions of the log, to hold or break them. */
  readonly log?: (log: RoomLog) => Partial<RoomLog>;
  readonly settings?: Partial<RoomSettings>;
  readonly forwards?: RoomForwards;
  readonly encoder?: Partial<FrameEncoder>;
  readonly roomIdleMs?: number;
  readonly roomsActiveMax?: number;
  readonly gatherMs?: () => number;
  readonly tally?: RoomTally;
  readonly connectionsMax?: number;
  readonly roomsPerSocketMax?: number;
  /** A wall clock that differs from the manual one. */
  readonly wallMs?: (wallMs: number) => number;
  readonly isRevoked?: (identity: Identity) => boolean;
  readonly presence?: Partial<PresenceDeps>;
}

export function isRefusal(value: SessionHandle | Refusal): value is Refusal {
  return 'code' in value;
}

const running = new Set<Stage>();

export function startStage(options: StageOptions = {}): Stage {
  const clock = manualClock();
  const lines: Record<string, unknown>[] = [];
  const logger: Logger = createLogger({
    level: 'debug',
    base: {},
    destination: { write: (line: string) => void lines.push(JSON.parse(line)) },
  });
  const system = createActorSystem({ clock, log: logger });
  const store = options.store ?? openMemoryStore();
  const log = withOverrides(store.log, options.log?.(store.log) ?? {});
  const lost: string[] = [];
  let cids = 0;
  const hub = createMemoryStateHub();
  const wire = options.wire ?? createMemoryWireHub().join('test-1');
  const { rooms, presence, heads, gateway } = spawnGuardian(system, {
    rooms: {
      log,
      userRooms: store.userRooms,
      wire,
      directory: options.directory ?? createMemoryDirectory(),
      encoder: { ...testEncoder, ...options.encoder },
      clock,
      settings: { ...testRoomSettings, ...options.settings },
      roomIdleMs: options.roomIdleMs ?? 60_000,
      roomsActiveMax: options.roomsActiveMax ?? 1_000,
      pace: { gatherMs: options.gatherMs ?? (() => 0), gave: () => {} },
      tally: options.tally ?? new RoomTally(),
      ...(options.forwards && { forwards: options.forwards }),
    },
    presence: {
      link: hub.join('test-1'),
      encoder: testEncoder,
      clock,
      pingTimeoutMs: 6_000,
      presenceWatchesMax: 100_000,
      presenceUsersMax: 50_000,
      ...options.presence,
    },
    reads: { log, userRooms: store.userRooms, clock, logger },
    notifier: options.notifier ?? createMemoryNotifier(),
    gateway: {
      encoder: testEncoder,
      tokenNoticeMs: 60_000,
      isRevoked: (identity) => options.isRevoked?.(identity) ?? false,
      roomsPerSocketMax: options.roomsPerSocketMax ?? 200,
      wallMs: () => options.wallMs?.(clock.wallMs()) ?? clock.wallMs(),
      newSystemCid: () => {
        cids += 1;
        return `sys:test:${cids}` as Cid;
      },
      connectionsMax: options.connectionsMax ?? 1_000,
    },
    onChildLost: (child) => lost.push(child),
  });
  wire.subscribe({
    wants: (room) => rooms.isActive(room),
    wantsUser: (user) => gateway.isHere(user),
    onEntries: (room, entries) => rooms.onEntries(room, entries),
    onHint: (room, seq) => rooms.onHead(room, seq),
    onSignal: (room, signal) => rooms.onSignal(room, signal),
  });
  log.tail((room, head) => heads.onHead(room, head));
  const stage: Stage = {
    system,
    clock,
    store,
    rooms,
    presence,
    heads,
    gateway,
    hub,
    lost,
    lines,
    connect(user, expiresInMs = 3_600_000) {
      const sink = new RecordingSink();
      const identity = { userId: user as UserId, name: user, roles: [], expiresAtMs: clock.wallMs() + expiresInMs };
      const handle = gateway.openSession(identity, sink);
      if (isRefusal(handle)) throw new Error(`not admitted: ${handle.code}`);
      const ask = async (command: ClientCommand): Promise<Answer> => {
        let answer: Answer | undefined;
        handle.command(command, (given) => {
          answer = given;
        });
        for (let turn = 0; turn < 200 && !answer; turn += 1) await turns(1);
        if (!answer) throw new Error(`no answer to ${command.type}`);
        return answer;
      };
      return {
        sink,
        handle,
        ask,
        async done(command) {
          const answer = await ask(command);
          if (!answer.ok) throw new Error(`${command.type}: ${answer.refusal.code} ${answer.refusal.message}`);
          return answer.result;
        },
      };
    },
    async stop() {
      running.delete(stage);
      const stopping = system.stop(1_000);
      for (let turn = 0; turn < 10; turn += 1) {
        await turns(2);
        clock.advance(200);
      }
      await stopping;
    },
  };
  running.add(stage);
  return stage;
}

/** Stops every stage that still runs. For afterEach. */
export async function stopStages(): Promise<void> {
  for (const stage of [...running]) await stage.stop();
}

/** The log with some functions replaced; the others keep their `this`. */
export function withOverrides(log: RoomLog, overrides: Partial<RoomLog>): RoomLog {
  return new Proxy(log, {
    get(target, name, receiver) {
      const replaced = (overrides as Record<PropertyKey, unknown>)[name];
      if (replaced !== undefined) return replaced;
      const value = Reflect.get(target, name, receiver) as unknown;
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

/** A message that makes its handler throw: reading anything but its type fails. */
export function poison<M extends { readonly type: string }>(type: M['type']): M {
  return new Proxy({ type } as M, {
    get(target, name) {
      if (name === 'type') return target.type;
      throw new Error(`poisoned ${type}`);
    },
  });
}

export const send = (room: string, cid: string, text: string): ClientCommand => ({
  type: 'message.send',
  room: room as RoomId,
  cid: cid as Cid,
  text,
});
export const open = (room: string, since?: number): ClientCommand => ({
  type: 'room.open',
  room: room as RoomId,
  limit: 50,
  ...(since === undefined ? undefined : { since }),
});
export const create = (room: string, isPublic = true, members: string[] = []): ClientCommand => ({
  type: 'room.create',
  kind: 'group',
  id: room as RoomId,
  public: isPublic,
  members: members as UserId[],
});
export const join = (room: string): ClientCommand => ({ type: 'room.join', room: room as RoomId });
