/**
 * PingSweep: pings connections evenly, and ends those that do not answer.
 *
 * A timer for each, as engine.io has it, falls into step: after one busy moment the pongs come together, and from then on so do the
 * pings. A thousand of them at once held the event loop for 100 to 300 ms every interval. Guarantees: each connection is pinged at least
 * once an interval, and a tick pings no more than its share of them; whoever did not answer within the time-out is ended, at most
 * a tick later.
 */
import type { Clock } from '../system/clock.ts';

export interface Pinged {
  readonly isOpen: boolean;
  /** When it was sent the ping that it has not answered; undefined: it has answered all. Set here, cleared there. */
  pingedMs: number | undefined;
  ping(): void;
  /** No answer within the time-out. */
  silent(): void;
}

const tickMs = 50;

export interface PingTimes {
  readonly pingIntervalMs: number;
  readonly pingTimeoutMs: number;
}

export class PingSweep {
  readonly #times: PingTimes;
  readonly #clock: Pick<Clock, 'nowMs' | 'after'>;
  /** Whoever was pinged goes to the end. Connections that are gone are skipped when their turn comes. */
  #queue: Pinged[] = [];
  #next = 0;
  /** Those pinged, oldest first; most have answered long since. */
  #awaited: { readonly connection: Pinged; readonly atMs: number }[] = [];
  #live = 0;
  /** Pings owed, below one between two ticks. */
  #owed = 0;
  #tickedMs: number;
  #cancel: () => void = () => {};

  constructor(times: PingTimes, clock: Pick<Clock, 'nowMs' | 'after'>) {
    this.#times = times;
    this.#clock = clock;
    this.#tickedMs = clock.nowMs();
    this.#arm();
  }

  /** `gone` is to follow once it closed. */
  add(connection: Pinged): void {
    this.#queue.push(connection);
    this.#live += 1;
  }

  gone(): void {
    this.#live -= 1;
  }

  stop(): void {
    this.#cancel();
  }

  #arm(): void {
    this.#cancel = this.#clock.after(tickMs, () => {
      this.#tick();
      this.#arm();
    });
  }

  #tick(): void {
    const nowMs = this.#clock.nowMs();
    // A process that stood still has not read what was answered meanwhile: it first does.
    const stoodStill = nowMs - this.#tickedMs > tickMs + this.#times.pingTimeoutMs / 2;
    if (!stoodStill) this.#endSilent(nowMs);
    this.#pingSome(nowMs);
  }

  #endSilent(nowMs: number): void {
    const dueMs = nowMs - this.#times.pingTimeoutMs;
    let over = 0;
    while (over < this.#awaited.length && (this.#awaited[over]?.atMs as number) <= dueMs) over += 1;
    if (over === 0) return;
    const due = this.#awaited.slice(0, over);
    this.#awaited = this.#awaited.slice(over);
    for (const { connection, atMs } of due) if (connection.isOpen && connection.pingedMs === atMs) connection.silent();
  }

  /** With n connections, n × elapsed / interval of them: whoever is at place p of n waits at most p / n of an interval. */
  #pingSome(nowMs: number): void {
    this.#owed = Math.min(this.#live, this.#owed + (this.#live * (nowMs - this.#tickedMs)) / this.#times.pingIntervalMs);
    this.#tickedMs = nowMs;
    // Rounded up: never later than an interval.
    for (let left = Math.ceil(this.#owed); left > 0 && this.#next < this.#queue.length; ) {
      const connection = this.#queue[this.#next] as Pinged;
      this.#next += 1;
      if (!connection.isOpen) continue;
      this.#queue.push(connection);
      left -= 1;
      this.#owed -= 1;
      if (connection.pingedMs !== undefined) continue;
      connection.pingedMs = nowMs;
      connection.ping();
      this.#awaited.push({ connection, atMs: nowMs });
    }
    if (this.#next > this.#queue.length / 2) {
      this.#queue = this.#queue.slice(this.#next);
      this.#next = 0;
    }
  }
}
