/**
 * AppendJob: one append on its way through the commit queue: its checks and its writes.
 *
 * Guarantees: a conflicting append writes nothing. (room, by, cid) is checked against everything committed before, and
 * against whatever shares its batch. Heads move after the commit, before the caller hears of it.
 * Does not: answer a conflict before the batch it was seen in is durable: the winner may be in that batch.
 */
import { LogCorrupt } from '../errors.ts';
import type { RoomId } from '../ids.ts';
import { checkCount } from './append-rules.ts';
import { type CidFilters, hashId } from './cid-filter-embedded.ts';
import type { CommitBatch, CommitJob } from './commit-queue.ts';
import type { EmbeddedDatabase, Level } from './embedded-database.ts';
import { isTableDamage } from './embedded-folder.ts';
import { cidIndexKey, controlKey, encodeSeq, entryKey, headKey, keysUnder, seqMax, seqOfKey, targetKey } from './embedded-keys.ts';
import type { EmbeddedEntries } from './entries-embedded.ts';
import { type Entry, isControl } from './entry.ts';
import { decodeEntry, encodeEntry, openValue, type StoredEntry, scrub, sealValue } from './entry-document.ts';
import { advance, type HeadState, sealHead } from './head-document-embedded.ts';
import type { EmbeddedHeads } from './heads-embedded.ts';
import type { AppendOutcome } from './room-log.ts';

export interface AppendDeps {
  readonly database: EmbeddedDatabase;
  readonly heads: EmbeddedHeads;
  readonly filters: CidFilters;
  readonly entries: EmbeddedEntries;
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
}

/** Heads and ids of the batch being planned. */
export class BatchView {
  #batch: CommitBatch | undefined;
  readonly heads = new Map<RoomId, HeadState>();
  readonly ids = new Set<string>();

  /** Planning is serial: another batch means that the one before is durable or failed. */
  of(batch: CommitBatch): this {
    if (this.#batch !== batch) {
      this.#batch = batch;
      this.heads.clear();
      this.ids.clear();
    }
    return this;
  }
}

export class AppendJob implements CommitJob {
  readonly room: RoomId;
  readonly chars: number;
  readonly idKeys: readonly string[];
  readonly idHashes: readonly number[];
  /** Set by the look-up: one of the ids is in the log. */
  idTaken = false;
  /** One of the ids was on its way when this job came: the look-up may have missed it. */
  idsUncertain = false;
  readonly #after: number;
  readonly #entries: readonly Entry[];
  readonly #documents: readonly StoredDocument[];
  readonly #deps: AppendDeps;
  readonly #view: BatchView;
  readonly #resolve: (outcome: AppendOutcome) => void;
  readonly #reject: (bug: unknown) => void;
  #head: HeadState | undefined;

  constructor(
    deps: AppendDeps,
    view: BatchView,
    append: Append,
    settle: { readonly resolve: (outcome: AppendOutcome) => void; readonly reject: (bug: unknown) => void },
  ) {
    this.room = append.room;
    this.chars = append.chars;
    this.idKeys = append.entries.map((entry) => cidIndexKey(append.room, entry.by, entry.cid));
    this.idHashes = this.idKeys.map(hashId);
    this.#after = append.after;
    this.#entries = append.entries;
    this.#documents = append.documents;
    this.#deps = deps;
    this.#view = view;
    this.#resolve = settle.resolve;
    this.#reject = settle.reject;
  }

  plan(batch: CommitBatch): void | Promise<void> {
    const view = this.#view.of(batch);
    const head = view.heads.get(this.room) ?? this.#deps.heads.cached(this.room);
    const needsReads = !head || this.idsUncertain || this.#entries.some((entry) => entry.kind === 'delete');
    return needsReads ? this.#planWithReads(batch, view, head) : this.#planWrites(batch, view, head);
  }

  committed(): void {
    if (!this.#head) return this.#resolve({ type: 'conflict' });
    this.#deps.filters.add(this.room, this.idHashes);
    this.#deps.heads.committed(this.room, this.#head);
    this.#deps.onHead(this.room, this.#head);
    this.#resolve({ type: 'appended' });
  }

  failed(cause: unknown): void {
    if (cause instanceof TypeError) this.#reject(cause);
    else this.#resolve({ type: 'unknown', cause });
  }

  async #planWithReads(batch: CommitBatch, view: BatchView, known: HeadState | undefined): Promise<void> {
    const head = known ?? (await this.#deps.heads.get(this.room));
    if (this.idsUncertain) {
      const taken = await this.#index(0, (level) => level.hasMany([...this.idKeys]));
      this.idTaken ||= taken.includes(true);
    }
    this.#planWrites(batch, view, head);
    if (!this.#head) return;
    for (const entry of this.#entries) if (entry.kind === 'delete') await this.#scrub(batch, entry);
  }

  #planWrites(batch: CommitBatch, view: BatchView, start: HeadState): void {
    const { room } = this;
    if (this.#after !== start.seq || this.idTaken || this.idKeys.some((key) => view.ids.has(key))) return;
    const [first] = this.#entries;
    if (first) checkCount(room, start.n, first);
    if (start.seq + this.#entries.length > seqMax) throw new Error(`room ${room} has ${start.seq} entries: it is full`);
    let head = start;
    for (const [index, entry] of this.#entries.entries()) {
      const key = entryKey(room, entry.seq);
      const early = this.#documents[index] as StoredDocument;
      const document = early.lastMessage === head.lastMessage ? early.document : encodeEntry(entry, head.lastMessage);
      batch.put(key, sealValue(key, document));
      const idKey = this.idKeys[index] as string;
      batch.put(idKey, encodeSeq(entry.seq));
      view.ids.add(idKey);
      if (isControl(entry)) batch.put(controlKey(room, entry.seq), encodeSeq(head.lastControl));
      if (entry.target !== undefined) batch.put(targetKey(room, entry.target, entry.seq), '');
      head = advance(head, entry);
    }
    batch.put(headKey(room), sealHead(room, head));
    view.heads.set(room, head);
    this.#head = head;
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
      batch.put(key, sealValue(key, encodeEntry(scrub(entry), previousMessage)));
    }
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
