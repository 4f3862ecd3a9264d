/**
 * RoomLog on the embedded database.
 *
 * Owns: all reads, and the tails. Rooms whose damage was found when the folder was opened are refused here.
 * Guarantees: the contract. Cost of an append of k entries: 2k + 1 keys, one more per control entry and per entry with
 * a target.
 */
import { LogCorrupt } from '../errors.ts';
import type { Cid, RoomId, UserId } from '../ids.ts';
import { AppendIntake } from './append-intake-embedded.ts';
import type { AppendJob } from './append-job-embedded.ts';
import { messagesLimit, windowOf } from './append-rules.ts';
import type { CidFilters } from './cid-filter-embedded.ts';
import { openControl } from './control-document-embedded.ts';
import type { EmbeddedDatabase, Level } from './embedded-database.ts';
import { isTableDamage } from './embedded-folder.ts';
import { cidIndexKey, controlKey, decodeSeq, encodeSeq, keysUnder, seqMax, seqOfKey } from './embedded-keys.ts';
import { EmbeddedEntries } from './entries-embedded.ts';
import { type Entry, type EntryRef, emptyHead, type Head } from './entry.ts';
import { emptyHeadState, toHead } from './head-document-embedded.ts';
import type { EmbeddedHeads } from './heads-embedded.ts';
import { EmbeddedMessages } from './messages-embedded.ts';
import { PlannedRooms } from './planned-rooms-embedded.ts';
import type { AppendOutcome, Range, RoomLog } from './room-log.ts';

export interface EmbeddedRoomLogDeps {
  readonly database: EmbeddedDatabase;
  readonly heads: EmbeddedHeads;
  readonly filters: CidFilters;
  readonly submit: (job: AppendJob) => void;
  readonly onTailError: (cause: unknown) => void;
}

export class EmbeddedRoomLog implements RoomLog {
  readonly #deps: EmbeddedRoomLogDeps;
  readonly #intake: AppendIntake;
  readonly #entries: EmbeddedEntries;
  readonly #messages: EmbeddedMessages;
  readonly #tails = new Set<(room: RoomId, head: Head) => void>();

