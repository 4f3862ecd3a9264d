/**
 * The room's state, step by step: bounds, deadlines, retries, opens. The races are in test/simulation.
 */
import { describe, expect, it } from 'vitest';
import type { RoomWrite, WriteCommand } from '../../actors/room-fold.ts';
import type { AnsweredOutcome, RoomEffect, RoomInput, RoomSettings } from '../../actors/room-protocol.ts';
import { RoomState } from '../../actors/room-state.ts';
import type { Cid, FileId, UserId } from '../../system/ids.ts';
import type { Entry } from '../../system/store/entry.ts';
import { birthOf, messageOf } from '../support/entries.ts';

const [ann, bob] = ['ann', 'bob'] as unknown as [UserId, UserId];
const settings: RoomSettings = {
  writer: 'me',
  sharedLog: true,
  pendingMax: 4,
  senderPendingMax: 2,
  ackDeadlineMs: 1000,
  batchEntriesMax: 8,
  batchBytesMax: 100_000,
  readEntriesMax: 10,
  resumeEntriesMax: 5,
  reorderEntriesMax: 4,
  reorderBytesMax: 1_000_000,
  gapMs: 50,
  recentEntriesMax: 4,
};
const command = (by: UserId, cid: string, write: RoomWrite = { type: 'send', text: cid }): WriteCommand => ({ by, cid: cid as Cid, write });
const birth = birthOf(ann, bob, 'other');
const message = (seq: number, by = ann, cid = `m${seq}`): Entry => messageOf(seq, cid, by, 'other');
const kickOfBob = (seq: number): Entry => ({ ...message(seq), kind: 'member', member: { user: bob, change: 'kicked' } });

class Room {
  readonly state: RoomState;
  nowMs = 0;
  constructor(head = 1, change: Partial<RoomSettings> = {}, controls: Entry[] = [birth]) {
    this.state = new RoomState({ ...settings, ...change });
    this.feed({ type: 'start' });
    this.feed({ type: 'loaded', head: { seq: head, n: head - 1, writer: 'other' }, controls });
  }
  feed(...inputs: RoomInput[]): RoomEffect[] {
    return this.state.handle(inputs, { nowMs: this.nowMs, wallMs: 0 });
  }
  send(key: number, what: WriteCommand): RoomEffect[] {
    return this.feed({ type: 'command', key, command: what });
  }
  open(key: number, since?: number, user = ann): RoomEffect[] {
    return this.feed({ type: 'open', key, reader: 'r', user, limit: 3, ...(since === undefined ? {} : { since }) });
  }
  tickAt(nowMs: number): RoomEffect[] {
    this.nowMs = nowMs;
    return this.feed({ type: 'tick' });
  }
}

const find = <T extends RoomEffect['type']>(effects: readonly RoomEffect[], type: T): Extract<RoomEffect, { type: T }>[] =>
  effects.filter((effect): effect is Extract<RoomEffect, { type: T }> => effect.type === type);
const outcomes = (effects: readonly RoomEffect[]): Record<number, AnsweredOutcome> =>
  Object.fromEntries(find(effects, 'answer').map(({ key, outcome }) => [key, outcome]));
const appendedCids = (effects: readonly RoomEffect[]): string[][] =>
  find(effects, 'append').map(({ entries }) => entries.map(({ cid }) => cid));

