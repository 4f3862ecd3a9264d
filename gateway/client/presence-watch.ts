/**
 * PresenceWatch: the users an application watches, watched again whenever the connection comes back.
 *
 * Guarantees: the application hears each change once, in order; while there is no connection everybody is `unknown`; after it
 * is back the truth follows.
 * Does not: own the connection, or guess: what the node has not said is unknown.
 */
import type { CommandAnswers, CommandPayloads, WirePresence } from '../client-protocol.ts';
import { ChatError } from './chat-error.ts';
import type { Answered } from './connection.ts';
import type { Emitter } from './emitter.ts';
import { backoffMs, type Timing } from './timing.ts';

export interface PresenceEvents {
  /** Of watched users, what is new: by an event of the node, by an answer after a reconnect, or because the connection is gone. */
  presence: { readonly changes: readonly WirePresence[] };
}

export interface PresenceWatchDeps {
  readonly ask: (payload: CommandPayloads['presence:watch'], done: Answered<CommandAnswers['presence:watch']>) => void;
  readonly isOnline: () => boolean;
  readonly timing: Timing;
  readonly emitter: Pick<Emitter<PresenceEvents>, 'emit'>;
}

interface Waiting {
  readonly resolve: (states: readonly WirePresence[]) => void;
  readonly reject: (error: ChatError) => void;
}

export class PresenceWatch {
  private readonly deps: PresenceWatchDeps;
  private readonly states = new Map<string, WirePresence>();
  /** The application's `watch`, until its first answer. */
  private waiting: Waiting | undefined;
  /** Every asking has its number; answers to earlier ones are ignored. */
  private asking = 0;
  private failures = 0;

  constructor(deps: PresenceWatchDeps) {
    this.deps = deps;
  }

  /** What is known of a watched user now. */
  of(user: string): WirePresence | undefined {
    return this.states.get(user);
  }

  watch(users: readonly string[]): Promise<readonly WirePresence[]> {
    this.waiting?.reject(new ChatError('CONFLICT', 'other users are watched instead', false));
    const before = new Map(this.states);
    this.states.clear();
    for (const user of users) this.states.set(user, before.get(user) ?? { user, state: 'unknown' });
    return new Promise((resolve, reject) => {
      this.waiting = { resolve, reject };
      if (this.deps.isOnline()) this.ask();
    });
  }

  /** The connection is gone. */
  rest(): void {
    this.asking += 1;
    this.take([...this.states.keys()].map((user) => ({ user, state: 'unknown' })));
  }

  /** The connection is back. */
  resume(): void {
    if (this.states.size > 0 || this.waiting) this.ask();
  }

  onEvent(payload: unknown): void {
    const { changes } = (typeof payload === 'object' && payload !== null ? payload : {}) as { changes?: unknown };
    if (Array.isArray(changes)) this.take(changes as WirePresence[]);
  }

  end(error: ChatError): void {
    this.asking += 1;
    this.states.clear();
    this.waiting?.reject(error);
    this.waiting = undefined;
  }

  private ask(): void {
    this.asking += 1;
    const { asking } = this;
    this.deps.ask({ users: [...this.states.keys()] }, (error, answer) => {
      if (asking !== this.asking) return;
      if (error) return this.failed(error);
      this.failures = 0;
      this.take(answer.states);
      this.waiting?.resolve(answer.states);
      this.waiting = undefined;
    });
  }

  private failed(error: ChatError): void {
    if (!error.retryable) return this.end(error);
    const { timing, isOnline } = this.deps;
    const { asking } = this;
    const delayMs = (error.retryAfterMs ?? 0) + backoffMs(this.failures, timing);
    this.failures += 1;
    timing.after(delayMs, () => {
      if (asking === this.asking && isOnline()) this.ask();
    });
  }

  private take(views: readonly WirePresence[]): void {
    const changes = views.filter(({ user, state, place }) => {
      const known = this.states.get(user);
      return known !== undefined && (known.state !== state || known.place !== place);
    });
    for (const view of changes) this.states.set(view.user, view);
    if (changes.length > 0) this.deps.emitter.emit('presence', { changes });
  }
}
