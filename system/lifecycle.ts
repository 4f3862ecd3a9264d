/**
 * Lifecycle: the states of a node, and the order in which it stops.
 *
 * Guarantees: each change of state is one log line; the steps of a stop run in the given order, each with a deadline; a
 * step that fails or takes too long is logged and the next one runs all the same.
 */
import type { Clock } from './clock.ts';
import type { Logger } from './logger.ts';
import type { Supervision } from './supervision.ts';

/** starting: not serving yet. up: serving. draining: finishes what it has. down: everything is released. */
export type NodeState = 'starting' | 'up' | 'draining' | 'down';

export interface StopStep {
  readonly name: string;
  readonly deadlineMs: number;
  readonly run: () => void | Promise<unknown>;
}

export class Lifecycle {
  private current: NodeState = 'starting';
  private readonly supervision: Supervision;
  private readonly clock: Clock;
  private readonly log: Logger;

  constructor(deps: { readonly supervision: Supervision; readonly clock: Clock; readonly log: Logger }) {
    this.supervision = deps.supervision;
    this.clock = deps.clock;
    this.log = deps.log;
  }

  get state(): NodeState {
    return this.current;
  }

  enter(state: NodeState): void {
    if (state === this.current) return;
    this.current = state;
    this.supervision.emit({ ev: 'node.state', path: '/', kind: 'node', state });
  }

  /** Runs the steps; resolves to whether every one of them finished in time. */
  async stop(steps: readonly StopStep[]): Promise<boolean> {
    this.enter('draining');
    let isClean = true;
    for (const step of steps) {
      const outcome = await this.runStep(step);
      if (outcome !== 'done') {
        isClean = false;
        this.log.error({ ev: 'node.stopStep', step: step.name, outcome }, 'a step of stopping did not finish; going on with the next');
      }
    }
    this.enter('down');
    return isClean;
  }

  private runStep(step: StopStep): Promise<'done' | 'failed' | 'late'> {
    return new Promise((resolve) => {
      const cancel = this.clock.after(step.deadlineMs, () => resolve('late'));
      Promise.resolve()
        .then(step.run)
        .then(
          () => resolve('done'),
          (error: unknown) => {
            this.log.error({ ev: 'node.stopStep', step: step.name, cause: String(error) }, 'a step of stopping failed');
            resolve('failed');
          },
        )
        .finally(cancel);
    });
  }
}
