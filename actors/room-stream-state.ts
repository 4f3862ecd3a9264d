/**
 * RoomStream: a room's one ordered stream, made of committed entries and wire events that come in any order. Pure.
 *
 * Guarantees: the end moves by exactly one entry at a time; what comes too early waits in a bounded buffer, and when that
 * is full all of it is dropped: `seenSeq` still says that it exists, so the gap is read.
 * Does not: read, know readers, or touch the append head.
 */
import type { Entry, Head } from '../system/store/entry.ts';
import type { RoomCounters, RoomSettings } from './room-protocol.ts';

export class RoomStream {
  /** The stream's end: every entry up to here was given to attached readers. */
  delivered = 0;
  /** Count of messages up to there. */
  deliveredN = 0;
  /** The highest seq heard of, from anybody. Perhaps false; only ever a reason to read. */
  seenSeq = 0;
  /** Since when something seen is missing. */
  gapSinceMs: number | undefined;
  /** About what the early entries hold. */
  earlyBytes = 0;
  private hasBegun = false;
  private readonly settings: RoomSettings;
  private readonly counters: RoomCounters;
  private recent: Entry[] = [];
  private readonly early = new Map<number, Entry>();

  constructor(settings: RoomSettings, counters: RoomCounters) {
    this.settings = settings;
    this.counters = counters;
  }

  begin(head: Pick<Head, 'seq' | 'n'>): void {
    this.hasBegun = true;
    this.delivered = head.seq;
    this.deliveredN = head.n;
  }

  get hasEarly(): boolean {
    return this.early.size > 0;
  }

  get isBehind(): boolean {
    return this.seenSeq > this.delivered;
  }

  /** Seq of the first entry kept for readers that are a little behind. */
  get firstRecent(): number {
    return this.recent[0]?.seq ?? Number.POSITIVE_INFINITY;
  }

  recentAfter(seq: number): readonly Entry[] {
    return this.recent.slice(seq + 1 - this.firstRecent);
  }

  /** Entries from an append, a read or the wire: those that follow the end extend it and are given back, earlier ones are doubles, later ones wait. */
  take(entries: readonly Entry[], nowMs: number): readonly Entry[] {
    if (!this.hasBegun) {
      for (const entry of entries) this.noteSeen(entry.seq, nowMs);
      return [];
    }
    const fresh: Entry[] = [];
    for (const entry of entries) {
      const next = this.delivered + fresh.length + 1;
      if (entry.seq < next) {
        this.counters.duplicateDropped += 1;
      } else if (entry.seq > next) {
        this.hold(entry);
      } else {
        fresh.push(entry);
        this.takeEarly(fresh);
      }
    }
    if (fresh.length > 0) this.extend(fresh);
    this.noteSeen(this.seenSeq, nowMs);
    return fresh;
  }

  private takeEarly(fresh: Entry[]): void {
    this.forgetEarly(this.delivered + fresh.length);
    for (;;) {
      const next = this.delivered + fresh.length + 1;
      const entry = this.early.get(next);
      if (!entry) return;
      this.forgetEarly(next);
      fresh.push(entry);
    }
  }

  private hold(entry: Entry): void {
    const bytes = bytesOf(entry);
    if (this.early.size >= this.settings.reorderEntriesMax || this.earlyBytes + bytes > this.settings.reorderBytesMax) {
      this.counters.reorderDropped += this.early.size;
      this.earlyBytes = 0;
      this.early.clear(); // seenSeq still says that they exist: the gap is read.
    }
    this.forgetEarly(entry.seq);
    this.early.set(entry.seq, entry);
    this.earlyBytes += bytes;
    this.seenSeq = Math.max(this.seenSeq, entry.seq);
  }

  private forgetEarly(seq: number): void {
    const entry = this.early.get(seq);
    if (!entry) return;
    this.early.delete(seq);
    this.earlyBytes -= bytesOf(entry);
  }

  /** There is at least this seq, somebody says. */
  noteSeen(seq: number, nowMs: number): void {
    this.seenSeq = Math.max(this.seenSeq, seq);
    if (this.seenSeq <= this.delivered) this.gapSinceMs = undefined;
    else this.gapSinceMs ??= nowMs;
  }

  private extend(fresh: readonly Entry[]): void {
    this.delivered += fresh.length;
    this.deliveredN = fresh.at(-1)?.n ?? this.deliveredN;
    this.seenSeq = Math.max(this.seenSeq, this.delivered);
    for (const entry of fresh) this.recent.push(entry);
    if (this.recent.length > 2 * this.settings.recentEntriesMax) this.recent = this.recent.slice(-this.settings.recentEntriesMax);
  }
}

/** What an entry that waits costs, about: two bytes a character, and its fields. */
function bytesOf({ text }: Entry): number {
  return 2 * (text?.length ?? 0) + 512;
}
