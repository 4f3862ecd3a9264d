/**
 * ControlDocument: a control entry as the index of control entries keeps it, with the seq of the one before it, sealed under
 * its key. Pure.
 *
 * The entry stands here a second time, so that a room's actor loads from one place: the same entries at their places in a log
 * of a million are as many reads all over the disk. Folders of format 1 kept the seq alone.
 */
import { decodeSeq, encodeSeq } from './embedded-keys.ts';
import type { Entry } from './entry.ts';
import { decodeEntry, openValue, sealValue } from './entry-document.ts';

export interface StoredControl {
  readonly previous: number;
  /** undefined in a row of format 1: the entry has to be read by its seq. */
  readonly entry: Entry | undefined;
}

const seqChars = encodeSeq(0).length;

/** `document` is the entry, encoded. */
export const sealControl = (key: string, previous: number, document: string): string => sealValue(key, encodeSeq(previous) + document);

/** undefined: it does not verify. */
export function openControl(key: string, value: string): StoredControl | undefined {
  if (value.length === seqChars) return /^[0-9a-z]+$/.test(value) ? { previous: decodeSeq(value), entry: undefined } : undefined;
  const content = openValue(key, value);
  if (content === undefined) return undefined;
  return { previous: decodeSeq(content.slice(0, seqChars)), entry: decodeEntry(content.slice(seqChars)).entry };
}
