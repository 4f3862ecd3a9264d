/**
 * AppendJob: one append on its way through the commit queue: its checks and its writes.
 *
 * Guarantees: a conflicting append writes nothing. (room, by, cid) is checked against everything committed before, and
 * against whatever is planned and not durable yet. Heads move after the commit, before the caller hears of it.
 * Does not: answer a conflict before the batch it was seen in is durable: the winner may be in that batch.
 */
import { LogCorrupt } from '../errors.ts';
import type { RoomId } from '../ids.ts';
import { checkCount } from './append-rules.ts';
import { type CidFilters, hashId } from './cid-filter-embedded.ts';
import type { CommitBatch, CommitJob } from './commit-queue.ts';
import { openControl, sealControl } from './control-document-embedded.ts';
import type { EmbeddedDatabase, Level } from './embedded-database.ts';
import { isTableDamage } from './embedded-folder.ts';
import { controlKey, encodeSeq, entryKey, headKey, keysUnder, seqMax, seqOfKey, targetKey } from './embedded-keys.ts';
import type { EmbeddedEntries } from './entries-embedded.ts';
import { type Entry, isControl } from './entry.ts';
import { decodeEntry, encodeEntry, openValue, type StoredEntry, scrub, sealValue } from './entry-document.ts';
import { advance, type HeadState, sealHead } from './head-document-embedded.ts';
import type { EmbeddedHeads } from './heads-embedded.ts';
import type { PlannedRooms } from './planned-rooms-embedded.ts';
import type { AppendOutcome } from './room-log.ts';

export interface AppendDeps {
  readonly database: EmbeddedDatabase;
  readonly heads: EmbeddedHeads;
  readonly filters: CidFilters;
  readonly entries: EmbeddedEntries;
  readonly planned: PlannedRooms;
  /** Hears of each commit. Must not throw. */
  readonly onHead: (room: RoomId, head: HeadState) => void;
}

/** An entry as it was encoded on arrival, and the message it was thought to follow. */
export interface StoredDocument {
  readonly document: string;
  readonly lastMessage: number;
}

export interface Append {
  readonly room: RoomId;
  readonly after: number;
  readonly entries: readonly Entry[];
  readonly documents: readonly StoredDocument[];
  readonly chars: number;
  readonly hasDelete: boolean;
}

export class AppendJob implements CommitJob {
  readonly room: RoomId;
  readonly chars: number;
  readonly idKeys: readonly string[];
  readonly idHashes: readonly number[];
  /** Set by the look-up: one of the ids is in the log. */
  idTaken = false;
  /** Set by the look-up: it covered the ids of the log up to this entry. undefined: it could not be made. */
  lookedUpTo: number | undefined;
  readonly #append: Append;
  readonly #deps: AppendDeps;
  readonly #resolve: (outcome: AppendOutcome) => void;
  readonly #reject: (bug: unknown) => void;
  #head: HeadState | undefined;

  constructor(
    deps: AppendDeps,
    append: Append,
    idKeys: readonly string[],
    settle: { readonly resolve: (outcome: AppendOutcome) => void; readonly reject: (bug: unknown) => void },
  ) {
    this.room = append.room;
    this.chars = append.chars;
    this.idKeys = idKeys;
    this.idHashes = idKeys.map(hashId);
    this.#append = append;
    this.#deps = deps;
    this.#resolve = settle.resolve;
    this.#reject = settle.reject;
  }

