/**
 * TokenRefresh: brings another token in time, when the server has said that the one in use will end.
 *
 * Guarantees: one try at a time, the first when a quarter to a half of the time left has passed (so that a thousand clients do
 * not ask the login service in step, and a short-lived token is not asked for without end), then again in the same way until it
 * was taken, was refused for good, or the time is over. Then the server ends the connection and the next one asks anew.
 * Does not: know where tokens come from.
 */
import type { ChatError } from './chat-error.ts';
import type { Timing } from './timing.ts';

export interface TokenRefreshDeps {
  readonly getToken: () => Promise<string>;
  /** Gives it to the server; `done` without an error: it was taken. */
  readonly send: (token: string, done: (error: ChatError | undefined) => void) => void;
  readonly timing: Timing;
}

/** With less time than this left, a try would come too late. */
const tryLeftMsMin = 200;

export class TokenRefresh {
  private readonly deps: TokenRefreshDeps;
  private endsAtMs = 0;
  private cancelWait: () => void = () => {};
  /** What an earlier round still brings is not heard. */
  private round = 0;

  constructor(deps: TokenRefreshDeps) {
    this.deps = deps;
  }

  /** The token in use ends in `inMs`. */
  due(inMs: number): void {
    this.stop();
    this.endsAtMs = this.deps.timing.nowMs() + inMs;
    this.wait();
  }

  stop(): void {
    this.round += 1;
    this.cancelWait();
  }

  private wait(): void {
    const { timing } = this.deps;
    const leftMs = this.endsAtMs - timing.nowMs();
    if (leftMs < tryLeftMsMin) return;
    this.cancelWait = timing.after((leftMs * (1 + timing.random())) / 4, () => void this.attempt(this.round));
  }

  private async attempt(round: number): Promise<void> {
    let token: string;
    try {
      token = await this.deps.getToken();
    } catch {
      if (round === this.round) this.wait();
      return;
    }
    if (round !== this.round) return;
    this.deps.send(token, (error) => {
      if (round === this.round && error?.retryable) this.wait();
    });
  }
}