describe('the writer', () => {
  it('commits together what came together, and never has two appends in flight', () => {
    const room = new Room();
    const first = room.feed(
      { type: 'command', key: 1, command: command(ann, 'a') },
      { type: 'command', key: 2, command: command(bob, 'b') },
    );
    expect(appendedCids(first)).toEqual([['a', 'b']]);
    expect(appendedCids(room.send(3, command(ann, 'c')))).toEqual([]);
    const done = room.feed({ type: 'appendDone', outcome: 'appended' });
    expect(outcomes(done)).toMatchObject({ 1: { type: 'stored', entry: { seq: 2, n: 1 }, dup: false }, 2: { entry: { seq: 3, n: 2 } } });
    expect(find(done, 'append')).toMatchObject([{ after: 3, entries: [{ seq: 4, cid: 'c' }] }]);
  });

  it('answers BUSY beyond its bounds, for one sender and for all', () => {
    const room = new Room();
    room.send(1, command(ann, 'a'));
    for (const [key, by, cid] of [
      [2, ann, 'b'],
      [3, ann, 'c'],
      [5, bob, 'd'],
      [6, bob, 'e'],
    ] as const)
      expect(outcomes(room.send(key, command(by, cid)))).toEqual({});
    expect(outcomes(room.send(7, command(ann, 'f')))).toMatchObject({
      7: { code: 'BUSY', message: expect.stringContaining('your') as string },
    });
    expect(outcomes(room.send(8, command('eve' as UserId, 'g')))).toMatchObject({ 8: { code: 'BUSY' } });
    expect(room.state.pendingCount).toBe(4);
  });

  it('answers STORE_UNAVAILABLE at the deadline, once, and still acknowledges nobody twice', () => {
    const room = new Room();
    room.send(1, command(ann, 'a'));
    room.send(2, command(bob, 'b'));
    expect(room.state.wakeAtMs()).toBe(1000);
    expect(outcomes(room.tickAt(1000))).toMatchObject({ 1: { code: 'STORE_UNAVAILABLE' }, 2: { code: 'STORE_UNAVAILABLE' } });
    expect(outcomes(room.feed({ type: 'appendDone', outcome: 'appended' }))).toEqual({});
    expect(outcomes(room.send(3, command(ann, 'a')))).toMatchObject({ 3: { type: 'stored', entry: { seq: 2 }, dup: true } });
  });

  it('takes an entry the store rejects out of the middle of a batch', () => {
    const room = new Room();
    room.feed(
      ...['a', 'b', 'c'].map(
        (cid, index): RoomInput => ({ type: 'command', key: index + 1, command: command(index === 1 ? bob : ann, cid) }),
      ),
    );
    const rejected = room.feed({ type: 'appendDone', outcome: { rejected: 1, reason: 'too large' } });
    expect(outcomes(rejected)).toMatchObject({ 2: { code: 'PAYLOAD_TOO_LARGE' } });
    const prefix = message(2, ann, 'a');
    const again = room.feed({ type: 'resolved', entries: [{ ...prefix, text: 'a', writer: 'me' }], found: [] });
    expect(outcomes(again)).toMatchObject({ 1: { type: 'stored', entry: { seq: 2 } } });
    expect(find(again, 'append')).toMatchObject([{ after: 2, entries: [{ seq: 3, cid: 'c' }] }]);
  });

  it('takes the head after a conflict only from a committed read', () => {
    const room = new Room();
    room.send(1, command(ann, 'a'));
    expect(find(room.feed({ type: 'appendDone', outcome: 'conflict' }), 'resolve')).toMatchObject([{ after: 1 }]);
    const nothing = room.feed({ type: 'resolved', entries: [], found: [] });
    expect(nothing).toEqual([]);
    const wakeAtMs = room.state.wakeAtMs() as number;
    expect(find(room.tickAt(wakeAtMs), 'resolve')).toHaveLength(1);
    expect(find(room.feed({ type: 'resolved', entries: [message(2, bob)], found: [] }), 'append')).toMatchObject([{ after: 2 }]);
  });

  it('judges anew after a lost race', () => {
    const room = new Room();
    room.send(1, command(bob, 'a'));
    room.feed({ type: 'appendDone', outcome: 'conflict' });
    const effects = room.feed({ type: 'resolved', entries: [kickOfBob(2)], found: [] });
    expect(outcomes(effects)).toMatchObject({ 1: { type: 'refused', code: 'NOT_FOUND' } });
    expect(room.state.counters.revalidationRefusal).toBe(1);
  });

  it('answers CONFLICT to a cid that was used with other content', () => {
    const room = new Room();
    room.send(1, command(ann, 'a'));
    room.feed({ type: 'appendDone', outcome: 'appended' });
    expect(outcomes(room.send(2, command(ann, 'a', { type: 'send', text: 'other' })))).toMatchObject({ 2: { code: 'CONFLICT' } });
    expect(outcomes(room.send(3, command(ann, 'a', { type: 'kick', user: bob })))).toMatchObject({ 3: { code: 'CONFLICT' } });
    expect(outcomes(room.send(4, command(ann, 'a')))).toMatchObject({ 4: { type: 'stored', dup: true } });
  });

  it('knows the retry of a file by its bytes and its name, whatever the id they are stored under', () => {
    const file = { id: 'f1' as FileId, name: 'a.png', type: 'image/png', bytes: 3, sha256: 'x' };
    const room = new Room();
    room.send(1, command(ann, 'a', { type: 'file', file }));
    room.feed({ type: 'appendDone', outcome: 'appended' });
    const retry = outcomes(room.send(2, command(ann, 'a', { type: 'file', file: { ...file, id: 'f2' as FileId } })));
    expect(retry).toMatchObject({ 2: { type: 'stored', dup: true, entry: { kind: 'file', file: { id: 'f1' } } } });
    for (const other of [{ sha256: 'y' }, { name: 'b.png' }, { bytes: 4 }]) {
      const outcome = outcomes(room.send(3, command(ann, 'a', { type: 'file', file: { ...file, ...other } })));
      expect(outcome).toMatchObject({ 3: { code: 'CONFLICT' } });
    }
    expect(outcomes(room.send(4, command(ann, 'a')))).toMatchObject({ 4: { code: 'CONFLICT' } });
  });

  it('gives the retry of somebody who is no member any more the first answer', () => {
    const room = new Room(3, {}, [birth, kickOfBob(3)]);
    expect(find(room.send(1, command(bob, 'old')), 'resolve')).toMatchObject([{ ids: [{ by: bob, cid: 'old' }] }]);
    expect(outcomes(room.feed({ type: 'resolved', entries: [], found: [message(2, bob, 'old')] }))).toMatchObject({
      1: { type: 'stored', entry: { seq: 2 }, dup: true },
    });
    room.send(2, command(bob, 'new'));
    expect(outcomes(room.feed({ type: 'resolved', entries: [], found: [] }))).toMatchObject({ 2: { code: 'NOT_FOUND' } });
  });
});