  constructor(deps: EmbeddedRoomLogDeps) {
    this.#deps = deps;
    this.#entries = new EmbeddedEntries(deps.database);
    this.#messages = new EmbeddedMessages(this.#entries);
    const { database, heads, filters } = deps;
    this.#intake = new AppendIntake(
      {
        database,
        heads,
        filters,
        entries: this.#entries,
        planned: new PlannedRooms(),
        onHead: (room, head) => this.#tell(room, toHead(head)),
      },
      deps.submit,
    );
  }

  async append(room: RoomId, after: number, entries: readonly Entry[]): Promise<AppendOutcome> {
    return this.#intake.append(room, after, entries);
  }

  /** Stage one of the commit queue. */
  lookUp(jobs: readonly AppendJob[]): Promise<void> | undefined {
    return this.#intake.lookUp(jobs);
  }

  async read(room: RoomId, range: Range): Promise<readonly Entry[]> {
    const head = await this.#head(room);
    const { from, to } = windowOf(range, head.seq);
    return (await this.#entries.range(room, from, to)).map(({ entry }) => entry);
  }

  async at(refs: readonly EntryRef[]): Promise<readonly (Entry | undefined)[]> {
    this.#deps.database.assertServing();
    for (const { room } of refs) this.#refuseDamaged(room);
    const heads = await this.#deps.heads.getMany(refs.map(({ room }) => room));
    const present: EntryRef[] = [];
    for (const [index, ref] of refs.entries()) {
      const head = heads[index] ?? emptyHeadState;
      if (head instanceof LogCorrupt) throw head;
      if (ref.seq >= 1 && ref.seq <= head.seq) present.push(ref);
    }
    const found = new Map((await this.#entries.many(present)).map(({ entry }, index) => [present[index], entry]));
    return refs.map((ref) => found.get(ref));
  }

  async heads(rooms: readonly RoomId[]): Promise<readonly Head[]> {
    this.#deps.database.assertServing();
    const heads = await this.#deps.heads.getMany(rooms);
    return heads.map((head) => (head instanceof LogCorrupt ? emptyHead : toHead(head)));
  }

  async lastMessages(rooms: readonly RoomId[]): Promise<readonly (Entry | undefined)[]> {
    this.#deps.database.assertServing();
    const heads = await this.#deps.heads.getMany(rooms);
    const refs = heads.map((head, index) => {
      const room = rooms[index] as RoomId;
      return head instanceof LogCorrupt || this.#deps.database.damageOf(room) ? { room, seq: 0 } : { room, seq: head.lastMessage };
    });
    const present = refs.filter(({ seq }) => seq > 0);
    const found = new Map<EntryRef, Entry>();
    try {
      for (const [index, { entry }] of (await this.#entries.many(present)).entries()) found.set(present[index] as EntryRef, entry);
    } catch (cause) {
      if (!(cause instanceof LogCorrupt)) throw cause;
      await Promise.all(present.map((ref) => this.#findIfSound(ref, found)));
    }
    return refs.map((ref) => found.get(ref));
  }

  async byCid(room: RoomId, ids: readonly { readonly by: UserId; readonly cid: Cid }[]): Promise<readonly Entry[]> {
    const head = await this.#head(room);
    const keys = ids.map(({ by, cid }) => cidIndexKey(room, by, cid));
    const seqs = (await this.#index(room, 0, (level) => level.getMany(keys))).map((value) => (value === undefined ? 0 : decodeSeq(value)));
    const present = seqs.filter((seq) => seq !== 0 && !(seq > head.seq));
    const entries = (await this.#entries.many(present.map((seq) => ({ room, seq })))).map(({ entry }) => entry);
    const wanted = new Set(keys);
    for (const entry of entries) {
      if (!wanted.has(cidIndexKey(room, entry.by, entry.cid)))
        throw new LogCorrupt(room, entry.seq, 'the index of client ids names another entry');
    }
    return entries;
  }

  async controls(room: RoomId, after: number, upTo: number): Promise<readonly Entry[]> {
    const head = await this.#head(room);
    const from = Math.max(Math.trunc(after) + 1, 1);
    const to = Math.min(Math.trunc(upTo), head.seq);
    if (from > to) return [];
    const rows = await this.#index(room, from, (level) => level.iterator({ gte: controlKey(room, from), lte: controlKey(room, to) }).all());
    const controls = rows.map(([key, value], index) => {
      const seq = seqOfKey(key);
      const control = openControl(key, value);
      if (!control) throw new LogCorrupt(room, seq, 'the index of control entries does not verify');
      const before = rows[index - 1];
      if (before ? control.previous !== seqOfKey(before[0]) : control.previous >= from)
        throw new LogCorrupt(room, seq, 'the index of control entries has a hole before it');
      return { seq, entry: control.entry };
    });
    // Rows of format 1.
    const missing = controls.filter(({ entry }) => entry === undefined).map(({ seq }) => seq);
    const found = new Map((await this.#bySeqs(room, missing)).map((entry) => [entry.seq, entry]));
    return controls.map(({ seq, entry }) => entry ?? (found.get(seq) as Entry));
  }

  async byTarget(room: RoomId, targets: readonly number[], upTo: number): Promise<readonly Entry[]> {
    const head = await this.#head(room);
    const wanted = [...new Set(targets)].filter((target) => Number.isSafeInteger(target) && target >= 0 && target <= seqMax);
    const last = Math.min(upTo, head.seq);
    const found = await this.#index(room, 0, (level) =>
      Promise.all(wanted.map((target) => level.keys(keysUnder(`t!${room}!${encodeSeq(target)}!`)).all())),
    );
    const seqs = found
      .flat()
      .map(seqOfKey)
      .filter((seq) => seq <= last);
    return this.#bySeqs(
      room,
      seqs.sort((a, b) => a - b),
    );
  }

  async messages(room: RoomId, range: Range, upTo: number): Promise<readonly Entry[]> {
    const head = await this.#head(room);
    const limit = messagesLimit(range.limit);
    const last = Math.min(Math.trunc(upTo), head.seq);
    if ('after' in range) return this.#messages.forward(room, Math.max(Math.trunc(range.after), 0), last, limit);
    if ('before' in range) return this.#messages.backward(room, Math.min(Math.trunc(range.before) - 1, last), limit);
    const pivot = Math.trunc(range.around) - 1;
    const lower = Math.floor(limit / 2);
    const [before, from] = await Promise.all([
      this.#messages.backward(room, Math.min(pivot, last), lower),
      this.#messages.forward(room, Math.max(pivot, 0), last, limit - lower),
    ]);
    return [...before, ...from];
  }

  /** One process owns the folder: nobody else commits. */
  readonly isTailLive = true;

  tail(onHead: (room: RoomId, head: Head) => void): () => void {
    const own = (room: RoomId, head: Head) => onHead(room, head);
    this.#tails.add(own);
    return () => {
      this.#tails.delete(own);
    };
  }

  endTails(): void {
    this.#tails.clear();
  }

  async #findIfSound(ref: EntryRef, found: Map<EntryRef, Entry>): Promise<void> {
    try {
      found.set(ref, (await this.#entries.one(ref.room, ref.seq)).entry);
    } catch (cause) {
      if (!(cause instanceof LogCorrupt)) throw cause;
    }
  }

  async #bySeqs(room: RoomId, seqs: readonly number[]): Promise<readonly Entry[]> {
    return (await this.#entries.many(seqs.map((seq) => ({ room, seq })))).map(({ entry }) => entry);
  }

  /** Reads an index of a room; what LevelDB cannot read there is the room's damage. */
  async #index<T>(room: RoomId, seq: number, task: (level: Level) => Promise<T>): Promise<T> {
    try {
      return await this.#deps.database.read(task);
    } catch (cause) {
      if (isTableDamage(cause)) throw new LogCorrupt(room, seq, 'an index of the room cannot be read');
      throw cause;
    }
  }

  async #head(room: RoomId): Promise<Head> {
    this.#deps.database.assertServing();
    this.#refuseDamaged(room);
    return this.#deps.heads.get(room);
  }

  #refuseDamaged(room: RoomId): void {
    const damage = this.#deps.database.damageOf(room);
    if (damage) throw damage;
  }

  #tell(room: RoomId, head: Head): void {
    for (const onHead of this.#tails) {
      try {
        onHead(room, head);
      } catch (cause) {
        this.#deps.onTailError(cause);
      }
    }
  }
}
