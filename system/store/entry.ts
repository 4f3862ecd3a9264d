/**
 * Entry: one numbered record of a room's log, as the domain knows it.
 *
 * Entries never change, with one exception: a deleted message and the edits of it lose their text and what they say of a file
 * (`scrubbed`), their numbers stay. Stores encode entries in their own boundary files.
 */
import type { Cid, FileId, RoomId, UserId } from '../ids.ts';

export const messageKinds = ['message', 'reply', 'file'] as const;
export const changeKinds = ['modify', 'delete', 'react'] as const;
export const controlKinds = ['member', 'room'] as const;

export type MessageKind = (typeof messageKinds)[number];
export type ChangeKind = (typeof changeKinds)[number];
export type ControlKind = (typeof controlKinds)[number];
export type EntryKind = MessageKind | ChangeKind | ControlKind;

export type RoomKind = 'dm' | 'group' | 'channel';
export type Role = 'owner' | 'moderator' | 'member';

/** A change of membership. `by` of the entry is who made it, `user` whom it concerns. */
export interface MemberChange {
  readonly user: UserId;
  readonly change: 'joined' | 'left' | 'invited' | 'kicked';
  readonly role?: Role;
}

/** What a room is. Stands in entry 1, with the first members. */
export interface RoomFacts {
  readonly kind: RoomKind;
  readonly name?: string;
  readonly public: boolean;
  readonly community?: string;
  readonly members: readonly { readonly user: UserId; readonly role: Role }[];
}

/** What a room's log says of an uploaded file; its bytes are in the file store. */
export interface FileFacts {
  readonly id: FileId;
  /** For display: one line without path parts and control characters. */
  readonly name: string;
  /** By its first bytes; never what the sender claimed. */
  readonly type: string;
  readonly bytes: number;
  /** SHA-256 of the bytes, base64url. */
  readonly sha256: string;
}

export interface Entry {
  /** Position in the room: 1, 2, 3 … without holes. The only order there is. */
  readonly seq: number;
  /** Count of messages (messageKinds) up to and including this entry. Unread = n(head) - n(read mark). */
  readonly n: number;
  readonly kind: EntryKind;
  readonly by: UserId;
  /** Display name of `by` when it was written. */
  readonly name?: string;
  /** Milliseconds since the epoch by the appender's clock. Information only. */
  readonly at: number;
  readonly cid: Cid;
  /** Incarnation of the node that appended it: the last winner, for forwarding. Not sent to clients. */
  readonly writer: string;
  readonly text?: string;
  /** For a reply: seq of the answered message. */
  readonly replyTo?: number;
  /** For modify, delete, react: seq of the message it changes. */
  readonly target?: number;
  readonly emoji?: string;
  readonly on?: boolean;
  readonly member?: MemberChange;
  readonly room?: RoomFacts;
  /** Of kind file. */
  readonly file?: FileFacts;
  /** The text, or what was said of a file, was removed because the message was deleted. */
  readonly scrubbed?: true;
}

/** Where a room's log ends. `seq` 0 means: the room has no entry. */
export interface Head {
  readonly seq: number;
  readonly n: number;
  /** Who appended the last entry; '' for an empty room. */
  readonly writer: string;
}

export const emptyHead: Head = { seq: 0, n: 0, writer: '' };

const messageKindSet: ReadonlySet<string> = new Set(messageKinds);
const controlKindSet: ReadonlySet<string> = new Set(controlKinds);

export const isMessage = (entry: Pick<Entry, 'kind'>): boolean => messageKindSet.has(entry.kind);
export const isControl = (entry: Pick<Entry, 'kind'>): boolean => controlKindSet.has(entry.kind);

export function headAfter(entry: Entry): Head {
  return { seq: entry.seq, n: entry.n, writer: entry.writer };
}

/** A reference to one entry of one room. */
export interface EntryRef {
  readonly room: RoomId;
  readonly seq: number;
}
