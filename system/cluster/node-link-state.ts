/**
 * OutgoingLink: a connection to another node as a pure state machine: what is heard, and what time it is, becomes what is to be done.
 *
 * Guarantees: opened on demand; every wait has an end; a peer that accepts and never answers is found by pings, and not asked meanwhile.
 * Times, waits between tries and jitter are those of the link to the state server. Does not: touch sockets, clocks, chance or keys.
 */
import { LinkRetry } from '../state/link-retry-state.ts';
import type { LinkTimes } from '../state/link-times.ts';

export type OutgoingEffect =
  | { readonly type: 'connect' }
  /** Nothing of it is heard after this. */
  | { readonly type: 'cut' }
  /** Says hello, with a nonce of this try. */
  | { readonly type: 'greet' }
  | { readonly type: 'ping' }
  /** Questions may leave. */
  | { readonly type: 'live' }
  /** Whoever waits for an answer gets none. */
  | { readonly type: 'lost'; readonly why: string; readonly wasLive: boolean };

type Phase =
  | { readonly type: 'idle' }
  | { readonly type: 'waiting' | 'connecting' | 'greeting'; readonly endAtMs: number }
  | { readonly type: 'live'; readonly sinceMs: number }
  | { readonly type: 'ended' };

/** A live peer from which nothing came for so long while it owes an answer is not asked; it may be frozen. */
const suspectMs = 1_000;

export class OutgoingLink {
  readonly #times: LinkTimes;
  readonly #retry: LinkRetry;
  #phase: Phase = { type: 'idle' };
  #effects: OutgoingEffect[] = [];
  #triedAtMs = 0;
  #heardAtMs = 0;
  /** Since when it owes an answer, to a question or a ping. */
  #owesSinceMs: number | undefined;
  #pingAtMs = 0;
  #isPinging = false;

  constructor(times: LinkTimes, random: () => number) {
    this.#times = times;
    this.#retry = new LinkRetry(times, random);
  }

  get isLive(): boolean {
    return this.#phase.type === 'live';
  }

  /** Nothing is open and nothing waits. */
  get isIdle(): boolean {
    return this.#phase.type === 'idle' || this.#phase.type === 'waiting';
  }

  /** Whether a question now is likely to be answered soon. */
  isUsable(nowMs: number): boolean {
    const { type } = this.#phase;
    if (type === 'waiting' || type === 'ended') return false;
    if (type !== 'live') return type === 'idle' || nowMs - this.#triedAtMs < suspectMs;
    return this.#owesSinceMs === undefined || nowMs - Math.max(this.#owesSinceMs, this.#heardAtMs) < suspectMs;
  }

  get wakeAtMs(): number | undefined {
    const { type } = this.#phase;
    if (type === 'live') return Math.min(this.#isPinging ? Number.POSITIVE_INFINITY : this.#pingAtMs, this.#deadAtMs);
    return 'endAtMs' in this.#phase ? this.#phase.endAtMs : undefined;
  }

  take(): readonly OutgoingEffect[] {
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }

  // ---- what happened ----

  /** A question wants to leave. */
  asked(nowMs: number): void {
    if (this.#phase.type === 'idle') this.#connect(nowMs);
    if (this.#phase.type === 'live') this.#owesSinceMs ??= nowMs;
  }

  /** Nothing is owed any more: `isAll`; else there is more. */
  answered(isAll: boolean, nowMs: number): void {
    this.#owesSinceMs = isAll && !this.#isPinging ? undefined : nowMs;
  }

  connected(nowMs: number): void {
    if (this.#phase.type !== 'connecting') return;
    this.#phase = { type: 'greeting', endAtMs: nowMs + this.#times.greetMs };
    this.#effects.push({ type: 'greet' });
  }

  /** Both sides have proved themselves. */
  welcomed(nowMs: number): void {
    if (this.#phase.type !== 'greeting') return;
    this.#phase = { type: 'live', sinceMs: nowMs };
    this.#heardAtMs = nowMs;
    this.#pingAtMs = nowMs + this.#times.pingMs;
    this.#isPinging = false;
    this.#owesSinceMs = nowMs;
    this.#effects.push({ type: 'live' });
  }

  /** A line that is truly the other side's. */
  heard(isPong: boolean, nowMs: number): void {
    this.#heardAtMs = nowMs;
    if (isPong) this.#isPinging = false;
  }

  fail(why: string, nowMs: number): void {
    if (this.#phase.type !== 'connecting' && this.#phase.type !== 'greeting' && this.#phase.type !== 'live') return;
    this.#effects.push({ type: 'cut' });
    this.#lost(why, nowMs);
  }

  closed(why: string, nowMs: number): void {
    if (this.#phase.type === 'connecting' || this.#phase.type === 'greeting' || this.#phase.type === 'live') this.#lost(why, nowMs);
  }

  tick(nowMs: number): void {
    switch (this.#phase.type) {
      case 'waiting':
        if (nowMs >= this.#phase.endAtMs) this.#phase = { type: 'idle' };
        return;
      case 'connecting':
        if (nowMs >= this.#phase.endAtMs) this.fail(`no connection within ${this.#times.connectMs} ms`, nowMs);
        return;
      case 'greeting':
        if (nowMs >= this.#phase.endAtMs) this.fail(`no answer to hello within ${this.#times.greetMs} ms`, nowMs);
        return;
      case 'live':
        if (nowMs >= this.#deadAtMs) this.fail(`silent for ${this.#times.deadMs} ms`, nowMs);
        else if (nowMs >= this.#pingAtMs && !this.#isPinging) this.#ping(nowMs);
        return;
      default:
        return;
    }
  }

  end(): void {
    if (this.#phase.type === 'ended') return;
    const wasLive = this.isLive;
    this.#phase = { type: 'ended' };
    this.#effects.push({ type: 'cut' }, { type: 'lost', why: 'this node closes it', wasLive });
  }

  // ---- what follows ----

  get #deadAtMs(): number {
    return this.#heardAtMs + this.#times.deadMs;
  }

  #connect(nowMs: number): void {
    this.#triedAtMs = nowMs;
    this.#phase = { type: 'connecting', endAtMs: nowMs + this.#times.connectMs };
    this.#effects.push({ type: 'connect' });
  }

  #ping(nowMs: number): void {
    this.#isPinging = true;
    this.#owesSinceMs ??= nowMs;
    this.#pingAtMs = nowMs + this.#times.pingMs;
    this.#effects.push({ type: 'ping' });
  }

  #lost(why: string, nowMs: number): void {
    const { type } = this.#phase;
    const liveMs = this.#phase.type === 'live' ? nowMs - this.#phase.sinceMs : 0;
    this.#phase = { type: 'waiting', endAtMs: nowMs + this.#retry.nextWaitMs(liveMs) };
    this.#owesSinceMs = undefined;
    this.#effects.push({ type: 'lost', why, wasLive: type === 'live' });
  }
}
