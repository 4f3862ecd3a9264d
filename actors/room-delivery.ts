/**
 * RoomDelivery: the reader side of a room's state. Committed entries and wire events in any order become one ordered
 * stream; readers follow it by cursors. Pure, like `room-state.ts`, which owns it.
 *
 * Guarantees: a reader gets seq cursor+1 next or nothing; a reader becomes attached only when its cursor is the stream's end.
 * Does not: touch the append head. Events only say what is to be shown and that a read may be due.
 */
import type { UserId } from '../system/ids.ts';
import { type Entry, type Head, isControl } from '../system/store/entry.ts';
import { firstFrame } from './frame-state.ts';
import type { RoomFold } from './room-fold.ts';
import type { AnsweredOutcome, DeliveryInput, ReaderId, RoomCounters, RoomEffect, RoomSettings } from './room-protocol.ts';

/** A read that failed or came back short is tried again after this. */
const readRetryMs = 200;

type OpenAsk = Extract<DeliveryInput, { type: 'open' }>;
type HistoryAsk = Extract<DeliveryInput, { type: 'history' }>;
type MarkAsk = Extract<DeliveryInput, { type: 'mark' }>;

interface WaitingAsk {
  readonly ask: OpenAsk | HistoryAsk | MarkAsk;
  readonly deadlineMs: number;
  /** A committed read that began after it came has been made: what the fold says now is not stale for it. */
  looked: boolean;
  /** The read under way began after it came. */
  isCovered: boolean;
}

interface Reader {
  readonly user: UserId;
  /** The ask that made it, and until when that is to be answered. */
  readonly ask: OpenAsk;
  readonly deadlineMs: number;
  /** The last seq given to this reader; while attached, the stream's end counts instead. */
  cursor: number;
  /** opening: the open is not answered yet. behind: catches up by ranges. attached: follows the stream. paused: its sink is full. */
  mode: 'opening' | 'paging' | 'behind' | 'attached' | 'paused';
  isReading: boolean;
  retryMs: number | undefined;
  /** Its user went, with this entry, while it was behind: it still gets everything up to that, then it is gone. */
  leaving?: { readonly seq: number; readonly reason: 'kicked' | 'left' };
}

/** What the writer side lends: the membership fold and the highest seq known to be committed. */
export interface DeliveryContext {
  readonly fold: RoomFold;
  readonly headSeq: number;
}

export class RoomDelivery {
  /** The stream's end: every entry up to here was given to attached readers. */
  delivered = 0;
  /** Count of messages up to there. */
  deliveredN = 0;
  private hasBegun = false;
  private readonly settings: RoomSettings;
  private readonly counters: RoomCounters;
  private recent: Entry[] = [];
  private readonly early = new Map<number, Entry>();
  /** About what `early` holds. */
  earlyBytes = 0;
  /** The highest seq heard of, from anybody. Perhaps false; only ever a reason to read. */
  seenSeq = 0;
  private gapSinceMs: number | undefined;
  private gapFromHint = false;
  private isCatchingUp = false;
  private catchUpRetryMs: number | undefined;
  private readonly readers = new Map<ReaderId, Reader>();
  /** Readers that are neither attached nor paused. */
  private readonly moving = new Set<ReaderId>();
  private attachedCount = 0;
  /** Page reads under way, by reader: the open each was made for. One at a time, since a page does not say whose it is. */
  private readonly pagesOut = new Map<ReaderId, number>();
  private asks: WaitingAsk[] = [];
  /** The last change of membership delivered. Events run ahead of the fold: while it has not seen this one, it is stale for asks. */
  private memberSeq = 0;

  constructor(settings: RoomSettings, counters: RoomCounters) {
    this.settings = settings;
    this.counters = counters;
  }

  get isIdle(): boolean {
    return this.readers.size === 0 && this.asks.length === 0 && !this.isCatchingUp;
  }

  begin(head: Pick<Head, 'seq' | 'n'>): void {
    this.hasBegun = true;
    this.delivered = head.seq;
    this.deliveredN = head.n;
  }

