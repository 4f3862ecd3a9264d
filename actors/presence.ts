/**
 * Presence: owns the link to the state server and the names of this node's user actors. Finds or starts one, lets idle ones go,
 * starts again those that failed for good after a rest.
 *
 * Guarantees: nothing here is on the way of a message of chat: every call is a few map operations and returns at once; while the
 * link is down users elsewhere are unknown, never wrong, and true again once the state server has spoken.
 * Does not: decide who is online (`user-state` does), or tell clients (`presence-feed` does).
 */
import { type ActorRef, type Ctx, isStopped, report, spawn, spawnBucket, stopActor, tell } from '../system/actor.ts';
import type { Clock } from '../system/clock.ts';
import { assertNever, type Refusal, refuse } from '../system/errors.ts';
import type { SessionId, UserId } from '../system/ids.ts';
import { isVoicePlace, type StateLink, type UserStateRow } from '../system/state/state-link.ts';
import { type Buckets, bucketOf, spawnBuckets } from './buckets.ts';
import type { Answer } from './client-command.ts';
import type { FrameEncoder } from './client-sink.ts';
import { type PresenceFeed, watchAnswerMs } from './presence-feed.ts';
import { User, type UserDeps, type UserNews, type UserWatcher } from './user.ts';
import type { Departure } from './user-state.ts';

// ---- protocol ----

type PresenceMessage =
  | UserNews
  | { readonly type: 'presence.linked'; readonly isLive: boolean; readonly why: string }
  | { readonly type: 'presence.sweep' }
  | { readonly type: 'presence.revive'; readonly user: User };

/** What the rest of the node uses. */
export interface Presence {
  /** A session of the user began; it is at no room. */
  enter(session: SessionId, user: UserId): void;
  /** It looks at this room now, or at none (`home`). */
  move(session: SessionId, user: UserId, place: string): void;
  leave(session: SessionId, user: UserId, how: Departure): void;
  /** The feed shows these users from now on and nobody else; none: it ends. undefined: the answer will come by a flush of the feed. */
  watch(feed: PresenceFeed, users: readonly UserId[], replyTo: ActorRef<Answer>): Refusal | undefined;
  unwatch(feed: PresenceFeed): void;
  /** The watcher hears of this user from now on, until `unobserve`. undefined: too many are watched. */
  observe(watcher: UserWatcher, id: UserId): User | undefined;
  unobserve(watcher: UserWatcher, user: User): void;
  counts(): PresenceCounts;
  readonly encoder: Pick<FrameEncoder, 'presence'>;
  readonly ref: ActorRef<never>;
}

export interface PresenceCounts {
  /** User actors. */
  readonly users: number;
  /** Users in feeds, each once per feed. */
  readonly watches: number;
  readonly isLinkLive: boolean;
}

// ---- what it needs ----

export interface PresenceDeps {
  readonly link: StateLink;
  readonly encoder: Pick<FrameEncoder, 'presence'>;
  readonly clock: Clock;
  /** How long a connection is silent before it counts as gone. */
  readonly pingTimeoutMs: number;
  /** Users watched, over all sessions. Above: presence:watch is refused. */
  readonly presenceWatchesMax: number;
  /** User actors. Above: presence:watch of further users is refused; sessions are never. */
  readonly presenceUsersMax: number;
}

const retryAfterMs = 5_000;
/** A user whose actor failed for good is unknown for so long. */
const restMs = 10_000;
/** Users told of a change of the link in one turn. */
const sweepUsers = 500;
const stopDeadlineMs = 5_000;

// ---- behaviour ----

class PresenceActor implements Presence {
  readonly ref: ActorRef<PresenceMessage>;
  readonly encoder: Pick<FrameEncoder, 'presence'>;
  private readonly deps: PresenceDeps;
  private readonly userDeps: UserDeps;
  private readonly users = new Map<UserId, User>();
  private readonly buckets: Buckets;
  private watches = 0;
  private isLive = false;
  /** Counts how often the link became live: what the state server said before is over. */
  private life = 0;
  private unswept: Iterator<User> | undefined;

