/**
 * TailReads on a real server: many rooms' tails at once are what a read of each alone gives, and walk the index in order.
 */
import { afterAll, describe, expect, it } from 'vitest';
import type { RoomId } from '../../system/ids.ts';
import { emptyHead } from '../../system/store/entry.ts';
import { type Draft, entriesAfter } from '../support/entries.ts';
import { mongoStores } from '../support/mongo-stores.ts';
import { freshRoom, seqs } from '../support/store-stories.ts';

const url = process.env['PLAYHOUSE_TEST_MONGO_URL'] ?? '';

describe.skipIf(url === '')('tails on MongoDB (needs PLAYHOUSE_TEST_MONGO_URL: npm run services)', () => {
  const stores = mongoStores(url);
  afterAll(() => stores.dropAll(), 60_000);

  it('of 150 rooms of all lengths, read at once, are what each room has, up to its limit', async () => {
    const { log, close } = await stores.open();
    const rooms: RoomId[] = [];
    const lengths = [0, 1, 2, 30, 300];
    for (let index = 0; index < 150; index += 1) rooms.push(freshRoom());
    await Promise.all(
      rooms.map(async (room, index) => {
        const entries = entriesAfter(emptyHead, new Array<Draft>(lengths[index % lengths.length] as number).fill({}));
        if (entries.length > 0) expect(await log.append(room, 0, entries)).toEqual({ type: 'appended' });
      }),
    );
    const asks = rooms.map((room, index) => ({ room, after: index % 7, limit: index % 2 === 0 ? 256 : 3 }));
    const found = await Promise.all(asks.map(({ room, after, limit }) => log.read(room, { after, limit })));
    for (const [index, { after, limit }] of asks.entries()) {
      const last = lengths[index % lengths.length] as number;
      const expected = Array.from({ length: Math.max(0, last - after) }, (_, place) => after + 1 + place).slice(0, limit);
      expect(seqs(found[index] ?? [])).toEqual(expected);
    }
    await close();
  });
});
