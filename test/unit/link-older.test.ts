/** OlderRoster and its lines: an older server ends with exactly the users that are here, whatever it does not answer. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isOlderReply, loginLine, logoutLine, olderPlace, stateLine } from '../../system/state/link-older-lines.ts';
import { type OlderRequest, OlderRoster } from '../../system/state/link-older-roster-state.ts';
import { decodeOlderLine } from '../../system/state/older-lines.ts';
import { user } from '../support/entries.ts';
import { liveSession, session } from '../support/state-link-listener.ts';

/** What the older server makes of a line; it keeps one session and place of a user. */
class OlderModel {
  readonly places = new Map<string, string>();
  private readonly userOf = new Map<string, string>();

  carryOut({ line }: OlderRequest): void {
    const decoded = decodeOlderLine(line);
    if (!decoded.ok) throw new Error(`no line of the older client: ${line}`);
    const { request } = decoded;
    if (request.type === 'login') {
      this.userOf.set(request.session, request.user);
      this.places.set(request.user, 'home');
    } else if (request.type === 'logout') {
      this.places.delete(this.userOf.get(request.session) ?? '');
      this.userOf.delete(request.session);
    } else if (request.type === 'state' && this.places.has(request.user)) this.places.set(request.user, request.place);
  }

  get ghosts(): number {
    return this.userOf.size - this.places.size;
  }
}

const who = fc.nat(3);
const step = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({ do: fc.constant('put' as const), of: who, device: fc.nat(2), place: fc.constantFrom('home', 'c-1', 'r-2') }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('remove' as const), of: who, device: fc.nat(2) }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constantFrom('ask' as const, 'answer' as const, 'carry out only' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('startOver' as const) }) },
);

describe('the roster for an older server', () => {
  it('brings it to the users that are here and their places, without ghosts, whatever is not answered', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const [roster, model] = [new OlderRoster(100), new OlderModel()];
        const here = new Map<string, Map<string, string>>();
        let inFlight: OlderRequest[] = [];
        const finish = (request: OlderRequest | undefined, isAnswered: boolean): void => {
          if (!request) return;
          model.carryOut(request);
          roster.done(request, isAnswered);
        };
        for (const each of steps) {
          if (each.do === 'put' || each.do === 'remove') {
            const [name, id] = [`u${each.of}`, `s${each.of}-${each.device}`];
            const own = here.get(name) ?? new Map<string, string>();
            own.delete(id);
            if (each.do === 'put') {
              own.set(id, each.place);
              roster.put(liveSession(id, name, each.place));
            } else roster.remove(liveSession(id, name));
            here.set(name, own);
          } else if (each.do === 'ask') {
            const request = roster.next();
            if (request) inFlight.push(request);
            expect(new Set(inFlight.map((one) => one.user)).size).toBe(inFlight.length);
          } else if (each.do === 'startOver') {
            // The connections are gone, and what was under way with them.
            for (const request of inFlight) finish(request, false);
            inFlight = [];
            roster.startOver();
          } else finish(inFlight.shift(), each.do === 'answer');
        }
        for (const request of inFlight) finish(request, true);
        for (let request = roster.next(); request; request = roster.next()) finish(request, true);
        const expected = [...here].flatMap(([name, own]) => (own.size > 0 ? [[name, [...own.values()].at(-1)]] : []));
        expect(Object.fromEntries(model.places)).toEqual(Object.fromEntries(expected));
        expect([model.ghosts, roster.waiting]).toEqual([0, 0]);
      }),
      { numRuns: 3_000 },
    );
  });

  it('tells nothing of who came and went untold, and the last place of who moved often', () => {
    const roster = new OlderRoster(10);
    roster.put(liveSession('s1', 'brief'));
    roster.remove(liveSession('s1', 'brief'));
    for (const place of ['c-1', 'c-2', 'c-3']) roster.put(liveSession('s2', 'ada', place));
    const types: string[] = [];
    for (let request = roster.next(); request; request = roster.next()) {
      types.push(`${request.type} ${request.user} ${request.after?.place}`);
      roster.done(request, true);
    }
    expect(types).toEqual(['login ada home', 'state ada c-3']);
  });

  it('asks a second time, behind the others, when no answer came, and then takes it as done', () => {
    const roster = new OlderRoster(10);
    roster.put(liveSession('s1', 'ada'));
    roster.put(liveSession('s2', 'bob'));
    const order: string[] = [];
    for (let request = roster.next(); request; request = roster.next()) {
      order.push(`${request.type} ${request.user}`);
      roster.done(request, request.user !== 'ada');
    }
    expect(order).toEqual(['login ada', 'login bob', 'login ada']);
    roster.remove(liveSession('s1', 'ada'));
    expect(roster.next()?.line).toBe(logoutLine(session('s1')));
  });

  it('tells the place again when nobody knows whether a move was carried out, also when the user is back by then', () => {
    const roster = new OlderRoster(10);
    const next = (isAnswered: boolean): string | undefined => {
      const request = roster.next();
      if (request) roster.done(request, isAnswered);
      return request?.line;
    };
    roster.put(liveSession('s1', 'ada'));
    expect(next(true)).toBe(loginLine(session('s1'), user('ada')));
    roster.put(liveSession('s1', 'ada', 'c-1'));
    expect(next(false)).toBe(stateLine(user('ada'), 'c-1'));
    roster.put(liveSession('s1', 'ada', 'home'));
    expect(next(true)).toBe(stateLine(user('ada'), 'home'));
    expect(next(true)).toBeUndefined();
  });

  it('keeps so many of those who are to be logged out, and gives up the oldest', () => {
    const roster = new OlderRoster(3);
    const all = Array.from({ length: 5 }, (_, i) => liveSession(`s${i}`, `u${i}`));
    for (const live of all) roster.put(live);
    for (let request = roster.next(); request; request = roster.next()) roster.done(request, true);
    for (const live of all) roster.remove(live);
    expect(roster.waiting).toBe(3);
    expect(roster.next()?.user).toBe('u2');
  });
});

describe('the lines for an older server', () => {
  it('say login, state and logout as its own client does', () => {
    expect(loginLine(session('S'), user('1'))).toBe(
      "{type='login', session_id='S', user_id='1', channel_id='null', community_id='null', ids=null}",
    );
    expect(stateLine(user('1'), 'c-5')).toBe(
      "{type='state', session_id='null', user_id='1', channel_id='c-5', community_id='null', ids=null}",
    );
    expect(logoutLine(session('S'))).toBe(
      "{type='logout', session_id='S', user_id='null', channel_id='null', community_id='null', ids=null}",
    );
  });

  it.each([
    ['home', 'home'],
    ['r-7', 'r-7'],
    ['c-5', 'c-5'],
    ['lobby', 'c-lobby'],
    ['dm-abc', 'r-dm-abc'],
    ["x', type='logout", 'home'],
    ['a b', 'home'],
    ['', 'home'],
    ['x\r\n', 'home'],
  ])('name the place %j as %j', (place, name) => {
    expect(olderPlace(place)).toBe(name);
  });

  it('take as an answer only what has its shape', () => {
    expect([isOlderReply('login', '반환메세지'), isOlderReply('login', '1,r-7'), isOlderReply('login', '')]).toEqual([true, false, false]);
    for (const type of ['state', 'logout'] as const) {
      expect(['1,r-7', 'null,null', '1,com3,c-31'].map((text) => isOlderReply(type, text))).toEqual([true, true, true]);
      expect(['반환메세지', '[0]', '', ',', 'a,,b', 'a,b,c,d'].map((text) => isOlderReply(type, text))).toEqual(Array(6).fill(false));
    }
  });
});
