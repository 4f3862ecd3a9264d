/**
 * Ask: one question to an actor, one answer, from code that is not an actor (HTTP handlers, start and stop, tests).
 *
 * Guarantees: an answer reaches its own question only (the reply ref IS the question, no id is drawn or looked up); the
 *   promise settles at the latest after its time-out; late and second answers are counted dead letters.
 * Does not: retry. A message the target crashed on is never answered: its ask times out.
 */
import { ActorCell } from './actor-cell.ts';
import { type ActorRef, refOf, type Target, type Told, targetOf, typeOfMessage } from './actor-ref.ts';
import { type ActorRuntime, afterAnyLength } from './actor-runtime.ts';
import { Fault } from './errors.ts';

/** Questions in flight per system; beyond it `ask` rejects BUSY at once. */
export const asksInFlightMax = 10_000;

/** The waiting side of one ask. */
class Question implements Target {
  readonly kind = 'ask';
  readonly path: string;
  accepted = 0;
  readonly queued = 0;
  readonly #runtime: ActorRuntime;
  readonly #answer: (msg: unknown) => void;

  constructor(runtime: ActorRuntime, answer: (msg: unknown) => void) {
    this.#runtime = runtime;
    this.#answer = answer;
    this.path = `/ask/${runtime.serial()}`;
  }

  settled = false;

  get stopped(): boolean {
    return this.settled;
  }

  get ending(): boolean {
    return this.settled;
  }

  accept(msg: unknown): Told {
    if (this.settled) {
      this.#runtime.deadLetter(this, 'late reply', typeOfMessage(msg));
      return 'refused';
    }
    this.accepted += 1;
    this.#answer(msg);
    return 'accepted';
  }

  addWatcher(): void {}
  removeWatcher(): void {}
}

/** Questions in flight, so that the end of the system is the end of each of them. */
const waiting = new WeakMap<ActorRuntime, Set<(fault: Fault) => void>>();

export function asksInFlight(runtime: ActorRuntime): number {
  return waiting.get(runtime)?.size ?? 0;
}

export function rejectAsks(runtime: ActorRuntime): void {
  for (const reject of [...(waiting.get(runtime) ?? [])]) reject(new Fault('ACTOR_STOPPED', 'ask: the actor system has stopped'));
}

export function askTarget<R>(
  runtime: ActorRuntime,
  target: Target,
  make: (replyTo: ActorRef<R>) => unknown,
  timeoutMs: number,
): Promise<R> {
  const answered = new Promise<R>((resolve, reject) => {
    const inFlight = waiting.get(runtime) ?? new Set();
    waiting.set(runtime, inFlight);
    if (inFlight.size >= asksInFlightMax) throw new Fault('BUSY', `ask: ${asksInFlightMax} questions are in flight`);
    if (!Number.isFinite(timeoutMs)) throw new TypeError('ask: the time-out must be a finite number of milliseconds');

    const settle = () => {
      question.settled = true;
      inFlight.delete(fail);
      cancel();
      target.removeWatcher(watcher);
    };
    const fail = (error: unknown) => {
      if (question.settled) return;
      settle();
      reject(error);
    };
    const question = new Question(runtime, (msg) => {
      settle();
      resolve(msg as R);
    });
    const watcher = { targetStopped: () => fail(new Fault('ACTOR_STOPPED', `ask: ${target.path} stopped before it answered`)) };
    const cancel = afterAnyLength(runtime.clock, timeoutMs, () =>
      fail(new Fault('ASK_TIMEOUT', `ask: ${target.path} did not answer in ${timeoutMs} ms`)),
    );
    inFlight.add(fail);
    target.addWatcher(watcher);
    try {
      const told = target.stopped ? 'stopped' : target.accept(make(refOf<R>(question)));
      if (told === 'stopped') fail(new Fault('ACTOR_STOPPED', `ask: ${target.path} has stopped`));
      if (told === 'refused') fail(new Fault('BUSY', `ask: ${target.path} refused: its mailbox is full or it drains`));
    } catch (error) {
      fail(error);
    }
  });
  // A caller that gave up on the promise must not end the process when it rejects; whoever awaits it still sees the rejection.
  answered.catch(() => {});
  return answered;
}

export function runtimeOf(root: ActorRef<never>): ActorRuntime {
  const target = targetOf(root);
  if (!(target instanceof ActorCell)) throw new TypeError('not an actor of this runtime');
  return target.runtime;
}
