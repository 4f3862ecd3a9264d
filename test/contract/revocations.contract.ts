/**
 * The contract of Revocations as tests: one suite for every twin.
 */
import { expect, it } from 'vitest';
import type { Revocation, Revoked } from '../../system/store/revocations.ts';
import type { RoomStore } from '../../system/store/room-store.ts';
import { user } from '../support/entries.ts';
import { type StoreFactory, withStore } from '../support/store-stories.ts';

const hourMs = 3_600_000;
const revocation = (of: Revoked, atMs: number, endsAtMs = atMs + hourMs): Revocation => ({ of, atMs, endsAtMs });
const ada = { user: user('ada') };
const everybody: Revoked = { everybody: true };
const all = async ({ revocations }: RoomStore) => (await revocations.read()).revocations;

export function revocationsContract(factory: StoreFactory): void {
  it('has none at first', () =>
    withStore(factory, async (store) => {
      expect(await all(store)).toEqual([]);
    }));

  it('gives back tokens, users and everybody as they were added, in that order', () =>
    withStore(factory, async (store) => {
      const added = [revocation({ jti: 'j1' }, 5), revocation(ada, 7), revocation(everybody, 6), revocation({ jti: 'ada' }, 9)];
      for (const each of added) await store.revocations.add(each);
      expect(await all(store)).toEqual(added);
    }));

  it('keeps any jti apart from any other, whatever characters it has', () =>
    withStore(factory, async (store) => {
      const ids = ['!', 'a!b', 'ада', '"', '\\', '__proto__', 'x'.repeat(128), 'user ada', ' '];
      await Promise.all(ids.map((jti) => store.revocations.add(revocation({ jti }, 1))));
      await store.revocations.add(revocation(ada, 1));
      expect((await all(store)).map(({ of }) => of)).toEqual([...ids.map((jti) => ({ jti })), ada]);
    }));

  it('lets a second one of a user take the place of the first, with the later times, whichever came first', () =>
    withStore(factory, async (store) => {
      await store.revocations.add(revocation(ada, 100));
      await store.revocations.add(revocation({ jti: 'j' }, 100));
      await store.revocations.add(revocation(ada, 200));
      await store.revocations.add(revocation(ada, 50));
      expect(await all(store)).toEqual([revocation({ jti: 'j' }, 100), revocation(ada, 200)]);
    }));

  it('gives after a cursor what was added since, also what was added again, and nothing when nothing was', () =>
    withStore(factory, async ({ revocations }) => {
      await revocations.add(revocation(ada, 1));
      await revocations.add(revocation({ jti: 'j' }, 2));
      const first = await revocations.read();
      expect((await revocations.read(first.cursor)).revocations).toEqual([]);
      await revocations.add(revocation(ada, 3));
      await revocations.add(revocation(everybody, 4));
      const second = await revocations.read(first.cursor);
      expect(second.revocations).toEqual([revocation(ada, 3), revocation(everybody, 4)]);
      expect((await revocations.read(second.cursor)).revocations).toEqual([]);
      expect((await revocations.read(first.cursor)).revocations).toHaveLength(2);
    }));

  it('lets go of what has ended when others are added, and of nothing that lives', () =>
    withStore(factory, async (store) => {
      const start = 1_700_000_000_000;
      for (let index = 0; index < 20; index += 1) await store.revocations.add(revocation({ jti: `old-${index}` }, start, start + 1_000));
      await store.revocations.add(revocation(ada, start, start + 10 * hourMs));
      for (let index = 0; index < 5; index += 1) await store.revocations.add(revocation({ jti: `new-${index}` }, start + 2 * hourMs));
      const left = (await all(store)).map(({ of }) => ('jti' in of ? of.jti : 'ada'));
      expect(left).toEqual(['ada', 'new-0', 'new-1', 'new-2', 'new-3', 'new-4']);
    }));

  it('takes a hundred at once and loses none', () =>
    withStore(factory, async (store) => {
      const ids = Array.from({ length: 100 }, (_, index) => `j${String(index).padStart(3, '0')}`);
      await Promise.all(ids.map((jti, index) => store.revocations.add(revocation({ jti }, index))));
      expect((await all(store)).map(({ of }) => ('jti' in of ? of.jti : '')).sort()).toEqual(ids);
    }));

  it('rejects with STORE_UNAVAILABLE once the store is closed', async () => {
    const store = await factory.open();
    await store.close();
    await expect(store.revocations.read()).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
    await expect(store.revocations.add(revocation(ada, 1))).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
  });

  const { reopen } = factory;
  if (!reopen) return;
  it('has after a restart what it had before, in a place of its own for each', async () => {
    const start = 1_700_000_000_000;
    let store = await factory.open();
    await store.revocations.add(revocation({ jti: 'ended' }, start, start + 1));
    await Promise.all([ada, { jti: 'a' }, { jti: 'b' }].map((of) => store.revocations.add(revocation(of, start))));
    await store.close();
    store = await reopen(store);
    await store.revocations.add(revocation({ jti: 'c' }, start + 120_000));
    await store.revocations.add(revocation(ada, start + 180_000));
    await store.revocations.add(revocation(everybody, start + 180_000));
    await store.close();
    store = await reopen(store);
    const found = (await all(store)).map(({ of, atMs }) => [JSON.stringify(of), atMs - start]);
    expect(found.sort()).toEqual(
      [
        ['{"everybody":true}', 180_000],
        ['{"jti":"a"}', 0],
        ['{"jti":"b"}', 0],
        ['{"jti":"c"}', 120_000],
        ['{"user":"ada"}', 180_000],
      ].sort(),
    );
    await store.close();
  });
}
