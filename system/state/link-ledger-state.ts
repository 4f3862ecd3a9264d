/**
 * Ledger: what lives on this side, and what of it the other side has not been told. Pure. One for sessions, one for watched users.
 *
 * Guarantees: what waits is a set of keys, so the last value of a key wins, and what came and went untold is never told; while
 * nothing is being told (`reset` until `begin`) it costs memory by what lives, not by what happened.
 * Does not: know lines. Whoever takes from it tells, in that order, or calls `reset`.
 */
export class Ledger<Key, Value> {
  /** Keys that may wait. When full, all of them are forgotten and `isOverfull` holds until everything is told again. */
  private readonly changesMax: number;
  private readonly entries = new Map<Key, Entry<Value>>();
  /** Keys that changed since the other side was told of them; without an entry: they ended. */
  private readonly changes = new Set<Key>();
  /** Keys that lived at `begin`, told up to `queueNext`; `queued` of the others live still. */
  private queue: readonly Key[] = [];
  private queueNext = 0;
  private queued = 0;
  private isTelling = false;
  private full = false;

  constructor(changesMax: number) {
    this.changesMax = changesMax;
  }

  get size(): number {
    return this.entries.size;
  }

  get isOverfull(): boolean {
    return this.full;
  }

  /** Keys that are to be told; all that live while nothing is being told. */
  get waiting(): number {
    return this.isTelling && !this.full ? this.queued + this.changes.size : this.entries.size;
  }

  get hasQueued(): boolean {
    return this.queued > 0;
  }

  get hasChanges(): boolean {
    return this.changes.size > 0;
  }

  get(key: Key): Value | undefined {
    return this.entries.get(key)?.value;
  }

  has(key: Key): boolean {
    return this.entries.has(key);
  }

  *values(): Iterable<Value> {
    for (const { value } of this.entries.values()) yield value;
  }

  put(key: Key, value: Value): void {
    const entry = this.entries.get(key);
    if (entry) entry.value = value;
    // It ended and is here again before that was told: the other side knows it still.
    else this.entries.set(key, { value, isKnown: this.changes.has(key), isQueued: false });
    if (!entry?.isQueued) this.mark(key);
  }

  remove(key: Key): void {
    const entry = this.entries.get(key);
    if (!entry) return;
    this.entries.delete(key);
    if (entry.isQueued) this.queued -= 1;
    if (entry.isKnown) this.mark(key);
    else this.changes.delete(key);
  }

  clear(): void {
    this.entries.clear();
    this.reset();
  }

  /** The other side knows nothing any more, and nothing is told until `begin`. */
  reset(): void {
    for (const entry of this.entries.values()) entry.isKnown = entry.isQueued = false;
    this.changes.clear();
    this.queue = [];
    this.queued = 0;
    this.isTelling = false;
    this.full = false;
  }

  /** Everything that lives is to be told, also what was told before. */
  begin(): void {
    this.isTelling = true;
    for (const [key, entry] of this.entries) {
      entry.isQueued = true;
      this.changes.delete(key);
    }
    this.queue = [...this.entries.keys()];
    this.queueNext = 0;
    this.queued = this.entries.size;
  }

  /** Of those that lived at `begin`: gives one after the other to `tell`, until it takes one no more. */
  takeQueued(tell: (key: Key, value: Value) => boolean): void {
    for (; this.queued > 0 && this.queueNext < this.queue.length; this.queueNext += 1) {
      const key = this.queue[this.queueNext] as Key;
      const entry = this.entries.get(key);
      if (!entry?.isQueued) continue;
      if (!tell(key, entry.value)) return;
      entry.isQueued = false;
      entry.isKnown = true;
      this.queued -= 1;
    }
    if (this.queued === 0) this.queue = [];
  }

  /** Of what changed: `value` undefined means that the key ended. */
  takeChanges(tell: (key: Key, value: Value | undefined) => boolean): void {
    for (const key of this.changes) {
      const entry = this.entries.get(key);
      if (!tell(key, entry?.value)) return;
      if (entry) entry.isKnown = true;
      this.changes.delete(key);
    }
  }

  private mark(key: Key): void {
    if (!this.isTelling || this.full) return;
    this.changes.add(key);
    if (this.changes.size <= this.changesMax) return;
    this.changes.clear();
    this.full = true;
  }
}

interface Entry<Value> {
  value: Value;
  /** The other side has been told of the key, and not of its end. */
  isKnown: boolean;
  isQueued: boolean;
}
