/**
 * OlderTalk: speaks to an older state server over TCP: runs the pure `OlderPool` on sockets and a clock.
 *
 * Guarantees: one short line at most waits in each socket; after `onEnded`, which comes once, nothing is open.
 */
import type { Clock } from '../clock.ts';
import { encodeLine } from './frame-codec.ts';
import { type Address, LineSocket } from './line-socket-tcp.ts';
import { olderQuestion } from './link-greeting-state.ts';
import type { OlderRoster } from './link-older-roster-state.ts';
import { type OlderEffect, OlderPool } from './link-older-state.ts';
import type { LinkTimes } from './link-times.ts';
import { lineBytesMax } from './state-lines.ts';
import { WakeTimer } from './wake-timer.ts';

export interface OlderTalkOptions {
  readonly address: Address;
  readonly roster: OlderRoster;
  readonly times: LinkTimes;
  readonly clock: Clock;
  readonly random: () => number;
  readonly connections: number;
  readonly onEnded: (why: string) => void;
}

export class OlderTalk {
  readonly #options: OlderTalkOptions;
  readonly #pool: OlderPool;
  readonly #sockets = new Map<number, LineSocket>();
  readonly #timer: WakeTimer;

  constructor(options: OlderTalkOptions) {
    this.#options = options;
    this.#pool = new OlderPool(options, options.clock.nowMs());
    this.#timer = new WakeTimer(options.clock, () => this.#after(() => this.#pool.tick(options.clock.nowMs())));
    this.settle();
  }

  /** The server was told of everybody here. */
  get isTold(): boolean {
    return this.#pool.isTold;
  }

  drain(untilMs: number): void {
    this.#after(() => this.#pool.drain(untilMs));
  }

  close(): void {
    this.#after(() => this.#pool.end('closed'));
  }

  /** The roster has changed. */
  settle(): void {
    this.#pool.flush(this.#options.clock.nowMs());
    for (let effects = this.#pool.take(); effects.length > 0; effects = this.#pool.take()) for (const effect of effects) this.#do(effect);
    this.#timer.set(this.#pool.wakeAtMs);
  }

  #after(happen: () => void): void {
    happen();
    this.settle();
  }

  #do(effect: OlderEffect): void {
    switch (effect.type) {
      case 'connect':
        this.#sockets.set(effect.slot, this.#connect(effect.slot));
        return;
      case 'cut':
        this.#sockets.get(effect.slot)?.cut();
        this.#sockets.delete(effect.slot);
        return;
      case 'question':
        this.#sockets.get(effect.slot)?.send(encodeLine(olderQuestion));
        return;
      case 'send':
        this.#sockets.get(effect.slot)?.send(encodeLine(effect.line));
        return;
      case 'ended':
        return this.#options.onEnded(effect.why);
    }
  }

  #connect(slot: number): LineSocket {
    const pool = this.#pool;
    const nowMs = (): number => this.#options.clock.nowMs();
    return new LineSocket(this.#options.address, lineBytesMax, {
      connected: () => this.#after(() => pool.connected(slot, nowMs())),
      heard: (frame) => pool.heard(slot, frame.type === 'line' ? frame.text : undefined, nowMs()),
      paused: () => this.settle(),
      drained: () => {},
      closed: (why) => this.#after(() => pool.closed(slot, why, nowMs())),
    });
  }
}
