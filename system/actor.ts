/**
 * Actor: everything the rest of the program uses of the actor runtime. nact schedules; nobody outside actor-runtime.ts sees it.
 *
 * Guarantees: messages of one sender to one actor are handled in the order told, one at a time, each at most once; an
 *   exception in an actor is that actor's crash and nothing else's; a stop reaches the leaves first.
 * Does not: survive the process, or promise that an accepted message is handled (the actor may crash or stop first).
 */
import { Callback } from './actor-callback.ts';
import { ActorCell, bucketKind } from './actor-cell.ts';
import { type ActorRef, refOf, type Told, targetOf } from './actor-ref.ts';
import { ActorRuntime, afterAnyLength } from './actor-runtime.ts';
import type { ActorSystem, Behaviour, SpawnOptions, StopOptions } from './actor-types.ts';
import { asksInFlight, askTarget, rejectAsks, runtimeOf } from './ask.ts';
import type { Clock } from './clock.ts';
import type { Logger } from './logger.ts';
import { createSupervision, type SupervisionReport } from './supervision.ts';

export type { ActorRef, Told } from './actor-ref.ts';
export { actorName } from './actor-runtime.ts';
export type { ActorStats, ActorSystem, Behaviour, Ctx, SpawnOptions, StopOptions } from './actor-types.ts';
export { asksInFlightMax } from './ask.ts';
export type { RestartPolicy } from './supervision.ts';

/** Takes no messages: children hang here so that no table of theirs costs anyone anything. */
const silent = (kind: string): Behaviour<undefined, never> => ({ kind, start: () => undefined, receive: () => undefined });

/** Where callbacks made without a system report their crashes: the newest system. A process has one, tests one at a time. */
let newestRuntime: ActorRuntime | undefined;

export function createActorSystem(deps: { clock: Clock; log: Logger }): ActorSystem {
  const supervision = createSupervision(deps);
  const runtime = new ActorRuntime(deps.clock, deps.log, supervision);
  newestRuntime = runtime;
  const root = new ActorCell(runtime, undefined, anyBehaviour(silent('root')), { name: 'root', mailboxMax: 0, restarts: 'never' });
  let stopping: Promise<void> | undefined;
  const stop = async (deadlineMs: number) => {
    // What is being stored is to be answered too.
    await stopActor(root.ref, { drain: true, deadlineMs, awaitPipes: true });
    rejectAsks(runtime);
    runtime.stopAll();
    supervision.flush();
  };
  return {
    root: root.ref,
    supervision,
    stats: () => ({
      ...runtime.counts,
      actors: [...runtime.actorsByKind.values()].reduce((sum, n) => sum + n, 0),
      actorsByKind: Object.fromEntries(runtime.actorsByKind),
      asksInFlight: asksInFlight(runtime),
    }),
    stop(deadlineMs) {
      stopping ??= stop(deadlineMs);
      return stopping;
    },
  };
}

/** `start` runs before this returns; if it throws, the ref is still good: the actor rests or has stopped. Throws TypeError for a taken name or a stopped parent. */
export function spawn<S, M>(parent: ActorSystem | ActorRef<never>, behaviour: Behaviour<S, M>, options: SpawnOptions): ActorRef<M> {
  const above = cellOf('root' in parent ? parent.root : parent);
  if (!above) throw new TypeError('spawn: the parent is not an actor');
  const cell = new ActorCell(above.runtime, above, anyBehaviour(behaviour), options);
  cell.begin();
  return cell.ref;
}

/** A silent parent, for children by the thousand and for one handle that stops them all. */
export function spawnBucket(parent: ActorSystem | ActorRef<never>, name: string): ActorRef<never> {
  return spawn(parent, silent(bucketKind), { name, mailboxMax: 0, restarts: 'never' });
}

/** Never throws, never runs the receiver (a callbackRef excepted). refused: not queued; to a stopped actor also a counted dead letter. */
export function tell<M>(ref: ActorRef<M>, msg: NoInfer<M>): Told {
  return targetOf(ref).accept(msg);
}

/**
 * Rejects with a Fault: BUSY (too many asks in flight, or refused by the target), ACTOR_STOPPED (at once, also when the target
 * stops later), ASK_TIMEOUT. A message the target crashed on is not answered.
 */
export function ask<M, R>(
  system: ActorSystem,
  ref: ActorRef<M>,
  make: (replyTo: ActorRef<R>) => NoInfer<M>,
  timeoutMs: number,
): Promise<R> {
  return askTarget(runtimeOf(system.root), targetOf(ref), make, timeoutMs);
}

/** See actor-callback.ts. `system`: where its crashes are reported; default the newest one. */
export function callbackRef<M>(kind: string, take: (msg: M) => void, system?: ActorSystem): ActorRef<M> {
  const runtime = system ? () => runtimeOf(system.root) : () => newestRuntime;
  return refOf<M>(new Callback(kind, take as (msg: unknown) => unknown, runtime));
}

/** For good: a resting actor is not stopped. */
export function isStopped(ref: ActorRef<never>): boolean {
  return targetOf(ref).stopped;
}

/** Stopped, or about to: nothing can be spawned under it. */
export function isEnding(ref: ActorRef<never>): boolean {
  return targetOf(ref).ending;
}

/** Messages ever accepted, its own timers and results included: unchanged means nothing came in between. */
export function acceptedCount(ref: ActorRef<never>): number {
  return targetOf(ref).accepted;
}

export function mailboxSize(ref: ActorRef<never>): number {
  return targetOf(ref).queued;
}

/**
 * Stops the actor and all below it, leaves first; settles when it has stopped. While it drains, an actor hears only itself and
 * those below it. dropped: at least one queued message, here or below, became a dead letter. Without drain and outside of its
 * own turn it has stopped when this returns. An edge ref has nothing to stop: drained.
 */
export function stopActor(ref: ActorRef<never>, options: StopOptions): Promise<'drained' | 'dropped'> {
  const cell = cellOf(ref);
  if (!cell) return Promise.resolve('drained');
  return new Promise((resolve) => {
    let cancel = () => {};
    const done = () => {
      cancel();
      resolve(cell.dropped > 0 ? 'dropped' : 'drained');
    };
    if (cell.stopped) return done();
    cell.addWatcher({ targetStopped: done });
    if (!options.drain) return cell.die();
    cancel = afterAnyLength(cell.runtime.clock, options.deadlineMs, () => cell.die());
    cell.drain(options.awaitPipes ?? false);
  });
}

/** A supervision line of an actor about itself (quarantine, append.conflict …), with its path, kind and `describe` fields. */
export function report(self: ActorRef<never>, line: Omit<SupervisionReport, 'path' | 'kind'>): void {
  cellOf(self)?.report(line);
}

function cellOf(ref: ActorRef<never>): ActorCell | undefined {
  const target = targetOf(ref);
  return target instanceof ActorCell ? target : undefined;
}

/** Types were checked where the behaviour was given; inside, messages and states are unknown. */
function anyBehaviour<S, M>(behaviour: Behaviour<S, M>): Behaviour<unknown, unknown> {
  return behaviour as unknown as Behaviour<unknown, unknown>;
}
