/**
 * WalSalvage: what a damaged record of the log still gives back, and which rooms lost something with it.
 *
 * Every entry carries a checksum over its key and content, so each one is trusted or not by itself; ids, targets and heads
 * are made again from the entries. That an entry was there shows in several keys (`e!`, `i!`, `h!` …), so one that is lost is named.
 * Does not: find what left no trace at all; then `isNamed` is false, and the folder must not be opened.
 */
import type { RoomId } from '../ids.ts';
import { cidIndexKey, decodeSeq, encodeSeq, entryOfKey, headKey, targetKey } from './embedded-keys.ts';
import { decodeEntry, openValue, type StoredEntry } from './entry-document.ts';
import { pendRow } from './user-room-row.ts';
import { sealRow } from './user-rooms-embedded.ts';
import { advance, emptyHeadState, openHead, sealHead } from './heads-embedded.ts';
import { type ReadWrites, readWrites, type Write } from './write-batch.ts';

export interface Salvage {
  readonly sequence: bigint;
  readonly writes: readonly Write[];
  /** Rooms that lost an entry or an index of one, and the first such seq. */
  readonly damaged: ReadonlyMap<RoomId, number>;
  /** False: something was lost of which nothing tells where it belonged. */
  readonly isNamed: boolean;
}

/** The shortest append: an entry, its id, a head. A gap that is larger may hide one of a room that is nowhere else in the record. */
const hiddenAppendBytes = 200;

interface RoomFinds {
  readonly entries: Map<number, StoredEntry>;
  /** Seqs of which some key says that they were written in this record. */
  readonly expected: Set<number>;
  readonly controlLinks: Map<number, Write>;
  headValue: string | undefined;
  touchesGap: boolean;
}

export function salvage(content: Buffer): Salvage {
  const found = readWrites(content);
  const rooms = new Map<RoomId, RoomFinds>();
  const others: Write[] = [];
  for (const write of found.writes) sort(write, rooms, others);
  const isNamed = nameGaps(found, rooms);
  const writes: Write[] = [...others];
  const damaged = new Map<RoomId, number>();
  for (const [room, finds] of rooms) {
    writes.push(...writesOf(room, finds));
    const lost = firstLost(finds);
    if (lost !== undefined) damaged.set(room, lost);
  }
  return { sequence: found.sequence, writes, damaged, isNamed };
}

function sort(write: Write, rooms: Map<RoomId, RoomFinds>, others: Write[]): void {
  const { key, value } = write;
  const room = roomOf(key);
  if (room === undefined) {
    // A row that does not verify becomes pending: its user's next list asks the log.
    const isRow = key.startsWith('u!');
    others.push(isRow && openValue(key, value) === undefined ? { key, value: sealRow(key, pendRow(undefined)) } : write);
    return;
  }
  const finds = rooms.get(room) ?? { entries: new Map(), expected: new Set(), controlLinks: new Map(), headValue: undefined, touchesGap: false };
  rooms.set(room, finds);
  if (key.startsWith('d!')) others.push(write);
  else if (key.startsWith('h!')) {
    const head = openHead(room, value);
    if (!head) return;
    finds.headValue = value;
    finds.expected.add(head.seq);
  } else if (key.startsWith('i!')) {
    if (/^[0-9a-z]{8}$/.test(value)) finds.expected.add(decodeSeq(value));
  } else {
    const seq = decodeSeq(key.slice(-8));
    if (Number.isNaN(seq)) return;
    finds.expected.add(seq);
    if (key.startsWith('c!')) finds.controlLinks.set(seq, write);
    if (!key.startsWith('e!') || !entryOfKey(key)) return;
    const document = openValue(key, value);
    if (document !== undefined) finds.entries.set(seq, decodeEntry(document));
  }
}

/** The room that stands in a key of a log; undefined for keys of rows and the format. */
function roomOf(key: string): RoomId | undefined {
  return /^[ehictd]!([A-Za-z0-9_-]{1,64})(!|$)/.exec(key)?.[1] as RoomId | undefined;
}

/** Gives each gap to the rooms beside it. False when a whole append of another room may have stood there. */
function nameGaps({ gaps }: ReadWrites, rooms: Map<RoomId, RoomFinds>): boolean {
  let isNamed = true;
  for (const { bytes, before, after } of gaps) {
    const left = before && roomOf(before.key);
    const right = after && roomOf(after.key);
    for (const room of [left, right]) {
      const finds = room === undefined ? undefined : rooms.get(room);
      if (finds) finds.touchesGap = true;
    }
    const isWithinAppend = left !== undefined && left === right && !before?.key.startsWith('h!');
    if (!isWithinAppend && bytes >= hiddenAppendBytes) isNamed = false;
  }
  return isNamed;
}

function writesOf(room: RoomId, finds: RoomFinds): Write[] {
  const writes: Write[] = [];
  for (const [seq, { entry, previousMessage }] of finds.entries) {
    const sealed = entryWrite(room, seq, { entry, previousMessage });
    writes.push(sealed, { key: cidIndexKey(room, entry.by, entry.cid), value: encodeSeq(seq) });
    if (entry.target !== undefined) writes.push({ key: targetKey(room, entry.target, seq), value: '' });
  }
  writes.push(...finds.controlLinks.values());
  if (finds.headValue !== undefined) writes.push({ key: headKey(room), value: finds.headValue });
  return writes;
}
