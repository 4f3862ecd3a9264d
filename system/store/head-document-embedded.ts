/**
 * HeadDocument: a room's head as the embedded store keeps it, sealed under its key. Pure.
 */
import type { RoomId } from '../ids.ts';
import { headKey } from './embedded-keys.ts';
import { type Entry, type Head, isControl, isMessage } from './entry.ts';
import { openValue, sealValue } from './entry-document.ts';

/** A head, and the last entries of two kinds at or before it: 0 when there is none. */
export interface HeadState extends Head {
  readonly lastMessage: number;
  readonly lastControl: number;
}

export const emptyHeadState: HeadState = { seq: 0, n: 0, writer: '', lastMessage: 0, lastControl: 0 };

export function advance(head: HeadState, entry: Entry): HeadState {
  return {
    seq: entry.seq,
    n: entry.n,
    writer: entry.writer,
    lastMessage: isMessage(entry) ? entry.seq : head.lastMessage,
    lastControl: isControl(entry) ? entry.seq : head.lastControl,
  };
}

export const toHead = ({ seq, n, writer }: HeadState): Head => ({ seq, n, writer });

export function sealHead(room: RoomId, head: HeadState): string {
  return sealValue(headKey(room), JSON.stringify([head.seq, head.n, head.writer, head.lastMessage, head.lastControl]));
}

/** undefined: it does not verify. */
export function openHead(room: RoomId, value: string): HeadState | undefined {
  const content = openValue(headKey(room), value);
  if (content === undefined) return undefined;
  const [seq, n, writer, lastMessage, lastControl] = JSON.parse(content) as [number, number, string, number, number];
  return { seq, n, writer, lastMessage, lastControl };
}
