/**
 * HeadWatcher: one session's part of the head watch: the rooms it listed, what its connection is owed, and where its user came and went
 * while a list was read.
 *
 * Guarantees: what a busy connection refused is owed, the newest head of each room once; a list that was read before somebody came or went
 * does not undo that.
 * Does not: know when a room is told, or keep the rooms: its owner does.
 */
import type { RoomId, UserId } from '../system/ids.ts';
import type { ClientSink, Frame } from './client-sink.ts';

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

/** A room that somebody here listed. */
export interface WatchedRoom {
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

/** Who keeps the rooms and tells them. */
export interface WatcherOwner {
  /** undefined: the watcher has this room already, or as many as it may. */
  add(watcher: Watcher, id: RoomId): WatchedRoom | undefined;
  find(id: RoomId): WatchedRoom | undefined;
  frameOf(room: WatchedRoom): Frame;
  /** This watcher does not watch that room any more. */
  removed(watcher: Watcher, room: WatchedRoom): void;
  ended(watcher: Watcher): void;
}

/** Changes of membership one session remembers while its lists are read, which takes milliseconds. */
const changesMax = 1_000;

export class Watcher implements HeadWatcher {
  readonly user: UserId;
  readonly rooms = new Set<WatchedRoom>();
  /** Refused by the connection, to be told when that has room. */
  private readonly owed = new Set<WatchedRoom>();
  /** What became of the user in rooms lately: a list that was read before must not undo it. Bounded; the oldest are forgotten. */
  private readonly changes = new Map<RoomId, { readonly serial: number; readonly isMember: boolean }>();
  private serial = 0;
  private isEnded = false;
  private readonly owner: WatcherOwner;
  private readonly sink: Pick<ClientSink, 'sendMinor'>;
  private readonly isOpen: (room: RoomId) => boolean;

  constructor(owner: WatcherOwner, user: UserId, sink: Pick<ClientSink, 'sendMinor'>, isOpen: (room: RoomId) => boolean) {
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

  tell(room: WatchedRoom, frame: Frame): void {
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

  remove(room: WatchedRoom): void {
    this.rooms.delete(room);
    this.owed.delete(room);
    this.owner.removed(this, room);
  }
}
