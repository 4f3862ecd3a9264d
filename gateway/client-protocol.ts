/**
 * Client protocol: every shape that crosses the socket, for the server and for client libraries.
 *
 * Owns: event names and wire types.
 * Does not: check what clients send (command-decoder.ts), or make these of domain values (client-encoding.ts). Imports types only, so that a
 * browser client can use this file.
 */
import type { ClientCommand, OpenVerdict, RoomView } from '../actors/client-command.ts';
import type { PresenceState } from '../actors/user-state.ts';
import type { CloseCode, ErrorCode } from '../system/errors.ts';
import type { EntryKind, MemberChange, Role, RoomFacts, RoomKind } from '../system/store/entry.ts';

/** Clients may send it as `auth.protocol`; another value is refused at connect. Raised when a client of before would misread. */
export const protocolVersion = 1;

/** What a client gives to `io(url, { auth })`. */
export interface HandshakeAuth {
  readonly token: string;
  readonly protocol?: typeof protocolVersion;
}

// ---- commands: client -> server, always with an acknowledgement; without one they are not executed ----

/** Payload of each command. `room:list` and `voice:leave` take {} or nothing. Unknown fields are refused. */
export interface CommandPayloads {
  /** A newer token of the same user; the connection goes on with it. A refused one changes nothing. */
  'auth:refresh': { token: string };
  'room:create': {
    kind: RoomKind;
    /** Not for a dm: its id is derived from its two users. */
    id?: string | undefined;
    name?: string | undefined;
    public?: boolean | undefined;
    community?: string | undefined;
    /** At most 100; for a dm exactly one, the other user. */
    members?: string[] | undefined;
  };
  'room:list': Record<string, never> | undefined;
  'room:join': { room: string };
  'room:leave': { room: string };
  'room:invite': { room: string; user: string };
  'room:kick': { room: string; user: string };
  /** `since`: the last seq seen, 0 for none yet. `epoch`: as of the last answer. `limit`: 1 to 500, default 50. */
  'room:open': { room: string; since?: number | undefined; epoch?: string | undefined; limit?: number | undefined };
  'room:close': { room: string };
  'message:send': { room: string; cid: string; text: string; replyTo?: number | undefined };
  'message:modify': { room: string; cid: string; target: number; text: string };
  'message:delete': { room: string; cid: string; target: number };
  'message:react': { room: string; cid: string; target: number; emoji: string; on: boolean };
  /** Exactly one of before, after, around. `after` may be 0. `limit`: 1 to 100, default 50. */
  'history:get': {
    room: string;
    before?: number | undefined;
    after?: number | undefined;
    around?: number | undefined;
    limit?: number | undefined;
  };
  typing: { room: string };
  /** At most 200. Takes the place of this connection's list of before; none: no more `presence`. */
  'presence:watch': { users: string[] };
  /**
   * Into a voice channel, out of the one before. For whoever is in a room of the community, or is listed by the community service. A room
   * without a community is one of its own: name it for a call of its members. From now on `voice` tells of the community.
   */
  'voice:enter': { community: string; channel: string };
  'voice:leave': Record<string, never> | undefined;
  /** Who is where; from now on `voice` tells of it. Of the last eight communities that were listed or entered. */
  'voice:list': { community: string };
  /** Read up to this seq, at most the room's head. Lower than what stands: changes nothing. */
  'read:mark': { room: string; seq: number };
}
export type CommandEvent = keyof CommandPayloads;

/** The domain's name of each command. Also the one list of known events. */
export const commandTypes = {
  'auth:refresh': 'auth.refresh',
  'room:create': 'room.create',
  'room:list': 'room.list',
  'room:join': 'room.join',
  'room:leave': 'room.leave',
  'room:invite': 'room.invite',
  'room:kick': 'room.kick',
  'room:open': 'room.open',
  'room:close': 'room.close',
  'message:send': 'message.send',
  'message:modify': 'message.modify',
  'message:delete': 'message.delete',
  'message:react': 'message.react',
  'history:get': 'history.get',
  typing: 'typing',
  'presence:watch': 'presence.watch',
  'read:mark': 'read.mark',
  'voice:enter': 'voice.enter',
  'voice:leave': 'voice.leave',
  'voice:list': 'voice.list',
} as const satisfies Record<CommandEvent, ClientCommand['type']>;

// ---- answers ----

export interface WireError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly retryable: boolean;
  readonly retryAfterMs?: number;
  /** With PAYLOAD_TOO_LARGE: the limit in bytes. */
  readonly limit?: number;
}
export interface WireFailure {
  readonly ok: false;
  readonly error: WireError;
}

/** What `ok: true` carries beside `ok`, per command. */
export interface CommandAnswers {
  /** Milliseconds since the epoch. */
  'auth:refresh': { readonly expiresAt: number };
  'room:create': { readonly room: WireRoom };
  'room:list': { readonly rooms: readonly WireRoomSummary[] };
  'room:join': { readonly room: WireRoom };
  'room:leave': WireDone;
  'room:invite': WireDone;
  'room:kick': WireDone;
  'room:open': WireOpened;
  'room:close': WireDone;
  'message:send': WireStored;
  'message:modify': WireStored;
  'message:delete': WireStored;
  'message:react': WireStored;
  'history:get': { readonly entries: readonly WireMessage[]; readonly hasBefore: boolean; readonly hasAfter: boolean };
  typing: WireDone;
  /** One for each user asked for, in that order. */
  'presence:watch': { readonly states: readonly WirePresence[] };
  'voice:enter': WireVoice;
  /** Of the community that was left; nothing where there was none. */
  'voice:leave': WireVoice | WireDone;
  'voice:list': WireVoice;
  /** The mark as it stands, durably, and the count of messages after it. */
  'read:mark': { readonly seq: number; readonly unread: number };
}
export type WireAnswer<Event extends CommandEvent = CommandEvent> = ({ readonly ok: true } & CommandAnswers[Event]) | WireFailure;

