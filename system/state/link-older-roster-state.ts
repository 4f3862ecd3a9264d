/**
 * OlderRoster: what an older state server is to know of the users here, and what it has been told. Pure.
 *
 * Each user is logged in once, with the session that came first, and out with the last: there, a second login of a user would leave
 * a ghost, and the first logout take the user offline. Requests of one user follow each other, since that server carries out
 * pipelined ones in any order; between users they do not wait for each other.
 * What came and went untold is never told. Users that are gone wait for their logout even while the server is away, since it would
 * keep them for a day; of those at most `goneMax`, the oldest are given up first.
 */
import type { SessionId, UserId } from '../ids.ts';
import { loginLine, logoutLine, type OlderRequestType, olderPlace, stateLine } from './link-older-lines.ts';
import type { LiveSession } from './state-link.ts';

export interface OlderRequest {
  readonly user: UserId;
  readonly type: OlderRequestType;
  readonly line: string;
  /** What the server knows of the user once it has done this. */
  readonly after: Told | undefined;
}

interface Told {
  readonly session: SessionId;
  /** undefined: perhaps the one before, perhaps the one after a move that was not answered. */
  readonly place: string | undefined;
}

interface Person {
  /** The one that moved last at the end. */
  readonly sessions: Map<SessionId, string>;
  told: Told | undefined;
  /** Told to a server that may have forgotten it. */
  isStale: boolean;
  isAsked: boolean;
  /** Times the present request got no answer. */
  failures: number;
}

/** A request without an answer has most likely been carried out; it is made so often in all. */
const triesMax = 2;
const home = 'home';

export class OlderRoster {
  private readonly goneMax: number;
  private readonly people = new Map<UserId, Person>();
  /** Whom something may have to be told of, whoever waits longest first. */
  private readonly due = new Set<UserId>();
  /** Known to the server and without a session here. */
  private readonly gone = new Set<UserId>();

  constructor(goneMax: number) {
    this.goneMax = goneMax;
  }

  get waiting(): number {
    return this.due.size;
  }

  put({ session, user, place }: LiveSession): void {
    const person = this.people.get(user) ?? { sessions: new Map(), told: undefined, isStale: false, isAsked: false, failures: 0 };
    this.people.set(user, person);
    this.gone.delete(user);
    person.sessions.delete(session);
    person.sessions.set(session, place);
    this.due.add(user);
  }

  remove({ session, user }: LiveSession): void {
    const person = this.people.get(user);
    if (!person?.sessions.delete(session)) return;
    this.due.add(user);
    if (person.sessions.size === 0) this.leave(user, person);
  }

  removeAll(): void {
    for (const [user, person] of this.people) {
      if (person.sessions.size === 0) continue;
      person.sessions.clear();
      this.due.add(user);
      this.leave(user, person);
    }
  }

  /** The server may be another one: every user here is logged in again. */
  startOver(): void {
    for (const [user, person] of this.people) {
      person.isStale = person.told !== undefined;
      person.isAsked = false;
      this.due.add(user);
    }
  }

  /** The next request, of a user of whom none is under way. `done` must follow. */
  next(): OlderRequest | undefined {
    for (const user of this.due) {
      const person = this.people.get(user);
      if (person?.isAsked) continue;
      const request = person && requestFor(user, person);
      if (request) {
        person.isAsked = true;
        return request;
      }
      this.due.delete(user);
      if (person?.sessions.size === 0) this.forget(user);
    }
    return undefined;
  }

  /** false: no answer came, so nobody knows whether it was carried out. */
  done({ user, type, after }: OlderRequest, isAnswered: boolean): void {
    const person = this.people.get(user);
    if (!person) return;
    person.isAsked = false;
    // To the end: a request that stalls must not hold up the others.
    this.due.delete(user);
    this.due.add(user);
    person.failures = isAnswered ? 0 : person.failures + 1;
    const isAgain = person.failures > 0 && person.failures < triesMax;
    if (!isAgain) person.failures = 0;
    // What may have happened counts: a login needs a logout one day, and a user who moved back has to be moved back there.
    if (!isAgain || type === 'login') person.told = after;
    else if (type === 'state' && after) person.told = { ...after, place: undefined };
    person.isStale = isAgain && type === 'login';
  }

  private leave(user: UserId, person: Person): void {
    if (!person.told && !person.isAsked) return this.forget(user);
    this.gone.add(user);
    const [oldest] = this.gone;
    if (this.gone.size > this.goneMax && oldest !== undefined) this.forget(oldest);
  }

  private forget(user: UserId): void {
    this.people.delete(user);
    this.gone.delete(user);
    this.due.delete(user);
  }
}

function requestFor(user: UserId, { sessions, told, isStale }: Person): OlderRequest | undefined {
  const [first] = sessions.keys();
  if (first === undefined) return told && { user, type: 'logout', line: logoutLine(told.session), after: undefined };
  const session = told?.session ?? first;
  if (!told || isStale) return { user, type: 'login', line: loginLine(session, user), after: { session, place: home } };
  const place = olderPlace([...sessions.values()].at(-1) ?? home);
  return place === told.place ? undefined : { user, type: 'state', line: stateLine(user, place), after: { session, place } };
}