  constructor(parent: ActorRef<never>, deps: PresenceDeps) {
    this.deps = deps;
    this.encoder = deps.encoder;
    const behaviour = { kind: 'presence', start: this.start, receive: this.receive };
    // The buckets are beside this actor, not under it: a restart stops what is under an actor, and the users need not notice.
    const home = spawnBucket(parent, 'presence');
    this.ref = spawn<PresenceActor, PresenceMessage>(home, behaviour, {
      name: 'owner',
      mailboxMax: presenceMailboxMax,
      restarts: presenceRestarts,
    });
    this.buckets = spawnBuckets(home);
    this.userDeps = { link: deps.link, linkLife: () => (this.isLive ? this.life : undefined), owner: this.ref };
    deps.link.listen({ onStates: (states) => this.onStates(states), onLive: (isLive, why) => this.onLive(isLive, why) });
    if (deps.link.state === 'live') this.onLive(true, 'it was live from the start');
  }

  private readonly start = (ctx: Ctx<PresenceMessage>): PresenceActor => {
    // After a crash: what was not finished then is done again.
    this.unswept = undefined;
    for (const user of this.users.values()) if (user.isResting) ctx.after(restMs, { type: 'presence.revive', user });
    this.sweep(ctx);
    return this;
  };

  private readonly receive = (state: PresenceActor, msg: PresenceMessage, ctx: Ctx<PresenceMessage>): PresenceActor => {
    switch (msg.type) {
      case 'presence.idle':
        this.onIdle(msg.user, msg.accepted, ctx);
        return state;
      case 'presence.ended':
        this.onEnded(msg.user, ctx);
        return state;
      case 'presence.revive':
        this.revive(msg.user);
        return state;
      case 'presence.linked':
        this.onLinked(msg.isLive, msg.why, ctx);
        return state;
      case 'presence.sweep':
        this.sweepOn(ctx);
        return state;
      default:
        return assertNever(msg);
    }
  };

  // ---- the way in: sessions ----

  enter(session: SessionId, id: UserId): void {
    const user = this.find(id);
    user.facts.enter(session, this.deps.clock.nowMs());
    this.wake(user);
  }

  move(session: SessionId, id: UserId, place: string): void {
    const user = this.users.get(id);
    if (user?.facts.move(session, place, this.deps.clock.nowMs())) this.wake(user);
  }

  leave(session: SessionId, id: UserId, how: Departure): void {
    const user = this.users.get(id);
    if (!user) return;
    user.facts.leave(session, how, this.deps.clock.nowMs(), this.deps.pingTimeoutMs);
    this.wake(user);
  }

  watch(feed: PresenceFeed, ids: readonly UserId[], replyTo: ActorRef<Answer>): Refusal | undefined {
    const { presenceWatchesMax, presenceUsersMax, clock } = this.deps;
    const wanted = new Set(ids);
    const watches = this.watches - feed.size + wanted.size;
    if (watches > presenceWatchesMax) return refuse('BUSY', 'too many users are watched on this node; watch fewer', retryAfterMs);
    let strangers = 0;
    for (const id of wanted) if (!this.users.has(id)) strangers += 1;
    if (strangers > 0 && this.users.size + strangers > presenceUsersMax)
      return refuse('BUSY', 'too many users are known on this node; watch fewer', retryAfterMs);
    const users = new Set<User>();
    for (const id of wanted) users.add(this.find(id));
    this.watches = watches;
    feed.replace(users, replyTo, clock.nowMs() + watchAnswerMs);
    for (const user of users) if (!user.isActive) this.wake(user);
    return undefined;
  }

  unwatch(feed: PresenceFeed): void {
    this.watches -= feed.size;
    feed.end();
  }

  observe(watcher: UserWatcher, id: UserId): User | undefined {
    const { presenceWatchesMax, presenceUsersMax } = this.deps;
    if (this.watches >= presenceWatchesMax || (!this.users.has(id) && this.users.size >= presenceUsersMax)) return undefined;
    const user = this.find(id);
    this.watches += 1;
    user.addWatcher(watcher);
    if (!user.isActive) this.wake(user);
    return user;
  }

