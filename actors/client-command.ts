/**
 * ClientCommand: what a connected client may ask, already checked and decoded, and what it is answered.
 *
 * Owned by the session actor; the gateway decodes into these and encodes from them. No wire shapes here.
 */
import type { Refusal } from '../system/errors.ts';
import type { Cid, RoomId, UserId } from '../system/ids.ts';
import type { Entry, FileFacts, Role, RoomKind } from '../system/store/entry.ts';
import type { Range } from '../system/store/room-log.ts';
import type { Identity } from './identity.ts';
import type { PresenceView } from './user-state.ts';
import type { VoiceAsk, VoiceView } from './voice-state.ts';

export type ClientCommand =
  /** Another token of the same user, verified at the edge. */
  | { readonly type: 'auth.refresh'; readonly identity: Identity }
  | {
      readonly type: 'room.create';
      readonly kind: RoomKind;
      readonly id?: RoomId;
      readonly name?: string;
      readonly public: boolean;
      readonly community?: string;
      readonly members: readonly UserId[];
    }
  | { readonly type: 'room.list' }
  | { readonly type: 'room.join' | 'room.leave'; readonly room: RoomId }
  | { readonly type: 'room.close'; readonly room: RoomId }
  | { readonly type: 'room.invite' | 'room.kick'; readonly room: RoomId; readonly user: UserId }
  | { readonly type: 'room.open'; readonly room: RoomId; readonly since?: number; readonly epoch?: string; readonly limit: number }
  | { readonly type: 'message.send'; readonly room: RoomId; readonly cid: Cid; readonly text: string; readonly replyTo?: number }
  | { readonly type: 'message.modify'; readonly room: RoomId; readonly cid: Cid; readonly target: number; readonly text: string }
  | { readonly type: 'message.delete'; readonly room: RoomId; readonly cid: Cid; readonly target: number }
  | {
      readonly type: 'message.react';
      readonly room: RoomId;
      readonly cid: Cid;
      readonly target: number;
      readonly emoji: string;
      readonly on: boolean;
    }
  | { readonly type: 'history.get'; readonly room: RoomId; readonly range: Range }
  | { readonly type: 'typing'; readonly room: RoomId }
  | { readonly type: 'presence.watch'; readonly users: readonly UserId[] }
  | { readonly type: 'read.mark'; readonly room: RoomId; readonly seq: number }
  | VoiceAsk;

/** A room as one of its members sees it. */
export interface RoomView {
  readonly id: RoomId;
  readonly kind: RoomKind;
  readonly name?: string;
  readonly public: boolean;
  readonly community?: string;
  readonly role: Role;
  readonly head: number;
  readonly epoch: string;
  readonly members: number;
}

/** A row of `room:list`. Facts of the room come with `room.open`; the list is read without starting a room's actor. */
export interface RoomSummary {
  readonly id: RoomId;
  readonly head: number;
  /** Count of messages up to the head. */
  readonly n: number;
  /** Seq up to which the user has read: their mark, their own last message, or where they joined. */
  readonly read: number;
  /** Messages after `read`. */
  readonly unread: number;
  readonly last?: MessageView;
}

/** A message folded with its edits, deletes and reactions up to some head. */
export interface MessageView extends Entry {
  /** Seq of the last edit folded in. */
  readonly edited?: number;
  /** Deleted: the text is gone, the number stays. */
  readonly deleted?: true;
  readonly reactions?: readonly { readonly emoji: string; readonly users: readonly UserId[] }[];
  /** For a reply: the answered message, or a placeholder when it is gone. */
  readonly quote?: { readonly seq: number; readonly by?: UserId; readonly name?: string; readonly text?: string; readonly deleted?: true };
}

/**
 * replay: `entries` are the raw entries after `since`. snapshot: `entries` are the last page, folded up to `upTo`; what lies
 * between was skipped and is there by history.get. denied: not a member any more. gone: no such room for this user.
 */
export type OpenVerdict = 'replay' | 'snapshot' | 'denied' | 'gone';

export interface Opened {
  readonly type: 'opened';
  readonly verdict: OpenVerdict;
  /** The room's head when answered. */
  readonly head: number;
  readonly epoch: string;
  /** The last seq this answer accounts for: the first `entries` event starts at upTo + 1. */
  readonly upTo: number;
  readonly entries: readonly MessageView[];
  /** replay: entries up to `head` that follow as events at once. snapshot: older messages exist. */
  readonly more: boolean;
}

/** Whether the room is open to the reader from this answer on. */
export function isOpen(opened: Opened): boolean {
  return opened.verdict === 'replay' || opened.verdict === 'snapshot';
}

export type CommandResult =
  | { readonly type: 'room'; readonly room: RoomView }
  | { readonly type: 'rooms'; readonly rooms: readonly RoomSummary[] }
  | { readonly type: 'done' }
  | { readonly type: 'refreshed'; readonly expiresAtMs: number }
  | { readonly type: 'stored'; readonly seq: number; readonly at: number; readonly dup: boolean; readonly file?: FileFacts }
  | Opened
  | { readonly type: 'presence'; readonly states: readonly PresenceView[] }
  | { readonly type: 'voice'; readonly view: VoiceView }
  /** A read mark as it stands, and the messages after it. */
  | { readonly type: 'marked'; readonly seq: number; readonly unread: number }
  | { readonly type: 'history'; readonly entries: readonly MessageView[]; readonly hasBefore: boolean; readonly hasAfter: boolean };

export type Answer = { readonly ok: true; readonly result: CommandResult } | { readonly ok: false; readonly refusal: Refusal };
