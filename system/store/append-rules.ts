/**
 * AppendRules: what every twin checks and cuts in the same way, before it looks at what is stored.
 *
 * Guarantees: no I/O, no state.
 */
import { type Cid, idPattern, type RoomId, type UserId } from '../ids.ts';
import { type Entry, isMessage } from './entry.ts';
import { batchEntriesMax, entryBytesMax, type Range } from './room-log.ts';

/** Printable ASCII: what a key can hold without two cids becoming one. Clients' cids are a part of it. */
const cidPattern = /^[!-~]{1,256}$/;
/** As much as a key holds. */
const targetMax = 36 ** 8 - 1;
const readLimitMax = 1_000;
const messagesLimitMax = 100;

/** Throws the TypeError of the contract when the caller numbered its entries wrongly. */
export function checkNumbering(room: RoomId, after: number, entries: readonly Entry[]): void {
  if (!idPattern.test(room)) throw new TypeError(`not a room id: ${JSON.stringify(room)}`);
  if (!Number.isSafeInteger(after) || after < 0) throw new TypeError(`append to ${room}: after is ${after}`);
  if (entries.length > batchEntriesMax) throw new TypeError(`append to ${room}: ${entries.length} entries, the most is ${batchEntriesMax}`);
  let n: number | undefined;
  for (const [index, entry] of entries.entries()) {
    if (entry.seq !== after + 1 + index) throw new TypeError(`append to ${room}: entry ${index} after ${after} has seq ${entry.seq}`);
    if (n !== undefined && entry.n !== n + (isMessage(entry) ? 1 : 0)) {
      throw new TypeError(`append to ${room}: entry ${entry.seq} has n ${entry.n} after ${n}`);
    }
    n = entry.n;
  }
}

export const countsOn = (headN: number, first: Entry): boolean => first.n === headN + (isMessage(first) ? 1 : 0);

/** Throws when the first entry does not count on from the head it follows. */
export function checkCount(room: RoomId, headN: number, first: Entry): void {
  if (!countsOn(headN, first)) {
    throw new TypeError(`append to ${room}: entry ${first.seq} has n ${first.n}, the head before it has ${headN}`);
  }
}

/** Why a store never takes this entry; undefined when it does. `document` is its encoded form. */
export function rejectionOf(entry: Entry, document: string): string | undefined {
  if (!idPattern.test(entry.by)) return 'by is not a user id';
  const { target } = entry;
  if (target !== undefined && !(Number.isSafeInteger(target) && target >= 0 && target <= targetMax)) return 'target is not a seq';
  if (!cidPattern.test(entry.cid)) return 'cid is not 1 to 256 printable ASCII characters';
  // Three bytes are the most that one UTF-16 unit becomes: nearly every entry is passed without counting.
  if (document.length * 3 > entryBytesMax && Buffer.byteLength(document) > entryBytesMax) {
    return `the entry takes ${Buffer.byteLength(document)} bytes, the most is ${entryBytesMax}`;
  }
  return undefined;
}

/** One string for (by, cid): ids hold no `!`, so it is unambiguous. */
export const cidKey = (by: UserId, cid: Cid): string => `${by}!${cid}`;

const whole = (value: number): number => (Number.isNaN(value) ? 0 : Math.trunc(value));
export const readLimit = (limit: number): number => Math.min(Math.max(whole(limit), 0), readLimitMax);
export const messagesLimit = (limit: number): number => Math.min(Math.max(whole(limit), 0), messagesLimitMax);

/** The seqs of a raw read of a log that ends at `last`: from..to inclusive, empty when from > to. */
export function windowOf(range: Range, last: number): { readonly from: number; readonly to: number } {
  const limit = readLimit(range.limit);
  if ('after' in range) {
    const from = Math.max(whole(range.after), 0) + 1;
    return { from, to: Math.min(from + limit - 1, last) };
  }
  if ('before' in range) {
    const to = Math.min(whole(range.before) - 1, last);
    return { from: Math.max(to - limit + 1, 1), to };
  }
  const from = whole(range.around) - Math.floor(limit / 2);
  return { from: Math.max(from, 1), to: Math.min(from + limit - 1, last) };
}
