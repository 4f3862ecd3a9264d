/**
 * WalSalvage: what a damaged record of the log still gives back, and which rooms lost something with it.
 *
 * Every entry carries a checksum over its key and content, so each is trusted or not by itself; ids and targets are made
 * again from the entries. That an entry was there shows in several keys (`e!`, `i!`, `h!` …), so one that is lost is named.
 * Does not: find what left no trace at all; then `isNamed` is false, and the folder must not be opened.
 */
import type { RoomId } from '../ids.ts';
import { openControl } from './control-document-embedded.ts';
import { cidIndexKey, decodeSeq, encodeSeq, headKey, targetKey } from './embedded-keys.ts';
import { isControl } from './entry.ts';
import { decodeEntry, openValue, type StoredEntry } from './entry-document.ts';
import { openHead } from './head-document-embedded.ts';
import { pendRow, sealRow } from './user-room-row.ts';
import { type Put, type ReadWrites, readWrites, type Write } from './write-batch.ts';

export interface Salvage {
  readonly sequence: bigint;
  readonly writes: readonly Write[];
  /** Rooms that lost an entry or an index of one, and the first such seq. */
  readonly damaged: ReadonlyMap<RoomId, number>;
  /** False: something was lost of which nothing tells where it belonged. */
  readonly isNamed: boolean;
}

/** The shortest append is three writes of together this much: an entry, its id, a head. */
const appendWritesMin = 3;
const appendBytesMin = 150;
/** The shortest write of an entry. */
const entryBytesMin = 90;

interface RoomFinds {
  readonly entries: Map<number, { readonly put: Put; readonly stored: StoredEntry }>;
  /** Seqs that keys of ids name, by key. */
  readonly ids: Map<string, number>;
  /** Seqs in keys of entries that do not verify: the value was damaged, or the key itself. */
  readonly unverified: Set<number>;
  readonly controls: Map<number, Put>;
  head: { readonly put: Put; readonly seq: number } | undefined;
  /** Bytes beside its writes that are no writes. */
  gapBytes: number;
}

/** `framesLost`: records may have begun and ended inside, so what counts and neighbours say is not to be trusted. */
export function salvage(content: Buffer, framesLost: boolean): Salvage {
  const found = readWrites(content);
  const rooms = new Map<RoomId, RoomFinds>();
  const writes: Write[] = [];
  for (const put of found.writes) {
    const room = roomOf(put.key);
    if (room === undefined) writes.push(soundRow(put));
    else note(room, put, findsOf(rooms, room));
  }
  const isNamed = nameGaps(found, rooms, framesLost);
  const damaged = new Map<RoomId, number>();
  for (const [room, finds] of rooms) {
    writes.push(...writesOf(room, finds));
    const lost = firstLost(room, finds);
    if (lost !== undefined) damaged.set(room, lost);
  }
  for (const [room, finds] of rooms) {
    const older = firstUnexplained(finds, [...damaged.values()]);
    if (older !== undefined && !damaged.has(room)) damaged.set(room, older);
  }
  return { sequence: found.sequence, writes, damaged, isNamed };
}

/** The room that stands in a key of a log; undefined for rows of users. */
function roomOf(key: string): RoomId | undefined {
  return /^[ehict]!([A-Za-z0-9_-]{1,64})(!|$)/.exec(key)?.[1] as RoomId | undefined;
}

/** A row that does not verify becomes pending: its user's next list asks the log. */
function soundRow(put: Put): Put {
  const { key, value } = put;
  return key.startsWith('u!') && openValue(key, value) === undefined ? { key, value: sealRow(key, pendRow(undefined)) } : put;
}

function findsOf(rooms: Map<RoomId, RoomFinds>, room: RoomId): RoomFinds {
  const finds = rooms.get(room) ?? {
    entries: new Map(),
    ids: new Map(),
    unverified: new Set(),
    controls: new Map(),
    head: undefined,
    gapBytes: 0,
  };
  rooms.set(room, finds);
  return finds;
}

