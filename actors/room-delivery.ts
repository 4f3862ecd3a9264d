/**
 * RoomDelivery: the reader side of a room's state. What is asked waits until it can be answered truly; what the room's stream
 * (`room-stream-state.ts`) gains goes to the readers (`room-cursors-state.ts`). Pure, like `room-state.ts`, which owns it.
 *
 * Guarantees: whoever goes sees that they go and nothing after it; an ask is not judged by a fold that may be stale for it.
 * Does not: touch the append head. Events only say what is to be shown and that a read may be due.
 */
import { type Entry, type Head, isControl } from '../system/store/entry.ts';
import { answer, type DeliveryContext, type OpenAsk, RoomCursors, readRetryMs, storeUnavailable } from './room-cursors-state.ts';
import type { RoomFold } from './room-fold.ts';
import type { AnsweredOutcome, DeliveryInput, ReaderId, RoomCounters, RoomEffect, RoomSettings } from './room-protocol.ts';
import { RoomStream } from './room-stream-state.ts';

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

/** Short, and yet long enough that entries which come together are read together. */
const aloneMs = 10;

export class RoomDelivery {
  private readonly stream: RoomStream;
  private readonly cursors: RoomCursors;
  private readonly settings: RoomSettings;
  private readonly counters: RoomCounters;
  private gapFromHint = false;
  /** What is missing comes by no other way than by reading it. */
  private isGapAlone = false;
  private isCatchingUp = false;
  private catchUpRetryMs: number | undefined;
  private asks: WaitingAsk[] = [];
  /** The last change of membership delivered. Events run ahead of the fold: while it has not seen this one, it is stale for asks. */
  private memberSeq = 0;

  constructor(settings: RoomSettings, counters: RoomCounters) {
    this.settings = settings;
    this.counters = counters;
    this.stream = new RoomStream(settings, counters);
    this.cursors = new RoomCursors(this.stream, settings, counters);
  }

  get delivered(): number {
    return this.stream.delivered;
  }

  get deliveredN(): number {
    return this.stream.deliveredN;
  }

  get seenSeq(): number {
    return this.stream.seenSeq;
  }

  get earlyBytes(): number {
    return this.stream.earlyBytes;
  }

  get isIdle(): boolean {
    return this.cursors.size === 0 && this.asks.length === 0 && !this.isCatchingUp;
  }

  /** Before something that is missing is read: long enough for what comes another way, or for more of the same to be read with it. */
  private get gapWaitMs(): number {
    return this.isGapAlone ? Math.min(aloneMs, this.settings.gapMs) : this.settings.gapMs;
  }

  begin(head: Pick<Head, 'seq' | 'n'>): void {
    this.stream.begin(head);
  }

  /** Infinity: nothing waits for time. */
  dueAtMs(): number {
    let dueMs = this.cursors.retryAtMs();
    if (this.stream.gapSinceMs !== undefined && !this.isCatchingUp && this.cursors.size > 0) {
      dueMs = Math.min(dueMs, Math.max(this.stream.gapSinceMs + this.gapWaitMs, this.catchUpRetryMs ?? 0));
    }
    if (this.asks[0]) dueMs = Math.min(dueMs, this.asks[0].deadlineMs, this.catchUpRetryMs ?? dueMs);
    return dueMs;
  }

  take(input: DeliveryInput, nowMs: number, context: DeliveryContext, out: RoomEffect[]): void {
    switch (input.type) {
      case 'hint':
        this.gapFromHint = !this.stream.hasEarly;
        this.isGapAlone ||= input.isAlone === true && !this.stream.hasEarly;
        this.stream.noteSeen(input.seq, nowMs);
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
        return this.cursors.onPageRead(input, context, out);
      case 'pageFailed':
        return this.cursors.onPageFailed(input.reader, out);
      case 'rangeFailed':
        return this.cursors.onRangeFailed(input.reader, nowMs, out);
      case 'catchUpFailed':
        this.isCatchingUp = false;
        this.catchUpRetryMs = nowMs + readRetryMs;
        return;
      case 'refused':
        return this.cursors.onRefused(input.reader, input.after);
      case 'ready':
        return this.cursors.onReady(input.reader);
    }
  }

