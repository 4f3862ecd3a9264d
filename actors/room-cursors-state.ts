/**
 * RoomCursors: the readers of a room on this node, each with its cursor in the room's stream. Pure; `room-delivery.ts` owns it.
 *
 * Guarantees: a reader gets seq cursor+1 next or nothing; it becomes attached only when its cursor is the stream's end.
 * Does not: judge who may read (whoever opens has been judged), or know what waits for a read of everybody.
 */
import type { UserId } from '../system/ids.ts';
import type { Entry } from '../system/store/entry.ts';
import { firstFrame } from './frame-state.ts';
import type { RoomFold } from './room-fold.ts';
import type { AnsweredOutcome, DeliveryInput, ReaderId, RoomCounters, RoomEffect, RoomSettings } from './room-protocol.ts';
import type { RoomStream } from './room-stream-state.ts';

/** A read that failed or came back short is tried again after this. */
export const readRetryMs = 200;

export type OpenAsk = Extract<DeliveryInput, { type: 'open' }>;

export interface Reader {
  readonly user: UserId;
  /** The ask that made it and when that is to be answered, until it is: thousands of readers are attached. */
  asked: { readonly ask: OpenAsk; readonly deadlineMs: number } | undefined;
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

export class RoomCursors {
  private readonly stream: RoomStream;
  private readonly settings: RoomSettings;
  private readonly counters: RoomCounters;
  private readonly readers = new Map<ReaderId, Reader>();
  /** Readers that are neither attached nor paused. */
  private readonly moving = new Set<ReaderId>();
  private attachedCount = 0;
  /** Page reads under way, by reader: the open each was made for. One at a time, since a page does not say whose it is. */
  private readonly pagesOut = new Map<ReaderId, number>();

  constructor(stream: RoomStream, settings: RoomSettings, counters: RoomCounters) {
    this.stream = stream;
    this.settings = settings;
    this.counters = counters;
  }

  get size(): number {
    return this.readers.size;
  }

  get hasAttached(): boolean {
    return this.attachedCount > 0;
  }

  of(user: UserId): [ReaderId, Reader][] {
    return [...this.readers].filter(([, reader]) => reader.user === user);
  }

  /** When the first read that failed is due again; Infinity: none. */
  retryAtMs(): number {
    let dueMs = Number.POSITIVE_INFINITY;
    for (const id of this.moving) dueMs = Math.min(dueMs, this.readers.get(id)?.retryMs ?? dueMs);
    return dueMs;
  }

  /** A member's open: at its own position where that can be replayed, else at the last page. */
  open(ask: OpenAsk, deadlineMs: number, { fold }: DeliveryContext, out: RoomEffect[]): void {
    const { since } = ask;
    const isSameLog = ask.epoch === undefined || ask.epoch === fold.epoch;
    const canReplay =
      since !== undefined && isSameLog && since <= this.stream.delivered && this.stream.delivered - since <= this.settings.resumeEntriesMax;
    const reader: Reader = {
      user: ask.user,
      asked: { ask, deadlineMs },
      cursor: canReplay ? since : this.stream.delivered,
      mode: canReplay ? 'opening' : 'paging',
      isReading: false,
      retryMs: undefined,
    };
    this.readers.set(ask.reader, reader);
    if (canReplay) {
      this.counters.resume += 1;
      this.moving.add(ask.reader);
    } else {
      this.readPage(ask.reader, reader, ask, out);
    }
  }

