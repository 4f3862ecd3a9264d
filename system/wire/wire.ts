/**
 * Wire: how nodes tell each other what they appended and what is never stored. An accelerator: nothing depends on it for truth.
 *
 * Delivery: at most once, at least sometimes; any order, doubles allowed. An event can cause a delivery to local
 * readers and a read; never an ack, and it never moves an append head.
 * Does not: judge. What a signal may show, the room that is told decides by its own log.
 */
import type { RoomId, UserId } from '../ids.ts';
import type { Entry, RoomKind } from '../store/entry.ts';
import type { ReadMark } from '../store/user-rooms.ts';

/** What happens in a room and is never stored. */
export type RoomSignal =
  /** A user types, or stopped before it would have ended by itself. Repeated while it goes on. */
  | { readonly type: 'typing'; readonly user: UserId; readonly isTyping: boolean }
  /** A user's read mark was raised, durably. Implied: by a message of theirs, which shows it in the room by itself. */
  | { readonly type: 'read'; readonly mark: ReadMark; readonly isImplied: boolean };

export const stateChanges = ['connect', 'disconnect', 'before-enter', 'enter', 'exit-community', 'exit-room'] as const;

/** Presence and voice, as other services read it. Ids as they stand outside. */
export interface StateEvent {
  readonly type: (typeof stateChanges)[number];
  readonly userId: string;
  readonly state?: string;
  readonly communityId?: string;
  readonly channelId?: string;
  /** For connect and disconnect: the user's rooms, as topic suffixes such as direct/1. */
  readonly ids?: readonly string[];
}

/** All methods return at once and do not throw. */
export interface WireListener {
  /** Asked first, so that rooms without an actor here cost nothing. */
  wants(room: RoomId): boolean;
  /** Has a connection here: their own read marks are wanted whatever the room. */
  wantsUser?(user: UserId): boolean;
  /** Of one room, ascending; not one's own. */
  onEntries(room: RoomId, entries: readonly Entry[]): void;
  /** An entry of this number exists; it was too large to be sent along. */
  onHint?(room: RoomId, seq: number): void;
  onSignal?(room: RoomId, signal: RoomSignal): void;
  onState?(event: StateEvent): void;
}

/** `kind` of a room chooses the way on which other services look for its events. */
export interface Wire {
  /** Publishes committed entries of one room, ascending. Returns at once, never throws; drops when its queue is full (the head poll repairs). */
  publish(room: RoomId, kind: RoomKind, entries: readonly Entry[]): void;
  /** Tells of what is not stored. Like `publish`, but what is lost is lost: a signal ends or is repeated by itself. */
  signal(room: RoomId, kind: RoomKind, signal: RoomSignal): void;
  /** Tells other services and nodes of presence or voice. Like `signal`. */
  state(event: StateEvent): void;
  /** Calls the listener with what other nodes told; not with one's own. Returns the end of it. */
  subscribe(listener: WireListener): () => void;
  /** For /readyz. Never `down`: without a wire events come later, by the store. Quick; asks nobody. */
  health(): 'up' | { readonly degraded: string };
  readonly description: string;
  /** Sends what waits, within a second or two, and leaves. Idempotent. */
  close(): Promise<void>;
}
