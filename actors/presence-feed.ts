/**
 * PresenceFeed: whom one session watches, and what its client was last told of each.
 *
 * Guarantees: a client is told of a user's last state, never of a state that is over; what a busy connection refuses waits as
 * "look again", not as a queue, so a feed is bounded by the users it watches. Rooms are named to those only who have them open.
 * Does not: find users or count watches (presence does), or run by itself: its session flushes it once a turn.
 */
import { type ActorRef, tell } from '../system/actor.ts';
import type { RoomId, UserId } from '../system/ids.ts';
import type { Answer } from './client-command.ts';
import type { ClientSink, FrameEncoder } from './client-sink.ts';
import type { User, UserWatcher } from './user.ts';
import { home, type PresenceView } from './user-state.ts';

export interface PresenceDue {
  /** Somebody watched may have changed. What changed is in the feed. */
  readonly type: 'session.presenceDue';
}

/** An answer waits at most so long for the state server's word; who it does not know by then is `unknown`, and follows as an event. */
export const watchAnswerMs = 1_000;

export class PresenceFeed implements UserWatcher {
  private readonly session: ActorRef<PresenceDue>;
  private readonly user: UserId;
  private readonly sink: ClientSink;
  private readonly encoder: Pick<FrameEncoder, 'presence'>;
  private readonly open: { readonly rooms: readonly RoomId[] };
  private readonly watched = new Map<User, PresenceView | undefined>();
  private readonly due = new Set<User>();
  private asked: { readonly replyTo: ActorRef<Answer>; readonly untilMs: number } | undefined;
  private isSessionTold = false;
  /** The sink refused; nothing is tried until it has room. */
  private isBlocked = false;

  constructor(
    session: ActorRef<PresenceDue>,
    user: UserId,
    /** Open in this session now. */
    open: { readonly rooms: readonly RoomId[] },
    client: { readonly sink: ClientSink; readonly encoder: Pick<FrameEncoder, 'presence'> },
  ) {
    this.session = session;
    this.user = user;
    this.sink = client.sink;
    this.encoder = client.encoder;
    this.open = open;
  }

  get size(): number {
    return this.watched.size;
  }

  // ---- whom ----

  /** Watches these users and nobody else. The answer comes with a flush, at the latest at `untilMs`. */
  replace(users: ReadonlySet<User>, replyTo: ActorRef<Answer>, untilMs: number): void {
    this.answer(); // One that still waits: its list is over.
    for (const user of users) {
      if (this.watched.has(user)) continue;
      this.watched.set(user, undefined);
      user.addWatcher(this);
    }
    for (const user of this.watched.keys()) if (!users.has(user)) this.drop(user);
    this.asked = { replyTo, untilMs };
    this.wake();
  }

  end(): void {
    for (const user of this.watched.keys()) this.drop(user);
    this.asked = undefined;
  }

  private drop(user: User): void {
    this.watched.delete(user);
    this.due.delete(user);
    user.removeWatcher(this);
  }

  // ---- what ----

  note(user: User): void {
    if (!this.watched.has(user)) return;
    this.due.add(user);
    this.wake();
  }

  /** The rooms of this session changed: so may what it is shown. */
  noteAll(): void {
    for (const user of this.watched.keys()) this.due.add(user);
  }

  unblock(): void {
    this.isBlocked = false;
  }

  /** Tells the client what is new. A refused frame changes nothing: the next flush tells it, or what has become of it. */
  flush(nowMs: number): void {
    this.isSessionTold = false;
    if (this.asked && (nowMs >= this.asked.untilMs || this.isKnown())) this.answer();
    if (this.asked || this.isBlocked || this.due.size === 0) return;
    const changes: PresenceView[] = [];
    for (const user of this.due) {
      const view = this.viewOf(user);
      if (!isSame(view, this.watched.get(user))) changes.push(view);
    }
    this.isBlocked = changes.length > 0 && !this.sink.sendMinor(this.encoder.presence(changes));
    if (this.isBlocked) return;
    for (const user of this.due) this.watched.set(user, this.viewOf(user));
    this.due.clear();
  }

  private answer(): void {
    if (!this.asked) return;
    const { replyTo } = this.asked;
    this.asked = undefined;
    const states: PresenceView[] = [];
    for (const user of this.watched.keys()) {
      const view = this.viewOf(user);
      this.watched.set(user, view);
      states.push(view);
    }
    this.due.clear();
    tell(replyTo, { ok: true, result: { type: 'presence', states } });
  }

  private isKnown(): boolean {
    for (const user of this.watched.keys()) if (user.isAwaited) return false;
    return true;
  }

  private viewOf(user: User): PresenceView {
    return user.shown.as(this.placeFor(user));
  }

  private placeFor({ id, shown }: User): string | undefined {
    if (id === this.user) return shown.places.find((place) => place !== home) ?? shown.places[0];
    return shown.places.find((place) => place !== home && this.open.rooms.includes(place as RoomId));
  }

  /** Refused when the session has a full mailbox; then a turn of it is coming anyway, and every turn ends with a flush. */
  private wake(): void {
    if (!this.isSessionTold) this.isSessionTold = tell(this.session, { type: 'session.presenceDue' }) === 'accepted';
  }
}

function isSame(a: PresenceView, b: PresenceView | undefined): boolean {
  return a === b || (a.state === b?.state && a.place === b.place);
}
