/**
 * Breaker: whether a service that failed is to be asked now. Pure: time and chance are arguments.
 *
 * Guarantees: after `failuresMax` failures in a row nobody asks for a rest, which doubles up to `restMaxMs`; then one asks, and what
 * becomes of that decides for all.
 */

export const failuresMax = 5;
export const restMinMs = 1_000;
export const restMaxMs = 30_000;

export class Breaker {
  private failures = 0;
  private restMs = 0;
  private restsUntilMs = 0;
  private isProbing = false;

  get isOpen(): boolean {
    return this.failures >= failuresMax;
  }

  /** true: ask, and say what came of it. */
  admit(nowMs: number): boolean {
    if (!this.isOpen) return true;
    if (this.isProbing || nowMs < this.restsUntilMs) return false;
    this.isProbing = true;
    return true;
  }

  succeeded(): void {
    this.failures = 0;
    this.restMs = 0;
    this.isProbing = false;
  }

  /** `chance` from 0 to 1: rests of several nodes do not end at once. */
  failed(nowMs: number, chance: number): void {
    this.isProbing = false;
    this.failures += 1;
    if (!this.isOpen) return;
    this.restMs = Math.min(restMaxMs, Math.max(restMinMs, this.restMs * 2));
    this.restsUntilMs = nowMs + this.restMs * (0.5 + chance / 2);
  }

  /** How long nobody asks; 0: somebody may. */
  restLeftMs(nowMs: number): number {
    return this.isOpen ? Math.max(0, this.restsUntilMs - nowMs) : 0;
  }
}
