/**
 * Forwards of a room's state, step by step: when commands go to the last winner, what its answers count for, what is taken over. The races
 * are in test/simulation.
 */
import { describe, expect, it } from 'vitest';
import type { Cid, UserId } from '../../system/ids.ts';
import { ann, appended, bob, doing, entry, find, forwarded, kick, loser, outcomes, Room, say, stored } from '../support/forward-room.ts';

describe('commands go to the last winner', () => {
  it('after a conflict, once the winner is known by a committed read', () => {
    const room = new Room();
    expect(appended(room.send(1, say('a')))).toEqual([['a']]);
    expect(forwarded(room.feed({ type: 'appendDone', outcome: 'conflict' }))).toEqual([]);
    const read = room.feed({ type: 'resolved', entries: [entry(2, 'theirs')], found: [] });
    expect(find(read, 'forward')).toMatchObject([{ to: 'other', controlSeq: 1, commands: [{ cid: 'a' }] }]);
    expect(appended(read)).toEqual([]);
  });

  it('at once, where an entry of it came within 300 ms, and not after', () => {
    const room = loser();
    room.nowMs = 299;
    expect(forwarded(room.send(1, say('a')))).toEqual([['a']]);
    const late = loser();
    late.nowMs = 300;
    expect(find(late.send(1, say('a')), 'forward')).toEqual([]);
  });

  it('not where it is this node, has no link, or there are no links at all', () => {
    const own = new Room();
    own.hears(entry(2, 'theirs'), entry(3, 'ours', 'me'));
    const unlinked = loser();
    unlinked.isLinked = false;
    const alone = new Room({ canForward: () => false });
    alone.hears(entry(2, 'theirs'));
    for (const room of [own, unlinked, alone]) {
      expect(find(room.send(1, say('a')), 'forward')).toEqual([]);
      const read = room.feed({ type: 'resolved', entries: [entry(2, 'theirs')], found: [] });
      expect(find(read, 'forward')).toEqual([]);
      expect(appended(read)).toEqual([['a']]);
    }
  });

  it('one forward at a time: what comes meanwhile goes with the next one', () => {
    const room = loser();
    expect(forwarded(room.send(1, say('a')))).toEqual([['a']]);
    expect(room.send(2, say('b'))).toEqual([]);
    expect(room.send(3, say('c'))).toEqual([]);
    expect(forwarded(room.answered(1, stored(3)))).toEqual([['b', 'c']]);
  });

  it('only what the membership here allows: a refusal is made here, after a look at the log', () => {
    const room = loser();
    const asked = room.send(1, say('a', 'eve' as UserId));
    expect(find(asked, 'forward')).toEqual([]);
    expect(find(asked, 'resolve')).toHaveLength(1);
    expect(outcomes(room.feed({ type: 'resolved', entries: [], found: [] }))).toMatchObject({ 1: { code: 'NOT_FOUND' } });
  });

  it('but first a control entry that was heard of is read, since the other node would hand everything back', () => {
    const room = new Room();
    room.hears(entry(2, 'theirs'), kick(3));
    const asked = room.send(1, say('a'));
    expect(find(asked, 'forward')).toEqual([]);
    expect(find(asked, 'resolve')).toMatchObject([{ after: 1 }]);
    const read = room.feed({ type: 'resolved', entries: [entry(2, 'theirs'), kick(3)], found: [] });
    expect(find(read, 'forward')).toMatchObject([{ controlSeq: 3 }]);
  });
});

