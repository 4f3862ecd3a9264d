/**
 * ActorCell: one actor: its mailbox, its state, its lives, its end.
 *
 * Owns: the mailbox's bound, the turn (many messages per nact message), crash and restart, drain and stop, leaves first.
 * Guarantees: `receive` never runs twice at once; nothing thrown by a behaviour leaves this file; `stopped` runs exactly once.
 * Does not: schedule (nact does), print (supervision does), or check message types (refs do).
 */
import { countByType, type LineFields, lineFields } from './actor-fields.ts';
import { ActorLane, type LaneCell } from './actor-lane.ts';
import { Life, type LifeHost } from './actor-life.ts';
import { ActorNode } from './actor-node.ts';
import { type ActorRef, refOf, type Target, type Told, typeOfMessage } from './actor-ref.ts';
import { type ActorRuntime, isThenable } from './actor-runtime.ts';
import type { Behaviour, SpawnOptions } from './actor-types.ts';
import type { Logger } from './logger.ts';
import { Mailbox } from './mailbox.ts';
import { decideRestart, type SupervisionReport } from './supervision.ts';

/** One turn ends after this many messages or this long, whichever is first; the rest waits for the next turn, so others get theirs. */
const turnMessagesMax = 1_024;
const turnMsMax = 5;
/** Of silent parents: they get no messages. */
export const bucketKind = 'bucket';

/** up: takes turns. resting: crashed, waits for its restart. dying: stops as soon as turn and children have ended. */
type Phase = 'up' | 'resting' | 'dying' | 'stopped';

export class ActorCell extends ActorNode<ActorCell> implements Target, LifeHost, LaneCell {
  readonly ref: ActorRef<unknown>;
  readonly runtime: ActorRuntime;
  accepted = 0;
  /** Messages dropped here and below since it began to stop. */
  dropped = 0;
  readonly #behaviour: Behaviour<unknown, unknown>;
  readonly #options: SpawnOptions;
  readonly #lane: ActorLane;
  readonly #mailbox: Mailbox;
  #log: Logger | undefined;
  #phase: Phase = 'up';
  #life: Life;
  #state: unknown;
  #started = false;
  #inTurn = false;
  #woken = false;
  #selfStop = false;
  #draining = false;
  #awaitPipes = false;
  #crashesMs: readonly number[] = [];
  #failure: { readonly cause: unknown; readonly msgType: string } | undefined;
  #cancelRestart: (() => void) | undefined;
  #endReason: 'stopped' | 'crashed' = 'stopped';

  /** Starts nothing: `begin` does, once the parent knows the child. */
  constructor(runtime: ActorRuntime, parent: ActorCell | undefined, behaviour: Behaviour<unknown, unknown>, options: SpawnOptions) {
    super(parent, options.name);
    this.runtime = runtime;
    this.#behaviour = behaviour;
    this.#options = options;
    this.#mailbox = new Mailbox(options.mailboxMax);
    this.ref = refOf(this);
    this.#life = new Life(this);
    if (parent) parent.#adopt(this);
    this.#lane = parent?.isBucket ? parent.#lane : new ActorLane(runtime, this.segment);
    if (parent) runtime.alive(this.kind, 1);
  }

  get kind(): string {
    return this.#behaviour.kind;
  }

  /** Its children take their turns on its lane, which it never needs itself. */
  get isBucket(): boolean {
    return this.kind === bucketKind;
  }

  get stopped(): boolean {
    return this.#phase === 'stopped';
  }

  get ending(): boolean {
    return this.#phase === 'stopped' || this.#phase === 'dying';
  }

  get queued(): number {
    return this.#mailbox.size;
  }

  get log(): Logger {
    this.#log ??= this.runtime.log.child({ path: this.path, kind: this.kind });
    return this.#log;
  }

  // ---- messages ----

  accept(msg: unknown): Told {
    if (this.#phase === 'stopped' || this.#phase === 'dying') {
      this.runtime.deadLetter(this, 'stopped', typeOfMessage(msg));
      return 'refused';
    }
    if (this.#mailbox.isFull || (this.#draining && !this.#isToldFromWithin())) {
      this.runtime.counts.refused += 1;
      return 'refused';
    }
    this.#enqueue(msg);
    return 'accepted';
  }

