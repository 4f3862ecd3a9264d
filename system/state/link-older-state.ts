/**
 * OlderPool: a few connections to an older state server, as a pure state machine.
 *
 * Guarantees: one request in flight on each; an answer counts only on the connection, and in the time, of its request. A request
 * without an answer in time ends its connection, and so does a line nobody asked for or of another shape, so no answer is ever
 * taken for another's. Each connection shows that it is answered at all before it is used, and again when it was idle for long.
 * Ends when no connection is left.
 */

import { olderAnswer } from './link-greeting-state.ts';
import { isOlderReply } from './link-older-lines.ts';
import type { OlderRequest, OlderRoster } from './link-older-roster-state.ts';
import { LinkRetry } from './link-retry-state.ts';
import type { LinkTimes } from './link-times.ts';

export type OlderEffect =
  | { readonly type: 'connect' | 'cut' | 'question'; readonly slot: number }
  | { readonly type: 'send'; readonly slot: number; readonly line: string }
  | { readonly type: 'ended'; readonly why: string };

export interface OlderPoolParts {
  readonly roster: OlderRoster;
  readonly times: LinkTimes;
  /** From 0 up to 1. */
  readonly random: () => number;
  readonly connections: number;
}

/** The older server takes a share of its memory for each line that is being read. */
export const olderConnectionsMax = 10;

interface Slot {
  readonly number: number;
  readonly retry: LinkRetry;
  phase: 'waiting' | 'connecting' | 'asking' | 'idle' | 'busy';
  /** When the phase ends if nothing happens. */
  endAtMs: number;
  request: OlderRequest | undefined;
  provenAtMs: number | undefined;
  /** The server ended it, or was not there: not one that was ended from here. */
  isLost: boolean;
}

export class OlderPool {
  private readonly parts: OlderPoolParts;
  private readonly slots: readonly Slot[];
  private effects: OlderEffect[] = [];
  private isEnded = false;
  private toldOnce = false;
  private drainUntilMs: number | undefined;

  constructor(parts: OlderPoolParts, nowMs: number) {
    this.parts = parts;
    this.slots = Array.from({ length: Math.min(parts.connections, olderConnectionsMax) }, (_, number) => ({
      number,
      retry: new LinkRetry(parts.times, parts.random),
      phase: 'waiting',
      endAtMs: nowMs,
      request: undefined,
      provenAtMs: undefined,
      isLost: false,
    }));
    parts.roster.startOver();
    for (const slot of this.slots) this.connect(slot, nowMs);
  }

  /** Everybody here was told once. */
  get isTold(): boolean {
    return this.toldOnce;
  }

  get wakeAtMs(): number | undefined {
    if (this.isEnded) return undefined;
    return Math.min(this.drainUntilMs ?? Infinity, ...this.slots.map(({ endAtMs }) => endAtMs));
  }

  /** What is to be done, in this order; each once. */
  take(): readonly OlderEffect[] {
    const { effects } = this;
    this.effects = [];
    return effects;
  }

  // ---- what happened ----

  connected(number: number, nowMs: number): void {
    const slot = this.slots[number];
    if (slot?.phase === 'connecting') this.question(slot, nowMs);
  }

  /** undefined: no text. */
  heard(number: number, text: string | undefined, nowMs: number): void {
    const slot = this.slots[number];
    if (slot?.phase === 'asking' && text === olderAnswer) return this.rest(slot, nowMs);
    if (slot?.phase === 'busy' && slot.request && text !== undefined && isOlderReply(slot.request.type, text)) {
      this.settle(slot, true);
      return this.rest(slot, nowMs);
    }
    if (!slot || slot.phase === 'waiting' || slot.phase === 'connecting') return;
    // Whose answer is it? From here on every answer could be that of the request before.
    this.settle(slot, false);
    this.effects.push({ type: 'cut', slot: number });
    this.wait(slot, nowMs);
  }

  closed(number: number, why: string, nowMs: number): void {
    const slot = this.slots[number];
    if (slot && slot.phase !== 'waiting') this.lose(slot, why, nowMs);
  }

  tick(nowMs: number): void {
    if (this.drainUntilMs !== undefined && nowMs >= this.drainUntilMs) return this.end('drained');
    for (const slot of this.slots) if (!this.isEnded && nowMs >= slot.endAtMs) this.late(slot, nowMs);
  }

  /** What waits becomes the next requests. Due at the end of each turn in which something changed or was heard. */
  flush(nowMs: number): void {
    const { roster, times } = this.parts;
    for (const slot of this.slots) {
      if (this.isEnded || slot.phase !== 'idle') continue;
      const request = roster.next();
      if (!request) break;
      slot.phase = 'busy';
      slot.request = request;
      slot.endAtMs = nowMs + times.olderReplyMs;
      this.effects.push({ type: 'send', slot: slot.number, line: request.line });
    }
    if (roster.waiting > 0 || !this.slots.some(({ phase }) => phase === 'idle')) return;
    this.toldOnce = true;
    if (this.drainUntilMs !== undefined) this.end('drained');
  }

  /** Ends when everybody is logged out, at the latest then. */
  drain(untilMs: number): void {
    this.parts.roster.removeAll();
    this.drainUntilMs = untilMs;
  }

  end(why: string): void {
    if (this.isEnded) return;
    this.isEnded = true;
    for (const slot of this.slots) {
      this.settle(slot, false);
      this.effects.push({ type: 'cut', slot: slot.number });
    }
    this.effects.push({ type: 'ended', why });
  }

  // ---- what follows ----

  private connect(slot: Slot, nowMs: number): void {
    slot.phase = 'connecting';
    slot.endAtMs = nowMs + this.parts.times.connectMs;
    this.effects.push({ type: 'connect', slot: slot.number });
  }

  private question(slot: Slot, nowMs: number): void {
    slot.phase = 'asking';
    slot.endAtMs = nowMs + this.parts.times.greetMs;
    this.effects.push({ type: 'question', slot: slot.number });
  }

  private rest(slot: Slot, nowMs: number): void {
    slot.phase = 'idle';
    slot.isLost = false;
    slot.provenAtMs ??= nowMs;
    slot.endAtMs = nowMs + this.parts.times.olderIdleMs;
  }

  private late(slot: Slot, nowMs: number): void {
    if (slot.phase === 'waiting') return this.connect(slot, nowMs);
    if (slot.phase === 'idle') return this.question(slot, nowMs);
    this.effects.push({ type: 'cut', slot: slot.number });
    if (slot.phase !== 'busy') return this.lose(slot, `no answer within ${this.parts.times.greetMs} ms`, nowMs);
    // It may have asked another service, in vain: that is no reason to think that it is gone.
    this.settle(slot, false);
    this.connect(slot, nowMs);
  }

  private lose(slot: Slot, why: string, nowMs: number): void {
    this.settle(slot, false);
    slot.isLost = true;
    this.wait(slot, nowMs);
    if (this.slots.every(({ isLost }) => isLost)) this.end(why);
  }

  private wait(slot: Slot, nowMs: number): void {
    slot.phase = 'waiting';
    slot.endAtMs = nowMs + slot.retry.nextWaitMs(slot.provenAtMs === undefined ? 0 : nowMs - slot.provenAtMs);
    slot.provenAtMs = undefined;
  }

  private settle(slot: Slot, isAnswered: boolean): void {
    if (slot.request) this.parts.roster.done(slot.request, isAnswered);
    slot.request = undefined;
  }
}