describe('an answer', () => {
  it('of a committed place is the acknowledgement, and the entry is shown in its place', () => {
    const room = loser();
    room.feed({ type: 'open', key: 9, reader: 'r', user: ann, since: 1, limit: 3 });
    room.feed({ type: 'caughtUp', entries: [] });
    room.send(1, say('a'));
    const done = room.answered(1, stored(3));
    expect(outcomes(done)).toMatchObject({ 1: { type: 'stored', dup: false, entry: { seq: 3, n: 2, at: 7, cid: 'a', writer: 'other' } } });
    expect(find(done, 'append')).toEqual([]);
    expect(room.state.headSeq).toBe(3);
  });

  it('that comes twice, or for another forward, changes nothing', () => {
    const room = loser();
    room.send(1, say('a'));
    room.answered(1, stored(3));
    room.send(2, say('b'));
    expect(room.answered(1, stored(9))).toEqual([]);
    expect(outcomes(room.answered(2, stored(4)))).toMatchObject({ 2: { entry: { seq: 4 } } });
  });

  it('that it was not stored is no refusal: the log is read, then this node appends it before what came later', () => {
    const room = loser();
    room.send(1, say('a'));
    room.send(2, say('b'));
    const back = room.answered(1, undefined);
    expect(outcomes(back)).toEqual({});
    expect(find(back, 'resolve')).toMatchObject([{ ids: [{ by: ann, cid: 'a' }] }]);
    const read = room.feed({ type: 'resolved', entries: [entry(2, 'theirs')], found: [] });
    expect(find(read, 'forward')).toEqual([]);
    expect(appended(read)).toEqual([['a', 'b']]);
  });

  it('for a part: the rest is looked for, and found commands are acknowledged from the log, not as doubles', () => {
    const room = loser();
    room.feed({ type: 'command', key: 1, command: say('a') }, { type: 'command', key: 2, command: say('b') });
    expect(Object.keys(outcomes(room.answered(1, stored(3), undefined)))).toEqual(['1']);
    const read = room.feed({ type: 'resolved', entries: [entry(2, 'theirs'), entry(3, 'a'), entry(4, 'b')], found: [] });
    expect(outcomes(read)).toMatchObject({ 2: { type: 'stored', dup: false, entry: { seq: 4 } } });
  });

  it('about who is in the room is not enough: that is acknowledged from a read', () => {
    const room = loser();
    room.send(1, doing('k', { type: 'kick', user: bob }));
    const done = room.answered(1, stored(3));
    expect(outcomes(done)).toEqual({});
    const read = room.feed({ type: 'resolved', entries: [entry(2, 'theirs'), { ...kick(3), cid: 'k' as Cid }], found: [] });
    expect(outcomes(read)).toMatchObject({ 1: { type: 'stored', entry: { seq: 3 } } });
    expect(room.state.fold.isMember(bob)).toBe(false);
  });

  it('that says it never left puts it back in front, without a read', () => {
    const room = loser();
    room.send(1, say('a'));
    room.send(2, say('b'));
    const back = room.feed({ type: 'forwardDone', id: 1, results: 'notSent' });
    expect(find(back, 'forward')).toEqual([]);
    // The one read is that of the head, which is due before any append after foreign entries.
    expect(find(back, 'resolve')).toMatchObject([{ ids: [] }]);
    expect(appended(room.feed({ type: 'resolved', entries: [entry(2, 'theirs')], found: [] }))).toEqual([['a', 'b']]);
  });
});

describe('without an answer', () => {
  it('within 250 ms the commands are looked for, taken over in order, and that node is left alone for a second', () => {
    const room = loser();
    room.send(1, say('a'));
    room.send(2, say('b'));
    expect(room.state.wakeAtMs()).toBe(250);
    expect(find(room.tickAt(249), 'resolve')).toEqual([]);
    expect(find(room.tickAt(250), 'resolve')).toMatchObject([{ ids: [{ cid: 'a' }] }]);
    expect(appended(room.feed({ type: 'resolved', entries: [entry(2, 'theirs')], found: [] }))).toEqual([['a', 'b']]);
    room.feed({ type: 'appendDone', outcome: 'appended' });
    room.hears(entry(5, 'theirs again'));
    expect(find(room.send(3, say('c')), 'forward')).toEqual([]);
    room.feed({ type: 'resolved', entries: [entry(5, 'theirs again')], found: [] });
    room.feed({ type: 'appendDone', outcome: 'appended' });
    room.nowMs = 1_260;
    room.hears(entry(7, 'and again'));
    expect(forwarded(room.send(4, say('d')))).toEqual([['d']]);
  });

  it('but entries of that node show that it lives, for up to a second', () => {
    const room = loser();
    room.send(1, say('a'));
    for (const atMs of [200, 400, 600, 800]) {
      room.nowMs = atMs;
      room.hears(entry(2 + atMs / 200, `t${atMs}`));
    }
    expect(room.state.wakeAtMs()).toBe(1_000);
    expect(find(room.tickAt(1_000), 'resolve')).toHaveLength(1);
  });

  it('a deadline is answered while the commands are away, and whatever comes then answers nobody twice', () => {
    const room = loser({ ackDeadlineMs: 100 });
    room.send(1, say('a'));
    expect(outcomes(room.tickAt(100))).toMatchObject({ 1: { code: 'STORE_UNAVAILABLE' } });
    expect(outcomes(room.answered(1, stored(3)))).toEqual({});
    expect(room.state.isIdle).toBe(true);
  });

  it('a room is not idle', () => {
    const room = loser();
    room.send(1, say('a'));
    expect(room.state.isIdle).toBe(false);
    expect(room.state.isForwarding).toBe(true);
  });

  it('what lost its append after it came back may go to the last winner once more', () => {
    const room = loser();
    room.send(1, say('a'));
    room.answered(1, undefined);
    expect(appended(room.feed({ type: 'resolved', entries: [entry(2, 'theirs')], found: [] }))).toEqual([['a']]);
    room.feed({ type: 'appendDone', outcome: 'conflict' });
    expect(forwarded(room.feed({ type: 'resolved', entries: [entry(3, 'theirs too')], found: [] }))).toEqual([['a']]);
  });
});
