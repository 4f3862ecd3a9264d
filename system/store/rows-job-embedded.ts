/**
 * RowsJob: changes rows of the embedded database, each by what it holds at the time of the change.
 *
 * A job reads its rows before it takes its place in the line of commits: a read there would hold up every room's append behind it for a turn
 * of the event loop. What others plan for the same rows until its own turn comes, `PlannedRows` tells it.
 * Guarantees: changes of a row take effect one after the other, in the order in which they are planned. A job whose rows may have been read
 * wrongly, since a write failed meanwhile or the read did, reads them in its place in the line.
 */
import { Fault } from '../errors.ts';
import type { CommitBatch, CommitJob } from './commit-queue.ts';
import type { EmbeddedDatabase } from './embedded-database.ts';
import { openRow, sealRow, type UserRoomRow } from './user-room-row.ts';

/** What a row and its key take, about. */
const rowChars = 180;

export interface RowChange {
  readonly key: string;
  readonly apply: (row: UserRoomRow | undefined) => UserRoomRow | undefined;
}

/** Rows as they will be: planned and not durable, and who has read them too early. */
export class PlannedRows {
  readonly #rows = new Map<string, { readonly text: string; readonly by: RowsJob }>();
  readonly #readers = new Map<string, Set<RowsJob>>();

  /** From here on it is told what is planned; what is planned already, at once. */
  enter(job: RowsJob): void {
    for (const key of job.keys) {
      const readers = this.#readers.get(key);
      if (readers) readers.add(job);
      else this.#readers.set(key, new Set([job]));
      const row = this.#rows.get(key);
      if (row) job.learn(key, row.text);
    }
  }

  leave(job: RowsJob): void {
    for (const key of job.keys) {
      const readers = this.#readers.get(key);
      if (readers?.delete(job) && readers.size === 0) this.#readers.delete(key);
    }
  }

  plan(by: RowsJob, rows: ReadonlyMap<string, string>): void {
    for (const [key, text] of rows) {
      this.#rows.set(key, { text, by });
      for (const reader of this.#readers.get(key) ?? []) reader.learn(key, text);
    }
  }

  committed(job: RowsJob): void {
    for (const key of job.keys) if (this.#rows.get(key)?.by === job) this.#rows.delete(key);
  }

  /** Whoever has learnt of its rows has learnt what will not be. */
  failed(job: RowsJob): void {
    this.committed(job);
    for (const readers of this.#readers.values()) for (const reader of readers) reader.forget();
  }
}

export class RowsJob implements CommitJob {
  readonly chars: number;
  readonly keys: readonly string[];
  readonly #database: EmbeddedDatabase;
  readonly #planned: PlannedRows;
  readonly #changes: readonly RowChange[];
  readonly #settle: { readonly resolve: () => void; readonly reject: (cause: unknown) => void };
  /** What others planned for its rows. */
  readonly #learnt = new Map<string, string>();
  #stored: readonly (string | undefined)[] | undefined;
  #mustReadAgain = false;

  constructor(
    database: EmbeddedDatabase,
    planned: PlannedRows,
    changes: readonly RowChange[],
    settle: { readonly resolve: () => void; readonly reject: (cause: unknown) => void },
  ) {
    this.chars = changes.length * rowChars;
    this.keys = changes.map(({ key }) => key);
    this.#database = database;
    this.#planned = planned;
    this.#changes = changes;
    this.#settle = settle;
  }

  async readAhead(): Promise<void> {
    this.#planned.enter(this);
    try {
      this.#stored = await this.#read();
    } catch {
      // It reads in its place in the line, and hears then what is wrong.
    }
  }

  learn(key: string, text: string): void {
    this.#learnt.set(key, text);
  }

  forget(): void {
    this.#mustReadAgain = true;
  }

  readsStore(): boolean {
    return this.#stored === undefined || this.#mustReadAgain;
  }

  plan(batch: CommitBatch): void | Promise<void> {
    this.#planned.leave(this);
    if (!this.readsStore()) return this.#change(batch, (key, index) => this.#learnt.get(key) ?? this.#stored?.[index]);
    return this.#read().then((stored) => this.#change(batch, (key, index) => batch.find(key) ?? stored[index]));
  }

  committed(): void {
    this.#planned.committed(this);
    this.#settle.resolve();
  }

  failed(cause: unknown): void {
    this.#planned.leave(this);
    this.#planned.failed(this);
    this.#settle.reject(cause instanceof Fault ? cause : new Fault('STORE_UNAVAILABLE', 'the rows were not written', cause));
  }

  #read(): Promise<readonly (string | undefined)[]> {
    return this.#database.read((level) => level.getMany([...this.keys]));
  }

  #change(batch: CommitBatch, textOf: (key: string, index: number) => string | undefined): void {
    const rows = new Map<string, string>();
    for (const [index, { key, apply }] of this.#changes.entries()) {
      const row = apply(openRow(key, rows.get(key) ?? textOf(key, index)));
      if (row) rows.set(key, sealRow(key, row));
    }
    for (const [key, text] of rows) batch.put(key, text);
    this.#planned.plan(this, rows);
  }
}
