/**
 * ClientSink: what the actors need of a client's connection. The gateway's outbox satisfies it.
 *
 * All methods are synchronous, never throw and never block.
 */
import type { CloseCode } from '../system/errors.ts';
import type { RoomId, UserId } from '../system/ids.ts';
import type { Entry, Head } from '../system/store/entry.ts';
import type { ReadMark } from '../system/store/user-rooms.ts';
import type { PresenceView } from './user-state.ts';
import type { VoiceView } from './voice-state.ts';

/** An event encoded once, to be given to any number of sinks. Opaque to actors. */
export interface Frame {
  readonly bytes: number;
}

export interface ClientSink {
  /**
   * Takes a frame for delivery in the order of calls. false: over its bound, or closed; nothing was taken, and `onRoom`
   * will be called once there is room again (not after close). At most once: a frame that was taken is lost with the connection.
   */
  send(frame: Frame): boolean;
  /** Takes a frame that may be dropped when the connection is busy (typing). */
  sendVolatile(frame: Frame): void;
  /**
   * As `send`, for what matters less than entries: taken only while little waits. false: nothing was taken, `onRoom` will be
   * called; then it may be refused again.
   */
  sendMinor(frame: Frame): boolean;
  /** Sets the one callback for "there is room again" after a refused send. */
  onRoom(callback: () => void): void;
  /** Tells the client why, then disconnects. Idempotent. */
  close(code: CloseCode, reconnectInMs?: number): void;
}

/** Encodes events for sinks; one call for any number of receivers. */
export interface FrameEncoder {
  entries(room: RoomId, entries: readonly Entry[]): Frame;
  /** The same for one of perhaps many readers who catch up over the same entries: what was made of an entry is kept as long as the entry. */
  entriesAgain(room: RoomId, entries: readonly Entry[]): Frame;
  /** inMs: from now, for a client whose clock is another. */
  authExpiring(expiresAtMs: number, inMs: number): Frame;
  typing(room: RoomId, users: readonly UserId[]): Frame;
  /** The same view object is encoded once. */
  presence(changes: readonly PresenceView[]): Frame;
  voice(view: VoiceView): Frame;
  read(room: RoomId, marks: readonly ReadMark[]): Frame;
  roomHead(room: RoomId, head: Pick<Head, 'seq' | 'n'>): Frame;
  /** unavailable: the room failed here and rests; open it again after a while. */
  roomGone(room: RoomId, reason: 'kicked' | 'left' | 'unavailable'): Frame;
}
