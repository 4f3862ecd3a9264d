/** The faulty store does what tests believe it does: a fault that has no effect would make them pass for nothing. */
import { describe, expect, it } from 'vitest';
import { emptyHead } from '../../system/store/entry.ts';
import { openMemoryStore } from '../../system/store/room-store-memory.ts';
import { entryAfter, room } from '../support/entries.ts';
import { faultyStore } from '../support/faulty-store.ts';

describe('the faulty store', () => {
  const a = room('a');
  const first = entryAfter(emptyHead);

  it('passes appends and reads through when nothing is injected', async () => {
    const store = faultyStore(openMemoryStore());
    expect(await store.log.append(a, 0, [first])).toEqual({ type: 'appended' });
    expect(await store.log.read(a, { after: 0, limit: 1 })).toEqual([first]);
    expect(store.appends).toHaveLength(1);
  });

  it('injects each outcome once, with or without effect, for the room it was meant for', async () => {
    const store = faultyStore(openMemoryStore());
    store.inject('lost', room('b'));
    store.inject('conflict', a);
    store.inject('rejected');
    store.inject('lost', a);
    store.inject('stored-unknown', a);
    const types: string[] = [];
    for (let i = 0; i < 4; i += 1) types.push((await store.log.append(a, 0, [first])).type);
    expect(types).toEqual(['conflict', 'rejected', 'unknown', 'unknown']);
    expect(await store.log.read(a, { after: 0, limit: 2 })).toEqual([first]);
    expect(await store.log.append(a, 0, [first])).toEqual({ type: 'conflict' });
    expect((await store.log.append(room('b'), 0, [first])).type).toBe('unknown');
  });

  it('holds an append at a gate, before the store or behind it', async () => {
    const store = faultyStore(openMemoryStore());
    const before = store.gate('before');
    const held = store.log.append(a, 0, [first]);
    expect(await before.reached).toMatchObject({ room: a, after: 0 });
    expect(await store.log.heads([a])).toEqual([emptyHead]);
    before.open();
    expect(await held).toEqual({ type: 'appended' });
    const after = store.gate('after', a);
    let isAnswered = false;
    const answered = store.log.append(a, 1, [entryAfter({ seq: 1, n: 1 })]).then((outcome) => {
      isAnswered = true;
      return outcome;
    });
    await after.reached;
    expect((await store.log.heads([a]))[0]?.seq).toBe(2);
    expect(isAnswered).toBe(false);
    after.open();
    expect(await answered).toEqual({ type: 'appended' });
  });

  it('refuses reads and mutes the tail until told otherwise', async () => {
    const store = faultyStore(openMemoryStore());
    const told: number[] = [];
    store.log.tail((_room, head) => told.push(head.seq));
    store.failReads(true);
    store.muteTail(true);
    await expect(store.log.heads([a])).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
    await store.log.append(a, 0, [first]);
    store.failReads(false);
    store.muteTail(false);
    expect((await store.log.heads([a]))[0]?.seq).toBe(1);
    await store.log.append(a, 1, [entryAfter({ seq: 1, n: 1 })]);
    await Promise.resolve();
    expect(told).toEqual([2]);
  });
});