  /** Every reader that moves makes one step. */
  advanceAll(nowMs: number, context: DeliveryContext, out: RoomEffect[]): void {
    if (this.moving.size === 0) return;
    for (const id of [...this.moving]) this.advance(id, nowMs, context, out);
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

  private readPage(id: ReaderId, reader: Reader, { key, limit }: OpenAsk, out: RoomEffect[]): void {
    if (this.pagesOut.has(id)) return; // Of an earlier open: this one's follows when that is back.
    this.pagesOut.set(id, key);
    out.push({ type: 'page', reader: id, limit, upTo: reader.cursor });
  }

  /** The reader a page that came back was made for. One that closed and opened meanwhile gets a page of its own. */
  private pageOwner(id: ReaderId, out: RoomEffect[]): Reader | undefined {
    const openKey = this.pagesOut.get(id);
    this.pagesOut.delete(id);
    const reader = this.readers.get(id);
    if (reader?.mode !== 'paging' || !reader.asked) return undefined;
    if (reader.asked.ask.key === openKey) return reader;
    this.readPage(id, reader, reader.asked.ask, out);
    return undefined;
  }

  onPageRead(input: Extract<DeliveryInput, { type: 'pageRead' }>, context: DeliveryContext, out: RoomEffect[]): void {
    const reader = this.pageOwner(input.reader, out);
    if (!reader) return;
    this.answerOpen(reader, out, {
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
    if (reader.cursor < this.stream.delivered && reader.cursor + 1 < this.stream.firstRecent) {
      reader.isReading = true;
      out.push({ type: 'range', reader: id, after: reader.cursor, limit: this.settings.readEntriesMax });
      return;
    }
    if (reader.cursor < this.stream.delivered || reader.mode === 'opening') {
      const entries = reader.cursor < this.stream.delivered ? firstFrame(this.stream.recentAfter(reader.cursor)) : [];
      this.supply(id, reader, entries, fold.epoch, out);
    }
    if (reader.leaving || reader.cursor < this.stream.delivered)
      return this.advance(id, nowMs, { fold, headSeq: this.stream.delivered }, out);
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
      const head = Math.max(this.stream.delivered, upTo);
      this.answerOpen(reader, out, { type: 'opened', verdict: 'replay', head, epoch, upTo, entries, more: upTo < head });
      reader.mode = 'behind';
    } else {
      out.push({ type: 'emit', reader: id, entries });
    }
    reader.cursor = upTo;
  }

  /** Once. */
  private answerOpen(reader: Reader, out: RoomEffect[], outcome: AnsweredOutcome): void {
    if (reader.asked) answer(out, reader.asked.ask.key, outcome);
    reader.asked = undefined;
  }

  onPageFailed(id: ReaderId, out: RoomEffect[]): void {
    if (this.pageOwner(id, out)) this.failOpen(id, out);
  }

  onRangeFailed(id: ReaderId, nowMs: number, out: RoomEffect[]): void {
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
    this.answerOpen(reader, out, storeUnavailable);
  }

  onRefused(id: ReaderId, after: number): void {
    const reader = this.readers.get(id);
    if (!reader) return;
    this.counters.readerPaused += 1;
    if (reader.mode === 'attached') this.attachedCount -= 1;
    this.moving.delete(id);
    reader.isReading = false;
    reader.mode = 'paused';
    reader.cursor = after;
  }

  onReady(id: ReaderId): void {
    const reader = this.readers.get(id);
    if (reader?.mode !== 'paused') return;
    reader.mode = 'behind';
    this.moving.add(id);
  }

  /** true: it was there; what it waited for is answered. */
  close(id: ReaderId, closed: AnsweredOutcome, out: RoomEffect[]): boolean {
    const reader = this.readers.get(id);
    if (!reader) return false;
    this.answerOpen(reader, out, closed);
    this.remove(id);
    return true;
  }

  remove(id: ReaderId): void {
    if (this.readers.get(id)?.mode === 'attached') this.attachedCount -= 1;
    this.readers.delete(id);
    this.moving.delete(id);
  }
}

export const storeUnavailable: AnsweredOutcome = {
  type: 'refused',
  code: 'STORE_UNAVAILABLE',
  message: 'the room could not be read in time; ask again',
  retryAfterMs: 1000,
};

export function answer(out: RoomEffect[], key: number, outcome: AnsweredOutcome): void {
  out.push({ type: 'answer', key, outcome });
}
