/**
 * ActorLane: one nact actor on which cells take their turns. A cell has a lane of its own, but whatever is below a silent bucket shares
 * the bucket's: a nact actor costs more memory than all the rest of an idle actor, and more time than a short turn.
 *
 * Guarantees: cells of a lane take their turns one after the other, in the order they were woken; a lane that has worked for long lets
 * everything else have its turn before it goes on. Does not: know what a turn does; a cell lets nothing out that was thrown.
 */
import type { ActorRuntime } from './actor-runtime.ts';

/** Whoever takes turns. */
export interface LaneCell {
  takeTurn(): void;
}

/** One turn of a lane ends after this long; a cell that has begun ends its own turn first. */
const laneMsMax = 10;

export class ActorLane {
  readonly #runtime: ActorRuntime;
  readonly #nact: ReturnType<ActorRuntime['spawnNact']>;
  #woken: LaneCell[] = [];
  #isDue = false;

  constructor(runtime: ActorRuntime, segment: string) {
    this.#runtime = runtime;
    this.#nact = runtime.spawnNact(segment, () => this.#run());
  }

  /** The cell takes a turn soon, after those that were woken before it. */
  wake(cell: LaneCell): void {
    this.#woken.push(cell);
    this.#beDue();
  }

  stop(): void {
    this.#runtime.stopNact(this.#nact);
  }

  #beDue(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    this.#runtime.wake(this.#nact);
  }

  #run(): void {
    this.#isDue = false;
    const woken = this.#woken;
    this.#woken = [];
    const endMs = this.#runtime.clock.nowMs() + laneMsMax;
    for (const [index, cell] of woken.entries()) {
      this.#runtime.outsideContext(() => cell.takeTurn());
      if (this.#runtime.clock.nowMs() < endMs || index + 1 === woken.length) continue;
      this.#woken = [...woken.slice(index + 1), ...this.#woken];
      this.#beDue();
      return;
    }
  }
}
