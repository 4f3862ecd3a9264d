/**
 * StateSessions: every live session of every user, with its place, and what became of users since the last look. Pure.
 *
 * A session belongs to an owner: one life of a node, or the older servers together. It is known by (owner, id), so that nothing
 * an owner says touches the session of another one, whatever it is called.
 * Guarantees: a user is online while any session is; steps that undo each other within one look are no transition.
 * Costs: each call is O(1), `row` is O(places of the user).
 */
import { placesMax, type StateRow } from './state-lines.ts';

export interface Session {
  readonly user: string;
  readonly place: string;
}

/** First session in, last session out. */
export interface Transition {
  readonly user: string;
  readonly state: 'online' | 'offline';
}

export interface Changes {
  readonly transitions: readonly Transition[];
  /** Users whose row may read otherwise than before. */
  readonly users: readonly string[];
}

export interface SessionsDeps {
  readonly sessionsMax: number;
  /** The first session of the user has come to the place, or the last one has left it. */
  readonly onPlace: (user: string, place: string, isThere: boolean) => void;
  /** It has come, moved or gone. */
  readonly onSession?: (owner: string, id: string) => void;
}

const none: ReadonlyMap<string, Session> = new Map();

export class StateSessions {
  readonly #deps: SessionsDeps;
  readonly #byOwner = new Map<string, Map<string, Session>>();
  /** user → place → sessions there. */
  readonly #places = new Map<string, Map<string, number>>();
  /** Users touched since the last `takeChanges`, and whether they were online before. */
  readonly #touched = new Map<string, boolean>();
  /** Users who went while that was not to be said. */
  readonly #held = new Set<string>();
  #count = 0;

  constructor(deps: SessionsDeps) {
    this.#deps = deps;
  }

  get count(): number {
    return this.#count;
  }

  get users(): number {
    return this.#places.size;
  }

  owners(): Iterable<string> {
    return this.#byOwner.keys();
  }

  of(owner: string): ReadonlyMap<string, Session> {
    return this.#byOwner.get(owner) ?? none;
  }

  isOnline(user: string): boolean {
    return this.#places.has(user);
  }

  isAt(user: string, place: string): boolean {
    return this.#places.get(user)?.has(place) ?? false;
  }

  placesOf(user: string): Iterable<string> {
    return this.#places.get(user)?.keys() ?? [];
  }

  row(user: string): StateRow {
    const places = this.#places.get(user);
    return places === undefined ? [user, 'offline', []] : [user, 'online', [...places.keys()].sort().slice(0, placesMax)];
  }

  /** New, moved, or of another user than before. False: there are too many sessions, and nothing has changed. */
  put(owner: string, id: string, session: Session): boolean {
    const before = this.of(owner).get(id);
    if (before?.user === session.user && before.place === session.place) return true;
    if (before === undefined && this.#count >= this.#deps.sessionsMax) return false;
    const sessions = this.#byOwner.get(owner) ?? new Map<string, Session>();
    this.#byOwner.set(owner, sessions);
    sessions.set(id, session);
    // Arrive before leaving: a user who only moves is never without a place.
    this.#arrive(session);
    if (before !== undefined) this.#leave(before);
    else this.#count += 1;
    this.#deps.onSession?.(owner, id);
    return true;
  }

  /** Unknown ones change nothing. */
  remove(owner: string, id: string): Session | undefined {
    const sessions = this.#byOwner.get(owner);
    const session = sessions?.get(id);
    if (sessions === undefined || session === undefined) return undefined;
    sessions.delete(id);
    if (sessions.size === 0) this.#byOwner.delete(owner);
    this.#count -= 1;
    this.#leave(session);
    this.#deps.onSession?.(owner, id);
    return session;
  }

  removeAll(owner: string): void {
    for (const id of [...this.of(owner).keys()]) this.remove(owner, id);
  }

  /** With `isEarly` who went is not named but held back; the first call without names those who have not come back. */
  takeChanges(isEarly = false): Changes {
    const transitions: Transition[] = [];
    if (!isEarly) for (const user of [...this.#held]) this.#touch(user);
    for (const [user, wasOnline] of this.#touched) {
      const isOnline = this.isOnline(user);
      if (isEarly && wasOnline && !isOnline) this.#held.add(user);
      else if (isOnline !== wasOnline) transitions.push({ user, state: isOnline ? 'online' : 'offline' });
    }
    const users = [...this.#touched.keys()];
    this.#touched.clear();
    return { transitions, users };
  }

  #arrive({ user, place }: Session): void {
    const places = this.#places.get(user) ?? new Map<string, number>();
    const before = places.get(place) ?? 0;
    if (before === 0) this.#touch(user);
    this.#places.set(user, places);
    places.set(place, before + 1);
    if (before === 0) this.#deps.onPlace(user, place, true);
  }

  #leave({ user, place }: Session): void {
    const places = this.#places.get(user);
    const left = (places?.get(place) ?? 0) - 1;
    if (places === undefined || left > 0) {
      places?.set(place, left);
      return;
    }
    this.#touch(user);
    places.delete(place);
    if (places.size === 0) this.#places.delete(user);
    this.#deps.onPlace(user, place, false);
  }

  #touch(user: string): void {
    // For others, who is held back is still online.
    if (!this.#touched.has(user)) this.#touched.set(user, this.#held.delete(user) || this.isOnline(user));
  }
}
