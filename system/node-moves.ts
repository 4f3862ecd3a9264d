/**
 * Node moves: other nodes are told whether this one is ready, and clients are told to go to one that is while the shared store is away
 * from this node only.
 *
 * Guarantees: nobody is moved while no other node is known to be ready, or while that knowledge may be old. Part of the composition.
 */
import type { Clock } from './clock.ts';
import type { ClusterView } from './cluster/cluster-view.ts';
import { MoveState, type MoveTimes } from './cluster/move-state.ts';
import type { Health } from './health.ts';
import type { Incarnation } from './ids.ts';
import type { Logger } from './logger.ts';

/** After the node has said that it is not ready, which takes 3 s at most: within that all nodes that lost the store have said so. */
export const moveTimes: MoveTimes = { awayMs: 5_000, pauseMs: 60_000 };
const lookEveryMs = 500;

export interface NodeMovesDeps {
  readonly view: ClusterView;
  readonly incarnation: Incarnation;
  readonly health: Pick<Health, 'readiness'>;
  /** Tells all clients to go elsewhere. Says how many there are. */
  readonly moveAway: () => number;
  /** Others serve the same rooms from the same store. */
  readonly isStoreShared: boolean;
  readonly clock: Pick<Clock, 'nowMs' | 'after'>;
  readonly log: Logger;
}

export class NodeMoves {
  readonly #deps: NodeMovesDeps;
  readonly #state = new MoveState(moveTimes);
  #cancel: () => void = () => {};
  #moved = 0;

  constructor(deps: NodeMovesDeps) {
    this.#deps = deps;
    this.#look();
  }

  /** Clients, since the start. */
  get moved(): number {
    return this.#moved;
  }

  stop(): void {
    this.#cancel();
  }

  #look(): void {
    const { health, clock, isStoreShared } = this.#deps;
    const { ready, parts } = health.readiness();
    this.#announce(ready);
    const isBetterElsewhere = isStoreShared && parts['store'] === 'down' && this.#isOtherReady();
    if (this.#state.look(isBetterElsewhere, clock.nowMs())) this.#move();
    this.#cancel = clock.after(lookEveryMs, () => this.#look());
  }

  #announce(isReady: boolean): void {
    const { view, incarnation } = this.#deps;
    const self = view.find(incarnation);
    if (self !== undefined && self.isReady !== isReady) view.announce({ ...self, isReady });
  }

  #isOtherReady(): boolean {
    const { view, incarnation } = this.#deps;
    return view.health() === 'up' && view.nodes().some((other) => other.incarnation !== incarnation && other.isReady === true);
  }

  #move(): void {
    const count = this.#deps.moveAway();
    this.#moved += count;
    if (count > 0)
      this.#deps.log.warn(
        { ev: 'clients.moved', count },
        'the store is away here and another node is ready: clients were told to go there',
      );
  }
}
