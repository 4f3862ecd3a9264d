/**
 * NodeClaimState: what a node does about the claim it finds on its id. Pure: time is an argument.
 *
 * A claim is renewed while its node lives, and each time counts one beat more. So a holder that is dead is told from one that lives by
 * looking twice, without asking who or where it is: a node that was killed comes back under its id as soon as its last claim has run out.
 * Guarantees: of two nodes of one id that both live exactly one goes on. At a start it is the one that holds the claim; of two that
 * serve already (one came while Redis was away) it is the one that was started first. A claim that is nowhere is taken: an emptied
 * Redis ends nobody.
 */
export interface Claim {
  /** One life of the node. */
  readonly inc: string;
  /** For people. */
  readonly host: string;
  /** Wall-clock time at which that life began; only compared with another's. */
  readonly sinceMs: number;
  readonly beat: number;
}

/**
 * take: the id is ours, say so. wait: somebody's, who may be dead: look again. lose: the holder lives, and it is not ours.
 */
export type ClaimStep = 'take' | 'wait' | 'lose';

export interface ClaimOwner {
  readonly inc: string;
  readonly sinceMs: number;
}

export class NodeClaimState {
  readonly #self: ClaimOwner;
  readonly #deadAfterMs: number;
  #watched: { readonly inc: string; readonly beat: number; readonly sinceMs: number } | undefined;

  /** `deadAfterMs`: a claim that shows no beat for so long is nobody's, though it may still stand there. */
  constructor(self: ClaimOwner, deadAfterMs: number) {
    this.#self = self;
    this.#deadAfterMs = deadAfterMs;
  }

  /** `found`: undefined where there is no claim, or none that can be believed. `isServing`: clients are here already. */
  see(found: Claim | undefined, isServing: boolean, nowMs: number): ClaimStep {
    if (found === undefined || found.inc === this.#self.inc || (isServing && this.#isOlderThan(found))) {
      this.#watched = undefined;
      return 'take';
    }
    const watched = this.#watched;
    if (watched?.inc !== found.inc) {
      this.#watched = { inc: found.inc, beat: found.beat, sinceMs: nowMs };
      return 'wait';
    }
    if (watched.beat !== found.beat) return 'lose';
    return nowMs - watched.sinceMs >= this.#deadAfterMs ? 'take' : 'wait';
  }

  /** By the name of the life where both began in the same millisecond. */
  #isOlderThan({ sinceMs, inc }: Claim): boolean {
    return this.#self.sinceMs === sinceMs ? this.#self.inc < inc : this.#self.sinceMs < sinceMs;
  }
}
