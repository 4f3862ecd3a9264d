/** A LinkMachine on a table: the test is the network, the server and the time. */
import { Ledger } from '../../system/state/link-ledger-state.ts';
import { type LinkEffect, LinkMachine } from '../../system/state/link-state.ts';
import { linkTimes } from '../../system/state/link-times.ts';
import type { NodeLine, ServerLine } from '../../system/state/state-lines.ts';
import { user } from './entries.ts';
import { liveSession, session } from './state-link-listener.ts';

export class LinkMachineStage {
  readonly sessions: ConstructorParameters<typeof LinkMachine>[0]['sessions'] = new Ledger(100);
  readonly watched: ConstructorParameters<typeof LinkMachine>[0]['watched'] = new Ledger(100);
  readonly machine: LinkMachine;
  nowMs = 0;
  /** What was done since the last look, each in a few words. */
  private done: string[] = [];
  private readonly sent: NodeLine[] = [];

  constructor(options: { readonly secret?: string; readonly random?: () => number } = {}) {
    const prove = (nonce: string): string | undefined => options.secret && `${options.secret} ${nonce}`;
    const settings = { node: 'n', inc: 'n.1', peer: 'the server', times: linkTimes, prove };
    this.machine = new LinkMachine({ sessions: this.sessions, watched: this.watched, settings, random: options.random ?? (() => 0.5) });
    this.machine.start(0);
    this.settle();
  }

  /** `connect`, `cut`, `send hello`, `up: …`, `down: …` and so on. */
  did(): readonly string[] {
    const { done } = this;
    this.done = [];
    return done;
  }

  get last(): NodeLine | undefined {
    return this.sent.at(-1);
  }

  put(id: string, of: string, place?: string): void {
    const live = liveSession(id, of, place);
    this.sessions.put(live.session, live);
  }

  remove(id: string): void {
    this.sessions.remove(session(id));
  }

  watch(name: string): void {
    this.watched.put(user(name), true);
  }

  connected(): void {
    this.turn(() => this.machine.connected(this.nowMs));
  }

  closed(why = 'ECONNRESET'): void {
    this.turn(() => this.machine.closed(why, this.nowMs));
  }

  hears(...lines: readonly ServerLine[]): void {
    this.turn(() => {
      for (const line of lines) this.machine.heard(line, this.nowMs);
    });
  }

  hearsOdd(text?: string): void {
    this.turn(() => this.machine.heardOdd(text, this.nowMs));
  }

  turn(happens: () => void = () => {}): void {
    happens();
    this.settle();
  }

  /** Time passes; what is due is done at its own moment. */
  pass(ms: number, atMoment: () => void = () => {}): void {
    const untilMs = this.nowMs + ms;
    for (;;) {
      const wakeAtMs = this.machine.wakeAtMs;
      if (wakeAtMs === undefined || wakeAtMs > untilMs) break;
      this.nowMs = Math.max(this.nowMs, wakeAtMs);
      this.turn(() => this.machine.tick(this.nowMs));
      atMoment();
    }
    this.nowMs = untilMs;
  }

  /** Until live, as a server of ours answers. */
  goLive(): void {
    this.connected();
    this.hears({ type: 'hello', v: 1, server: 's' });
    this.answer();
    while (this.machine.state !== 'live') this.answer();
    this.did();
  }

  /** The answer to the last request, with these states if it was a watch. */
  answer(states: Extract<ServerLine, { readonly type: 'states' }>['states'] = []): void {
    const { last } = this;
    if (!last || !('id' in last)) throw new Error(`nothing to answer: ${last?.type}`);
    if (last.type === 'watch') this.hears({ type: 'states', id: last.id, states });
    else this.hears(last.type === 'ping' ? { type: 'pong', id: last.id } : { type: 'ok', id: last.id });
  }

  private settle(): void {
    this.machine.flush(this.nowMs);
    for (const effect of this.machine.take()) {
      this.done.push(inWords(effect));
      if (effect.type === 'send') this.sent.push(effect.line);
    }
  }
}

function inWords(effect: LinkEffect): string {
  if (effect.type === 'send') return `send ${effect.line.type}`;
  if (effect.type === 'live') return `${effect.isLive ? 'up' : 'down'}: ${effect.why}`;
  if (effect.type === 'states') return `states ${effect.states.map(({ user: name, state }) => `${name} ${state}`).join()}`;
  return effect.type;
}
