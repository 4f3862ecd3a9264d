/**
 * OlderAnswers: what the requests of older clients do and what they are answered. Pure.
 *
 * Their sessions belong to no connection (a login may come over one and the logout over another) and end with their logout, or
 * 24 hours after the last word of them. Moves name a user only: all older sessions of the user move.
 * A user may be in a voice channel without a login, as a guest: that makes nobody online.
 */
import { doneReply, idsReply, type OlderRequest, occupancyReply, pairReply } from './older-lines.ts';
import type { Session, StateSessions } from './state-sessions.ts';
import type { StateVoice } from './state-voice.ts';

export interface OlderAnswer {
  readonly reply: string;
  /** Why nothing changed, for the log. */
  readonly note?: string;
}

export interface OlderDeps {
  readonly sessions: StateSessions;
  readonly voice: StateVoice;
  /** Users in voice channels without a login. More: they are not listed. */
  readonly guestsMax: number;
  readonly keptMs: number;
}

interface Guest {
  readonly place: string;
  readonly sinceMs: number;
}

/** Owner of their sessions. A life's key has a line feed. */
export const olderOwner = 'older';
const home = 'home';

export class OlderAnswers {
  readonly #deps: OlderDeps;
  /** user → their sessions, the one that came last at the end. */
  readonly #byUser = new Map<string, Set<string>>();
  /** session → when it was last spoken of, the oldest first. */
  readonly #spokenMs = new Map<string, number>();
  readonly #guests = new Map<string, Guest>();

  constructor(deps: OlderDeps) {
    this.#deps = deps;
  }

  answer(request: OlderRequest, nowMs: number): OlderAnswer {
    const { sessions, voice } = this.#deps;
    switch (request.type) {
      case 'login':
        return this.#login(request.session, request.user, nowMs);
      case 'logout':
        return this.#logout(request.session);
      case 'state': {
        const last = this.#placeOf(request.user);
        this.#dropGuest(request.user);
        this.#move(request.user, request.place, nowMs);
        return { reply: pairReply(last, request.place) };
      }
      case 'before-enter':
        return { reply: occupancyReply(voice.channelsOf(request.community)) };
      case 'enter': {
        this.#dropGuest(request.user);
        if (!this.#move(request.user, request.place, nowMs)) this.#addGuest(request.user, request.place, nowMs);
        const reply = occupancyReply(voice.channelsOf(request.community));
        return voice.has(request.user, request.place) ? { reply } : { reply, note: 'enter: no room for more users or channels' };
      }
      case 'direct':
      case 'community': {
        const { place } = request;
        return { reply: idsReply(place === undefined ? request.ids : request.ids.filter((id) => !sessions.isAt(id, place))) };
      }
      case 'signaling':
        if (request.place !== undefined) this.#leaveCall(request.user, request.place, nowMs);
        return { reply: doneReply };
      case 'unknown':
        return { reply: doneReply, note: 'unknown type' };
    }
  }

  /** A session that an earlier server knew: as if it was spoken of just now. */
  restore(session: string, { user, place }: Session, nowMs: number): void {
    this.#login(session, user, nowMs);
    if (this.#deps.sessions.of(olderOwner).has(session)) this.#deps.sessions.put(olderOwner, session, { user, place });
  }

  /** Ends what nobody spoke of for so long: a client that died without a word. */
  expire(nowMs: number): void {
    for (const [session, spokenMs] of this.#spokenMs) {
      if (nowMs - spokenMs < this.#deps.keptMs) break;
      this.#logout(session);
    }
    for (const [user, { sinceMs }] of this.#guests) {
      if (nowMs - sinceMs < this.#deps.keptMs) break;
      this.#dropGuest(user);
    }
  }

  #login(session: string, user: string, nowMs: number): OlderAnswer {
    const { sessions } = this.#deps;
    const known = sessions.of(olderOwner).get(session);
    if (known !== undefined && known.user !== user) this.#logout(session);
    // Said again it stays where it is.
    const place = known?.user === user ? known.place : home;
    if (!sessions.put(olderOwner, session, { user, place })) return { reply: doneReply, note: 'login: no room for more sessions' };
    const ids = this.#byUser.get(user) ?? new Set<string>();
    this.#byUser.set(user, ids.add(session));
    this.#speak(session, nowMs);
    return { reply: doneReply };
  }

  #logout(id: string): OlderAnswer {
    const session = this.#deps.sessions.remove(olderOwner, id);
    this.#spokenMs.delete(id);
    if (session === undefined) return { reply: pairReply(undefined, undefined) };
    const ids = this.#byUser.get(session.user);
    ids?.delete(id);
    if (ids?.size === 0) {
      this.#byUser.delete(session.user);
      this.#dropGuest(session.user);
    }
    return { reply: pairReply(session.user, session.place) };
  }

  /** Where their session that came last is. */
  #placeOf(user: string): string | undefined {
    const latest = [...(this.#byUser.get(user) ?? [])].at(-1);
    if (latest === undefined) return this.#guests.get(user)?.place;
    return this.#deps.sessions.of(olderOwner).get(latest)?.place;
  }

  /** False: they have no session. */
  #move(user: string, place: string, nowMs: number): boolean {
    const ids = this.#byUser.get(user);
    if (ids === undefined) return false;
    for (const id of ids) {
      this.#deps.sessions.put(olderOwner, id, { user, place });
      this.#speak(id, nowMs);
    }
    return true;
  }

  #leaveCall(user: string, place: string, nowMs: number): void {
    if (this.#guests.get(user)?.place === place) this.#dropGuest(user);
    // Not if they are elsewhere by now: the word of their leaving may come late.
    if (this.#placeOf(user) === place) this.#move(user, home, nowMs);
  }

  #speak(session: string, nowMs: number): void {
    this.#spokenMs.delete(session);
    this.#spokenMs.set(session, nowMs);
  }

  #addGuest(user: string, place: string, sinceMs: number): void {
    if (this.#guests.size >= this.#deps.guestsMax || !this.#deps.voice.add(user, place)) return;
    this.#guests.set(user, { place, sinceMs });
  }

  #dropGuest(user: string): void {
    const guest = this.#guests.get(user);
    if (guest === undefined) return;
    this.#guests.delete(user);
    this.#deps.voice.remove(user, guest.place);
  }
}
