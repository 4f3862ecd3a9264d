/**
 * What a node thinks of one user: sessions here, the state server's word, and how long a lost session holds.
 */
import { describe, expect, it } from 'vitest';
import { briefMs, type Departure, flapWindowMs, home, lingerMs, UserState } from '../../actors/user-state.ts';
import type { SessionId } from '../../system/ids.ts';

const phone = 'phone' as SessionId;
const desk = 'desk' as SessionId;
const silenceMs = 6_000;
const up = 1;
const down = undefined;

/** Tells the state server what is due; returns what it was told. */
function tellAll(user: UserState, nowMs: number): string[] {
  return user.untold(nowMs).map((change) => {
    user.told(change);
    return change.type === 'put' ? `put ${change.session} ${change.place}` : `remove ${change.session}`;
  });
}

describe('a user with a session here', () => {
  it('is online at once, whatever the state server says and whether it is there', () => {
    const user = new UserState();
    user.enter(phone, 0);
    expect(user.presence(down)).toBe('online');
    user.hear('offline', [], up);
    expect(user.presence(up)).toBe('online');
    expect(tellAll(user, 0)).toEqual(['put phone home']);
    expect(tellAll(user, 0)).toEqual([]);
  });

  it('is where its sessions are, and the last place of each counts', () => {
    const user = new UserState();
    user.enter(phone, 0);
    user.enter(desk, 0);
    expect(user.move(phone, 'lobby', 0)).toBe(true);
    expect(user.move(phone, 'lobby', 0)).toBe(false);
    expect(user.move('other' as SessionId, 'lobby', 0)).toBe(false);
    expect(user.places(down, 0)).toEqual(['lobby', 'home']);
    user.hear('online', ['garden', 'home'], up);
    expect(user.places(up, 0)).toEqual(['lobby', 'home', 'garden']);
    expect(tellAll(user, 0)).toEqual(['put phone lobby', 'put desk home']);
  });

  it('stays online while another session is left, and the state server hears of the one that went', () => {
    const user = new UserState();
    user.enter(phone, 0);
    user.enter(desk, 0);
    tellAll(user, 0);
    user.leave(phone, 'lost', 100, silenceMs);
    expect(tellAll(user, 100)).toEqual(['remove phone']);
    expect(user.presence(down)).toBe('online');
    expect(user.nextMs(100)).toBeUndefined();
  });
});

describe('a place that was left', () => {
  it('is not believed for a moment when the state server names it; then it is a session elsewhere', () => {
    const user = new UserState();
    user.enter(phone, 0);
    user.hear('online', ['home'], up);
    user.move(phone, 'lobby', 1_000);
    user.move(phone, home, 1_010);
    user.hear('online', ['lobby'], up); // The word on the first move.
    expect(user.places(up, 1_020)).toEqual(['home']);
    expect(user.nextMs(1_020)).toBe(1_010 + briefMs);
    expect(user.places(up, 1_010 + briefMs)).toEqual(['home', 'lobby']);
    expect(user.nextMs(1_010 + briefMs)).toBeUndefined();
    user.move(phone, 'lobby', 2_000);
    user.move(phone, home, 2_010);
    user.move(phone, 'lobby', 2_020);
    expect(user.places(up, 2_030)).toEqual(['lobby']);
  });
});

describe('the last session of a user', () => {
  it.each<[Departure, number, number]>([
    ['left', silenceMs, 0],
    ['lost', silenceMs, lingerMs],
    ['silent', silenceMs, 0],
    ['silent', 500, lingerMs - 500],
  ])('that is %s (silent for %d ms) ends after %d ms', (how, silentMs, afterMs) => {
    const user = new UserState();
    user.enter(phone, 0);
    tellAll(user, 0);
    user.leave(phone, how, 20_000, silentMs);
    user.leave(phone, 'left', 20_000, silentMs); // Applied twice: the first counts.
    if (afterMs > 0) {
      expect(user.nextMs(20_000)).toBe(20_000 + afterMs);
      expect(tellAll(user, 20_000 + afterMs - 1)).toEqual([]);
      expect(user.presence(down)).toBe('online');
    }
    expect(tellAll(user, 20_000 + afterMs)).toEqual(['remove phone']);
    expect(user.presence(down)).toBe('unknown');
    expect(user.isPresent()).toBe(false);
  });

  it('that was lost is forgotten as soon as its user is back, and nobody hears of the break', () => {
    const user = new UserState();
    user.enter(phone, 0);
    user.move(phone, 'lobby', 0);
    tellAll(user, 0);
    user.leave(phone, 'lost', 100, silenceMs);
    expect(user.move(phone, 'garden', 200)).toBe(false);
    user.enter(desk, 2_000);
    expect(tellAll(user, 2_000)).toEqual(['remove phone', 'put desk home']);
    expect(user.presence(down)).toBe('online');
    expect(user.places(down, 0)).toEqual(['home']);
    expect(user.nextMs(2_000)).toBeUndefined();
  });

  it('lingers when its user comes and goes all the time, though it was left on purpose', () => {
    const user = new UserState();
    user.enter(phone, 0);
    user.leave(phone, 'left', 1_000, silenceMs);
    expect(tellAll(user, 1_000)).toEqual(['remove phone']);
    expect(user.nextMs(1_000)).toBe(1_000 + flapWindowMs);
    user.enter(phone, 2_000);
    user.leave(phone, 'left', 3_000, silenceMs);
    expect(user.nextMs(3_000)).toBe(3_000 + lingerMs);
    expect(tellAll(user, 3_000 + lingerMs)).toEqual(['remove phone']);
    user.enter(phone, 3_000 + flapWindowMs);
    user.leave(phone, 'left', 4_000 + flapWindowMs, silenceMs);
    expect(tellAll(user, 4_000 + flapWindowMs)).toEqual(['remove phone']);
  });
});

describe('a session that has only begun', () => {
  it('lasts a moment, so that the word on its beginning is not taken for another one', () => {
    const user = new UserState();
    user.enter(phone, 0);
    tellAll(user, 0);
    user.leave(phone, 'left', 10, silenceMs);
    expect([user.presence(up), user.nextMs(10)]).toEqual(['online', briefMs]);
    user.hear('online', ['home'], up);
    expect(tellAll(user, briefMs)).toEqual(['remove phone']);
    user.hear('offline', [], up);
    expect(user.presence(up)).toBe('offline');
  });
});

describe('a user known from elsewhere only', () => {
  it('is what the state server says, and unknown while it says nothing', () => {
    const user = new UserState();
    expect(user.presence(up)).toBe('unknown');
    user.hear('online', ['lobby'], up);
    expect([user.presence(up), user.places(up, 0)]).toEqual(['online', ['lobby']]);
    user.hear('offline', [], up);
    expect([user.presence(up), user.places(up, 0)]).toEqual(['offline', []]);
  });

  it('is unknown while the link is down, and after that until the state server has spoken again', () => {
    const user = new UserState();
    user.hear('online', ['lobby'], up);
    expect(user.presence(down)).toBe('unknown');
    expect(user.places(down, 0)).toEqual([]);
    expect(user.presence(2)).toBe('unknown');
    user.hear('offline', [], 2);
    expect(user.presence(2)).toBe('offline');
    user.forgetSaid();
    expect(user.presence(2)).toBe('unknown');
  });
});
