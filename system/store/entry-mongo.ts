/**
 * EntryRow: an entry as a MongoDB document, and back.
 *
 * Guarantees: decode(encode(e)) equals e. `_id` is the unique key of (room, sender, cid); `m` and `c` are the seq again, on messages
 * and on control entries only, for the indexes of those.
 */
import type { Cid, RoomId, UserId } from '../ids.ts';
import { cidKey } from './append-rules.ts';
import { type Entry, type EntryKind, type FileFacts, isControl, isMessage, type MemberChange, type RoomFacts } from './entry.ts';
import { entryBytesMax } from './room-log.ts';

export interface EntryRow {
  _id: string;
  room: RoomId;
  seq: number;
  n: number;
  kind: EntryKind;
  by: UserId;
  name?: string;
  at: number;
  cid: Cid;
  writer: string;
  text?: string;
  /** `text` is JSON: BSON's strings cannot hold a lone surrogate. */
  escaped?: true;
  replyTo?: number;
  target?: number;
  emoji?: string;
  on?: boolean;
  member?: MemberChange;
  facts?: RoomFacts;
  file?: FileFacts;
  scrubbed?: true;
  /** Numbers at which a delete of this may stand (`delete-marks-mongo.ts`). */
  deleteAt?: number[];
  m?: number;
  c?: number;
}

export const rowId = (room: RoomId, by: UserId, cid: Cid): string => `${room}!${cidKey(by, cid)}`;

export function encodeRow(room: RoomId, entry: Entry): EntryRow {
  const { seq, n, kind, by, at, cid, writer, text, room: facts, ...rest } = entry;
  return {
    _id: rowId(room, by, cid),
    room,
    seq,
    n,
    kind,
    by,
    at,
    cid,
    writer,
    ...rest,
    ...(text !== undefined && textOf(text)),
    ...(facts !== undefined && { facts }),
    ...(isMessage(entry) && { m: seq }),
    ...(isControl(entry) && { c: seq }),
  };
}

export function decodeRow({ _id, room: _room, m: _m, c: _c, deleteAt: _deleteAt, facts, text, escaped, ...rest }: EntryRow): Entry {
  return {
    ...rest,
    ...(text !== undefined && { text: escaped ? (JSON.parse(text) as string) : text }),
    ...(facts !== undefined && { room: facts }),
  };
}

const loneSurrogate = /\p{Cs}/u;
const textOf = (text: string): Pick<EntryRow, 'text' | 'escaped'> =>
  loneSurrogate.test(text) ? { text: JSON.stringify(text), escaped: true } : { text };

/**
 * Nearly every entry is: how many bytes it takes as JSON need not be found out. No unit of UTF-16 takes more than 7 there (`escaped` is
 * JSON in JSON), and each id stands in it twice at most.
 */
export function isSurelySmall({ by, name, cid, text, emoji, member, room, file }: Entry): boolean {
  if (member || room || file) return false;
  const units = 2 * (by.length + cid.length) + (name?.length ?? 0) + (text?.length ?? 0) + (emoji?.length ?? 0);
  return fieldsBytesMax + 7 * units <= entryBytesMax;
}

/** Of names, numbers, the room's and the writer's id, generously. */
const fieldsBytesMax = 2_048;