  /** Entries from an append, a read or the wire. What extends the stream is shown. */
  offer(entries: readonly Entry[], nowMs: number, out: RoomEffect[]): void {
    const fresh = this.stream.take(entries, nowMs);
    if (fresh.length > 0) this.show(fresh, out);
  }

  private show(fresh: readonly Entry[], out: RoomEffect[]): void {
    if (!fresh.some(isControl)) return this.push(fresh, out);
    out.push({ type: 'membership', entries: fresh.filter(isControl) });
    let start = 0;
    for (const [index, entry] of fresh.entries()) {
      if (entry.member) this.memberSeq = entry.seq;
      if (entry.member?.change !== 'kicked' && entry.member?.change !== 'left') continue;
      const leaving = this.cursors.of(entry.member.user);
      if (leaving.length === 0) continue;
      // Whoever goes still sees that they go, and nothing after it.
      this.push(fresh.slice(start, index + 1), out);
      start = index + 1;
      for (const [id, reader] of leaving) {
        if (reader.mode === 'behind' || reader.mode === 'paused') {
          reader.leaving ??= { seq: entry.seq, reason: entry.member.change };
          continue;
        }
        this.cursors.remove(id);
        if (reader.asked) {
          // Asked perhaps after they had come back: what is true at the stream's end decides.
          this.asks.unshift({ ...reader.asked, looked: false, isCovered: false });
        } else {
          out.push({ type: 'gone', reader: id, reason: entry.member.change });
        }
      }
    }
    this.push(start === 0 ? fresh : fresh.slice(start), out);
  }

  private push(entries: readonly Entry[], out: RoomEffect[]): void {
    if (entries.length > 0 && this.cursors.hasAttached) out.push({ type: 'deliver', entries });
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
    this.isGapAlone = false;
    if (count < this.settings.readEntriesMax) {
      for (const waiting of this.asks) waiting.looked ||= waiting.isCovered;
      if (this.stream.gapSinceMs !== undefined) this.stream.gapSinceMs = nowMs; // Not there yet: look again after gapMs.
    }
  }

  rangeRead(id: ReaderId, entries: readonly Entry[], nowMs: number, epoch: string, out: RoomEffect[]): void {
    this.cursors.rangeRead(id, entries, nowMs, epoch, out);
  }

  /** Starts what has become due: reads for gaps and asks, pages, ranges, attachments. */
  pump(nowMs: number, context: DeliveryContext, appendHeadSeq: number, out: RoomEffect[]): void {
    this.admitAsks(nowMs, context, appendHeadSeq, out);
    this.cursors.advanceAll(nowMs, context, out);
    const isGapDue = this.stream.gapSinceMs !== undefined && this.cursors.size > 0 && nowMs >= this.stream.gapSinceMs + this.gapWaitMs;
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
      const isStreamBehind = this.stream.isBehind || seqOf(ask) > this.delivered;
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

  private admitOpen(ask: OpenAsk, deadlineMs: number, context: DeliveryContext, out: RoomEffect[]): void {
    const { fold } = context;
    if (!fold.isMember(ask.user)) {
      const verdict = fold.membership(ask.user) ? 'denied' : 'gone';
      answer(out, ask.key, ask.since === undefined ? notAMember(fold) : emptyOpen(verdict));
      return;
    }
    this.close(ask.reader, out);
    this.cursors.open(ask, deadlineMs, context, out);
  }

  private close(id: ReaderId, out: RoomEffect[]): void {
    const closed: AnsweredOutcome = { type: 'refused', code: 'CONFLICT', message: 'the room was closed or opened anew meanwhile' };
    for (const { ask } of this.asks) if (ask.type === 'open' && ask.reader === id) answer(out, ask.key, closed);
    this.asks = this.asks.filter(({ ask }) => ask.type !== 'open' || ask.reader !== id);
    if (this.cursors.close(id, closed, out)) out.push({ type: 'detach', reader: id });
  }
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
