/**
 * Notifier over HTTP: POSTs each message to the notification service, a few at a time.
 *
 * Body: {id, sender, name?, text?, room, kind, seq, time, ids, more}. `id` is the same when a call is made again, also as Idempotency-Key.
 * 2xx: taken. 408, 429, 5xx, no answer: again after a pause, until the message is a minute old. Anything else: refused, not again.
 * Guarantees: nothing here runs in the call of `note`; order is kept only while nothing fails and calls are as quick as each other.
 */
import { setMaxListeners } from 'node:events';
import type { Clock } from '../clock.ts';
import type { Logger } from '../logger.ts';
import { CallFailed, callJson } from './http-call.ts';
import type { Absent, Noted, Notifier, NotifierCounts } from './notifier.ts';
import { callsMax, NotifyQueue, type Waiting } from './notify-queue-state.ts';

export interface HttpNotifierOptions {
  readonly url: string;
  readonly secret: string | undefined;
  readonly timeoutMs: number;
  readonly clock: Clock;
  readonly chance: () => number;
  readonly log: Logger;
}

export function createHttpNotifier(options: HttpNotifierOptions): Notifier {
  return new HttpNotifier(options);
}

class HttpNotifier implements Notifier {
  readonly isListening = true;
  readonly description = 'notification service over HTTP';
  private readonly options: HttpNotifierOptions;
  private readonly queue = new NotifyQueue();
  private readonly ended = new AbortController();
  private readonly told = { sent: 0, nobody: 0, refused: 0, failed: 0 };
  private isDraining = false;
  private isScheduled = false;
  /** A line was written of it; the next when it has taken something since. */
  private isRefusing = false;
  private cancelWake: () => void = () => {};
  private onEmpty: () => void = () => {};

  constructor(options: HttpNotifierOptions) {
    this.options = options;
    setMaxListeners(callsMax, this.ended.signal);
  }

  note(message: Noted, absent: () => Promise<Absent>): void {
    if (this.isDraining) return;
    this.queue.add({ message, absent, sinceMs: this.options.clock.nowMs() });
    this.wakeAt(0);
  }

  counts(): NotifierCounts {
    const { dropped, late, size: waiting } = this.queue;
    return { ...this.told, dropped, late, waiting };
  }

  health(): 'up' | { readonly degraded: string } {
    return this.queue.isFailing ? { degraded: 'does not take notifications; they wait for a minute' } : 'up';
  }

  async drain(deadlineMs: number): Promise<void> {
    this.isDraining = true;
    if (this.queue.size > 0) {
      await new Promise<void>((resolve) => {
        this.onEmpty = resolve;
        this.options.clock.after(deadlineMs, resolve);
      });
    }
    this.queue.drop();
    this.ended.abort();
    this.cancelWake();
  }

  /** One timer; the turn of the room that noted something is over when it fires. */
  private wakeAt(delayMs: number): void {
    if (this.isScheduled && delayMs === 0) return;
    this.cancelWake();
    this.isScheduled = delayMs === 0;
    this.cancelWake = this.options.clock.after(delayMs, () => this.pump());
  }

  private pump(): void {
    this.isScheduled = false;
    if (this.ended.signal.aborted) return;
    const nowMs = this.options.clock.nowMs();
    for (let next = this.queue.take(nowMs); next; next = this.queue.take(nowMs)) void this.tell(next);
    const dueMs = this.queue.dueMs();
    if (dueMs !== undefined) this.wakeAt(Math.max(1, dueMs - nowMs));
    if (this.queue.size === 0) this.onEmpty();
  }

  /** Never rejects. */
  private async tell(note: Waiting): Promise<void> {
    try {
      const absent = await note.absent();
      if (absent.ids.length === 0) {
        this.told.nobody += 1;
        this.queue.done(false);
      } else {
        await this.call(note, absent);
      }
    } catch {
      // Whom to notify could not be found out: that is no fault of the service.
      this.told.failed += 1;
      this.queue.done(false);
    }
    this.wakeAt(0);
  }

  private async call(note: Waiting, absent: Absent): Promise<void> {
    const { url: baseUrl, secret, timeoutMs, clock, chance } = this.options;
    const settings = { baseUrl, secret, timeoutMs, clock, answerBytesMax: 0 };
    const body = bodyOf(note.message, absent);
    let retryAfterMs: number | undefined;
    let why = '';
    try {
      const call = { method: 'POST', path: '', body, headers: { 'idempotency-key': body.id } } as const;
      const answer = await callJson(call, settings, false, this.ended.signal);
      if (answer.status >= 200 && answer.status < 300) {
        if (this.queue.isFailing) this.options.log.info({ ev: 'notify.up' }, 'the notification service takes notifications again');
        this.told.sent += 1;
        this.isRefusing = false;
        return this.queue.done(true);
      }
      if (answer.status < 500 && answer.status !== 408 && answer.status !== 429) {
        this.told.refused += 1;
        if (!this.isRefusing) this.warn(`status ${answer.status}`, 'the notification service refuses notifications');
        this.isRefusing = true;
        return this.queue.done(true);
      }
      why = `status ${answer.status}`;
      ({ retryAfterMs } = answer);
    } catch (error) {
      why = error instanceof CallFailed ? error.why : 'connection';
    }
    this.told.failed += 1;
    if (!this.queue.isFailing) this.warn(why, 'the notification service did not take a notification; it is tried again');
    this.queue.failed(note, clock.nowMs(), chance(), retryAfterMs);
  }

  private warn(why: string, words: string): void {
    if (!this.ended.signal.aborted) this.options.log.warn({ ev: 'notify.failed', why }, words);
  }
}

function bodyOf({ room, seq, at, ...message }: Noted, { ids, more }: Absent) {
  return { id: `${room}:${seq}`, room, seq, time: at, ...message, ids, more };
}