  wakeAtMs(): number | undefined {
    const times: number[] = [];
    if (this.gapSinceMs !== undefined && !this.isCatchingUp && this.readers.size > 0) {
      times.push(Math.max(this.gapSinceMs + this.settings.gapMs, this.catchUpRetryMs ?? 0));
    }
    if (this.asks[0]) times.push(this.asks[0].deadlineMs);
    if (this.asks.length > 0 && this.catchUpRetryMs !== undefined) times.push(this.catchUpRetryMs);
    for (const id of this.moving) {
      const retryMs = this.readers.get(id)?.retryMs;
      if (retryMs !== undefined) times.push(retryMs);
    }
    return times.length === 0 ? undefined : Math.min(...times);
  }

  take(input: DeliveryInput, nowMs: number, context: DeliveryContext, out: RoomEffect[]): void {
    switch (input.type) {
      case 'hint':
        this.gapFromHint = this.early.size === 0;
        this.noteSeen(input.seq, nowMs);
        return;
      case 'open':
      case 'history':
      case 'mark':
        if (this.asks.length >= this.settings.pendingMax) {
          answer(out, input.key, { type: 'refused', code: 'BUSY', message: 'too many requests wait in this room', retryAfterMs: 250 });
          return;
        }
        this.asks.push({ ask: input, deadlineMs: nowMs + this.settings.ackDeadlineMs, looked: false, isCovered: false });
        return;
      case 'close':
        return this.close(input.reader, out);
      case 'pageRead':
        return this.onPageRead(input, context, out);
      case 'pageFailed':
        if (this.pageOwner(input.reader, out)) this.failOpen(input.reader, out);
        return;
      case 'rangeFailed':
        return this.onRangeFailed(input.reader, nowMs, out);
      case 'catchUpFailed':
        this.isCatchingUp = false;
        this.catchUpRetryMs = nowMs + readRetryMs;
        return;
      case 'refused':
        return this.onRefused(input.reader, input.after);
      case 'ready':
        return this.onReady(input.reader);
    }
  }

