/**
 * The contract between an actor and the runtime: Behaviour, Ctx, policies, the system.
 *
 * Owns: types only. The words about order, loss and lives stand here; `actor.ts` gives the functions.
 */
import type { ActorRef } from './actor-ref.ts';
import type { Logger } from './logger.ts';
import type { RestartPolicy, Supervision } from './supervision.ts';

/**
 * What an actor can do while it lives. A ctx belongs to one life: after a restart or stop it is inert (timers are not set,
 * pipes become dead letters), so a closure that outlives its life does no harm.
 *
 * Results of the actor's own pipes, timers and watches are taken beyond `mailboxMax` and while draining: they are bounded
 * by what the actor itself started, and losing one would leave it waiting for ever.
 */
export interface Ctx<M> {
  readonly self: ActorRef<M>;
  /** Child logger with path and kind. */
  readonly log: Logger;
  /** Monotonic, of the clock the system was made with. */
  nowMs(): number;
  /** Timer to self; returns its cancel. Any length (beyond 2^31-1 ms it is chained), below zero is zero, NaN throws. Dies with a restart or stop. */
  after(delayMs: number, msg: M): () => void;
  /**
   * The result comes back as a message. One that arrives after stop or after a restart of this actor (another life) is a
   * counted dead letter, never delivered. A throw in `ok` or `failed` counts as a crash of this actor.
   */
  pipe<T>(promise: Promise<T>, ok: (value: T) => M, failed: (error: unknown) => M): void;
  /**
   * Death watch: a message to self when `ref` stopped for good (not when it restarts), at once if it is already stopped.
   * Watching the same ref again replaces the message. Watches die with a restart: `start` sets them again.
   */
  watch(ref: ActorRef<never>, message: () => M): void;
  /** Stop self after this message: `turnEnd` runs once for what was handled, the rest of the mailbox becomes dead letters. */
  stop(): void;
}

/** All functions are synchronous: one that returns a promise is treated as a crash. A throw in any of them is a crash and never leaks. */
export interface Behaviour<S, M> {
  readonly kind: string;
  /** Runs inside `spawn`, and again after each restart. */
  start(ctx: Ctx<M>): S;
  /** Returns the next state. After a throw the message is dropped and the state of before the message is forgotten with its life. */
  receive(state: S, msg: M, ctx: Ctx<M>): S;
  /** Once after the messages gathered for this turn were handled: the batching point. */
  turnEnd?(state: S, ctx: Ctx<M>): S;
  /**
   * An accepted message that will not be handled: it waited when the actor stopped, or its handling threw. For telling whoever waits
   * for an answer; it may have been told already, where the handling threw late. Called before `stopped`.
   */
  unhandled?(msg: M): void;
  /** The last call, exactly once, also when `start` never succeeded (state undefined). crashed: restarts used up. */
  stopped?(state: S | undefined, reason: 'stopped' | 'crashed'): void;
  /** Extra fields for supervision log lines, e.g. `{ room }`. Ids and counts only. */
  describe?(state: S): Record<string, string | number>;
}

export interface SpawnOptions {
  /** Any string, unique among the siblings alive (else TypeError). Encoded for the path. */
  readonly name: string;
  /** Messages waiting at most; `tell` beyond it is refused. */
  readonly mailboxMax: number;
  /** never: the first crash stops it. */
  readonly restarts: RestartPolicy | 'never';
}

export interface StopOptions {
  /** true: refuse new messages, handle what is queued and a final turnEnd, then stop. false: stop now, the queue becomes dead letters. */
  readonly drain: boolean;
  /** After this the rest becomes dead letters. */
  readonly deadlineMs: number;
  /** Also wait for the results of pipes in flight before stopping (within the deadline). Default false. */
  readonly awaitPipes?: boolean;
}

/** Counters since the start of the system, and gauges of now. */
export interface ActorStats {
  /** Gauge: alive, buckets included, the root not. */
  readonly actors: number;
  readonly actorsByKind: Readonly<Record<string, number>>;
  readonly accepted: number;
  readonly handled: number;
  /** tell to a full or draining mailbox. */
  readonly refused: number;
  /** To stopped actors, dropped at a stop, of an earlier life, late replies. */
  readonly deadLetters: number;
  readonly crashes: number;
  readonly restarts: number;
  readonly stopped: number;
  readonly callbackCrashes: number;
  /** Gauge. */
  readonly asksInFlight: number;
}

export interface ActorSystem {
  readonly root: ActorRef<never>;
  /** For lines that no actor stands behind (links, node state). Actors use `report`. */
  readonly supervision: Supervision;
  stats(): ActorStats;
  /** Drains the tree, leaves first; at the deadline drops the rest. Pending asks reject. Idempotent. Later spawns throw. */
  stop(deadlineMs: number): Promise<void>;
}