  unobserve(watcher: UserWatcher, user: User): void {
    this.watches -= 1;
    user.removeWatcher(watcher);
  }

  counts(): PresenceCounts {
    return { users: this.users.size, watches: this.watches, isLinkLive: this.isLive };
  }

  private find(id: UserId): User {
    const known = this.users.get(id);
    if (known) return known;
    const user = new User(id, this.userDeps);
    this.users.set(id, user);
    return user;
  }

  private wake(user: User): void {
    if (user.isActive) return user.nudge();
    const bucket = bucketOf(this.buckets, user.id);
    // A node that stops has no use for actors that begin: the link's goodbye ends all its sessions.
    if (!user.isResting && !isStopped(bucket)) user.run(bucket);
  }

  // ---- the way in: the link ----

  private onStates(states: readonly UserStateRow[]): void {
    // Said before the link counts as live: it holds in the life that begins.
    const life = this.isLive ? this.life : this.life + 1;
    for (const { user: id, state, places } of states) {
      const user = this.users.get(id);
      if (!user) continue;
      const rooms = places.some(isVoicePlace) ? places.filter((place) => !isVoicePlace(place)) : places;
      user.facts.hear(state, rooms, life);
      user.nudge();
    }
  }

  private onLive(isLive: boolean, why: string): void {
    this.isLive = isLive;
    if (isLive) this.life += 1;
    tell(this.ref, { type: 'presence.linked', isLive, why });
  }

  // ---- handlers ----

  private onLinked(isLive: boolean, why: string, ctx: Ctx<PresenceMessage>): void {
    const about = { why, users: this.users.size, watches: this.watches };
    report(ctx.self, { ev: isLive ? 'link.up' : 'link.down', state: this.deps.link.state, about });
    if (isLive && this.life > 1) report(ctx.self, { ev: 'link.resync', state: this.deps.link.state, about });
    this.sweep(ctx);
  }

  private onIdle(user: User, accepted: number, ctx: Ctx<PresenceMessage>): void {
    if (this.users.get(user.id) !== user || !user.isIdle) return;
    const ref = user.release(accepted);
    if (!ref) return; // Something came meanwhile: it stays.
    this.users.delete(user.id);
    stopActor(ref, { drain: true, deadlineMs: stopDeadlineMs }).catch((error: unknown) => {
      ctx.log.error({ ev: 'user.passivate', user: user.id, cause: String(error) }, 'a user actor could not be stopped');
    });
  }

  private onEnded(user: User, ctx: Ctx<PresenceMessage>): void {
    report(ctx.self, { ev: 'actor.quarantine', decision: 'quarantine', delayMs: restMs, about: { user: user.id } });
    ctx.after(restMs, { type: 'presence.revive', user });
  }

  private revive(user: User): void {
    user.isResting = false;
    if (user.isIdle) this.users.delete(user.id);
    else this.wake(user);
  }

  /** Every user is to look again, a part in each turn. */
  private sweep(ctx: Ctx<PresenceMessage>): void {
    const isUnderWay = this.unswept !== undefined;
    this.unswept = this.users.values();
    if (!isUnderWay) tell(ctx.self, { type: 'presence.sweep' });
  }

  private sweepOn(ctx: Ctx<PresenceMessage>): void {
    for (let count = 0; count < sweepUsers; count += 1) {
      const next = this.unswept?.next();
      if (!next || next.done) {
        this.unswept = undefined;
        return;
      }
      next.value.nudge();
    }
    tell(ctx.self, { type: 'presence.sweep' });
  }
}

// ---- restarts and spawn ----

const presenceRestarts = { restartsMax: 10, windowMs: 10_000, backoffMs: 10, backoffMaxMs: 1_000 } as const;
const presenceMailboxMax = 100_000;

export function spawnPresence(parent: ActorRef<never>, deps: PresenceDeps): Presence {
  return new PresenceActor(parent, deps);
}
