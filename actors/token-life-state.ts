/**
 * TokenLife: when a session's token is to be looked at, when its client is to be told that it ends, and when it has ended. Pure.
 *
 * Times are wall-clock milliseconds, since that is what a token speaks of. The wall clock can jump, so a session looks again
 * at least every half minute: a token outlives its end by that much at most after a jump, and by a timer's lateness without.
 */

const lookEveryMs = 30_000;

export class TokenLifeState {
  readonly expiresAtMs: number;
  /** How long before the end the client is told; a token that lives shorter is told of at once. */
  private readonly noticeMs: number;
  private isTold = false;

  constructor(expiresAtMs: number, noticeMs: number) {
    this.expiresAtMs = expiresAtMs;
    this.noticeMs = noticeMs;
  }

  leftMs(wallMs: number): number {
    return Math.max(0, this.expiresAtMs - wallMs);
  }

  isOver(wallMs: number): boolean {
    return wallMs >= this.expiresAtMs;
  }

  isNoticeDue(wallMs: number): boolean {
    return !this.isTold && this.leftMs(wallMs) <= this.noticeMs;
  }

  noteTold(): void {
    this.isTold = true;
  }

  /** From now until the next thing can have become due. */
  lookAgainMs(wallMs: number): number {
    const leftMs = this.leftMs(wallMs);
    // A notice that could not be given is given when the connection has room, not by looking again and again.
    const nextMs = !this.isTold && leftMs > this.noticeMs ? leftMs - this.noticeMs : leftMs;
    return Math.min(nextMs, lookEveryMs);
  }
}
