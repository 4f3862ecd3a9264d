/**
 * MoveCompare: when an entry or a row is the same on both sides of a move. Pure.
 */
import type { UserId } from '../ids.ts';
import { type Entry, isControl } from './entry.ts';
import { encodeEntry } from './entry-document.ts';
import type { UserRoomRow } from './user-room-row.ts';

/** Characters written together; an entry has 64 kB at most. */
const batchCharsMax = 1_000_000;

/** As many of them as are written together, at least one. */
export function cut(entries: readonly Entry[]): readonly Entry[] {
  let chars = 0;
  const end = entries.findIndex((entry, index) => {
    chars += canonical(entry).length;
    return index > 0 && chars > batchCharsMax;
  });
  return end < 0 ? entries : entries.slice(0, end);
}

/** The same for the same entry, wherever it is read. */
export const canonical = (entry: Entry): string => encodeEntry(entry, 0);

/** The seq of the first of `ours` that `theirs` has otherwise or not at all. */
export function firstDifference(ours: readonly Entry[], theirs: readonly Entry[]): number | undefined {
  return ours.find((entry, index) => {
    const other = theirs[index];
    return other === undefined || canonical(other) !== canonical(entry);
  })?.seq;
}

export function usersOf(entry: Entry): readonly UserId[] {
  if (!isControl(entry)) return [];
  return [...(entry.room?.members.map(({ user }) => user) ?? []), ...(entry.member ? [entry.member.user] : [])];
}

const rowFields = ['member', 'joinedSeq', 'joinedN', 'readN'] as const;
/** The same, or newer: a target that nodes served since has settled rows and raised marks. */
export function isKept(row: UserRoomRow, other: UserRoomRow | undefined): boolean {
  if (!other || other.seq < row.seq || other.readSeq < row.readSeq) return false;
  const isNewer = other.seq > row.seq || other.readSeq > row.readSeq || (row.pending && !other.pending);
  return isNewer || rowFields.every((field) => row[field] === other[field]);
}
