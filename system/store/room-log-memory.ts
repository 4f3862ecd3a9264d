/**
 * RoomLog in memory: the twin for tests and simulations. Committed means: it is in the map.
 *
 * Guarantees: everything the contract says, except surviving the process. What it answers went through the stored form.
 * Does not: bound its memory.
 */
import { Fault } from '../errors.ts';
import type { Cid, RoomId, UserId } from '../ids.ts';
import { checkCount, checkNumbering, cidKey, messagesLimit, rejectionOf, windowOf } from './append-rules.ts';
import { type Entry, type EntryRef, emptyHead, type Head, headAfter, isControl, isMessage } from './entry.ts';
import { decodeEntry, encodeEntry, scrub } from './entry-document.ts';
import type { AppendOutcome, Range, RoomLog } from './room-log.ts';

interface MemoryRoom {
  readonly entries: Entry[];
  readonly seqByCid: Map<string, number>;
  readonly messages: number[];
  readonly controls: number[];
  readonly byTarget: Map<number, number[]>;
}

/** How many of these ascending numbers are ≤ limit. */
function countUpTo(ascending: readonly number[], limit: number): number {
  let low = 0;
  let high = ascending.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((ascending[middle] as number) <= limit) low = middle + 1;
    else high = middle;
  }
  return low;
}

export class MemoryRoomLog implements RoomLog {
  #closed = false;
  readonly #rooms = new Map<RoomId, MemoryRoom>();
  readonly #tails = new Set<(room: RoomId, head: Head) => void>();

  async append(room: RoomId, after: number, entries: readonly Entry[]): Promise<AppendOutcome> {
    checkNumbering(room, after, entries);
    if (this.#closed) return { type: 'unknown', cause: closedFault() };
    const documents = entries.map((entry) => encodeEntry(entry, 0));
    for (const [index, entry] of entries.entries()) {
      const reason = rejectionOf(entry, documents[index] as string);
      if (reason !== undefined) return { type: 'rejected', index, reason };
    }
    const log = this.#rooms.get(room);
    const ids = entries.map((entry) => cidKey(entry.by, entry.cid));
    if (after !== (log?.entries.length ?? 0)) return { type: 'conflict' };
    if (new Set(ids).size !== ids.length || ids.some((id) => log?.seqByCid.has(id))) return { type: 'conflict' };
    const [first] = entries;
    if (first === undefined) return { type: 'appended' };
    checkCount(room, log?.entries.at(-1)?.n ?? 0, first);
    const target = log ?? { entries: [], seqByCid: new Map(), messages: [], controls: [], byTarget: new Map() };
    this.#rooms.set(room, target);
    for (const document of documents) add(target, Object.freeze(decodeEntry(document).entry));
    const head = headAfter(entries.at(-1) as Entry);
    // Never inside the caller's own call: a listener that appends must not find itself inside an append.
    queueMicrotask(() => {
      for (const onHead of this.#tails) onHead(room, head);
    });
    return { type: 'appended' };
  }

  async read(room: RoomId, range: Range): Promise<readonly Entry[]> {
    const { entries } = this.#room(room);
    const { from, to } = windowOf(range, entries.length);
    return entries.slice(from - 1, Math.max(to, from - 1));
  }

  async at(refs: readonly EntryRef[]): Promise<readonly (Entry | undefined)[]> {
    return refs.map(({ room, seq }) => this.#room(room).entries[seq - 1]);
  }

  async heads(rooms: readonly RoomId[]): Promise<readonly Head[]> {
    return rooms.map((room) => {
      const last = this.#room(room).entries.at(-1);
      return last ? headAfter(last) : emptyHead;
    });
  }

  async lastMessages(rooms: readonly RoomId[]): Promise<readonly (Entry | undefined)[]> {
    return rooms.map((room) => {
      const { entries, messages } = this.#room(room);
      return entries[(messages.at(-1) ?? 0) - 1];
    });
  }

  async byCid(room: RoomId, ids: readonly { readonly by: UserId; readonly cid: Cid }[]): Promise<readonly Entry[]> {
    const log = this.#room(room);
    return pick(
      log,
      ids.map(({ by, cid }) => log.seqByCid.get(cidKey(by, cid)) ?? 0),
    );
  }

  async controls(room: RoomId, after: number, upTo: number): Promise<readonly Entry[]> {
    const log = this.#room(room);
    return pick(log, log.controls.slice(countUpTo(log.controls, after), countUpTo(log.controls, upTo)));
  }

  async byTarget(room: RoomId, targets: readonly number[], upTo: number): Promise<readonly Entry[]> {
    const log = this.#room(room);
    const seqs = [...new Set(targets)].flatMap((target) => log.byTarget.get(target) ?? []).filter((seq) => seq <= upTo);
    return pick(
      log,
      seqs.sort((a, b) => a - b),
    );
  }

  async messages(room: RoomId, range: Range, upTo: number): Promise<readonly Entry[]> {
    const log = this.#room(room);
    const limit = messagesLimit(range.limit);
    const seqs = log.messages.slice(0, countUpTo(log.messages, upTo));
    if ('after' in range) {
      const start = countUpTo(seqs, range.after);
      return pick(log, seqs.slice(start, start + limit));
    }
    const pivot = countUpTo(seqs, ('before' in range ? range.before : range.around) - 1);
    const lower = 'before' in range ? limit : Math.floor(limit / 2);
    return pick(log, seqs.slice(Math.max(pivot - lower, 0), pivot + limit - lower));
  }

  get isTailLive(): boolean {
    return !this.#closed;
  }

  tail(onHead: (room: RoomId, head: Head) => void): () => void {
    const own = (room: RoomId, head: Head) => onHead(room, head);
    this.#tails.add(own);
    return () => {
      this.#tails.delete(own);
    };
  }

  close(): void {
    this.#closed = true;
    this.#tails.clear();
  }

  #room(room: RoomId): MemoryRoom {
    if (this.#closed) throw closedFault();
    return this.#rooms.get(room) ?? noRoom;
  }
}

const noRoom: MemoryRoom = { entries: [], seqByCid: new Map(), messages: [], controls: [], byTarget: new Map() };

export const closedFault = (): Fault => new Fault('STORE_UNAVAILABLE', 'the store is closed');

function pick(log: MemoryRoom, seqs: readonly number[]): readonly Entry[] {
  return seqs.map((seq) => log.entries[seq - 1]).filter((entry) => entry !== undefined);
}

function add(log: MemoryRoom, entry: Entry): void {
  log.entries.push(entry);
  log.seqByCid.set(cidKey(entry.by, entry.cid), entry.seq);
  if (isMessage(entry)) log.messages.push(entry.seq);
  if (isControl(entry)) log.controls.push(entry.seq);
  const { target } = entry;
  if (target === undefined) return;
  const changes = log.byTarget.get(target);
  if (entry.kind === 'delete' && target < entry.seq) {
    for (const seq of [target, ...(changes ?? [])]) {
      const old = log.entries[seq - 1];
      if (old && (seq === target || old.kind === 'modify')) log.entries[seq - 1] = Object.freeze(scrub(old));
    }
  }
  if (changes) changes.push(entry.seq);
  else log.byTarget.set(target, [entry.seq]);
}
