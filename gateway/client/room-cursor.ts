/**
 * RoomCursor: how far one open room was shown, over any number of connections. Pure: it decides, `ChatClient` acts.
 *
 * Guarantees: entries come out once and in order of seq, whatever comes in; what does not fit (a hole, a repeat) is
 * never shown but reported as a violation, and the room is opened anew from the last good seq.
 * A jump happens only by the server's word `snapshot`, and is reported as such.
 */
import type { CommandPayloads, WireEntry, WireMessage, WireOpened } from '../client-protocol.ts';

/**
 * hole: later than the next. repeat: the next or an older one again, or out of order. backwards: the same log now ends before
 * what was shown. malformed: an answer that contradicts itself.
 */
export interface Violation {
  readonly room: string;
  readonly kind: 'hole' | 'repeat' | 'backwards' | 'malformed';
  readonly expectedSeq: number;
  readonly gotSeq: number;
}

export interface Opened {
  readonly room: string;
  readonly verdict: 'replay' | 'snapshot';
  /** The last seq shown before; undefined: nothing was. */
  readonly since: number | undefined;
  readonly upTo: number;
  readonly head: number;
  readonly epoch: string;
  /** Opened before on an earlier connection: this is a coming back. */
  readonly isResume: boolean;
}
export interface Snapshot extends Opened {
  /** The last page, folded. What lies between `since` and it was skipped: ask `history` for it. */
  readonly messages: readonly WireMessage[];
  readonly hasBefore: boolean;
}
export type GoneReason = 'kicked' | 'left' | 'denied' | 'gone';

export type CursorAction =
  | { readonly type: 'opened'; readonly opened: Opened }
  | { readonly type: 'entries'; readonly entries: readonly WireEntry[] }
  | { readonly type: 'snapshot'; readonly snapshot: Snapshot }
  | { readonly type: 'violation'; readonly violation: Violation }
  | { readonly type: 'reopen'; readonly delayMs: number }
  | { readonly type: 'gone'; readonly reason: GoneReason };

export interface CursorStart {
  readonly since?: number | undefined;
  readonly epoch?: string | undefined;
  readonly limit?: number | undefined;
}

const reopenMinMs = 50;
const reopenMaxMs = 5_000;

export class RoomCursor {
  readonly room: string;
  private readonly limit: number | undefined;
  private seq: number | undefined;
  private knownEpoch: string | undefined;
  /** live: entries are taken. opening: they belong to an earlier opening and are dropped. */
  private mode: 'resting' | 'opening' | 'live' = 'resting';
  private opening = 0;
  private wasOpened = false;
  private faults = 0;

  constructor(room: string, start: CursorStart = {}) {
    this.room = room;
    this.seq = start.since;
    this.knownEpoch = start.epoch;
    this.limit = start.limit;
  }

  /** The last seq shown; undefined before the first answer of a room opened without `since`. */
  get lastSeq(): number | undefined {
    return this.seq;
  }

  get epoch(): string | undefined {
    return this.knownEpoch;
  }

  get isResting(): boolean {
    return this.mode === 'resting';
  }

  /** Starts an opening. Answers to earlier ones are ignored from now on. */
  begin(): { readonly opening: number; readonly payload: CommandPayloads['room:open'] } {
    this.mode = 'opening';
    this.opening += 1;
    const { room, seq, knownEpoch, limit, opening } = this;
    return { opening, payload: { room, since: seq, epoch: knownEpoch, limit } };
  }

  /** The connection is gone; nothing more comes until the next opening. */
  rest(): void {
    this.mode = 'resting';
    this.opening += 1;
  }

  isCurrent(opening: number): boolean {
    return opening === this.opening && this.mode === 'opening';
  }

  answered(opening: number, answer: WireOpened): readonly CursorAction[] {
    if (!this.isCurrent(opening)) return [];
    switch (answer.verdict) {
      case 'denied':
      case 'gone':
        this.rest();
        return [{ type: 'gone', reason: answer.verdict }];
      case 'replay':
        return this.replay(answer);
      case 'snapshot':
        return this.snapshot(answer);
      default:
        return this.violate('malformed', (this.seq ?? 0) + 1, 0);
    }
  }

  /** An `entries` event. */
  arrived(entries: readonly WireEntry[]): readonly CursorAction[] {
    return this.mode === 'live' ? this.take(entries) : [];
  }

  private replay(answer: WireOpened): readonly CursorAction[] {
    const since = this.seq ?? 0;
    const lastSeq = answer.entries.at(-1)?.seq ?? since;
    const isOtherLog = this.knownEpoch !== undefined && this.knownEpoch !== answer.epoch;
    if (isOtherLog || answer.upTo !== lastSeq || answer.head < answer.upTo) return this.violate('malformed', lastSeq, answer.upTo);
    const opened = this.opened(answer, 'replay', this.seq);
    this.seq = since;
    this.goLive(answer);
    return [{ type: 'opened', opened }, ...this.take(answer.entries)];
  }

  private snapshot(answer: WireOpened): readonly CursorAction[] {
    const since = this.seq;
    const isSameLog = this.knownEpoch === undefined || this.knownEpoch === answer.epoch;
    // Going back would show entries twice. A node that lags finds the rest; a log that lost its end never does.
    if (since !== undefined && isSameLog && answer.upTo < since) return this.violate('backwards', since, answer.upTo);
    const opened = this.opened(answer, 'snapshot', since);
    this.seq = answer.upTo;
    this.goLive(answer);
    this.faults = 0;
    const snapshot: Snapshot = { ...opened, messages: answer.entries, hasBefore: answer.more };
    return [
      { type: 'opened', opened },
      { type: 'snapshot', snapshot },
    ];
  }

  private opened(answer: WireOpened, verdict: 'replay' | 'snapshot', since: number | undefined): Opened {
    const { upTo, head, epoch } = answer;
    return { room: this.room, verdict, since, upTo, head, epoch, isResume: this.wasOpened };
  }

  private goLive(answer: WireOpened): void {
    this.mode = 'live';
    this.wasOpened = true;
    this.knownEpoch = answer.epoch;
  }

  private take(entries: readonly WireEntry[]): readonly CursorAction[] {
    let seq = this.seq ?? 0;
    const wrong = entries.findIndex((entry) => {
      if (entry.seq !== seq + 1) return true;
      seq += 1;
      return false;
    });
    this.seq = seq;
    const good = wrong === -1 ? entries : entries.slice(0, wrong);
    if (good.length > 0) this.faults = 0;
    const actions: CursorAction[] = good.length > 0 ? [{ type: 'entries', entries: good }] : [];
    const bad = wrong === -1 ? undefined : entries[wrong];
    if (bad) actions.push(...this.violate(bad.seq > seq + 1 ? 'hole' : 'repeat', seq + 1, bad.seq));
    return actions;
  }

  private violate(kind: Violation['kind'], expectedSeq: number, gotSeq: number): readonly CursorAction[] {
    this.rest();
    const delayMs = Math.min(reopenMaxMs, reopenMinMs * 2 ** Math.min(this.faults, 10));
    this.faults += 1;
    return [
      { type: 'violation', violation: { room: this.room, kind, expectedSeq, gotSeq } },
      { type: 'reopen', delayMs },
    ];
  }
}
