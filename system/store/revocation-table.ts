/**
 * RevocationTable: what both twins of Revocations hold: who is revoked, in the order it was said, each in a numbered slot. Pure.
 *
 * Guarantees: at most `max` slots ever; a slot is used again only when what stood in it has ended. So a store that cannot
 * delete stays bounded on disk.
 */
import { Fault } from '../errors.ts';
import type { Revocation, RevocationsRead, Revoked } from './revocations.ts';

interface Row {
  readonly slot: number;
  /** Counts additions: the cursor of reads. */
  readonly order: number;
  readonly revocation: Revocation;
}

/** A sweep for what has ended looks at every row. */
const sweepEveryMs = 60_000;

export class RevocationTable {
  readonly #max: number;
  readonly #rows = new Map<string, Row>();
  readonly #free = new Set<number>();
  #nextSlot = 0;
  #order = 0;
  #sweptAtMs = 0;

  constructor(max: number) {
    this.#max = max;
  }

  get size(): number {
    return this.#rows.size;
  }

  /**
   * The slot for this one and what is to stand there; `put` follows before the next plan, or nothing. Changes nothing but what
   * has ended. Throws REVOCATIONS_FULL.
   */
  plan(given: Revocation): { readonly slot: number; readonly revocation: Revocation } {
    const known = this.#rows.get(keyOf(given.of));
    if (known) return { slot: known.slot, revocation: later(known.revocation, given) };
    if (given.atMs - this.#sweptAtMs >= sweepEveryMs || this.#isFull) this.#sweep(given.atMs);
    if (this.#isFull)
      throw new Fault('REVOCATIONS_FULL', `${this.#max} revocations live; revoke everybody, or change the key of the tokens`);
    const [free] = this.#free;
    return { slot: free ?? this.#nextSlot, revocation: given };
  }

  /** Puts what was planned, or was read from the store, into its slot. */
  put(slot: number, revocation: Revocation): void {
    const key = keyOf(revocation.of);
    const known = this.#rows.get(key);
    if (known && known.slot !== slot) this.#free.add(known.slot);
    // Set anew, so that the map's order is the order of additions.
    this.#rows.delete(key);
    this.#order += 1;
    this.#rows.set(key, { slot, order: this.#order, revocation: known ? later(known.revocation, revocation) : revocation });
    this.#free.delete(slot);
    for (; this.#nextSlot <= slot; this.#nextSlot += 1) if (this.#nextSlot < slot) this.#free.add(this.#nextSlot);
  }

  read(cursor?: string): RevocationsRead {
    const after = cursor === undefined ? 0 : Number(cursor);
    const revocations: Revocation[] = [];
    if (after < this.#order) for (const row of this.#rows.values()) if (row.order > after) revocations.push(row.revocation);
    return { revocations, cursor: String(this.#order) };
  }

  get #isFull(): boolean {
    return this.#rows.size >= this.#max;
  }

  #sweep(nowMs: number): void {
    this.#sweptAtMs = nowMs;
    for (const [key, { slot, revocation }] of this.#rows) {
      if (revocation.endsAtMs > nowMs) continue;
      this.#rows.delete(key);
      this.#free.add(slot);
    }
  }
}

const keyOf = (of: Revoked): string => ('jti' in of ? `token ${of.jti}` : 'user' in of ? `user ${of.user}` : 'everybody');

function later(known: Revocation, given: Revocation): Revocation {
  return { of: given.of, atMs: Math.max(known.atMs, given.atMs), endsAtMs: Math.max(known.endsAtMs, given.endsAtMs) };
}
