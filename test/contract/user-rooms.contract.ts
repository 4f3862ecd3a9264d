/**
 * The contract of UserRooms as tests: one suite for every twin.
 */
import { expect, it } from 'vitest';
import type { RoomStore } from '../../system/store/room-store.ts';
import type { MembershipRow } from '../../system/store/user-rooms.ts';
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
      expect(await userRooms.list(ada, 10)).toEqual([{ room: 'r', state: 'pending', joinedSeq: 0, joinedN: 0 }]);
      await userRooms.settle([says('r', 4)]);
      expect(await userRooms.list(ada, 10)).toEqual([{ room: 'r', state: 'in', joinedSeq: 4, joinedN: 8 }]);
      expect(await userRooms.list(user('bob'), 10)).toEqual([{ room: 'r', state: 'pending', joinedSeq: 0, joinedN: 0 }]);
    }));

  it('keeps what was settled when a row becomes pending again', () =>
    withStore(async ({ userRooms }) => {
      await userRooms.settle([says('r', 4)]);
      await userRooms.pend(room('r'), [ada]);
      expect(await userRooms.list(ada, 10)).toEqual([{ room: 'r', state: 'pending', joinedSeq: 4, joinedN: 8 }]);
    }));

  it('changes nothing for a row that is not newer than the settled one, pending state included', () =>
    withStore(async ({ userRooms }) => {
      await userRooms.settle([says('r', 4)]);
      await userRooms.pend(room('r'), [ada]);
      await userRooms.settle([says('r', 4), says('r', 3, false)]);
      expect(await userRooms.list(ada, 10)).toEqual([{ room: 'r', state: 'pending', joinedSeq: 4, joinedN: 8 }]);
      await userRooms.settle([says('r', 5, false)]);
      expect(await userRooms.list(ada, 10)).toEqual([]);
      await userRooms.settle([says('r', 4)]);
      expect(await userRooms.list(ada, 10)).toEqual([]);
      await userRooms.settle([says('r', 6), says('r', 7, false), says('r', 8)]);
      expect(await userRooms.list(ada, 10)).toEqual([{ room: 'r', state: 'in', joinedSeq: 8, joinedN: 16 }]);
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
}
