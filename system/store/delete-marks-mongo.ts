/**
 * DeleteMarks: texts of deleted messages are hidden from the moment their delete is committed, without a transaction.
 *
 * Before a delete is appended at number s, its message and the edits of that are marked with s (`deleteAt`). A marked text is shown only
 * while no delete of it stands at any of its marks, so a mark alone hides nothing: its append may lose the number, or never come.
 * Guarantees: a mark is committed before the entry can be; whatever is done twice, or by two nodes at once, comes to the same.
 * Does not: take a mark off while its number is free: an append of unknown outcome may still get there, however late.
 */
import type { mongo } from 'mongoose';
import type { RoomId } from '../ids.ts';
import type { Entry } from './entry.ts';
import { scrub } from './entry-document.ts';
import { decodeRow, type EntryRow } from './entry-mongo.ts';
import type { MongoDatabase } from './mongo-database.ts';

/** What stands at a number. */
export type Slot = Pick<EntryRow, 'room' | 'seq' | 'kind' | 'target'>;
export type MarkedRow = Slot & Pick<EntryRow, '_id' | 'deleteAt'>;
type Slots = ReadonlyMap<string, Slot>;

const slotFields = { _id: 0, room: 1, seq: 1, kind: 1, target: 1 } as const;
const slotKey = (room: RoomId, seq: number): string => `${room}!${seq}`;

/** Whether `slot` is a delete of this row: of the message itself, or of the message that this row edits. */
export function deletesRow(slot: Slot | undefined, row: Slot): boolean {
  if (slot?.kind !== 'delete' || slot.target === undefined || slot.target >= slot.seq || row.seq >= slot.seq) return false;
  return row.seq === slot.target || (row.kind === 'modify' && row.target === slot.target);
}

export const hasDelete = (rows: readonly Pick<EntryRow, 'kind'>[]): boolean => rows.some(({ kind }) => kind === 'delete');

/**
 * Marks what the deletes among `rows` concern: in the store, and in the rows themselves. Resolves when the marks are committed. Every
 * entry before `rows` has to be: what comes later at a lower number would have no mark.
 */
export async function markDeletes(database: MongoDatabase, rows: readonly EntryRow[]): Promise<void> {
  const marks: mongo.AnyBulkWriteOperation<EntryRow>[] = [];
  for (const gone of rows) {
    const { room, kind, target, seq } = gone;
    if (kind !== 'delete' || target === undefined || target >= seq) continue;
    for (const row of rows) if (deletesRow(gone, row)) row.deleteAt = [...(row.deleteAt ?? []), seq];
    const scrubbed = { $exists: false };
    const message = { room, seq: target, scrubbed };
    const edits = { room, target, seq: { $lt: seq }, kind: 'modify' as const, scrubbed };
    marks.push({ updateMany: { filter: { $or: [message, edits] }, update: { $addToSet: { deleteAt: seq } } } });
  }
  if (marks.length > 0) await database.run(() => database.entries.bulkWrite(marks, { ordered: false }));
}

/** Rows as entries: what is deleted leaves without its text, whatever its document still holds. */
export async function decodeRows(database: MongoDatabase, rows: readonly EntryRow[]): Promise<Entry[]> {
  const marked = rows.filter(({ deleteAt }) => deleteAt !== undefined);
  const slots = marked.length > 0 ? await database.run(() => slotsOf(database, marked)) : undefined;
  return rows.map((row) => (slots && isDeleted(row, slots) ? scrub(decodeRow(row)) : decodeRow(row)));
}

/** Takes the texts of these marked rows out where they are deleted, and off the others every mark whose number something else holds. */
export async function settleRows(database: MongoDatabase, rows: readonly MarkedRow[]): Promise<void> {
  const slots = await slotsOf(database, rows);
  const gone: string[] = [];
  const others: mongo.AnyBulkWriteOperation<EntryRow>[] = [];
  for (const row of rows) {
    if (isDeleted(row, slots)) {
      gone.push(row._id);
      continue;
    }
    const taken = marksOf(row).filter((seq) => slots.has(slotKey(row.room, seq)));
    if (taken.length === 0) continue;
    const filter = { _id: row._id };
    others.push({ updateOne: { filter, update: { $pull: { deleteAt: { $in: taken } } } } });
    others.push({ updateOne: { filter: { ...filter, deleteAt: { $size: 0 } }, update: { $unset: { deleteAt: '' } } } });
  }
  const { entries } = database;
  const $unset = { text: '', escaped: '', file: '', deleteAt: '' } as const;
  if (gone.length > 0) await entries.updateMany({ _id: { $in: gone } }, { $unset, $set: { scrubbed: true } });
  if (others.length > 0) await entries.bulkWrite(others);
}

const marksOf = ({ deleteAt }: MarkedRow): readonly number[] => deleteAt ?? [];
const isDeleted = (row: MarkedRow, slots: Slots): boolean => marksOf(row).some((seq) => deletesRow(slots.get(slotKey(row.room, seq)), row));

/** What stands at the marks of these rows. Read after the rows: a delete committed before they were read is found. */
async function slotsOf({ entries }: MongoDatabase, rows: readonly MarkedRow[]): Promise<Slots> {
  const marks = new Map<RoomId, Set<number>>();
  for (const row of rows) {
    const seqs = marks.get(row.room) ?? new Set();
    marks.set(row.room, seqs);
    for (const seq of marksOf(row)) seqs.add(seq);
  }
  const $or = [...marks].map(([room, seqs]) => ({ room, seq: { $in: [...seqs] } }));
  if ($or.length === 0) return new Map();
  const found = await entries.find({ $or }, { projection: slotFields }).toArray();
  return new Map(found.map((slot) => [slotKey(slot.room, slot.seq), slot]));
}
