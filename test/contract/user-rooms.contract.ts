/**
 * The contract of UserRooms as tests: one suite for every twin.
 */
import { expect, it } from 'vitest';
import type { RoomStore } from '../../system/store/room-store.ts';
import type { MembershipRow, UserRoom } from '../../system/store/user-rooms.ts';
import { room, user } from '../support/entries.ts';
import type { StoreFactory } from '../support/store-stories.ts';

const ada = user('ada');

const says = (id: string, seq: number, member = true, who = 'ada'): MembershipRow => ({
  user: user(who),
  room: room(id),
  member,
  seq,
  joinedSeq: member ? seq : 0,
  joinedN: member ? seq * 2 : 0,
});

/** A row as listed; `read` where it is not where they joined. */
const row = (id: string, state: UserRoom['state'], joinedSeq: number, joinedN: number, read = [joinedSeq, joinedN]): UserRoom => ({
  room: room(id),
  state,
  joinedSeq,
  joinedN,
  readSeq: read[0] as number,
  readN: read[1] as number,
});

export function userRoomsContract(factory: StoreFactory): void {
  const withStore = async (story: (store: RoomStore) => Promise<void>): Promise<void> => {
    const store = await factory.open();
    try {
      await story(store);
    } finally {
      await store.close();
    }
  };

  it('has no rows for a user nobody wrote', () =>
    withStore(async ({ userRooms }) => {
      expect(await userRooms.list(user('__proto__'), 10)).toEqual([]);
    }));

  it('shows a pending row with zeroes, then what was settled', () =>
    withStore(async ({ userRooms }) => {
      await userRooms.pend(room('r'), [ada, user('bob'), ada]);
      expect(await userRooms.list(ada, 10)).toEqual([row('r', 'pending', 0, 0)]);
      await userRooms.settle([says('r', 4)]);
      expect(await userRooms.list(ada, 10)).toEqual([row('r', 'in', 4, 8)]);
      expect(await userRooms.list(user('bob'), 10)).toEqual([row('r', 'pending', 0, 0)]);
    }));

  it('keeps what was settled when a row becomes pending again', () =>
    withStore(async ({ userRooms }) => {
      await userRooms.settle([says('r', 4)]);
      await userRooms.pend(room('r'), [ada]);
      expect(await userRooms.list(ada, 10)).toEqual([row('r', 'pending', 4, 8)]);
    }));

  it('changes nothing for a row that is not newer than the settled one, pending state included', () =>
    withStore(async ({ userRooms }) => {
      await userRooms.settle([says('r', 4)]);
      await userRooms.pend(room('r'), [ada]);
      await userRooms.settle([says('r', 4), says('r', 3, false)]);
      expect(await userRooms.list(ada, 10)).toEqual([row('r', 'pending', 4, 8)]);
      await userRooms.settle([says('r', 5, false)]);
      expect(await userRooms.list(ada, 10)).toEqual([]);
      await userRooms.settle([says('r', 4)]);
      expect(await userRooms.list(ada, 10)).toEqual([]);
      await userRooms.settle([says('r', 6), says('r', 7, false), says('r', 8)]);
      expect(await userRooms.list(ada, 10)).toEqual([row('r', 'in', 8, 16)]);
    }));

  it('settles a pending row as left, and shows it no more', () =>
    withStore(async ({ userRooms }) => {
      await userRooms.pend(room('r'), [ada]);
      await userRooms.settle([says('r', 2, false)]);
      expect(await userRooms.list(ada, 10)).toEqual([]);
      await userRooms.pend(room('r'), [ada]);
      expect(await userRooms.list(ada, 10)).toHaveLength(1);
    }));

  it('lists by room id, at most the limit, without rows of others and past rows of rooms that were left', () =>
    withStore(async ({ userRooms }) => {
      const ids = ['b', 'a-', 'a', 'ab', '_', '-', 'B', '0'];
      await userRooms.settle(ids.map((id) => says(id, 1)));
      await userRooms.settle(ids.map((id) => says(`x${id}`, 1, true, 'ada-')));
      await userRooms.settle([says('a-', 2, false)]);
      const left = ids.filter((id) => id !== 'a-').sort();
      expect((await userRooms.list(ada, 100)).map((row) => row.room)).toEqual(left);
      expect((await userRooms.list(ada, 3)).map((row) => row.room)).toEqual(left.slice(0, 3));
      expect(await userRooms.list(ada, 0)).toEqual([]);
    }));

  it('lists thousands of rooms of a user', () =>
    withStore(async ({ userRooms }) => {
      const rows = Array.from({ length: 2_500 }, (_, i) => says(`room-${String(i).padStart(5, '0')}`, 1, i % 5 !== 0));
      await userRooms.settle(rows);
      expect(await userRooms.list(ada, 10_000)).toHaveLength(2_000);
      expect(await userRooms.list(ada, 1_500)).toHaveLength(1_500);
    }));

  it('keeps every change of many at once', () =>
    withStore(async ({ userRooms }) => {
      const ids = Array.from({ length: 50 }, (_, i) => `r${String(i).padStart(2, '0')}`);
      await Promise.all(ids.map((id) => userRooms.pend(room(id), [ada])));
      await Promise.all(
        ids.flatMap((id) => [
          userRooms.settle([says(id, 2)]),
          userRooms.settle([says(id, 1, false)]),
          userRooms.pend(room(`${id}-other`), [ada]),
        ]),
      );
      const rows = await userRooms.list(ada, 1_000);
      expect(rows.filter(({ state }) => state === 'in').map((row) => row.room)).toEqual(ids);
      expect(rows).toHaveLength(100);
    }));
  it('raises a mark, answers it as it stands, and lists it', () =>
    withStore(async ({ userRooms }) => {
      await userRooms.settle([says('r', 4), says('r', 3, true, 'bob')]);
      const marks = [
        { user: ada, seq: 9, n: 12 },
        { user: user('bob'), seq: 7, n: 11 },
      ];
      expect(await userRooms.mark(room('r'), marks)).toEqual(marks.map((mark) => ({ ...mark, hasMoved: true })));
      expect(await userRooms.list(ada, 10)).toEqual([row('r', 'in', 4, 8, [9, 12])]);
      expect(await userRooms.list(user('bob'), 10)).toEqual([row('r', 'in', 3, 6, [7, 11])]);
    }));

  it('never takes a mark back: a lower or equal one changes nothing and is answered with what stands', () =>
    withStore(async ({ userRooms }) => {
      await userRooms.settle([says('r', 4)]);
      const stands = { user: ada, seq: 9, n: 12, hasMoved: false };
      await userRooms.mark(room('r'), [{ user: ada, seq: 9, n: 12 }]);
      expect(await userRooms.mark(room('r'), [{ user: ada, seq: 8, n: 11 }])).toEqual([stands]);
      expect(await userRooms.mark(room('r'), [{ user: ada, seq: 9, n: 99 }])).toEqual([stands]);
      expect(await userRooms.list(ada, 10)).toEqual([row('r', 'in', 4, 8, [9, 12])]);
    }));

  it('keeps a mark over pend, settle, leaving and coming back; where somebody joined again counts as read', () =>
    withStore(async ({ userRooms }) => {
      await userRooms.settle([says('r', 4)]);
      await userRooms.mark(room('r'), [{ user: ada, seq: 9, n: 12 }]);
      await userRooms.pend(room('r'), [ada]);
      expect(await userRooms.list(ada, 10)).toEqual([row('r', 'pending', 4, 8, [9, 12])]);
      await userRooms.settle([says('r', 10, false)]);
      await userRooms.settle([{ ...says('r', 7), joinedSeq: 7, joinedN: 14 }]); // Late: changes nothing.
      await userRooms.settle([{ ...says('r', 11), joinedSeq: 5, joinedN: 6 }]);
      expect(await userRooms.list(ada, 10)).toEqual([row('r', 'in', 5, 6, [9, 12])]);
      await userRooms.settle([says('r', 20)]);
      expect(await userRooms.list(ada, 10)).toEqual([row('r', 'in', 20, 40, [20, 40])]);
      expect(await userRooms.mark(room('r'), [{ user: ada, seq: 15, n: 30 }])).toEqual([{ user: ada, seq: 20, n: 40, hasMoved: false }]);
      await userRooms.mark(room('r'), [{ user: ada, seq: 21, n: 41 }]);
      expect(await userRooms.list(ada, 10)).toEqual([row('r', 'in', 20, 40, [21, 41])]);
    }));

  it('takes a mark of a user without a row: the row is pending, for the log to decide', () =>
    withStore(async ({ userRooms }) => {
      await userRooms.mark(room('r'), [{ user: ada, seq: 3, n: 2 }]);
      expect(await userRooms.list(ada, 10)).toEqual([row('r', 'pending', 0, 0, [3, 2])]);
      await userRooms.settle([says('r', 1)]);
      expect(await userRooms.list(ada, 10)).toEqual([row('r', 'in', 1, 2, [3, 2])]);
    }));

  it('ends with the highest of many marks at once, whichever comes last, beside other changes of the row', () =>
    withStore(async ({ userRooms }) => {
      const seqs = [7, 31, 12, 40, 3, 39, 22];
      const calls = seqs.flatMap((seq) => [
        userRooms.mark(room('r'), [{ user: ada, seq, n: seq * 2 }]),
        userRooms.pend(room('r'), [ada]),
        userRooms.settle([{ ...says('r', seq), joinedSeq: 2, joinedN: 4 }]),
      ]);
      await Promise.all(calls);
      expect(await userRooms.list(ada, 10)).toMatchObject([{ joinedSeq: 2, readSeq: 40, readN: 80 }]);
      expect(await userRooms.mark(room('r'), [])).toEqual([]);
    }));

  it.runIf(factory.reopen)('has its marks when it is opened again', async () => {
    const store = await factory.open();
    await store.userRooms.settle([says('r', 4)]);
    await store.userRooms.mark(room('r'), [{ user: ada, seq: 9, n: 12 }]);
    await store.close();
    const again = (await factory.reopen?.(store)) as RoomStore;
    expect(await again.userRooms.list(ada, 10)).toEqual([row('r', 'in', 4, 8, [9, 12])]);
    await again.close();
  });
}
