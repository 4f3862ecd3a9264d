/**
 * Callback: a ref whose messages go to a function, for the edges: a socket's outbox, a test's probe.
 *
 * Guarantees: the function runs at once, inside `tell`; what it throws (or rejects with) is reported and counted, never passed to the teller.
 * Does not: queue, order between tellers, or stop.
 */
import { type Target, type Told, typeOfMessage } from './actor-ref.ts';
import { type ActorRuntime, isThenable } from './actor-runtime.ts';

export class Callback implements Target {
  readonly path: string;
  readonly kind: string;
  readonly stopped = false;
  readonly ending = false;
  readonly queued = 0;
  accepted = 0;
  readonly #take: (msg: unknown) => unknown;
  readonly #runtime: () => ActorRuntime | undefined;

  constructor(kind: string, take: (msg: unknown) => unknown, runtime: () => ActorRuntime | undefined) {
    this.kind = kind;
    this.path = `/callback/${kind}`;
    this.#take = take;
    this.#runtime = runtime;
  }

  accept(msg: unknown): Told {
    this.accepted += 1;
    try {
      const result = this.#take(msg);
      if (isThenable(result)) result.then(undefined, (cause: unknown) => this.#crashed(cause, msg));
    } catch (cause) {
      this.#crashed(cause, msg);
    }
    return 'accepted';
  }

  addWatcher(): void {}
  removeWatcher(): void {}

  #crashed(cause: unknown, msg: unknown): void {
    const runtime = this.#runtime();
    if (!runtime) {
      process.emitWarning(`a callback of kind ${this.kind} failed and there is no actor system to report to`);
      return;
    }
    runtime.counts.callbackCrashes += 1;
    runtime.supervision.emit({ ev: 'actor.crash', path: this.path, kind: this.kind, cause, msgType: typeOfMessage(msg), decision: 'drop' });
  }
}
