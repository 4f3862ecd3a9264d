/**
 * HeadWatch: tells sessions which of their rooms have grown, without these being open.
 *
 * Owns: the index from a room to the sessions here that listed it, and the pace: each room is told at most once a second.
 * Guarantees: an append costs one lookup; a tick costs the rooms that grew and those who watch them, whatever else there is. A
 * session is told the newest head or, while its connection is busy, owed it; never an older one than before.
 * Does not: know members or logs: whoever lists says which rooms, and rooms say who came and went.
 */
import { type ActorRef, type Ctx, spawn } from '../system/actor.ts';
import type { Clock } from '../system/clock.ts';
import type { RoomId, UserId } from '../system/ids.ts';
import type { Entry, Head } from '../system/store/entry.ts';
import { roomsPerUserMax } from '../system/store/user-rooms.ts';
import type { ClientSink, Frame, FrameEncoder } from './client-sink.ts';

// ---- protocol ----

interface HeadTick {
  readonly type: 'heads.tick';
}

/** One session's part. */
export interface HeadWatcher {
  /** To be given to `replace` by the list that is about to be read. */
  position(): number;
  /** Watches these rooms (at most `roomsPerUserMax`) and nothing else, but for where the user came or went since `position`. */
  replace(rooms: readonly RoomId[], position: number): void;
  /** The connection has room again after a refused frame. */
  sinkReady(): void;
  /** The room is not open any more in this session: it is told of what it may have missed. */
  closed(room: RoomId): void;
  end(): void;
}

export interface HeadWatch {
  watcher(user: UserId, sink: Pick<ClientSink, 'sendMinor'>, isOpen: (room: RoomId) => boolean): HeadWatcher;
  /** From the store's tail: what is not newer than known is ignored. */
  onHead(room: RoomId, head: Pick<Head, 'seq' | 'n'>): void;
  /** From a poll of the store. A room whose head nobody here was told yet is only noted: the list that is being read tells it. */
  onPolled(room: RoomId, head: Pick<Head, 'seq' | 'n'>): void;
  /** A list that a session was answered: from these heads on it is to be told. */
  onListed(rooms: readonly { readonly id: RoomId; readonly head: number; readonly n: number }[]): void;
  /** Up to `limit` watched rooms, all of them in turn over several calls. */
  nextWatched(limit: number): readonly RoomId[];
  /** Control entries of a room, in order: whoever came watches it, whoever went does not. */
  onMembership(room: RoomId, entries: readonly Entry[]): void;
  /** Pairs of a session and a room. */
  watchCount(): number;
  readonly ref: ActorRef<never>;
}

// ---- what it needs ----

export interface HeadWatchDeps {
  readonly encoder: Pick<FrameEncoder, 'roomHead'>;
  readonly clock: Pick<Clock, 'nowMs'>;
}

/** Between two events of one room to one session. */
const paceMs = 1_000;
/** Between two ticks: what grew meanwhile is told together. */
const tickMs = 50;
/** Changes of membership one session remembers while its lists are read, which takes milliseconds. */
const changesMax = 1_000;

// ---- state ----

interface Room {
  readonly id: RoomId;
  readonly watchers: Set<Watcher>;
  seq: number;
  n: number;
  /** quiet: nothing to tell. due: told at the next tick. cooling: told less than `paceMs` ago. */
  phase: 'quiet' | 'due' | 'cooling';
  /** Its head comes from a poll, and nobody was told of it. */
  isNoted: boolean;
  /** It grew while cooling. */
  hasGrown: boolean;
  toldMs: number;
}

class Watcher implements HeadWatcher {
  readonly user: UserId;
  readonly rooms = new Set<Room>();
  /** Refused by the connection, to be told when that has room. */
  private readonly owed = new Set<Room>();
  /** What became of the user in rooms lately: a list that was read before must not undo it. Bounded; the oldest are forgotten. */
  private readonly changes = new Map<RoomId, { readonly serial: number; readonly isMember: boolean }>();
  private serial = 0;
  private isEnded = false;
  private readonly owner: HeadWatchActor;
  private readonly sink: Pick<ClientSink, 'sendMinor'>;
  private readonly isOpen: (room: RoomId) => boolean;

  constructor(owner: HeadWatchActor, user: UserId, sink: Pick<ClientSink, 'sendMinor'>, isOpen: (room: RoomId) => boolean) {
    this.owner = owner;
    this.user = user;
    this.sink = sink;
    this.isOpen = isOpen;
  }

  position(): number {
    return this.serial;
  }

