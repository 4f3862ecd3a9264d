/**
 * User: one user who is present on this node or watched from it. Tells the state server of the sessions here, and those who
 * watch here of what has become of the user.
 *
 * Guarantees: what is known of the user (`facts`, watchers) outlives a crash; a message only says "look again", so one that is lost
 * or doubled costs time, never truth; two looks with nothing between tell nobody anything.
 * Does not: reach a client (feeds do), or decide what is true (`user-state` does).
 */
import { type ActorRef, acceptedCount, type Behaviour, type Ctx, spawn, tell } from '../system/actor.ts';
import { assertNever } from '../system/errors.ts';
import type { UserId } from '../system/ids.ts';
import type { StateLink } from '../system/state/state-link.ts';
import { Appearance, UserState } from './user-state.ts';

// ---- protocol ----

export type UserCommand =
  /** Something about the user changed: look. */
  { readonly type: 'user.changed' };
type UserInternal = { readonly type: 'user.due' };
type UserMessage = UserCommand | UserInternal;

export type UserNews =
  /** The passivation handshake: nothing to do, having accepted so many messages. The owner removes it only if no more came since. */
  | { readonly type: 'presence.idle'; readonly user: User; readonly accepted: number }
  /** Crashed for good. */
  | { readonly type: 'presence.ended'; readonly user: User };

// ---- what it needs ----

export interface UserDeps {
  readonly link: Pick<StateLink, 'put' | 'remove' | 'watch' | 'unwatch'>;
  /** Which life of the link it is; undefined while the link is down. */
  readonly linkLife: () => number | undefined;
  readonly owner: ActorRef<UserNews>;
}

/** Wants to know what becomes of the user. */
export interface UserWatcher {
  /** The user may look different now. Called on the user's turn; must not throw. */
  note(user: User): void;
}

// ---- state ----

/** Of one life of the actor: the timer that is set. */
interface UserLife {
  readonly dueMs: number;
  readonly cancel: () => void;
}

// ---- behaviour ----

/** Methods, not closures: there is one of these for every user. */
export class User implements Behaviour<UserLife | undefined, UserMessage> {
  readonly id: UserId;
  readonly facts = new UserState();
  /** Whether the state server's word on the user is on its way. */
  isAwaited = true;
  /** Crashed for good; its owner starts it again later. */
  isResting = false;
  private readonly deps: UserDeps;
  private watchers: Set<UserWatcher> | undefined;
  private announced: Appearance | undefined;
  private isWatched = false;
  private isNudged = false;
  private ref: ActorRef<UserCommand> | undefined;

  constructor(id: UserId, deps: UserDeps) {
    this.id = id;
    this.deps = deps;
  }

  get kind(): string {
    return 'user';
  }

  start(ctx: Ctx<UserMessage>): UserLife | undefined {
    return this.look(undefined, ctx);
  }

  receive(life: UserLife | undefined, msg: UserMessage, ctx: Ctx<UserMessage>): UserLife | undefined {
    switch (msg.type) {
      case 'user.changed':
        this.isNudged = false;
        return this.look(life, ctx);
      case 'user.due':
        return this.look(undefined, ctx);
      default:
        return assertNever(msg);
    }
  }

  stopped(_life: UserLife | undefined, reason: 'stopped' | 'crashed'): void {
    this.ref = undefined;
    this.isNudged = false;
    if (reason === 'stopped') return;
    this.isResting = true;
    this.isAwaited = false;
    this.show('unknown', []);
    tell(this.deps.owner, { type: 'presence.ended', user: this });
  }

  describe(): Record<string, string> {
    return { user: this.id };
  }

  // ---- for the owner and the watchers ----

  /** How the user is announced here. */
  get shown(): Appearance {
    this.announced ??= new Appearance(this.id, 'unknown', []);
    return this.announced;
  }

  /** It has an actor, though perhaps one between two lives. */
  get isActive(): boolean {
    return this.ref !== undefined;
  }