  /** Entries from an append, a read or the wire: those that follow the stream's end extend it, earlier ones are doubles, later ones wait. */
  offer(entries: readonly Entry[], nowMs: number, out: RoomEffect[]): void {
    if (!this.hasBegun) {
      for (const entry of entries) this.noteSeen(entry.seq, nowMs);
      return;
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
    if (fresh.length > 0) this.extend(fresh, out);
    this.noteSeen(this.seenSeq, nowMs);
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

  private noteSeen(seq: number, nowMs: number): void {
    this.seenSeq = Math.max(this.seenSeq, seq);
    if (this.seenSeq <= this.delivered) this.gapSinceMs = undefined;
    else this.gapSinceMs ??= nowMs;
  }

  private extend(fresh: readonly Entry[], out: RoomEffect[]): void {
    this.delivered += fresh.length;
    this.deliveredN = fresh.at(-1)?.n ?? this.deliveredN;
    this.seenSeq = Math.max(this.seenSeq, this.delivered);
    for (const entry of fresh) this.recent.push(entry);
    if (this.recent.length > 2 * this.settings.recentEntriesMax) this.recent = this.recent.slice(-this.settings.recentEntriesMax);
    const controls = fresh.filter(isControl);
    if (controls.length > 0) out.push({ type: 'membership', entries: controls });
    let start = 0;
    for (const [index, entry] of fresh.entries()) {
      if (entry.member) this.memberSeq = entry.seq;
      if (entry.member?.change !== 'kicked' && entry.member?.change !== 'left') continue;
      const leaving = [...this.readers].filter(([, reader]) => reader.user === entry.member?.user);
      if (leaving.length === 0) continue;
      // Whoever goes still sees that they go, and nothing after it.
      this.push(fresh.slice(start, index + 1), out);
      start = index + 1;
      for (const [id, reader] of leaving) {
        if (reader.mode === 'behind' || reader.mode === 'paused') {
          reader.leaving ??= { seq: entry.seq, reason: entry.member.change };
          continue;
        }
        this.remove(id);
        if (reader.mode === 'opening' || reader.mode === 'paging') {
          // Asked perhaps after they had come back: what is true at the stream's end decides.
          this.asks.unshift({ ask: reader.ask, deadlineMs: reader.deadlineMs, looked: false, isCovered: false });
        } else {
          out.push({ type: 'gone', reader: id, reason: entry.member.change });
        }
      }
    }
    this.push(start === 0 ? fresh : fresh.slice(start), out);
  }

  private push(entries: readonly Entry[], out: RoomEffect[]): void {
    if (entries.length > 0 && this.attachedCount > 0) out.push({ type: 'deliver', entries });
  }

  /** A read for everybody came back with so many entries, already learned and offered. */
  caughtUp(count: number, nowMs: number, appendHeadSeq: number, out: RoomEffect[]): void {
    this.isCatchingUp = false;
    // A store that does not show yet what an event has shown is not asked again at once.
    this.catchUpRetryMs = count === 0 && appendHeadSeq < this.memberSeq ? nowMs + this.settings.gapMs : undefined;
    if (count > 0) {
      if (this.gapFromHint) this.counters.pollRepair += 1;
      else this.counters.gapRead += 1;
      out.push({ type: 'note', event: 'gap.repair', count });
    }
    this.gapFromHint = false;
    if (count < this.settings.readEntriesMax) {
      for (const waiting of this.asks) waiting.looked ||= waiting.isCovered;
      if (this.gapSinceMs !== undefined) this.gapSinceMs = nowMs; // Not there yet: look again after gapMs.
    }
  }

  rangeRead(id: ReaderId, entries: readonly Entry[], nowMs: number, epoch: string, out: RoomEffect[]): void {
    const reader = this.readers.get(id);
    if (!reader?.isReading) return;
    reader.isReading = false;
    if (entries[0]?.seq !== reader.cursor + 1) {
      reader.retryMs = nowMs + readRetryMs;
      return;
    }
    this.supply(id, reader, entries, epoch, out);
  }

  /** Starts what has become due: reads for gaps and asks, pages, ranges, attachments. */
  pump(nowMs: number, context: DeliveryContext, appendHeadSeq: number, out: RoomEffect[]): void {
    this.admitAsks(nowMs, context, appendHeadSeq, out);
    for (const id of [...this.moving]) this.advance(id, nowMs, context, out);
    const isGapDue = this.gapSinceMs !== undefined && this.readers.size > 0 && nowMs >= this.gapSinceMs + this.settings.gapMs;
    if (isGapDue) this.catchUp(nowMs, appendHeadSeq, out);
  }

  tick(nowMs: number, out: RoomEffect[]): void {
    const late = this.asks.filter((waiting) => nowMs >= waiting.deadlineMs);
    if (late.length === 0) return;
    this.asks = this.asks.filter((waiting) => nowMs < waiting.deadlineMs);
    for (const { ask } of late) answer(out, ask.key, storeUnavailable);
  }

  private catchUp(nowMs: number, appendHeadSeq: number, out: RoomEffect[]): void {
    if (this.isCatchingUp || (this.catchUpRetryMs !== undefined && nowMs < this.catchUpRetryMs)) return;
    this.isCatchingUp = true;
    this.catchUpRetryMs = undefined;
    for (const waiting of this.asks) waiting.isCovered = true;
    out.push({ type: 'catchUp', after: Math.min(appendHeadSeq, this.delivered), limit: this.settings.readEntriesMax });
  }

  private admitAsks(nowMs: number, context: DeliveryContext, appendHeadSeq: number, out: RoomEffect[]): void {
    if (this.asks.length === 0) return;
    const asks = this.asks;
    this.asks = [];
    for (const waiting of asks) {
      const { ask } = waiting;
      const isStreamBehind = this.seenSeq > this.delivered || seqOf(ask) > this.delivered;
      const mayBeBehind = this.settings.sharedLog && (isStreamBehind || !context.fold.isMember(ask.user));
      if ((mayBeBehind && !waiting.looked) || appendHeadSeq < this.memberSeq) this.asks.push(waiting);
      else if (ask.type === 'open') this.admitOpen(ask, waiting.deadlineMs, context, out);
      else if (!context.fold.isMember(ask.user)) answer(out, ask.key, notAMember(context.fold));
      else if (ask.type === 'history') out.push({ type: 'history', key: ask.key, range: ask.range, upTo: context.headSeq });
      else if (ask.seq <= context.headSeq) out.push({ type: 'mark', key: ask.key, user: ask.user, seq: ask.seq });
      else answer(out, ask.key, beyondHead(context.headSeq));
    }
    if (this.asks.length > 0) this.catchUp(nowMs, appendHeadSeq, out);
  }

  private admitOpen(ask: OpenAsk, deadlineMs: number, { fold }: DeliveryContext, out: RoomEffect[]): void {
    if (!fold.isMember(ask.user)) {
      const verdict = fold.membership(ask.user) ? 'denied' : 'gone';
      answer(out, ask.key, ask.since === undefined ? notAMember(fold) : emptyOpen(verdict));
      return;
    }
    this.close(ask.reader, out);
    const { since } = ask;
    const isSameLog = ask.epoch === undefined || ask.epoch === fold.epoch;
    const canReplay =
      since !== undefined && isSameLog && since <= this.delivered && this.delivered - since <= this.settings.resumeEntriesMax;
    const reader: Reader = {
      user: ask.user,
      ask,
      deadlineMs,
      cursor: canReplay ? since : this.delivered,
      mode: canReplay ? 'opening' : 'paging',
      isReading: false,
      retryMs: undefined,
    };
    this.readers.set(ask.reader, reader);
    if (canReplay) {
      this.counters.resume += 1;
      this.moving.add(ask.reader);
    } else {
      this.readPage(ask.reader, reader, out);
    }
  }

  private readPage(id: ReaderId, reader: Reader, out: RoomEffect[]): void {
    if (this.pagesOut.has(id)) return; // Of an earlier open: this one's follows when that is back.
    this.pagesOut.set(id, reader.ask.key);
    out.push({ type: 'page', reader: id, limit: reader.ask.limit, upTo: reader.cursor });
  }

  /** The reader a page that came back was made for. One that closed and opened meanwhile gets a page of its own. */
  private pageOwner(id: ReaderId, out: RoomEffect[]): Reader | undefined {
    const openKey = this.pagesOut.get(id);
    this.pagesOut.delete(id);
    const reader = this.readers.get(id);
    if (reader?.mode !== 'paging') return undefined;
    if (reader.ask.key === openKey) return reader;
    this.readPage(id, reader, out);
    return undefined;
  }

  private onPageRead(input: Extract<DeliveryInput, { type: 'pageRead' }>, context: DeliveryContext, out: RoomEffect[]): void {
    const reader = this.pageOwner(input.reader, out);
    if (!reader) return;
    answer(out, reader.ask.key, {
      type: 'opened',
      verdict: 'snapshot',
      head: context.headSeq,
      epoch: context.fold.epoch,
      upTo: reader.cursor,
      entries: input.entries,
      more: input.more,
    });
    reader.mode = 'behind';
    this.moving.add(input.reader);
  }

  /** One step of a reader towards the stream's end: from memory, else by a read; attached when it is there. */
  private advance(id: ReaderId, nowMs: number, { fold }: DeliveryContext, out: RoomEffect[]): void {
    const reader = this.readers.get(id);
    if (!reader || reader.isReading || (reader.retryMs !== undefined && nowMs < reader.retryMs)) return;
    reader.retryMs = undefined;
    if (reader.leaving && reader.cursor >= reader.leaving.seq) {
      this.remove(id);
      out.push({ type: 'gone', reader: id, reason: reader.leaving.reason });
      return;
    }
    const firstRecent = this.recent[0]?.seq ?? Number.POSITIVE_INFINITY;
    if (reader.cursor < this.delivered && reader.cursor + 1 < firstRecent) {
      reader.isReading = true;
      out.push({ type: 'range', reader: id, after: reader.cursor, limit: this.settings.readEntriesMax });
      return;
    }
    if (reader.cursor < this.delivered || reader.mode === 'opening') {
      const entries = reader.cursor < this.delivered ? firstFrame(this.recent.slice(reader.cursor + 1 - firstRecent)) : [];
      this.supply(id, reader, entries, fold.epoch, out);
    }
    if (reader.leaving || reader.cursor < this.delivered) return this.advance(id, nowMs, { fold, headSeq: this.delivered }, out);
    reader.mode = 'attached';
    this.moving.delete(id);
    this.attachedCount += 1;
    out.push({ type: 'attach', reader: id });
  }

  private supply(id: ReaderId, reader: Reader, found: readonly Entry[], epoch: string, out: RoomEffect[]): void {
    const lastSeq = reader.leaving?.seq ?? Number.POSITIVE_INFINITY;
    const entries = (found.at(-1)?.seq ?? 0) > lastSeq ? found.filter((entry) => entry.seq <= lastSeq) : found;
    const upTo = entries.at(-1)?.seq ?? reader.cursor;
    if (reader.mode === 'opening') {
      const head = Math.max(this.delivered, upTo);
      answer(out, reader.ask.key, { type: 'opened', verdict: 'replay', head, epoch, upTo, entries, more: upTo < head });
      reader.mode = 'behind';
    } else {
      out.push({ type: 'emit', reader: id, entries });
    }
    reader.cursor = upTo;
  }

  private onRangeFailed(id: ReaderId, nowMs: number, out: RoomEffect[]): void {
    const reader = this.readers.get(id);
    if (!reader?.isReading) return;
    reader.isReading = false;
    if (reader.mode === 'opening') return this.failOpen(id, out);
    reader.retryMs = nowMs + readRetryMs;
  }

  private failOpen(id: ReaderId, out: RoomEffect[]): void {
    const reader = this.readers.get(id);
    if (!reader) return;
    this.remove(id);
    answer(out, reader.ask.key, storeUnavailable);
  }

  private onRefused(id: ReaderId, after: number): void {
    const reader = this.readers.get(id);
    if (!reader) return;
    this.counters.readerPaused += 1;
    if (reader.mode === 'attached') this.attachedCount -= 1;
    this.moving.delete(id);
    reader.isReading = false;
    reader.mode = 'paused';
    reader.cursor = after;
  }

  private onReady(id: ReaderId): void {
    const reader = this.readers.get(id);
    if (reader?.mode !== 'paused') return;
    reader.mode = 'behind';
    this.moving.add(id);
  }

  private close(id: ReaderId, out: RoomEffect[]): void {
    const closed: AnsweredOutcome = { type: 'refused', code: 'CONFLICT', message: 'the room was closed or opened anew meanwhile' };
    for (const { ask } of this.asks) if (ask.type === 'open' && ask.reader === id) answer(out, ask.key, closed);
    this.asks = this.asks.filter(({ ask }) => ask.type !== 'open' || ask.reader !== id);
    const reader = this.readers.get(id);
    if (!reader) return;
    if (reader.mode === 'opening' || reader.mode === 'paging') answer(out, reader.ask.key, closed);
    this.remove(id);
    out.push({ type: 'detach', reader: id });
  }

  private remove(id: ReaderId): void {
    if (this.readers.get(id)?.mode === 'attached') this.attachedCount -= 1;
    this.readers.delete(id);
    this.moving.delete(id);
  }
}

const storeUnavailable: AnsweredOutcome = {
  type: 'refused',
  code: 'STORE_UNAVAILABLE',
  message: 'the room could not be read in time; ask again',
  retryAfterMs: 1000,
};

function answer(out: RoomEffect[], key: number, outcome: AnsweredOutcome): void {
  out.push({ type: 'answer', key, outcome });
}

/** The seq that whoever asks has seen. */
function seqOf(ask: OpenAsk | HistoryAsk | MarkAsk): number {
  if (ask.type === 'open') return ask.since ?? 0;
  return ask.type === 'mark' ? ask.seq : 0;
}

function beyondHead(headSeq: number): AnsweredOutcome {
  return { type: 'refused', code: 'INVALID', message: `seq must be at most the room's head, which is ${headSeq}` };
}

function emptyOpen(verdict: 'denied' | 'gone'): AnsweredOutcome {
  return { type: 'opened', verdict, head: 0, epoch: '', upTo: 0, entries: [], more: false };
}

function notAMember(fold: RoomFold): AnsweredOutcome {
  if (fold.facts?.public) return { type: 'refused', code: 'FORBIDDEN', message: 'you are not a member of this room; join it first' };
  return { type: 'refused', code: 'NOT_FOUND', message: 'no such room' };
}

/** What an entry that waits costs, about: two bytes a character, and its fields. */
function bytesOf({ text }: Entry): number {
  return 2 * (text?.length ?? 0) + 512;
}
