/**
 * NotifyQueue: which messages wait to be told to the notification service, and when the next may be. Pure: time and chance are arguments.
 *
 * Guarantees: at most `notesWaitingMax` wait, the oldest goes; at most `callsMax` are under way; one that failed is tried again after a pause
 * that doubles, until it is a minute old; while the service fails one call at a time tries it, so it is not met by all at once.
 */
import { type Absent, type Noted, noteAgeMaxMs, notesWaitingMax } from './notifier.ts';

/** Calls under way at once. */
export const callsMax = 8;
export const pauseMinMs = 250;
export const pauseMaxMs = 10_000;

export interface Waiting {
  readonly message: Noted;
  readonly absent: () => Promise<Absent>;
  readonly sinceMs: number;
}

export class NotifyQueue {
  dropped = 0;
  late = 0;
  private waiting: Waiting[] = [];
  /** Of `waiting`: those before it are gone. Shifting a long array is slow. */
  private first = 0;
  private under = 0;
  private pauseMs = 0;
  private pausesUntilMs = 0;

  get size(): number {
    return this.waiting.length - this.first + this.under;
  }

  get isFailing(): boolean {
    return this.pauseMs > 0;
  }

  add(note: Waiting): void {
    this.waiting.push(note);
    if (this.waiting.length - this.first > notesWaitingMax) {
      this.dropped += 1;
      this.first += 1;
    }
    this.compact();
  }

  /** The next to be told now, if any may. Give it back by `done` or `failed`. */
  take(nowMs: number): Waiting | undefined {
    this.expire(nowMs);
    const note = this.waiting[this.first];
    if (!note || this.under >= (this.isFailing ? 1 : callsMax) || nowMs < this.pausesUntilMs) return undefined;
    this.first += 1;
    this.under += 1;
    this.compact();
    return note;
  }

  /** `isTold`: the service took it or refused it for good, so it is there; else no call was made. */
  done(isTold: boolean): void {
    this.under -= 1;
    if (!isTold) return;
    this.pauseMs = 0;
    this.pausesUntilMs = 0;
  }

  /** Not taken: it goes to the front again. `chance` from 0 to 1; `retryAfterMs`: what the service asked for. */
  failed(note: Waiting, nowMs: number, chance: number, retryAfterMs = 0): void {
    this.under -= 1;
    this.pauseMs = Math.min(pauseMaxMs, Math.max(pauseMinMs, this.pauseMs * 2));
    const asked = Math.min(retryAfterMs, noteAgeMaxMs);
    this.pausesUntilMs = Math.max(this.pausesUntilMs, nowMs + Math.max(asked, this.pauseMs * (0.5 + chance / 2)));
    if (this.first > 0) {
      this.first -= 1;
      this.waiting[this.first] = note;
    } else {
      this.waiting.unshift(note);
    }
    if (this.waiting.length - this.first > notesWaitingMax) {
      this.dropped += 1;
      this.first += 1;
    }
  }

  /** When `take` may give something that it does not give now; undefined: only `add`, `done` or `failed` change that. */
  dueMs(): number | undefined {
    return this.waiting.length > this.first && this.under < (this.isFailing ? 1 : callsMax) ? this.pausesUntilMs : undefined;
  }

  /** The end: what waits is dropped, what is under way is let go. */
  drop(): void {
    this.late += this.waiting.length - this.first;
    this.waiting = [];
    this.first = 0;
  }

  private expire(nowMs: number): void {
    while (this.first < this.waiting.length && (this.waiting[this.first] as Waiting).sinceMs + noteAgeMaxMs <= nowMs) {
      this.first += 1;
      this.late += 1;
    }
    this.compact();
  }

  private compact(): void {
    if (this.first < 1_024 || this.first * 2 < this.waiting.length) return;
    this.waiting = this.waiting.slice(this.first);
    this.first = 0;
  }
}