  get isIdle(): boolean {
    return !this.facts.isPresent() && this.watchers === undefined;
  }

  run(parent: ActorRef<never>): void {
    this.isResting = false;
    const options = { name: this.id, mailboxMax: userMailboxMax, restarts: userRestarts };
    this.ref = spawn<UserLife | undefined, UserMessage>(parent, this, options);
  }

  /** At most one waits. Without an actor nothing is told: it looks when it starts. */
  nudge(): void {
    if (this.ref && !this.isNudged) this.isNudged = tell(this.ref, { type: 'user.changed' }) === 'accepted';
  }

  /** Hands over the actor, to be stopped; undefined: it was told something since it had accepted so many messages. */
  release(accepted: number): ActorRef<never> | undefined {
    const { ref } = this;
    if (!ref || acceptedCount(ref) !== accepted) return undefined;
    this.ref = undefined;
    return ref;
  }

  addWatcher(watcher: UserWatcher): void {
    if (!this.watchers) {
      this.watchers = new Set();
      this.isAwaited = true;
    }
    this.watchers.add(watcher);
    this.nudge();
  }

  removeWatcher(watcher: UserWatcher): void {
    this.watchers?.delete(watcher);
    if (this.watchers?.size === 0) {
      this.watchers = undefined;
      this.announced = undefined;
    }
    this.nudge();
  }

  // ---- handlers ----

  private look(life: UserLife | undefined, ctx: Ctx<UserMessage>): UserLife | undefined {
    const nowMs = ctx.nowMs();
    for (const change of this.facts.untold(nowMs)) {
      if (change.type === 'remove') this.deps.link.remove(change.session);
      else this.deps.link.put({ session: change.session, user: this.id, place: change.place });
      this.facts.told(change);
    }
    this.watchIfNeeded();
    this.announce(nowMs);
    return this.next(life, nowMs, ctx);
  }

  private watchIfNeeded(): void {
    const isWanted = this.watchers !== undefined;
    if (isWanted && !this.isWatched) this.isWatched = this.deps.link.watch(this.id);
    if (isWanted || !this.isWatched) return;
    this.isWatched = false;
    this.deps.link.unwatch(this.id);
    this.facts.forgetSaid();
  }

  private announce(nowMs: number): void {
    if (!this.watchers) return;
    const life = this.deps.linkLife();
    const state = this.facts.presence(life);
    const wasAwaited = this.isAwaited;
    this.isAwaited = state === 'unknown' && this.isWatched && life !== undefined;
    // What is only on its way is no news: a new watcher waits for it, the others keep what they have.
    if (this.isAwaited) return;
    if (!this.show(state, state === 'unknown' ? [] : this.facts.places(life, nowMs)) && wasAwaited) this.noteWatchers();
  }

  private show(state: Appearance['state'], places: readonly string[]): boolean {
    if (this.shown.is(state, places)) return false;
    this.announced = new Appearance(this.id, state, places);
    this.noteWatchers();
    return true;
  }

  private noteWatchers(): void {
    if (this.watchers) for (const watcher of this.watchers) watcher.note(this);
  }

  private next(life: UserLife | undefined, nowMs: number, ctx: Ctx<UserMessage>): UserLife | undefined {
    const dueMs = this.facts.nextMs(nowMs);
    if (life && life.dueMs === dueMs) return life;
    life?.cancel();
    if (dueMs !== undefined) return { dueMs, cancel: ctx.after(dueMs - nowMs, { type: 'user.due' }) };
    if (this.isIdle) tell(this.deps.owner, { type: 'presence.idle', user: this, accepted: acceptedCount(ctx.self) });
    return undefined;
  }
}

// ---- restarts and spawn ----

/** A nudge and its own timers: there is never more. */
const userMailboxMax = 16;
/** Used up: its owner shows the user as unknown and starts the actor again after a rest. */
const userRestarts = { restartsMax: 3, windowMs: 10_000, backoffMs: 50, backoffMaxMs: 1_000 } as const;
