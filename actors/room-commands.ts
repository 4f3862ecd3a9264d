/**
 * RoomCommands: what may be told to a room actor, what it says to its owner, and what it needs. Types only.
 *
 * The room's own messages to itself (results of the store, timers) are not here but in room-pipes: nobody else can send them.
 */
import type { ActorRef } from '../system/actor.ts';
import type { Clock } from '../system/clock.ts';
import type { Directory } from '../system/directory/directory.ts';
import type { RoomId, UserId } from '../system/ids.ts';
import type { Entry } from '../system/store/entry.ts';
import type { Range, RoomLog } from '../system/store/room-log.ts';
import type { UserRooms } from '../system/store/user-rooms.ts';
import type { RoomSignal, Wire } from '../system/wire/wire.ts';
import type { Answer } from './client-command.ts';
import type { ClientSink, FrameEncoder } from './client-sink.ts';
import type { Forwarded, RoomForwards } from './node-forwards.ts';
import type { WriteCommand } from './room-fold.ts';
import type { RoomNotices } from './room-notices.ts';
import type { ReaderId, RoomSettings } from './room-protocol.ts';
import type { ReaderGone } from './room-readers.ts';
import type { RoomTally } from './room-tally.ts';

export type RoomCommand =
  | {
      readonly type: 'room.write';
      readonly command: WriteCommand;
      readonly replyTo: ActorRef<Answer>;
      /** Of a create: the user named the id. */
      readonly isIdChosen?: boolean;
    }
  | {
      readonly type: 'room.open';
      readonly reader: ReaderId;
      readonly user: UserId;
      readonly sink: ClientSink;
      /** Told when the room is taken away from the reader. */
      readonly session: ActorRef<ReaderGone>;
      /** The session's own number of this opening; given back when the room closes itself to the reader. */
      readonly opening: number;
      readonly since?: number;
      readonly epoch?: string;
      readonly limit: number;
      readonly replyTo: ActorRef<Answer>;
    }
  | { readonly type: 'room.close'; readonly reader: ReaderId }
  | { readonly type: 'room.history'; readonly user: UserId; readonly range: Range; readonly replyTo: ActorRef<Answer> }
  | { readonly type: 'room.typing'; readonly user: UserId; readonly replyTo: ActorRef<Answer> }
  | { readonly type: 'room.mark'; readonly user: UserId; readonly seq: number; readonly from: ReaderId; readonly replyTo: ActorRef<Answer> }
  /** The reader's sink has room again. */
  | { readonly type: 'room.readerReady'; readonly reader: ReaderId }
  | { readonly type: 'room.event'; readonly entries: readonly Entry[] }
  | { readonly type: 'room.hint'; readonly seq: number; readonly isAlone?: boolean }
  /** From another node. */
  | { readonly type: 'room.signal'; readonly signal: RoomSignal }
  | ({ readonly type: 'room.forwarded' } & Forwarded)
  /** Say so to the owner when idle, without waiting for the idle time. */
  | { readonly type: 'room.yield' };

/** The passivation handshake: idle, having accepted so many messages. The owner removes it only if no more came since. */
export interface RoomIdle {
  readonly type: 'rooms.idle';
  readonly room: RoomId;
  readonly accepted: number;
}

/** Of a busy node. */
export interface RoomPace {
  /** How long to gather commands before they are appended; 0: no longer than the turn. */
  gatherMs(): number;
  /** So long was spent on giving frames to readers. */
  gave(ms: number): void;
}

export interface RoomDeps {
  readonly log: RoomLog;
  readonly userRooms: UserRooms;
  readonly wire: Wire;
  readonly directory: Directory;
  readonly encoder: FrameEncoder;
  readonly clock: Clock;
  readonly settings: RoomSettings;
  readonly roomIdleMs: number;
  readonly pace: RoomPace;
  readonly tally: RoomTally;
  readonly notices: RoomNotices;
  readonly owner: ActorRef<RoomIdle>;
  /** Absent: there is no link to other nodes. */
  readonly forwards?: RoomForwards;
}