  takeOwn(msg: unknown): void {
    if (this.#phase === 'stopped' || this.#phase === 'dying') this.runtime.deadLetter(this, 'stopped', typeOfMessage(msg));
    else this.#enqueue(msg);
  }

  #enqueue(msg: unknown): void {
    this.#mailbox.push(msg);
    this.accepted += 1;
    this.runtime.counts.accepted += 1;
    if (this.#mailbox.becameHigh()) this.report({ ev: 'mailbox.high', mailbox: this.#mailbox.size });
    this.#wake();
  }

  /** While it drains, an actor still hears itself and those below it: they may have last words for it. */
  #isToldFromWithin(): boolean {
    const teller = this.runtime.current;
    return teller instanceof ActorCell && teller.isWithin(this);
  }

  #wake(): void {
    if (this.#woken || this.#inTurn || this.#phase !== 'up' || this.#mailbox.size === 0) return;
    this.#woken = true;
    this.#lane.wake(this);
  }

  // ---- turns ----

  takeTurn(): void {
    this.#woken = false;
    if (this.#phase !== 'up') return;
    const { clock, counts } = this.runtime;
    const behaviour = this.#behaviour;
    const life = this.#life;
    let step: unknown = '(turn)';
    this.#run(
      () => {
        const endMs = clock.nowMs() + turnMsMax;
        for (let handled = 0; handled < turnMessagesMax && this.#mailbox.size > 0; handled += 1) {
          step = this.#mailbox.shift();
          counts.handled += 1;
          this.#state = this.#receive(step, life);
          if (this.#failure || this.#selfStop || this.#phase !== 'up' || clock.nowMs() >= endMs) break;
        }
        if (!behaviour.turnEnd || this.#failure || this.#phase !== 'up') return;
        step = { type: '(turnEnd)' };
        this.#state = settled(behaviour.turnEnd(this.#state, life));
      },
      () => typeOfMessage(step),
    );
  }

  #receive(msg: unknown, life: Life): unknown {
    try {
      return settled(this.#behaviour.receive(this.#state, msg, life));
    } catch (cause) {
      this.#giveUp(msg);
      throw cause;
    }
  }

  /** Whoever waits for an answer to this message is told by the actor's own code. */
  #giveUp(msg: unknown): void {
    try {
      this.#behaviour.unhandled?.(msg);
    } catch (cause) {
      this.runtime.counts.crashes += 1;
      this.report({ ev: 'actor.crash', cause, msgType: '(unhandled)', decision: 'drop' });
    }
  }

  /** The first start (inside spawn) and each restart. */
  begin(): void {
    const restart = this.#phase === 'resting';
    if (this.#phase !== 'up' && !restart) return;
    if (restart) this.#life = new Life(this);
    this.#phase = 'up';
    this.runtime.outsideContext(() =>
      this.#run(
        () => {
          this.#state = settled(this.#behaviour.start(this.#life));
          this.#started = true;
          if (!restart) return this.report({ ev: 'actor.spawn' });
          this.runtime.counts.restarts += 1;
          this.report({ ev: 'actor.restart', restarts: this.#crashesMs.length, mailbox: this.#mailbox.size });
        },
        () => '(start)',
      ),
    );
  }

  /** The one try/catch around a behaviour: whatever it throws is this actor's crash. Then: what comes after a turn. */
  #run(task: () => void, msgType: () => string): void {
    const outer = this.runtime.current;
    this.runtime.current = this;
    this.#inTurn = true;
    try {
      task();
    } catch (cause) {
      this.#failure ??= { cause, msgType: msgType() };
    }
    this.#inTurn = false;
    this.runtime.current = outer;
    const failure = this.#failure;
    this.#failure = undefined;
    if (failure) this.#crash(failure.cause, failure.msgType);
    else if (this.#selfStop) this.die();
    this.#mailbox.relax();
    this.#wake();
    this.#finishIfDone();
  }

  // ---- crash and restart ----

  /** Inside a turn the crash waits for the end of the message that runs. */
  failed(cause: unknown, msgType: string): void {
    if (this.#phase === 'stopped') return;
    if (this.#inTurn) this.#failure ??= { cause, msgType };
    else this.#crash(cause, msgType);
  }

  #crash(cause: unknown, msgType: string): void {
    const { counts, clock } = this.runtime;
    counts.crashes += 1;
    const policy = this.#selfStop || this.#phase === 'dying' ? 'never' : this.#options.restarts;
    const next = decideRestart(policy, this.#crashesMs, clock.nowMs());
    this.#crashesMs = next.crashesMs;
    const { decision } = next;
    const line = { ev: 'actor.crash', cause, msgType, decision, restarts: next.crashesMs.length - 1, mailbox: this.#mailbox.size } as const;
    this.report(next.decision === 'restart' ? { ...line, delayMs: next.delayMs } : line);
    if (next.decision === 'stop') {
      this.#endReason = 'crashed';
      this.die();
      return;
    }
    this.#phase = 'resting';
    this.#life.end();
    this.#started = false;
    this.#state = undefined;
    // The next life starts its own: it could not know these, and their names would be taken.
    for (const child of this.children) child.die();
    this.#cancelRestart = clock.after(next.delayMs, () => this.begin());
  }

  // ---- stop ----

  stopSelf(): void {
    this.#selfStop = true;
    if (!this.#inTurn) this.die();
  }

  /** Refuses from now on, handles what is queued, then stops; those below first. */
  drain(awaitPipes: boolean): void {
    if (this.#phase === 'stopped' || this.#phase === 'dying') return;
    this.#draining = true;
    this.#awaitPipes ||= awaitPipes;
    for (const child of this.children) child.drain(awaitPipes);
    this.#finishIfDone();
  }

  /** Stops now, those below first; what is queued becomes dead letters. A message that runs ends first. */
  die(): void {
    if (this.#phase === 'stopped') return;
    this.#phase = 'dying';
    this.#cancelRestart?.();
    this.#life.end();
    for (const child of this.children) child.die();
    this.#finishIfDone();
  }

  expectsDeathOf(target: Target): boolean {
    return (this.#draining || this.#phase === 'dying') && target instanceof ActorCell && target.isWithin(this);
  }

  #adopt(child: ActorCell): void {
    if (this.ending) throw new TypeError(`spawn: the parent ${this.path} has stopped`);
    this.addChild(child);
    // Born into a parent that is going: it may end what its start begins, and takes no messages.
    if (this.#draining) child.#draining = true;
  }

  #finishIfDone(): void {
    if (this.#inTurn || this.#phase === 'stopped' || this.hasChildren) return;
    if (this.#phase === 'dying') return this.#finish();
    const isIdle = this.#phase === 'up' && this.#mailbox.size === 0 && !(this.#awaitPipes && this.#life.pipesInFlight > 0);
    if (this.#draining && isIdle) this.#finish();
  }

  #finish(): void {
    this.#phase = 'stopped';
    this.#life.end();
    this.#dropRest();
    const line = this.#describe();
    const outer = this.runtime.current;
    this.runtime.current = this;
    try {
      settled(this.#behaviour.stopped?.(this.#started ? this.#state : undefined, this.#endReason));
    } catch (cause) {
      this.runtime.counts.crashes += 1;
      this.runtime.supervision.emit({ ...line, ev: 'actor.crash', cause, msgType: '(stopped)', decision: 'stop' });
    }
    this.runtime.current = outer;
    this.#state = undefined;
    if (!this.parent?.isBucket) this.#lane.stop();
    this.runtime.supervision.emit({ ...line, ev: 'actor.stop', decision: this.#endReason });
    const { parent } = this;
    if (parent) {
      this.runtime.counts.stopped += 1;
      this.runtime.alive(this.kind, -1);
      parent.removeChild(this);
      if (parent.#draining || parent.#phase === 'dying') parent.dropped += this.dropped;
    }
    // After the name is free: whoever watches may want to spawn its successor.
    this.tellWatchers();
    if (parent) parent.#finishIfDone();
  }

  #dropRest(): void {
    const rest = this.#mailbox.clear();
    this.dropped += rest.length;
    for (const msg of rest) this.#giveUp(msg);
    for (const [type, count] of countByType(rest)) this.runtime.deadLetter(this, 'dropped', type, { count });
  }

  // ---- supervision lines ----

  report(line: Omit<SupervisionReport, 'path' | 'kind'>): void {
    this.runtime.supervision.emit({ ...this.#describe(), ...line });
  }

  #describe(): LineFields {
    const describe = () => (this.#started ? this.#behaviour.describe?.(this.#state) : undefined) ?? {};
    return lineFields(this.path, this.kind, this.#options.restarts, describe);
  }
}

/** A promise from a behaviour is a bug: two messages would run at once. Its rejection, if any, must not end the process. */
function settled<T>(result: T): T {
  if (!isThenable(result)) return result;
  result.then(undefined, () => {});
  throw new TypeError('a behaviour returned a promise; behaviours are synchronous, use ctx.pipe');
}
