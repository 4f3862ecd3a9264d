/**
 * Life: the ctx of one life of an actor, from one start to the next crash or to the stop.
 *
 * Owns: this life's timers, watches and pipes in flight.
 * Guarantees: after `end` nothing of this life reaches the actor: no timer, no watch, no piped result.
 * Does not: decide what a crash means; it tells its host.
 */
import { type ActorRef, type Target, targetOf, type Watcher } from './actor-ref.ts';
import { type ActorRuntime, afterAnyLength } from './actor-runtime.ts';
import type { Ctx } from './actor-types.ts';
import type { Logger } from './logger.ts';

/** What a life needs of its actor. */
export interface LifeHost {
  readonly path: string;
  readonly kind: string;
  readonly ref: ActorRef<unknown>;
  readonly runtime: ActorRuntime;
  readonly log: Logger;
  /** Takes a message of the actor's own making: beyond the bound, and while draining. */
  takeOwn(msg: unknown): void;
  /** Something threw on the actor's behalf outside `receive`. */
  failed(cause: unknown, msgType: string): void;
  stopSelf(): void;
  /** true: this actor is stopping and `target` is below it, so its death is no news. */
  expectsDeathOf(target: Target): boolean;
}

const nothing = () => {};

export class Life implements Ctx<unknown> {
  readonly #host: LifeHost;
  #timers: Set<() => void> | undefined;
  #watches: Map<Target, Watcher> | undefined;
  #pipesInFlight = 0;
  #ended = false;

  constructor(host: LifeHost) {
    this.#host = host;
  }

  get self(): ActorRef<unknown> {
    return this.#host.ref;
  }

  get log(): Logger {
    return this.#host.log;
  }

  get pipesInFlight(): number {
    return this.#pipesInFlight;
  }

  nowMs(): number {
    return this.#host.runtime.clock.nowMs();
  }

  after(delayMs: number, msg: unknown): () => void {
    if (this.#ended) return nothing;
    const cancel = afterAnyLength(this.#host.runtime.clock, delayMs, () => {
      this.#timers?.delete(cancel);
      if (!this.#ended) this.#host.takeOwn(msg);
    });
    this.#timers ??= new Set();
    this.#timers.add(cancel);
    return () => {
      this.#timers?.delete(cancel);
      cancel();
    };
  }

  pipe<T>(promise: Promise<T>, ok: (value: T) => unknown, failed: (error: unknown) => unknown): void {
    this.#pipesInFlight += 1;
    const take = (make: () => unknown, cause?: unknown) => {
      this.#pipesInFlight -= 1;
      if (this.#ended) {
        this.#host.runtime.deadLetter(this.#host, 'life ended', '(pipe)', { cause });
        return;
      }
      this.#deliver(make, '(pipe)');
    };
    promise.then(
      (value) => take(() => ok(value)),
      (error) => take(() => failed(error), error),
    );
  }

  watch(ref: ActorRef<never>, message: () => unknown): void {
    if (this.#ended) return;
    const target = targetOf(ref);
    if (target.stopped) {
      this.#host.takeOwn(message());
      return;
    }
    this.#unwatch(target);
    const watcher: Watcher = {
      targetStopped: () => {
        this.#watches?.delete(target);
        if (!this.#host.expectsDeathOf(target)) this.#deliver(message, '(watch)');
      },
    };
    this.#watches ??= new Map();
    this.#watches.set(target, watcher);
    target.addWatcher(watcher);
  }

  stop(): void {
    if (!this.#ended) this.#host.stopSelf();
  }

  /** Idempotent. */
  end(): void {
    this.#ended = true;
    for (const cancel of this.#timers ?? []) cancel();
    this.#timers = undefined;
    for (const target of [...(this.#watches?.keys() ?? [])]) this.#unwatch(target);
  }

  #unwatch(target: Target): void {
    const watcher = this.#watches?.get(target);
    if (watcher) target.removeWatcher(watcher);
    this.#watches?.delete(target);
  }

  /** `make` is the actor's own code, run outside its turn: what it throws is the actor's crash, not the promise's or the target's. */
  #deliver(make: () => unknown, msgType: string): void {
    let msg: unknown;
    try {
      msg = make();
    } catch (cause) {
      this.#host.failed(cause, msgType);
      return;
    }
    this.#host.takeOwn(msg);
  }
}