function note(room: RoomId, put: Put, finds: RoomFinds): void {
  const { key, value } = put;
  if (key.startsWith('h!')) {
    const head = openHead(room, value);
    if (head) finds.head = { put, seq: head.seq };
    return;
  }
  const digits = key.startsWith('i!') ? value : key.slice(-8);
  if (!/^[0-9a-z]{8}$/.test(digits)) return;
  const seq = decodeSeq(digits);
  if (key.startsWith('i!')) finds.ids.set(key, seq);
  else if (key.startsWith('c!')) {
    if (openControl(key, value)) finds.controls.set(seq, put);
  } else if (key.startsWith('e!')) {
    const document = openValue(key, value);
    if (document === undefined) finds.unverified.add(seq);
    else finds.entries.set(seq, { put, stored: decodeEntry(document) });
  }
}

/** Gives each gap to the rooms beside it. False when a whole append of another room may have stood there. */
function nameGaps({ count, writes, gaps }: ReadWrites, rooms: Map<RoomId, RoomFinds>, framesLost: boolean): boolean {
  const missing = count - writes.length;
  // No batch is empty: with a count of 0 the count itself is lost, and says nothing.
  const mayHideAppend = framesLost || count === 0 || missing < 0 || missing >= appendWritesMin;
  let isNamed = true;
  for (const { bytes, before, after } of gaps) {
    const left = before && roomOf(before.key);
    const right = after && roomOf(after.key);
    for (const room of [left, right]) if (room !== undefined) findsOf(rooms, room).gapBytes += bytes;
    const isWithinAppend = !framesLost && left !== undefined && left === right && !before?.key.startsWith('h!');
    if (mayHideAppend && bytes >= appendBytesMin && !isWithinAppend) isNamed = false;
  }
  return isNamed;
}

function writesOf(room: RoomId, finds: RoomFinds): Write[] {
  const writes: Write[] = [];
  for (const [seq, { put, stored }] of finds.entries) {
    writes.push(put, { key: idKeyOf(room, stored), value: encodeSeq(seq) });
    if (stored.entry.target !== undefined) writes.push({ key: targetKey(room, stored.entry.target, seq), value: '' });
  }
  writes.push(...finds.controls.values());
  // Without its head in this record an older one would stand: with none, the head is found from the last entry.
  writes.push(finds.head?.put ?? { key: headKey(room), value: undefined });
  return writes;
}

const idKeyOf = (room: RoomId, { entry }: StoredEntry): string => cidIndexKey(room, entry.by, entry.cid);

/** The first seq of which ids, head or the numbers around it say that it was written here, and which is not there. */
function firstLost(room: RoomId, finds: RoomFinds): number | undefined {
  const lost: number[] = [];
  // An id whose entry verifies proves nothing more; its own number may be what was damaged.
  const sound = new Set([...finds.entries.values()].map(({ stored }) => idKeyOf(room, stored)));
  for (const [key, seq] of finds.ids) if (!sound.has(key) && !finds.entries.has(seq) && seq <= (finds.head?.seq ?? seq)) lost.push(seq);
  if (finds.head && !finds.entries.has(finds.head.seq)) lost.push(finds.head.seq);
  for (const [seq, { stored }] of finds.entries) if (isControl(stored.entry) && !finds.controls.has(seq)) lost.push(seq);
  // A large gap beside a room whose head is lost too may have held further entries of it.
  if (!finds.head && finds.gapBytes >= entryBytesMin) lost.push(Math.max(0, ...finds.entries.keys(), ...finds.ids.values()) + 1);
  return lost.length === 0 ? undefined : Math.min(...lost);
}

/**
 * The first entry that does not verify and that no loss explains: the rewrite of a deleted message, without its text.
 * Left out: a key that was damaged itself, so that it names another number or another room than was written.
 */
function firstUnexplained(finds: RoomFinds, losses: readonly number[]): number | undefined {
  const { head } = finds;
  if (!head) return undefined;
  const older = [...finds.unverified].filter((seq) => seq <= head.seq && !finds.entries.has(seq));
  return older.length === 0 || losses.length > 0 ? undefined : Math.min(...older);
}
