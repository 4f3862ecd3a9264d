/**
 * Health: what each part of the node says of itself, and whether the node should get traffic.
 *
 * down: the node is not ready. degraded: it serves with less (presence unknown, events late), so it stays ready: sending
 * its clients elsewhere would help nobody. Words are for operators; no hosts, no secrets.
 */

/** up, or what is wrong, in words that complete the sentence "the store …". */
export type PartState = 'up' | { readonly degraded: string } | { readonly down: string };

export interface Readiness {
  readonly ready: boolean;
  /** Why not, and what is degraded. */
  readonly reasons: readonly string[];
  readonly parts: Readonly<Record<string, 'up' | 'degraded' | 'down'>>;
}

export class Health {
  private readonly parts = new Map<string, () => PartState>();

  /** `read` is called on each question; it must be quick and may not ask the outside. */
  add(part: string, read: () => PartState): void {
    this.parts.set(part, read);
  }

  readiness(): Readiness {
    const reasons: string[] = [];
    const parts: Record<string, 'up' | 'degraded' | 'down'> = {};
    let ready = true;
    for (const [part, read] of this.parts) {
      const state = stateOf(read);
      if (state === 'up') parts[part] = 'up';
      else if ('degraded' in state) {
        parts[part] = 'degraded';
        reasons.push(`${part} ${state.degraded}`);
      } else {
        ready = false;
        parts[part] = 'down';
        reasons.push(`${part} ${state.down}`);
      }
    }
    return { ready, reasons, parts };
  }
}

function stateOf(read: () => PartState): PartState {
  try {
    return read();
  } catch {
    return { down: 'does not say how it is' };
  }
}
