/**
 * Commands that another node forwarded here, step by step: appended, handed back, answered; and how long a winner lets others go first.
 */
import { describe, expect, it } from 'vitest';
import type { UserId } from '../../system/ids.ts';
import { appended, bob, doing, entry, find, forwarded, kick, loser, outcomes, Room, say, stored } from '../support/forward-room.ts';

describe('commands of another node', () => {
  it('are appended here, even where this node forwards its own, and answered when all are decided', () => {
    const room = loser();
    room.send(1, say('own'));
    const taken = room.receives(5, say('x'), say('y', bob));
    expect(find(taken, 'forward')).toEqual([]);
    const batch = room.feed({ type: 'resolved', entries: [entry(2, 'theirs')], found: [] });
    expect(appended(batch)).toEqual([['x', 'y']]);
    const done = room.feed({ type: 'appendDone', outcome: 'appended' });
    expect(find(done, 'forwardAnswer')).toEqual([
      {
        type: 'forwardAnswer',
        key: 5,
        results: [
          { ...stored(3), at: 0 },
          { ...stored(4), at: 0 },
        ],
      },
    ]);
    expect(outcomes(done)).toEqual({});
  });

  it('are not forwarded after they lost either', () => {
    const room = new Room();
    room.receives(5, say('x'));
    room.feed({ type: 'appendDone', outcome: 'conflict' });
    const read = room.feed({ type: 'resolved', entries: [entry(2, 'theirs')], found: [] });
    expect(find(read, 'forward')).toEqual([]);
    expect(appended(read)).toEqual([['x']]);
  });

  it('that are in the log already get that place', () => {
    const room = new Room();
    room.receives(5, say('x'));
    room.feed({ type: 'appendDone', outcome: 'conflict' });
    const read = room.feed({ type: 'resolved', entries: [entry(2, 'x')], found: [] });
    expect(find(read, 'forwardAnswer')).toMatchObject([{ key: 5, results: [{ seq: 2, dup: true }] }]);
  });

  it.each([
    ['whose node knows another control entry last', 3, say('x')],
    ['that the fold here refuses', 1, say('x', 'eve' as UserId)],
  ])('%s are handed back, and stored by no copy of that forward', (_name, controlSeq, command) => {
    const room = new Room();
    const taken = room.feed({ type: 'forwarded', key: 5, commands: [command], controlSeq });
    expect(find(taken, 'append')).toEqual([]);
    expect(find(taken, 'forwardAnswer')).toMatchObject([{ key: 5, results: [undefined] }]);
  });

  it('are not stored after a removal came first, though they were judged before it', () => {
    const room = new Room();
    room.receives(5, say('x'));
    room.feed({ type: 'appendDone', outcome: 'conflict' });
    const read = room.feed({ type: 'resolved', entries: [kick(2)], found: [] });
    expect(find(read, 'append')).toEqual([]);
    expect(find(read, 'forwardAnswer')).toMatchObject([{ results: [undefined] }]);
  });

  it('after one that is handed back are handed back too, so that the order of a sender holds', () => {
    const room = new Room();
    const taken = room.receives(5, say('x'), say('no', 'eve' as UserId), say('y'));
    expect(appended(taken)).toEqual([['x']]);
    const done = room.feed({ type: 'appendDone', outcome: 'appended' });
    expect(find(done, 'forwardAnswer')).toMatchObject([{ results: [{ seq: 2 }, undefined, undefined] }]);
  });

  /** The fence does not see to it, for no control entry is concerned: what this node read of a number is older than what the other one did. */
  it('stay in order when only the node they come from knows what the first of them replies to', () => {
    const reply = doing('i', { type: 'send', text: 'i', replyTo: 3 });
    const log = [entry(2, 'hello', 'other'), entry(3, 'question', 'third', bob)];
    const winner = new Room({ writer: 'other' });
    winner.send(1, say('hello'));
    winner.feed({ type: 'appendDone', outcome: 'appended' });
    winner.send(2, doing('guess', { type: 'send', text: 'guess', replyTo: 3 }, bob));
    winner.feed({ type: 'factsRead', facts: [{ target: 3, fact: 'absent' }] });
    const guessed = winner.feed({ type: 'resolved', entries: [], found: [] });
    expect(outcomes(guessed)).toMatchObject({ 2: { code: 'NOT_FOUND' } });
    // Now a third node writes 3. Neither has heard of it; the loser reads it because somebody replies to it.
    const origin = loser();
    origin.send(1, reply);
    origin.send(2, say('j'));
    const known = origin.feed({ type: 'factsRead', facts: [{ target: 3, fact: { by: bob, deleted: false } }] });
    expect(forwarded(known)).toEqual([['i', 'j']]);
    const told = winner.receives(5, reply, say('j'));
    expect(find(told, 'append'), 'the first cannot be judged here, and so the second is not stored before it').toEqual([]);
    expect(find(told, 'forwardAnswer')).toMatchObject([{ results: [undefined, undefined] }]);
    origin.answered(1, undefined, undefined);
    const looked = origin.feed({ type: 'resolved', entries: log, found: [] });
    expect(appended(looked)).toEqual([['i', 'j']]);
  });

  it('beyond the bound of a sender, or of the room, are handed back', () => {
    const room = new Room({ senderPendingMax: 1 });
    room.send(1, say('busy'));
    const taken = room.receives(5, say('x'), say('y'));
    room.feed({ type: 'appendDone', outcome: 'appended' });
    const done = [...taken, ...room.feed({ type: 'appendDone', outcome: 'appended' })];
    expect(find(done, 'forwardAnswer')).toMatchObject([{ results: [{ seq: 3 }, undefined] }]);
  });

  it('are handed back at the deadline', () => {
    const room = new Room({ ackDeadlineMs: 100 });
    room.receives(5, say('x'));
    expect(find(room.tickAt(100), 'forwardAnswer')).toMatchObject([{ results: [undefined] }]);
    expect(find(room.feed({ type: 'appendDone', outcome: 'appended' }), 'forwardAnswer')).toEqual([]);
  });
});

describe('a winner', () => {
  it('lets others go first for one round trip only where they cannot forward', () => {
    const linked = new Room();
    const unlinked = new Room();
    unlinked.isLinked = false;
    for (const room of [linked, unlinked]) {
      room.hears(entry(2, 'theirs'));
      room.isLinked = false;
      room.send(1, say('a'));
      room.feed({ type: 'resolved', entries: [entry(2, 'theirs')], found: [] });
      room.isLinked = room === linked;
      room.nowMs += 5;
      room.feed({ type: 'appendDone', outcome: 'appended' });
    }
    expect(appended(linked.send(2, say('b')))).toEqual([['b']]);
    expect(appended(unlinked.send(2, say('b')))).toEqual([]);
  });
});
