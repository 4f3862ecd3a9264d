/** Whereabouts: who is not at a room, how long that may take, and how many are watched for it. */
import { afterEach, describe, expect, it } from 'vitest';
import { usedLatelyMs, usersWatchedMax, Whereabouts, wordWaitMs } from '../../actors/whereabouts.ts';
import type { SessionId, UserId } from '../../system/ids.ts';
import { startStage, stopStages } from '../support/actor-stage.ts';
import { room, user } from '../support/entries.ts';
import { turns } from '../support/manual-clock.ts';

afterEach(stopStages);
const den = room('den');
const [ada, bob, eve] = [user('ada'), user('bob'), user('eve')];

describe('whoever is asked about', () => {
  it('is there while a session of theirs, here or elsewhere, looks at the room; else absent', async () => {
    const { presence, clock, hub } = startStage();
    const whereabouts = new Whereabouts(presence, clock);
    presence.enter('s1' as SessionId, ada);
    presence.move('s1' as SessionId, ada, den);
    presence.enter('s2' as SessionId, eve);
    const elsewhere = hub.join('other');
    elsewhere.put({ session: 's3' as SessionId, user: bob, place: den });
    expect(await whereabouts.absent(den, [ada, bob, eve])).toEqual([eve]);
    expect(await whereabouts.absent(room('hall'), [ada, bob, eve])).toEqual([ada, bob, eve]);
    elsewhere.put({ session: 's3' as SessionId, user: bob, place: 'home' });
    presence.move('s2' as SessionId, eve, den);
    await turns(5);
    expect(await whereabouts.absent(den, [ada, bob, eve])).toEqual([bob]);
  });

  it('counts as absent when the word on them does not come in time', async () => {
    const { presence, clock } = startStage();
    const silent = { observe: presence.observe.bind(presence), unobserve: presence.unobserve.bind(presence) };
    const whereabouts = new Whereabouts(
      {
        ...silent,
        observe(watcher, id) {
          const seen = presence.observe(watcher, id);
          if (seen) Object.defineProperty(seen, 'isAwaited', { get: () => true, set: () => {} });
          return seen;
        },
      },
      clock,
    );
    let absent: readonly UserId[] | undefined;
    const asked = whereabouts.absent(den, [ada]).then((ids) => {
      absent = ids;
    });
    clock.advance(wordWaitMs - 1);
    await turns(3);
    expect(absent).toBeUndefined();
    clock.advance(1);
    await asked;
    expect(absent).toEqual([ada]);
  });

  it('watches so many users; a further one counts as absent until one was unused for a minute', async () => {
    const { presence, clock } = startStage();
    const whereabouts = new Whereabouts(presence, clock);
    presence.enter('s1' as SessionId, ada);
    presence.move('s1' as SessionId, ada, den);
    await whereabouts.absent(
      den,
      Array.from({ length: usersWatchedMax }, (_, i) => user(`m${i}`)),
    );
    expect(presence.counts().watches).toBe(usersWatchedMax);
    expect(await whereabouts.absent(den, [ada])).toEqual([ada]);
    clock.advance(usedLatelyMs);
    expect(await whereabouts.absent(den, [ada])).toEqual([]);
    expect(presence.counts().watches).toBe(usersWatchedMax);
  });
});
