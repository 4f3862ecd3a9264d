/**
 * ReadGate: who may read pages now: so many at once on this node, one at a time for each asker. Pure.
 *
 * A read that was never answered (its room was stopped with the question still in its mailbox) gives its place back after
 * `lostAfterMs`: a lost answer may not take a place for ever.
 */

export interface ReadGateSettings {
  readonly runningMax: number;
  readonly lostAfterMs: number;
}

/** A ticket to give back; or who is to blame: the asker has one under way, or the node has as many as it takes. */
export type Entered = { readonly ticket: number } | 'asker' | 'node';

export class ReadGate {
  private readonly settings: ReadGateSettings;
  /** In the order they entered. */
  private readonly running = new Map<string, { readonly ticket: number; readonly sinceMs: number }>();
  private lastTicket = 0;

  constructor(settings: ReadGateSettings) {
    this.settings = settings;
  }

  get size(): number {
    return this.running.size;
  }

  enter(asker: string, nowMs: number): Entered {
    this.forgetLost(nowMs);
    if (this.running.has(asker)) return 'asker';
    if (this.running.size >= this.settings.runningMax) return 'node';
    this.lastTicket += 1;
    this.running.set(asker, { ticket: this.lastTicket, sinceMs: nowMs });
    return { ticket: this.lastTicket };
  }

  /** A ticket that was given up for lost gives nothing back. */
  leave(asker: string, ticket: number): void {
    if (this.running.get(asker)?.ticket === ticket) this.running.delete(asker);
  }

  private forgetLost(nowMs: number): void {
    for (const [asker, { sinceMs }] of this.running) {
      if (nowMs - sinceMs < this.settings.lostAfterMs) return;
      this.running.delete(asker);
    }
  }
}
