/**
 * SessionPresence: a session's part in presence: that it is here, at which room it looks, whom it watches.
 *
 * Guarantees: a room counts as looked at from the answer that opened it until it is closed or taken away, never before; at the
 * end the session is gone from presence, whatever ended it.
 * Does not: know what others look like (presence does), or send by itself: the session flushes it at the end of each turn.
 */
import type { ActorRef } from '../system/actor.ts';
import type { Refusal } from '../system/errors.ts';
import type { RoomId, SessionId, UserId } from '../system/ids.ts';
import type { Answer } from './client-command.ts';
import type { ClientSink } from './client-sink.ts';
import type { Presence } from './presence.ts';
import { type PresenceDue, PresenceFeed } from './presence-feed.ts';
import { type Departure, home } from './user-state.ts';

export class SessionPresence {
  private readonly presence: Presence;
  private readonly session: SessionId;
  private readonly user: UserId;
  /** Open, the last opened last: where the session is. */
  rooms: readonly RoomId[] = [];
  private feed: PresenceFeed | undefined;

  constructor(presence: Presence, session: SessionId, user: UserId) {
    this.presence = presence;
    this.session = session;
    this.user = user;
  }

  begin(): void {
    this.presence.enter(this.session, this.user);
  }

  end(how: Departure): void {
    if (this.feed) this.presence.unwatch(this.feed);
    this.presence.leave(this.session, this.user, how);
  }

  opened(room: RoomId): void {
    // Not pushed: that would make room for 17.
    this.rooms = [...this.rooms.filter((open) => open !== room), room];
    this.moved();
  }

  closed(room: RoomId): void {
    if (!this.rooms.includes(room)) return;
    this.rooms = this.rooms.filter((open) => open !== room);
    this.moved();
  }

  /** undefined: it will be answered by a flush. */
  watch(users: readonly UserId[], replyTo: ActorRef<Answer>, self: ActorRef<PresenceDue>, sink: ClientSink): Refusal | undefined {
    const { encoder } = this.presence;
    this.feed ??= new PresenceFeed(self, this.user, this, { sink, encoder });
    return this.presence.watch(this.feed, users, replyTo);
  }

  /** The connection has room again after a refused frame. */
  sinkReady(): void {
    this.feed?.unblock();
  }

  flush(nowMs: number): void {
    this.feed?.flush(nowMs);
  }

  private moved(): void {
    this.presence.move(this.session, this.user, this.rooms.at(-1) ?? home);
    this.feed?.noteAll();
  }
}
