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
import { type HeadWatcher, type WatchedRoom, Watcher, type WatcherOwner } from './head-watcher.ts';

// ---- protocol ----

interface HeadTick {
  readonly type: 'heads.tick';
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

// ---- behaviour ----

class HeadWatchActor implements HeadWatch, WatcherOwner {
  readonly ref: ActorRef<HeadTick>;
  private readonly deps: HeadWatchDeps;
  private readonly rooms = new Map<RoomId, WatchedRoom>();
  private readonly byUser = new Map<UserId, Set<Watcher>>();
  /** Where the next `nextWatched` begins. */
  private watched = this.rooms.keys();
  private due = new Set<WatchedRoom>();
  /** In the order they were told. */
  private readonly cooling = new Set<WatchedRoom>();
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

  private grown(room: WatchedRoom): void {
    if (room.phase === 'quiet') this.makeDue(room);
    else if (room.phase === 'cooling') room.hasGrown = true;
    this.arm();
  }

  private makeDue(room: WatchedRoom): void {
    room.phase = 'due';
    this.due.add(room);
  }

  frameOf({ id, seq, n }: WatchedRoom): Frame {
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
  add(watcher: Watcher, id: RoomId): WatchedRoom | undefined {
    const known = this.rooms.get(id);
    if (watcher.rooms.size >= roomsPerUserMax || (known && watcher.rooms.has(known))) return undefined;
    const room: WatchedRoom = known ?? {
      id,
      watchers: new Set(),
      seq: 0,
      n: 0,
      isNoted: false,
      phase: 'quiet',
      hasGrown: false,
      toldMs: 0,
    };
    if (!known) this.rooms.set(id, room);
    room.watchers.add(watcher);
    watcher.rooms.add(room);
    this.count += 1;
    return room;
  }

  find(id: RoomId): WatchedRoom | undefined {
    return this.rooms.get(id);
  }

  removed(watcher: Watcher, room: WatchedRoom): void {
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
