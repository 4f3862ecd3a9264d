/**
 * RoomForward: whom a room's commands are forwarded to, and what is under way there. Pure.
 *
 * The last winner knows the head first and would starve slower nodes; so a node that meets the entries of another one gives it its
 * commands instead of racing it (design.md, section 2, step 7). One forward is under way at a time; what comes later waits behind it.
 * Guarantees: a forward ends by its answer, by the word that it was not sent, or by time, whichever is first; then every command of it
 * is acknowledged or handed back, in order. Does not: decide what is stored. Only `stored` answers count, and whatever else comes back
 * is looked for in the log by a committed read and judged anew.
 */
import { type Entry, isControl } from '../system/store/entry.ts';
import type { EntryDraft } from './room-fold.ts';
import type { ForwardResult, RoomSettings, WaitingCommand } from './room-protocol.ts';

/** Without a foreign entry for so long a node appends itself again. */
const foreignRecentMs = 300;
/** With foreign entries this recent, by a node that cannot forward to this one, a winner lets others go first for one round trip. */
const yieldWindowMs = 100;
/** A forward without an answer is taken over, unless entries of that node came meanwhile: it lives, and may be slow. */
const answerMs = 250;
const answerMaxMs = 1_000;
/** A node that did not answer is not asked again for so long: each try costs those who wait `answerMs`. */
const shunMs = 1_000;

interface Newest {
  readonly seq: number;
  readonly writer: string;
  readonly atMs: number;
}

export interface UnderWay {
  readonly id: number;
  readonly to: string;
  readonly batch: readonly WaitingCommand[];
  readonly drafts: readonly EntryDraft[];
  readonly sentMs: number;
  /** The last sign of life of the node it went to. */
  aliveMs: number;
}

export class RoomForward {
  /** Of the entries heard of, by whatever way, the one with the highest number. A false one costs time only. */
  private newest: Newest = { seq: 0, writer: '', atMs: Number.NEGATIVE_INFINITY };
  /** The highest control entry heard of. While the fold has not seen it, the other node would hand back what is forwarded. */
  controlSeq = 0;
  private foreignWriter: string | undefined;
  private foreignSeenMs = Number.NEGATIVE_INFINITY;
  private readonly settings: RoomSettings;
  private underWay: UnderWay | undefined;
  private shunned: { readonly writer: string; readonly untilMs: number } | undefined;
  private ids = 0;

  constructor(settings: RoomSettings) {
    this.settings = settings;
  }

  /** The commands at the last winner. While there are any, later ones of this room wait. */
  get batch(): readonly WaitingCommand[] {
    return this.underWay?.batch ?? [];
  }

  get isUnderWay(): boolean {
    return this.underWay !== undefined;
  }

  /** When the answer is due at the latest. */
  get dueAtMs(): number | undefined {
    if (!this.underWay) return undefined;
    const { sentMs, aliveMs } = this.underWay;
    return Math.min(sentMs + answerMaxMs, aliveMs + answerMs);
  }

  /** Entries of the room were heard of: by a read, the wire, an own append. */
  heard(entries: readonly Entry[], nowMs: number): void {
    for (const entry of entries) {
      const { seq, writer } = entry;
      if (isControl(entry)) this.controlSeq = Math.max(this.controlSeq, seq);
      if (writer !== this.settings.writer) this.metForeign(nowMs, writer);
      if (seq > this.newest.seq) this.newest = { seq, writer, atMs: nowMs };
      if (writer === this.underWay?.to) this.underWay.aliveMs = nowMs;
    }
  }

  /** Somebody else writes here too, whoever it is. */
  metForeign(nowMs: number, writer?: string): void {
    this.foreignSeenMs = nowMs;
    this.foreignWriter = writer ?? this.foreignWriter;
  }

  /** Whom the commands go to; undefined: they are appended here. */
  target(nowMs: number): string | undefined {
    const { writer, atMs } = this.newest;
    if (writer === this.settings.writer || nowMs - atMs >= foreignRecentMs) return undefined;
    const isShunned = this.shunned?.writer === writer && nowMs < this.shunned.untilMs;
    return !isShunned && this.canForward(writer) ? writer : undefined;
  }

  /** After a win: others are to go first. Who can forward need not be let. */
  mustYield(nowMs: number): boolean {
    if (nowMs - this.foreignSeenMs >= yieldWindowMs) return false;
    return this.foreignWriter === undefined || !this.canForward(this.foreignWriter);
  }

  private canForward(writer: string): boolean {
    return this.settings.canForward?.(writer) === true;
  }

  begin(to: string, batch: readonly WaitingCommand[], drafts: readonly EntryDraft[], nowMs: number): UnderWay {
    this.ids += 1;
    this.underWay = { id: this.ids, to, batch, drafts, sentMs: nowMs, aliveMs: nowMs };
    return this.underWay;
  }

  /** The forward that this answers; undefined: an answer that comes twice, or too late. */
  end(id: number): UnderWay | undefined {
    if (this.underWay?.id !== id) return undefined;
    const ended = this.underWay;
    this.underWay = undefined;
    return ended;
  }

  /** The forward whose answer is overdue; its node is left alone for a while. */
  expire(nowMs: number): UnderWay | undefined {
    const { dueAtMs, underWay } = this;
    if (!underWay || dueAtMs === undefined || nowMs < dueAtMs) return undefined;
    this.shunned = { writer: underWay.to, untilMs: nowMs + shunMs };
    this.underWay = undefined;
    return underWay;
  }
}

/** What the other node stored, as it will be read: it judged by the same control entries, so its draft is the one made here. */
export function storedThere(
  { command }: WaitingCommand,
  { kind, ...content }: EntryDraft,
  { seq, n, at }: ForwardResult,
  writer: string,
): Entry {
  const name = command.name === undefined ? undefined : { name: command.name };
  return { seq, n, kind, by: command.by, ...name, at, cid: command.cid, writer, ...content };
}
