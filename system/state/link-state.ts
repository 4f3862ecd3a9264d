/**
 * LinkMachine: the link to a state server as a pure state machine: what is heard, and what time it is, becomes what is to be done.
 *
 * Guarantees: every wait has an end; the listener is told of each change between live and not live once, and of the first failure.
 * What is said is in `LinkGreeting` and `LinkTalk`, what is tried when in `LinkRetry`.
 * Does not: touch sockets, clocks or chance; all of it is given.
 */
import { type GreetingSettings, type GreetingStep, LinkGreeting } from './link-greeting-state.ts';
import type { Sessions, Voices, Watched } from './link-lines.ts';
import { LinkRetry } from './link-retry-state.ts';
import { LinkTalk, type TalkEffect } from './link-talk-state.ts';
import type { LinkTimes } from './link-times.ts';
import type { NodeLine, ServerLine } from './state-lines.ts';
import type { LinkState, UserStateRow, VoiceRow } from './state-link.ts';

export type LinkEffect =
  | { readonly type: 'connect' }
  /** The connection is not needed any more, and nothing of it is heard after this. */
  | { readonly type: 'cut' }
  | { readonly type: 'send'; readonly line: NodeLine }
  /** Sends `olderQuestion`. */
  | { readonly type: 'ask' }
  | { readonly type: 'live'; readonly isLive: boolean; readonly why: string }
  | { readonly type: 'states'; readonly states: readonly UserStateRow[] }
  | { readonly type: 'voice'; readonly row: VoiceRow }
  /** The server is an older one: somebody else speaks to it, until `olderEnded`. */
  | { readonly type: 'older' }
  /** Nothing more will happen. */
  | { readonly type: 'ended' };

export interface LinkSettings extends GreetingSettings {
  readonly times: LinkTimes;
  /** Names the server in reasons. */
  readonly peer: string;
}

export interface LinkMachineParts {
  readonly sessions: Sessions;
  readonly watched: Watched;
  readonly voices?: Voices;
  readonly settings: LinkSettings;
  /** From 0 up to 1. */
  readonly random: () => number;
}

type Phase =
  | { readonly type: 'waiting'; readonly endAtMs: number }
  | { readonly type: 'connecting'; readonly endAtMs: number; readonly greeting?: LinkGreeting }
  | { readonly type: 'greeting'; readonly greeting: LinkGreeting }
  | { readonly type: 'talking'; readonly talk: LinkTalk }
  | { readonly type: 'older' }
  | { readonly type: 'draining'; readonly talk: LinkTalk; readonly endAtMs: number }
  | { readonly type: 'ended' };

export class LinkMachine {
  private readonly parts: LinkMachineParts;
  private readonly retry: LinkRetry;
  private phase: Phase = { type: 'waiting', endAtMs: 0 };
  private effects: LinkEffect[] = [];
  private triedAtMs = 0;
  /** undefined: the listener was told neither. */
  private isLive: boolean | undefined;
  private liveSinceMs: number | undefined;
  private faultsSeen = 0;
  private hasVoice = false;

  constructor(parts: LinkMachineParts) {
    this.parts = parts;
    this.retry = new LinkRetry(parts.settings.times, parts.random);
  }

  get state(): LinkState {
    switch (this.phase.type) {
      case 'greeting':
        return 'auth';
      case 'talking':
        return this.isLive ? 'live' : 'snapshot';
      case 'draining':
      case 'ended':
        return 'draining';
      default:
        return 'connecting';
    }
  }

  /** Live with a server that tells of voice channels. */
  get tellsVoice(): boolean {
    return this.hasVoice && this.state === 'live';
  }

  /** Faulty lines since the start. */
  get faults(): number {
    return this.faultsSeen;
  }

  /** When `tick` is due, if nothing happens before. */
  get wakeAtMs(): number | undefined {
    const { phase } = this;
    if (phase.type === 'greeting') return phase.greeting.wakeAtMs;
    if (phase.type === 'talking') return phase.talk.wakeAtMs;
    return 'endAtMs' in phase ? phase.endAtMs : undefined;
  }

  /** What is to be done, in this order; each once. */
  take(): readonly LinkEffect[] {
    const { effects } = this;
    this.effects = [];
    return effects;
  }

  // ---- what happened ----

  start(nowMs: number): void {
    this.triedAtMs = nowMs;
    this.connect(nowMs);
  }

  connected(nowMs: number): void {
    if (this.phase.type !== 'connecting') return;
    const isSecond = this.phase.greeting !== undefined;
    const greeting = this.phase.greeting ?? new LinkGreeting(this.parts.settings, nowMs);
    this.phase = { type: 'greeting', greeting };
    this.greet(isSecond ? greeting.reopened(nowMs) : greeting.hello(), nowMs);
  }

  /** The connection has ended, or there was none. */
  closed(why: string, nowMs: number): void {
    const { phase } = this;
    if (phase.type === 'greeting') this.greet(phase.greeting.closed(why), nowMs);
    else if (phase.type === 'draining') this.end();
    else if (phase.type === 'connecting' || phase.type === 'talking') this.lost(why, nowMs);
  }

  heard(line: ServerLine, nowMs: number): void {
    const { phase } = this;
    if (phase.type === 'greeting') this.greet(phase.greeting.heard(line, nowMs), nowMs);
    else if (phase.type === 'talking' || phase.type === 'draining') phase.talk.heard(line, nowMs);
  }