describe('the reader side', () => {
  it('replays what follows since', () => {
    const room = new Room();
    room.send(1, command(ann, 'a'));
    room.feed({ type: 'appendDone', outcome: 'appended' });
    const effects = room.open(2, 1);
    expect(outcomes(effects)).toMatchObject({ 2: { verdict: 'replay', head: 2, upTo: 2, entries: [{ seq: 2 }], more: false } });
    expect(effects.at(-1)).toEqual({ type: 'attach', reader: 'r' });
  });

  it.each([
    ['without since', undefined],
    ['too far behind', 2],
  ])('answers a snapshot %s', (_name, since) => {
    const room = new Room(9);
    expect(find(room.open(1, since), 'page')).toEqual([{ type: 'page', reader: 'r', limit: 3, upTo: 9 }]);
    const effects = room.feed({ type: 'pageRead', reader: 'r', entries: [message(9)], more: true });
    expect(outcomes(effects)).toMatchObject({ 1: { verdict: 'snapshot', head: 9, upTo: 9, more: true } });
  });

  it('answers denied to who was removed, gone to who never was in, each after a committed read', () => {
    for (const [user, verdict] of [
      [bob, 'denied'],
      ['eve' as UserId, 'gone'],
    ] as const) {
      const room = new Room(2, {}, [birth, kickOfBob(2)]);
      expect(find(room.open(1, 1, user), 'catchUp')).toHaveLength(1);
      expect(outcomes(room.feed({ type: 'caughtUp', entries: [] }))).toMatchObject({ 1: { type: 'opened', verdict } });
    }
  });

  it('lets nobody in by a fold that has not seen the last change of membership', () => {
    const room = new Room();
    room.open(1, 1, bob);
    expect(room.feed({ type: 'event', entries: [kickOfBob(2)] })).toMatchObject([
      { type: 'membership', entries: [{ seq: 2 }] },
      { type: 'deliver' },
      { type: 'gone', reader: 'r', reason: 'kicked' },
    ]);
    expect(room.open(2, 2, bob)).toMatchObject([{ type: 'catchUp', after: 1 }]);
    expect(outcomes(room.feed({ type: 'caughtUp', entries: [kickOfBob(2)] }))).toMatchObject({ 2: { verdict: 'denied' } });
  });

  it('nor by a read that is older than the change, when both come in one turn', () => {
    const room = new Room();
    room.feed({ type: 'hint', seq: 2 });
    expect(find(room.open(1, 1, bob), 'catchUp')).toHaveLength(1);
    const effects = room.feed({ type: 'caughtUp', entries: [message(2)] }, { type: 'event', entries: [kickOfBob(3)] });
    expect(effects).toMatchObject([{ type: 'note' }, { type: 'membership' }, { type: 'catchUp', after: 2 }]);
    expect(outcomes(room.feed({ type: 'caughtUp', entries: [kickOfBob(3)] }))).toMatchObject({ 1: { verdict: 'denied' } });
  });

  it('resumes a paused reader from its cursor', () => {
    const room = new Room();
    room.open(1, 1);
    room.feed({ type: 'event', entries: [message(2)] });
    room.feed({ type: 'refused', reader: 'r', after: 1 });
    expect(find(room.feed({ type: 'event', entries: [message(3)] }), 'deliver')).toEqual([]);
    expect(room.feed({ type: 'ready', reader: 'r' })).toMatchObject([
      { type: 'emit', entries: [{ seq: 2 }, { seq: 3 }] },
      { type: 'attach' },
    ]);
  });

  it('waits for what an event will bring, and hardly for what only a read can', () => {
    const room = new Room();
    room.open(1, 1);
    room.feed({ type: 'hint', seq: 2 });
    expect(room.state.wakeAtMs()).toBe(50);
    room.feed({ type: 'hint', seq: 2, isAlone: true });
    expect(room.state.wakeAtMs()).toBe(10);
    expect(find(room.tickAt(10), 'catchUp')).toMatchObject([{ after: 1 }]);
    room.feed({ type: 'caughtUp', entries: [message(2)] });
    room.feed({ type: 'hint', seq: 3 });
    expect(room.state.wakeAtMs()).toBe(60);
    expect(outcomes(room.feed({ type: 'event', entries: [message(3)] }))).toEqual({});
    expect(room.state.wakeAtMs()).toBeUndefined();
  });

  it('drops doubles, holds what came early, reads a gap when it is old', () => {
    const room = new Room();
    room.open(1, 1);
    expect(room.feed({ type: 'event', entries: [message(3)] })).toEqual([]);
    expect(find(room.feed({ type: 'event', entries: [message(2), message(2)] }), 'deliver')).toMatchObject([
      { entries: [{ seq: 2 }, { seq: 3 }] },
    ]);
    room.feed({ type: 'event', entries: [message(5)] });
    expect(room.state.wakeAtMs()).toBe(50);
    expect(room.tickAt(50)).toMatchObject([{ type: 'catchUp', after: 1 }]);
  });

  it('gives a page to the open it was read for', () => {
    const room = new Room(9);
    room.open(1);
    room.feed({ type: 'close', reader: 'r' });
    expect(find(room.open(2), 'page')).toEqual([]);
    expect(find(room.feed({ type: 'pageRead', reader: 'r', entries: [], more: false }), 'page')).toHaveLength(1);
    expect(outcomes(room.feed({ type: 'pageRead', reader: 'r', entries: [message(9)], more: true }))).toMatchObject({
      2: { verdict: 'snapshot', entries: [{ seq: 9 }] },
    });
  });
});
