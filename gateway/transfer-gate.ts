/**
 * TransferGate: how many uploads, or downloads, are under way: of one user, and on the node.
 *
 * Guarantees: each holds memory and a socket for as long as its client likes, so their number is bounded before a byte is taken.
 * Does not: queue.
 */
import { type Refusal, refuse } from '../system/errors.ts';

export interface TransferLimits {
  readonly what: string;
  readonly perUserMax: number;
  readonly nodeMax: number;
}

const retryAfterMs = 1_000;

export class TransferGate {
  readonly #limits: TransferLimits;
  readonly #byUser = new Map<string, number>();
  #size = 0;
  #refused = 0;

  constructor(limits: TransferLimits) {
    this.#limits = limits;
  }

  get size(): number {
    return this.#size;
  }

  get refused(): number {
    return this.#refused;
  }

  /** What gives the place back; a second call changes nothing. */
  enter(user: string): (() => void) | Refusal {
    const { what, perUserMax, nodeMax } = this.#limits;
    const own = this.#byUser.get(user) ?? 0;
    const isUserFull = own >= perUserMax;
    if (isUserFull || this.#size >= nodeMax) {
      this.#refused += 1;
      if (isUserFull) return refuse('RATE_LIMITED', `at most ${perUserMax} ${what} of yours at once`, retryAfterMs);
      return refuse('BUSY', `at most ${nodeMax} ${what} at once on this node`, retryAfterMs);
    }
    this.#byUser.set(user, own + 1);
    this.#size += 1;
    let isIn = true;
    return () => {
      if (!isIn) return;
      isIn = false;
      this.#size -= 1;
      const left = (this.#byUser.get(user) ?? 1) - 1;
      if (left === 0) this.#byUser.delete(user);
      else this.#byUser.set(user, left);
    };
  }
}