  /** A line that is no ServerLine; undefined when it is no text either. */
  heardOdd(text: string | undefined, nowMs: number): void {
    const { phase } = this;
    if (phase.type === 'greeting') {
      this.faultsSeen += 1;
      this.greet(phase.greeting.heardOdd(text), nowMs);
    } else if (phase.type === 'talking' || phase.type === 'draining') phase.talk.fault(nowMs);
  }

  /** The line under way is longer than a line may be. */
  heardTooLong(nowMs: number): void {
    this.faultsSeen += 1;
    this.fail('a line longer than a line may be', nowMs);
  }

  /** Whether the connection takes more. */
  blocked(isBlocked: boolean): void {
    if (this.phase.type === 'talking') this.phase.talk.blocked(isBlocked);
  }

  /** The older server cannot be spoken to any more. */
  olderEnded(why: string, nowMs: number): void {
    if (this.phase.type === 'older') this.lost(why, nowMs);
  }

  tick(nowMs: number): void {
    const { phase } = this;
    if (phase.type === 'greeting') this.greet(phase.greeting.tick(nowMs), nowMs);
    else if (phase.type === 'talking') phase.talk.tick(nowMs);
    else if (!('endAtMs' in phase) || nowMs < phase.endAtMs) return;
    else if (phase.type === 'waiting') this.connect(nowMs);
    else if (phase.type === 'draining') this.end();
    else this.fail(`no connection within ${this.parts.settings.times.connectMs} ms`, nowMs);
  }

  /** What waits becomes the next line. Due at the end of each turn in which something changed or was heard. */
  flush(nowMs: number): void {
    if (this.phase.type === 'talking') this.phase.talk.flush(nowMs);
  }

  /** A new listener wants the states of all watched users. */
  askAgain(): void {
    if (this.phase.type === 'talking') this.phase.talk.askAgain();
  }

  /** Says goodbye where there is somebody to say it to, and ends at the latest at `untilMs`. */
  drain(untilMs: number, nowMs: number): void {
    if (this.phase.type !== 'talking') return this.phase.type === 'draining' ? undefined : this.end();
    const { talk } = this.phase;
    this.phase = { type: 'draining', talk, endAtMs: untilMs };
    talk.bye(nowMs);
  }

  end(): void {
    if (this.phase.type === 'ended') return;
    this.phase = { type: 'ended' };
    this.effects.push({ type: 'cut' }, { type: 'ended' });
  }

  // ---- what follows ----

  private connect(nowMs: number, greeting?: LinkGreeting): void {
    if (!greeting) this.triedAtMs = nowMs;
    const endAtMs = nowMs + this.parts.settings.times.connectMs;
    this.phase = { type: 'connecting', endAtMs, ...(greeting && { greeting }) };
    this.effects.push({ type: 'connect' });
  }

  private greet(step: GreetingStep | undefined, nowMs: number): void {
    if (!step || this.phase.type !== 'greeting') return;
    switch (step.type) {
      case 'send':
      case 'ask':
        this.effects.push(step);
        return;
      case 'reopen':
        return this.connect(nowMs, this.phase.greeting);
      case 'greeted': {
        const { sessions, watched, voices, settings } = this.parts;
        this.hasVoice = step.hasVoice && voices !== undefined;
        const parts = { sessions, watched, ...(step.hasVoice && voices && { voices }), times: settings.times };
        const emit = (effect: TalkEffect): void => this.said(effect);
        this.phase = { type: 'talking', talk: new LinkTalk({ ...parts, emit }, nowMs) };
        return;
      }
      case 'older':
        this.phase = { type: 'older' };
        this.liveSinceMs = nowMs;
        this.effects.push({ type: 'cut' }, { type: 'older' });
        return this.tellLive(false, `${this.parts.settings.peer} is an older state server, which tells nothing of users elsewhere`);
      case 'failed':
        return this.fail(step.why, nowMs);
    }
  }

  private said(effect: TalkEffect): void {
    switch (effect.type) {
      case 'send':
      case 'states':
      case 'voice':
        this.effects.push(effect);
        return;
      case 'told': {
        this.liveSinceMs = effect.atMs;
        return this.tellLive(true, `${this.parts.settings.peer} knows the ${this.parts.sessions.size} sessions here`);
      }
      case 'parted':
        return this.end();
      case 'fault':
        this.faultsSeen += 1;
        return;
      case 'failed':
        return this.fail(effect.why, effect.atMs);
    }
  }

  private fail(why: string, nowMs: number): void {
    if (this.phase.type === 'draining') return this.end();
    if (this.phase.type !== 'connecting' && this.phase.type !== 'greeting' && this.phase.type !== 'talking') return;
    this.effects.push({ type: 'cut' });
    this.lost(why, nowMs);
  }

  private lost(why: string, nowMs: number): void {
    this.parts.sessions.reset();
    this.parts.watched.reset();
    this.parts.voices?.reset();
    this.hasVoice = false;
    // After a failed try the wait counts from its beginning: a try that took long has been a wait already.
    const fromMs = this.phase.type === 'talking' || this.phase.type === 'older' ? nowMs : this.triedAtMs;
    const liveMs = this.liveSinceMs === undefined ? 0 : nowMs - this.liveSinceMs;
    this.liveSinceMs = undefined;
    this.phase = { type: 'waiting', endAtMs: Math.max(nowMs, fromMs + this.retry.nextWaitMs(liveMs)) };
    this.tellLive(false, why);
  }

  private tellLive(isLive: boolean, why: string): void {
    if (this.isLive === isLive) return;
    this.isLive = isLive;
    this.effects.push({ type: 'live', isLive, why });
  }
}
