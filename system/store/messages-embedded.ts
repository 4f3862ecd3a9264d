/**
 * EmbeddedMessages: pages of messages, found without an index of their own.
 *
 * Each entry names the message before it, so a page is followed backwards, one read per message where messages are far
 * apart, one range where they are close. Forwards, the entry that carries message number n is searched by n, which
 * never falls along a log.
 * Guarantees: reads grow with the page (and with the logarithm of the log, forwards only).
 */
import { LogCorrupt } from '../errors.ts';
import type { RoomId } from '../ids.ts';
import type { EmbeddedEntries } from './entries-embedded.ts';
import { type Entry, isMessage } from './entry.ts';
import type { StoredEntry } from './entry-document.ts';

/** A gap to the message before up to which a range is read rather than one entry. */
const denseGapMax = 4;
/** Entries looked at in one step of the search: 16 make five steps of a million entries. */
const searchWidth = 16;

export class EmbeddedMessages {
  readonly #entries: EmbeddedEntries;

  constructor(entries: EmbeddedEntries) {
    this.#entries = entries;
  }

  /** The last `limit` messages with seq ≤ upTo, ascending. `upTo` is not beyond the head. */
  async backward(room: RoomId, upTo: number, limit: number): Promise<readonly Entry[]> {
    const found: Entry[] = [];
    let seq = upTo;
    let isDense = true;
    while (seq >= 1 && found.length < limit) {
      const from: number = isDense ? Math.max(seq - (limit - found.length) + 1, 1) : seq;
      const block: readonly StoredEntry[] = await this.#entries.range(room, from, seq);
      for (const { entry } of block.toReversed()) if (isMessage(entry)) found.push(entry);
      const { previousMessage }: StoredEntry = block[0] as StoredEntry;
      if (previousMessage >= from) throw new LogCorrupt(room, from, 'it names a later entry as the message before it');
      isDense = from - previousMessage <= denseGapMax;
      seq = previousMessage;
    }
    checkNumbers(room, found);
    return found.reverse();
  }

  /** The first `limit` messages with after < seq ≤ upTo, ascending. `upTo` is not beyond the head. */
  async forward(room: RoomId, after: number, upTo: number, limit: number): Promise<readonly Entry[]> {
    if (after >= upTo || limit === 0) return [];
    // Mostly the next entries are the messages asked for.
    const next = await this.#entries.range(room, after + 1, Math.min(after + limit, upTo));
    const near = next.flatMap(({ entry }) => (isMessage(entry) ? [entry] : []));
    const last = (next.at(-1) as StoredEntry).entry;
    if (near.length === limit || last.seq === upTo) return near;
    const before = last.n - near.length;
    const { n: total } = (await this.#entries.one(room, upTo)).entry;
    const count = Math.min(limit, total - before);
    if (count === near.length) return near;
    const end = await this.#seqOfMessage(room, before + count, last.seq + 1, upTo);
    return [...near, ...(await this.backward(room, end, count - near.length))];
  }

  /** The seq in low..high of message number n; the entry at `high` counts at least n. */
  async #seqOfMessage(room: RoomId, n: number, low: number, high: number): Promise<number> {
    let from = low;
    let to = high;
    while (from < to) {
      const step = Math.max(Math.ceil((to - from) / searchWidth), 1);
      const seqs: number[] = [];
      for (let seq = from; seq < to; seq += step) seqs.push(seq);
      const found = await this.#entries.many(seqs.map((seq) => ({ room, seq })));
      const index = found.findIndex(({ entry }) => entry.n >= n);
      if (index >= 0) to = seqs[index] as number;
      const below = index < 0 ? seqs.length - 1 : index - 1;
      if (below >= 0) from = (seqs[below] as number) + 1;
    }
    return from;
  }
}

/** Messages are numbered without holes, so a page that skips a number lost an entry. `found` is descending. */
function checkNumbers(room: RoomId, found: readonly Entry[]): void {
  for (const [index, entry] of found.entries()) {
    const later = found[index - 1];
    if (later && later.n !== entry.n + 1) throw new LogCorrupt(room, entry.seq, `message ${entry.n} is followed by message ${later.n}`);
  }
}