  replace(rooms: readonly RoomId[], position: number): void {
    if (this.isEnded) return;
    const listed = new Set(rooms);
    for (const [room, { serial, isMember }] of this.changes) {
      if (serial <= position) continue;
      if (isMember) listed.add(room);
      else listed.delete(room);
    }
    for (const room of this.rooms) if (!listed.has(room.id)) this.remove(room);
    for (const room of listed) this.owner.add(this, room);
  }

  sinkReady(): void {
    const owed = [...this.owed];
    this.owed.clear();
    for (const room of owed) this.tell(room, this.owner.frameOf(room)); // From the first that is refused on, they are owed again.
  }

  closed(id: RoomId): void {
    const room = this.owner.find(id);
    if (room && room.seq > 0 && this.rooms.has(room)) this.tell(room, this.owner.frameOf(room));
  }

  end(): void {
    this.isEnded = true;
    for (const room of this.rooms) this.remove(room);
    this.owner.ended(this);
  }

  tell(room: Room, frame: Frame): void {
    if (this.isOpen(room.id)) return;
    // Not while something is owed: the connection was full a moment ago.
    if (this.owed.size > 0 || !this.sink.sendMinor(frame)) this.owed.add(room);
  }

  changed(id: RoomId, isMember: boolean): void {
    this.serial += 1;
    this.changes.delete(id);
    this.changes.set(id, { serial: this.serial, isMember });
    const [oldest] = this.changes.keys();
    if (this.changes.size > changesMax && oldest !== undefined) this.changes.delete(oldest);
  }

  remove(room: Room): void {
    this.rooms.delete(room);
    this.owed.delete(room);
    this.owner.removed(this, room);
  }
}

// ---- behaviour ----

class HeadWatchActor implements HeadWatch {
  readonly ref: ActorRef<HeadTick>;
  private readonly deps: HeadWatchDeps;
  private readonly rooms = new Map<RoomId, Room>();
  private readonly byUser = new Map<UserId, Set<Watcher>>();
  /** Where the next `nextWatched` begins. */
  private watched = this.rooms.keys();
  private due = new Set<Room>();
  /** In the order they were told. */
  private readonly cooling = new Set<Room>();
  private count = 0;
  private ctx: Ctx<HeadTick> | undefined;
  private tickAtMs = Number.POSITIVE_INFINITY;
  private cancelTick = () => {};

  constructor(parent: ActorRef<never>, deps: HeadWatchDeps) {
    this.deps = deps;
    const behaviour = { kind: 'heads', start: this.start, receive: this.receive };
    // One tick at most is ever under way. The second place is never used: with one alone, each tick would be told as a full mailbox.
    this.ref = spawn<HeadWatchActor, HeadTick>(parent, behaviour, { name: 'heads', mailboxMax: 2, restarts: headRestarts });
  }

  private readonly start = (ctx: Ctx<HeadTick>): HeadWatchActor => {
    this.ctx = ctx;
    this.tickAtMs = Number.POSITIVE_INFINITY;
    for (const room of this.rooms.values()) if (room.phase === 'due') this.due.add(room); // Those the crash left out.
    this.arm();
    return this;
  };

  private readonly receive = (state: HeadWatchActor): HeadWatchActor => {
    this.tickAtMs = Number.POSITIVE_INFINITY;
    const nowMs = this.deps.clock.nowMs();
    for (const room of this.cooling) {
      if (room.toldMs + paceMs > nowMs) break;
      this.cooling.delete(room);
      room.phase = 'quiet';
      if (room.hasGrown) this.makeDue(room);
    }
    const due = this.due;
    this.due = new Set();
    for (const room of due) {
      room.phase = 'cooling';
      room.hasGrown = true; // Until all are told: a crash on the way must not leave any out.
      room.toldMs = nowMs;
      this.cooling.add(room);
      const frame = this.frameOf(room);
      for (const watcher of room.watchers) watcher.tell(room, frame);
      room.hasGrown = false;
    }
    this.arm();
    return state;
  };

  private arm(): void {
    const [first] = this.cooling;
    const nowMs = this.deps.clock.nowMs();
    const coolMs = first ? first.toldMs + paceMs : Number.POSITIVE_INFINITY;
    const atMs = this.due.size > 0 ? nowMs + tickMs : Math.max(coolMs, nowMs + tickMs);
    if (atMs >= this.tickAtMs) return;
    this.tickAtMs = atMs;
    this.cancelTick();
    this.cancelTick = this.ctx?.after(atMs - nowMs, { type: 'heads.tick' }) ?? (() => {});
  }

  // ---- what is told ----

  onHead(id: RoomId, head: Pick<Head, 'seq' | 'n'>): void {
    const room = this.rooms.get(id);
    if (!room || head.seq <= room.seq) return;
    room.seq = head.seq;
    room.n = Math.max(room.n, head.n);
    this.grown(room);
  }

