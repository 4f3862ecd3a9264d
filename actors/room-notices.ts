/**
 * RoomNotices: what a room tells this node past its readers. Types only; the guardian joins both sides.
 *
 * All methods return at once and never throw. What is told is lost with the session that it was for.
 */
import type { RoomId, UserId } from '../system/ids.ts';
import type { Entry } from '../system/store/entry.ts';
import type { Frame } from './client-sink.ts';
import type { RoomFold } from './room-fold.ts';
import type { ReaderId } from './room-protocol.ts';

/** A user's read mark was raised. For the user's other connections. */
export interface ReadNotice {
  readonly room: RoomId;
  readonly frame: Frame;
  /** The session that marked, which knows; undefined: several, or none. */
  readonly from: ReaderId | undefined;
  /** Whoever has the room open sees it there. */
  readonly isShownInRoom: boolean;
}

export interface RoomNotices {
  read(user: UserId, notice: ReadNotice): void;
  /** Control entries of the room, each once, in order, as far as this node's actor of the room saw them. */
  membership(room: RoomId, entries: readonly Entry[]): void;
  /** Entries that this node appended, each once. `members`: of the room, whenever it is asked. */
  appended(room: RoomId, entries: readonly Entry[], members: Pick<RoomFold, 'memberIds' | 'size'>): void;
}