  readsStore(): boolean {
    const planned = this.#deps.planned.get(this.room);
    const head = planned?.head ?? this.#deps.heads.cached(this.room);
    if (!head) return true;
    // Another number than the next one is a conflict, whatever the store holds.
    if (this.#append.after !== head.seq) return false;
    return this.#append.hasDelete || this.lookedUpTo !== (planned?.base ?? head.seq);
  }

  plan(batch: CommitBatch): void | Promise<void> {
    if (this.readsStore()) return this.#planWithReads(batch);
    const planned = this.#deps.planned.get(this.room);
    const head = planned?.head ?? (this.#deps.heads.cached(this.room) as HeadState);
    this.#planned(planned?.base ?? head.seq, this.#planWrites(batch, head));
  }

  committed(): void {
    if (!this.#head) return this.#resolve({ type: 'conflict' });
    this.#deps.planned.committed(this);
    this.#deps.filters.add(this.room, this.idHashes);
    this.#deps.heads.committed(this.room, this.#head);
    this.#deps.onHead(this.room, this.#head);
    this.#resolve({ type: 'appended' });
  }

  failed(cause: unknown): void {
    if (this.#head) this.#deps.planned.drop(this.room);
    if (cause instanceof TypeError) this.#reject(cause);
    else this.#resolve({ type: 'unknown', cause });
  }

  async #planWithReads(batch: CommitBatch): Promise<void> {
    const planned = this.#deps.planned.get(this.room);
    const head = planned?.head ?? (await this.#deps.heads.get(this.room));
    const base = planned?.base ?? head.seq;
    if (this.lookedUpTo !== base) {
      const taken = await this.#index(0, (level) => level.hasMany([...this.idKeys]));
      this.idTaken ||= taken.includes(true);
    }
    const end = this.#planWrites(batch, head);
    if (!end) return;
    for (const entry of this.#append.entries) if (entry.kind === 'delete') await this.#scrub(batch, entry);
    this.#planned(base, end);
  }

  #planned(base: number, end: HeadState | undefined): void {
    if (!end) return;
    this.#head = end;
    this.#deps.planned.add(this, base, end);
  }

  /** Answers the head behind its entries; undefined: it conflicts, and nothing was put. */
  #planWrites(batch: CommitBatch, start: HeadState): HeadState | undefined {
    const { room, after, entries, documents } = this.#append;
    if (after !== start.seq || this.idTaken || this.#deps.planned.hasIds(room, this.idKeys)) return undefined;
    const [first] = entries;
    if (!first) return start;
    checkCount(room, start.n, first);
    if (start.seq + entries.length > seqMax) throw new Error(`room ${room} has ${start.seq} entries: it is full`);
    let head = start;
    for (const [index, entry] of entries.entries()) {
      const key = entryKey(room, entry.seq);
      const early = documents[index] as StoredDocument;
      const document = early.lastMessage === head.lastMessage ? early.document : encodeEntry(entry, head.lastMessage);
      batch.put(key, sealValue(key, document));
      batch.put(this.idKeys[index] as string, encodeSeq(entry.seq));
      if (isControl(entry)) putControl(batch, room, entry.seq, head.lastControl, document);
      if (entry.target !== undefined) batch.put(targetKey(room, entry.target, entry.seq), '');
      head = advance(head, entry);
    }
    batch.put(headKey(room), sealHead(room, head));
    return head;
  }

  /** Takes the texts of a deleted message and its edits out, in the same batch. Reads what is committed, under what this batch holds. */
  async #scrub(batch: CommitBatch, { target, seq: upTo }: Entry): Promise<void> {
    if (target === undefined || target >= upTo) return;
    const under = `t!${this.room}!${encodeSeq(target)}!`;
    const stored = await this.#index(target, (level) => level.keys(keysUnder(under)).all());
    const changes = [...stored, ...batch.keysUnder(under)].map(seqOfKey).filter((seq) => seq < upTo);
    for (const seq of new Set(target === 0 ? changes : [target, ...changes])) {
      const { entry, previousMessage } = await this.#stored(batch, seq);
      if (seq !== target && entry.kind !== 'modify') continue;
      const key = entryKey(this.room, seq);
      const document = encodeEntry(scrub(entry), previousMessage);
      batch.put(key, sealValue(key, document));
      if (isControl(entry)) putControl(batch, this.room, seq, await this.#controlBefore(batch, seq), document);
    }
  }

  async #controlBefore(batch: CommitBatch, seq: number): Promise<number> {
    const key = controlKey(this.room, seq);
    const value = batch.find(key) ?? (await this.#index(seq, (level) => level.get(key)));
    const control = value === undefined ? undefined : openControl(key, value);
    if (!control) throw new LogCorrupt(this.room, seq, 'the index of control entries does not verify');
    return control.previous;
  }

  async #index<T>(seq: number, task: (level: Level) => Promise<T>): Promise<T> {
    try {
      return await this.#deps.database.read(task);
    } catch (cause) {
      if (isTableDamage(cause)) throw new LogCorrupt(this.room, seq, 'an index of the room cannot be read');
      throw cause;
    }
  }

  async #stored(batch: CommitBatch, seq: number): Promise<StoredEntry> {
    const key = entryKey(this.room, seq);
    const content = openValue(key, batch.find(key) ?? '');
    return content === undefined ? this.#deps.entries.one(this.room, seq) : decodeEntry(content);
  }
}

function putControl(batch: CommitBatch, room: RoomId, seq: number, previous: number, document: string): void {
  const key = controlKey(room, seq);
  batch.put(key, sealControl(key, previous, document));
}
