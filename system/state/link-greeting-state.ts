/**
 * LinkGreeting: the first words on a new connection, and finding out whom one speaks to. Pure.
 *
 * A server of ours answers hello with hello. Whatever else happens (an odd line, silence, a close) may be an older server or a
 * broken one, so the same connection, or a second one after a close, is asked something to which an older server has exactly
 * one answer: `[0]`. Only that answer makes it an older one; a slow server of ours still answers hello first, and is not mistaken.
 * Does not: judge the length of lines or connect.
 */
import type { LinkTimes } from './link-times.ts';
import type { NodeLine, ServerLine } from './state-lines.ts';

/** Asks for nothing and changes nothing: which of these users are not in a room that is not there? */
export const olderQuestion = "{type='direct', session_id='null', user_id='null', channel_id='null', community_id='r-0', ids=[0]}";
export const olderAnswer = '[0]';

export type GreetingStep =
  | { readonly type: 'send'; readonly line: NodeLine }
  /** Sends `olderQuestion`. */
  | { readonly type: 'ask' }
  /** On a new connection `reopened` goes on. */
  | { readonly type: 'reopen' }
  | { readonly type: 'greeted'; readonly hasVoice: boolean }
  | { readonly type: 'older' }
  | { readonly type: 'failed'; readonly why: string };

export interface GreetingSettings {
  readonly node: string;
  readonly inc: string;
  /** The proof for a nonce; undefined: no secret is known. */
  readonly prove: (nonce: string) => string | undefined;
  readonly times: Pick<LinkTimes, 'greetMs' | 'probeMs'>;
}

export class LinkGreeting {
  private readonly settings: GreetingSettings;
  private phase: 'hello' | 'asking' | 'asking again' | 'proving' = 'hello';
  private askAtMs: number;
  private endAtMs: number;
  private hasHeard = false;
  private hasVoice = false;

  constructor(settings: GreetingSettings, nowMs: number) {
    this.settings = settings;
    this.askAtMs = nowMs + settings.times.probeMs;
    this.endAtMs = nowMs + settings.times.greetMs;
  }

  get wakeAtMs(): number {
    return this.phase === 'hello' ? Math.min(this.askAtMs, this.endAtMs) : this.endAtMs;
  }

  hello(): GreetingStep {
    const { node, inc } = this.settings;
    return { type: 'send', line: { type: 'hello', v: 1, node, inc, voice: true } };
  }

  reopened(nowMs: number): GreetingStep {
    this.phase = 'asking again';
    this.endAtMs = nowMs + this.settings.times.probeMs;
    return { type: 'ask' };
  }

  heard(line: ServerLine, nowMs: number): GreetingStep {
    this.hasHeard = true;
    if (line.type === 'refused') return failed(`refused by the state server: ${line.code}`);
    if (this.phase === 'proving') return line.type === 'authenticated' ? this.greeted() : failed(`${line.type} instead of authenticated`);
    if (line.type !== 'hello') return failed(`${line.type} before hello`);
    this.hasVoice = line.voice === true;
    if (line.nonce === undefined) return this.greeted();
    const mac = this.settings.prove(line.nonce);
    if (mac === undefined) return failed('the state server asks for the shared secret, and none is set here');
    this.phase = 'proving';
    this.endAtMs = nowMs + this.settings.times.greetMs;
    return { type: 'send', line: { type: 'auth', mac } };
  }

  /** A line that is no ServerLine; undefined when it is no text either. */
  heardOdd(text: string | undefined): GreetingStep | undefined {
    this.hasHeard = true;
    if (this.phase === 'proving') return failed('an odd line instead of authenticated');
    if (this.phase === 'hello') return this.ask();
    // Anything else is the answer to hello, perhaps out of order.
    return text === olderAnswer ? { type: 'older' } : undefined;
  }

  closed(why: string): GreetingStep {
    const isFirst = this.phase === 'hello' || this.phase === 'asking';
    return isFirst && !this.hasHeard ? { type: 'reopen' } : failed(why);
  }

  tick(nowMs: number): GreetingStep | undefined {
    if (nowMs >= this.endAtMs) {
      const { greetMs } = this.settings.times;
      if (this.phase === 'proving') return failed(`no answer to the proof within ${greetMs} ms`);
      return failed(this.hasHeard ? 'it speaks neither this protocol nor the older one' : `no answer to hello within ${greetMs} ms`);
    }
    return this.phase === 'hello' && nowMs >= this.askAtMs ? this.ask() : undefined;
  }

  private greeted(): GreetingStep {
    return { type: 'greeted', hasVoice: this.hasVoice };
  }

  private ask(): GreetingStep {
    this.phase = 'asking';
    return { type: 'ask' };
  }
}

const failed = (why: string): GreetingStep => ({ type: 'failed', why });
