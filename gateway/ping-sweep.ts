/**
 * PingSweep: pings connections evenly, in the place of engine.io's timer for each.
 *
 * Those timers fall into step: after one busy moment the pongs come together, and from then on so do the pings. A thousand of them
 * at once held the event loop for 100 to 300 ms every interval. Guarantees: each connection is pinged at least once an interval, and a
 * tick pings no more than its share of them. What a missing pong means stays engine.io's to decide (it is pinned; this knows its inside).
 */
import type { Clock } from '../system/clock.ts';

/** The part of an engine.io connection that is used, privates among it. */
export interface PingedConnection {
  readonly readyState: string;
  pingIntervalTimer: { refresh(): unknown };
  /** Set while a pong is waited for. */
  readonly pingTimeoutTimer?: unknown;
  hasRefreshedPingTimeout: boolean;
  sendPacket(type: 'ping'): unknown;
  /** Closes the connection when nothing comes for the ping time-out. */
  resetPingTimeout(): unknown;
}

const tickMs = 50;
/** Given to engine.io, which refreshes its timer with each pong. */
const noTimer = Object.freeze({ refresh: (): void => {} });

export class PingSweep {
  readonly #intervalMs: number;
  readonly #clock: Pick<Clock, 'nowMs' | 'after'>;
  /** Whoever was pinged goes to the end. Connections that are gone are skipped when their turn comes. */
  #queue: PingedConnection[] = [];
  #next = 0;
  #live = 0;
  /** Pings owed, below one between two ticks. */
  #owed = 0;
  #tickedMs: number;
  #cancel: () => void = () => {};

  constructor(intervalMs: number, clock: Pick<Clock, 'nowMs' | 'after'>) {
    this.#intervalMs = intervalMs;
    this.#clock = clock;
    this.#tickedMs = clock.nowMs();
    this.#arm();
  }

  /** Takes over the pings of a connection that has just opened. `gone` is to follow once it closed. */
  add(connection: PingedConnection): void {
    clearTimer(connection.pingIntervalTimer);
    connection.pingIntervalTimer = noTimer;
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

  /** With n connections, n × elapsed / interval of them: whoever is at place p of n waits at most p / n of an interval. */
  #tick(): void {
    const nowMs = this.#clock.nowMs();
    this.#owed = Math.min(this.#live, this.#owed + (this.#live * (nowMs - this.#tickedMs)) / this.#intervalMs);
    this.#tickedMs = nowMs;
    // Rounded up: never later than an interval.
    for (let left = Math.ceil(this.#owed); left > 0 && this.#next < this.#queue.length; ) {
      const connection = this.#queue[this.#next] as PingedConnection;
      this.#next += 1;
      if (connection.readyState !== 'open') continue;
      this.#queue.push(connection);
      left -= 1;
      this.#owed -= 1;
      // Another ping would only put off the end of one that does not answer.
      if (connection.pingTimeoutTimer) continue;
      connection.hasRefreshedPingTimeout = false;
      connection.sendPacket('ping');
      connection.resetPingTimeout();
    }
    if (this.#next > this.#queue.length / 2) {
      this.#queue = this.#queue.slice(this.#next);
      this.#next = 0;
    }
  }
}

/** engine.io's is a timer of Node; a test's may be none. */
function clearTimer(timer: unknown): void {
  clearTimeout(timer as NodeJS.Timeout);
}