  onPolled(id: RoomId, head: Pick<Head, 'seq' | 'n'>): void {
    const room = this.rooms.get(id);
    if (room?.seq === 0) [room.seq, room.n, room.isNoted] = [head.seq, head.n, true];
    else this.onHead(id, head);
  }

  onListed(rooms: readonly { readonly id: RoomId; readonly head: number; readonly n: number }[]): void {
    for (const { id, head, n } of rooms) {
      const room = this.rooms.get(id);
      if (!room) continue;
      // Grown between the reading of the list and now, and only noted by a poll: nobody has told of it.
      if (room.seq > head && room.isNoted) this.grown(room);
      else this.onPolled(id, { seq: head, n });
      room.isNoted = false;
    }
  }

  nextWatched(limit: number): readonly RoomId[] {
    const next: RoomId[] = [];
    // One round at most in a call, and an iterator of a map goes on over its changes.
    for (const end = Math.min(limit, this.rooms.size); next.length < end; ) {
      const { value, done } = this.watched.next();
      if (!done) next.push(value);
      else this.watched = this.rooms.keys();
    }
    return next;
  }

  private grown(room: Room): void {
    if (room.phase === 'quiet') this.makeDue(room);
    else if (room.phase === 'cooling') room.hasGrown = true;
    this.arm();
  }

  private makeDue(room: Room): void {
    room.phase = 'due';
    this.due.add(room);
  }

  frameOf({ id, seq, n }: Room): Frame {
    return this.deps.encoder.roomHead(id, { seq, n });
  }

  // ---- who is told ----

  watcher(user: UserId, sink: Pick<ClientSink, 'sendMinor'>, isOpen: (room: RoomId) => boolean): HeadWatcher {
    const watcher = new Watcher(this, user, sink, isOpen);
    const others = this.byUser.get(user);
    if (others) others.add(watcher);
    else this.byUser.set(user, new Set([watcher]));
    return watcher;
  }

  onMembership(id: RoomId, entries: readonly Entry[]): void {
    for (const { room: created, member, seq, n } of entries) {
      for (const { user } of created?.members ?? []) this.came(id, user, { seq, n });
      if (!member) continue;
      if (member.change === 'joined' || member.change === 'invited') this.came(id, member.user, { seq, n });
      else this.went(id, member.user);
    }
  }

  private went(id: RoomId, user: UserId): void {
    const room = this.rooms.get(id);
    for (const watcher of this.byUser.get(user) ?? []) {
      watcher.changed(id, false);
      if (room) watcher.remove(room);
    }
  }

  private came(id: RoomId, user: UserId, head: Pick<Head, 'seq' | 'n'>): void {
    for (const watcher of this.byUser.get(user) ?? []) {
      watcher.changed(id, true);
      const room = this.add(watcher, id);
      if (!room) continue;
      if (head.seq > room.seq) [room.seq, room.n] = [head.seq, head.n];
      this.grown(room);
    }
  }

  /** undefined: it watches this room already, or as many as it may. */
  add(watcher: Watcher, id: RoomId): Room | undefined {
    const known = this.rooms.get(id);
    if (watcher.rooms.size >= roomsPerUserMax || (known && watcher.rooms.has(known))) return undefined;
    const room: Room = known ?? { id, watchers: new Set(), seq: 0, n: 0, isNoted: false, phase: 'quiet', hasGrown: false, toldMs: 0 };
    if (!known) this.rooms.set(id, room);
    room.watchers.add(watcher);
    watcher.rooms.add(room);
    this.count += 1;
    return room;
  }

  find(id: RoomId): Room | undefined {
    return this.rooms.get(id);
  }

  removed(watcher: Watcher, room: Room): void {
    if (!room.watchers.delete(watcher)) return;
    this.count -= 1;
    if (room.watchers.size > 0) return;
    this.rooms.delete(room.id);
    this.due.delete(room);
    this.cooling.delete(room);
  }

  ended(watcher: Watcher): void {
    const others = this.byUser.get(watcher.user);
    others?.delete(watcher);
    if (others?.size === 0) this.byUser.delete(watcher.user);
  }

  watchCount(): number {
    return this.count;
  }
}

// ---- restarts and spawn ----

const headRestarts = { restartsMax: 5, windowMs: 10_000, backoffMs: 10, backoffMaxMs: 1_000 } as const;

export function spawnHeadWatch(parent: ActorRef<never>, deps: HeadWatchDeps): HeadWatch {
  return new HeadWatchActor(parent, deps);
}