/** Nothing beside `ok`. */
export type WireDone = Record<never, never>;
export interface WireStored {
  readonly seq: number;
  readonly at: number;
  /** The same cid was stored before; this is the answer of then. */
  readonly dup?: true;
}
export interface WireOpened {
  /** See OpenVerdict: replay, snapshot, denied, gone. */
  readonly verdict: OpenVerdict;
  readonly head: number;
  /** The first `entries` event starts at upTo + 1. */
  readonly upTo: number;
  readonly epoch: string;
  readonly entries: readonly WireMessage[];
  readonly more: boolean;
}
export type WireRoom = Omit<RoomView, 'id'> & { readonly id: string };
export interface WireRoomSummary {
  readonly id: string;
  readonly head: number;
  /** Count of messages up to the head: with the count of a later `room:head`, unread grows by the difference. */
  readonly n: number;
  readonly read: number;
  readonly unread: number;
  readonly last?: WireMessage;
}

export interface WireVoice {
  readonly community: string;
  /** channel → users. Channels where nobody is are left out. */
  readonly channels: Readonly<Record<string, readonly string[]>>;
  /** false: the part of the cluster that knows of other nodes does not answer; somebody may be missing. */
  readonly complete: boolean;
}

export interface WirePresence {
  readonly user: string;
  /** unknown: the part of the cluster that knows does not answer at the moment. */
  readonly state: PresenceState;
  /**
   * The room the user looks at, if it is open in this connection, too. Of one's own user: of any of one's connections, or `home`.
   */
  readonly place?: string;
}

// ---- entries ----

export interface WireFile {
  readonly id: string;
  readonly name: string;
  /** By its first bytes. application/octet-stream: not known, or nothing a program should open by itself. */
  readonly type: string;
  readonly bytes: number;
  /** Of the bytes, base64url. */
  readonly sha256: string;
}
/** One entry of a room's log. Fields of a later server may be added: ignore what is not known. */
export interface WireEntry {
  readonly seq: number;
  readonly n: number;
  readonly kind: EntryKind;
  readonly by: string;
  readonly name?: string;
  readonly at: number;
  readonly cid: string;
  readonly text?: string;
  readonly replyTo?: number;
  readonly target?: number;
  readonly emoji?: string;
  readonly on?: boolean;
  /** Of kind file: what it is called and is; its bytes by GET /api/files/<id>. Gone, like a text, once it was deleted. */
  readonly file?: WireFile;
  readonly member?: { readonly user: string; readonly change: MemberChange['change']; readonly role?: Role };
  readonly room?: Omit<RoomFacts, 'members'> & { readonly members: readonly { readonly user: string; readonly role: Role }[] };
  /** The text was removed because the message was deleted later. */
  readonly scrubbed?: true;
}
/** In a snapshot and in history: a message with its edits, deletes and reactions folded in. */
export interface WireMessage extends WireEntry {
  readonly edited?: number;
  readonly deleted?: true;
  readonly reactions?: readonly { readonly emoji: string; readonly users: readonly string[] }[];
  readonly quote?: { readonly seq: number; readonly by?: string; readonly name?: string; readonly text?: string; readonly deleted?: true };
}

/** `n`: the count of messages up to `seq`; unread is the room's count less this one. */
export interface WireMark {
  readonly user: string;
  readonly seq: number;
  readonly n: number;
}

// ---- events: server -> client, never acknowledged ----

export interface ServerEvents {
  /** In order, without holes: entries[0].seq is the last one seen plus 1. */
  entries: { readonly room: string; readonly entries: readonly WireEntry[] };
  /** Everybody typing in the room now; empty: nobody. May be dropped for a busy connection. */
  typing: { readonly room: string; readonly users: readonly string[] };
  /** Of users watched; the last state of each. Late for a busy connection, but never of a state that is over. */
  presence: { readonly changes: readonly WirePresence[] };
  /** Somebody came to a voice channel of the community, moved, or went: all of it as it is now. At most one each 150 ms. */
  voice: WireVoice;
  /**
   * How far users have read: to the other connections of a user at once; gathered, to those who have the room open, while it has
   * at most 100 members. May be dropped for a busy connection. What somebody wrote counts as read by them without this.
   */
  read: { readonly room: string; readonly marks: readonly WireMark[] };
  /**
   * The room has grown: its last seq, and the count of messages up to there. After a `room:list`, for rooms of the user that this
   * connection does not have open, also ones it came into since; at most one a second for each room. The newest word is right,
   * also when it comes before the answer of the list. Unread: `n` less the count at the read mark.
   */
  'room:head': { readonly room: string; readonly head: number; readonly n: number };
  'room:gone': { readonly room: string; readonly reason: RoomGoneReason };
  /**
   * The token ends in `inMs`, at `expiresAt` (milliseconds since the epoch): `auth:refresh` with another, or it ends with
   * `closing TOKEN_EXPIRED`. Once for each token, 60 s before (a setting); at once for one that lives shorter.
   */
  'auth:expiring': { readonly expiresAt: number; readonly inMs: number };
  /** The last event before the server closes. */
  closing: { readonly code: CloseCode; readonly reconnectInMs?: number };
}
/** unavailable: the room failed on this node and rests; open it again after a while. */
export type RoomGoneReason = 'kicked' | 'left' | 'unavailable';
export type ServerEvent = keyof ServerEvents;
