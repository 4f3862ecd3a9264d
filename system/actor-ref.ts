/**
 * ActorRef: the only thing one actor holds of another, and what stands behind it.
 *
 * Owns: the brand that keeps ActorRef<A> from being ActorRef<B>, and the way from a ref to its target.
 * Guarantees: a ref is made by the runtime only; it prints as path and kind, never as the actor's state.
 * Does not: know actors. A target is an actor, a callback at the edge, or the waiting side of an ask.
 */
declare const accepts: unique symbol;

/** Something that takes messages of type M. Contravariant: an ActorRef<A | B> is an ActorRef<A>; every ref is an ActorRef<never>. */
export interface ActorRef<in M> {
  readonly path: string;
  readonly kind: string;
  readonly [accepts]: (msg: M) => void;
}

/** refused: mailbox full, stopped, or draining. A refused message is not queued; the sender decides what to do. */
export type Told = 'accepted' | 'refused';

/** Called once, when what it watches has stopped for good. Must not throw. */
export interface Watcher {
  targetStopped(): void;
}

/** What stands behind a ref. Messages are unknown here: the types of refs have already been checked by the compiler. */
export interface Target {
  readonly path: string;
  readonly kind: string;
  accept(msg: unknown): Told;
  readonly stopped: boolean;
  /** Stopped, or about to: it takes no message and no child any more. */
  readonly ending: boolean;
  /** Messages ever accepted. */
  readonly accepted: number;
  /** Messages waiting now. */
  readonly queued: number;
  /** Not called when the target is already stopped. Callbacks and asks never notify: they have no life that ends. */
  addWatcher(watcher: Watcher): void;
  removeWatcher(watcher: Watcher): void;
}

class Ref<in M> implements ActorRef<M> {
  declare readonly [accepts]: (msg: M) => void;
  readonly #target: Target;
  constructor(target: Target) {
    this.#target = target;
  }
  get path(): string {
    return this.#target.path;
  }
  get kind(): string {
    return this.#target.kind;
  }
  /** Refs end up in errors and logs by mistake; then they are a path, not an actor. */
  toJSON(): { path: string; kind: string } {
    return { path: this.path, kind: this.kind };
  }
  static target(ref: ActorRef<never>): Target {
    // `#target in` and not instanceof: an object with a borrowed prototype is no ref either.
    if (typeof ref === 'object' && ref !== null && #target in ref) return (ref as Ref<never>).#target;
    throw new TypeError('not an ActorRef of this runtime');
  }
}

export function refOf<M>(target: Target): ActorRef<M> {
  return new Ref<M>(target);
}

export function targetOf(ref: ActorRef<never>): Target {
  return Ref.target(ref);
}

/** `type` of a message for logs and counts, at most 64 characters; never anything else of the message. */
export function typeOfMessage(msg: unknown): string {
  if (typeof msg === 'object' && msg !== null && 'type' in msg && typeof msg.type === 'string') return msg.type.slice(0, 64);
  return `(${msg === null ? 'null' : typeof msg})`;
}
