/**
 * The contract of RoomLog as tests: deletes, odd ids, the tail, and the end.
 */
import { describe, expect, it } from 'vitest';
import { Fault } from '../../system/errors.ts';
import type { FileId } from '../../system/ids.ts';
import { type Entry, emptyHead, headAfter } from '../../system/store/entry.ts';
import type { RoomStore } from '../../system/store/room-store.ts';
import { cid, type Draft, entriesAfter, entryAfter, room, user } from '../support/entries.ts';
import { turns } from '../support/manual-clock.ts';
import { waitUntil } from '../support/store-processes.ts';
import { everyRead, fill, freshRoom, type StoreFactory, seqs, upTo, withStore } from '../support/store-stories.ts';

export function roomLogLifeContract(factory: StoreFactory): void {
  describe('delete', () => {
    const secret = 'what was said';
    const scrubbed = (entries: readonly (Entry | undefined)[]) => entries.every((entry) => entry?.scrubbed === true && !('text' in entry));

    for (const inOneAppend of [true, false]) {
      it(`takes the text of the message and its edits out of every read, ${inOneAppend ? 'in one append with them' : 'appended later'}`, () =>
        withStore(factory, async (opened) => {
          const id = freshRoom();
          const entries = await fill(
            opened,
            id,
            [
              { text: 'other' },
              { text: secret, cid: 'gone' },
              { kind: 'modify', target: 2, text: secret },
              { kind: 'react', target: 2, emoji: 'x', on: true },
              { kind: 'modify', target: 1, text: 'other, edited' },
              { kind: 'modify', target: 2, text: secret },
              { kind: 'delete', target: 2 },
            ],
            inOneAppend ? 50 : 1,
          );
          const { log } = opened;
          const all = await log.read(id, { after: 0, limit: 10 });
          expect(JSON.stringify(all)).not.toContain(secret);
          const { text: _text, ...rest } = entries[1] as Entry;
          expect(all[1]).toEqual({ ...rest, scrubbed: true });
          expect(scrubbed([all[1], all[2], all[5]])).toBe(true);
          expect([all[0], all[3], all[4], all[6]]).toEqual([entries[0], entries[3], entries[4], entries[6]]);
          expect(scrubbed(await log.at([2, 3, 6].map((seq) => ({ room: id, seq }))))).toBe(true);
          expect(scrubbed(await log.byCid(id, [{ by: user('ada'), cid: cid('gone') }]))).toBe(true);
          expect(JSON.stringify(await log.byTarget(id, [2], 9))).not.toContain(secret);
          expect(seqs(await log.messages(id, { around: 2, limit: 10 }, 7))).toEqual([1, 2]);
          expect(JSON.stringify(await log.messages(id, { around: 2, limit: 10 }, 7))).not.toContain(secret);
          expect(scrubbed(await log.lastMessages([id]))).toBe(true);
        }));
    }

    it('once it is acknowledged no read of any kind shows the text, from any store that is open', () =>
      withStore(factory, async (opened) => {
        const other = await factory.beside?.(opened);
        try {
          const file = { id: 'f1' as FileId, name: secret, type: 'image/png', bytes: 3, sha256: 'x' };
          const drafts: Draft[] = [{ text: secret }, { kind: 'modify', target: 1, text: secret }, { kind: 'file', text: secret, file }];
          for (let round = 0; round < 10; round += 1) {
            const id = freshRoom();
            const entries = await fill(opened, id, drafts);
            const head = headAfter(entries.at(-1) as Entry);
            const gone = entriesAfter(
              head,
              [1, 3].map((target) => ({ kind: 'delete' as const, target })),
            );
            expect(await opened.log.append(id, 3, gone)).toEqual({ type: 'appended' });
            const seen = await Promise.all([opened, other ?? opened].map(({ log }) => everyRead(log, id, 5)));
            expect(seen.join()).not.toContain(secret);
          }
        } finally {
          await other?.close();
        }
      }));

    it('takes what an entry says of a file out, too', () =>
      withStore(factory, async (opened) => {
        const id = freshRoom();
        const file = { id: 'f1' as FileId, name: secret, type: 'image/png', bytes: 3, sha256: 'x' };
        const [first, second, gone] = entriesAfter(emptyHead, [
          { kind: 'file', file },
          { kind: 'file', file },
          { kind: 'delete', target: 2 },
        ]);
        const append = (entry: Entry | undefined) => opened.log.append(id, (entry?.seq ?? 0) - 1, entry ? [entry] : []);
        for (const entry of [first, second]) expect(await append(entry)).toEqual({ type: 'appended' });
        const { log } = opened;
        expect((await log.messages(id, { after: 0, limit: 9 }, 2)).map((entry) => entry.file)).toEqual([file, file]);
        expect(await append(gone)).toEqual({ type: 'appended' });
        const all = await log.read(id, { after: 0, limit: 9 });
        expect(all[0]?.file).toEqual(file);
        expect(all[1]).toMatchObject({ kind: 'file', scrubbed: true });
        expect(all[1]).not.toHaveProperty('file');
      }));

    it('takes the texts out also when the delete comes at any moment while the message and an edit are on their way', () =>
      withStore(factory, async ({ log }) => {
        for (let round = 0; round < 30; round += 1) {
          const id = freshRoom();
          if (round % 2 === 0) await log.heads([id]);
          const drafts = [{ text: secret }, { kind: 'modify' as const, target: 1, text: secret }, { kind: 'delete' as const, target: 1 }];
          const [message, edit, gone] = entriesAfter(emptyHead, drafts) as [Entry, Entry, Entry];
          const written = [log.append(id, 0, [message])];
          await turns(round % 3);
          written.push(log.append(id, 1, [edit]));
          await turns(Math.floor(round / 3) % 3);
          written.push(log.append(id, 2, [gone]));
          expect((await Promise.all(written)).map(({ type }) => type)).toEqual(['appended', 'appended', 'appended']);
          const all = await log.read(id, { after: 0, limit: 10 });
          expect(JSON.stringify(all)).not.toContain(secret);
          expect(all).toHaveLength(3);
        }
      }));

    it('takes the texts of edits out also where there is no message they could belong to', () =>
      withStore(factory, async (opened) => {
        const id = freshRoom();
        await fill(
          opened,
          id,
          [
            { kind: 'modify', target: 0, text: secret },
            { kind: 'delete', target: 0 },
          ],
          1,
        );
        expect(JSON.stringify(await opened.log.read(id, { after: 0, limit: 10 }))).not.toContain(secret);
      }));

    it('is harmless when its target is not there, is itself, or was deleted before', () =>
      withStore(factory, async (opened) => {
        const id = freshRoom();
        const entries = await fill(opened, id, [
          { text: secret },
          { kind: 'delete', target: 9 },
          { kind: 'delete', target: 3 },
          { kind: 'delete', target: 1 },
          { kind: 'delete', target: 1 },
        ]);
        const all = await opened.log.read(id, { after: 0, limit: 10 });
        expect(seqs(all)).toEqual([1, 2, 3, 4, 5]);
        expect(all.slice(1)).toEqual(entries.slice(1));
        expect(scrubbed([all[0]])).toBe(true);
      }));
  });

  describe('ids', () => {
    it('keeps rooms and users apart whose ids are odd, alike, or prefixes of each other', () =>
      withStore(factory, async ({ log }) => {
        const ids = [
          'a',
          'a-',
          'a_',
          'ab',
          'A',
          '-',
          '_',
          '--',
          '0',
          'x'.repeat(64),
          'x'.repeat(63),
          '__proto__',
          'constructor',
          'hasOwnProperty',
          'toString',
        ];
        const rooms = ids.map(room);
        await Promise.all(
          rooms.map(async (id, index) => {
            const drafts = ids.slice(0, index + 1).map((by) => ({ by, cid: by, kind: 'react' as const, target: 1, emoji: 'x', on: true }));
            expect(await log.append(id, 0, entriesAfter(emptyHead, [{ by: 'first', cid: 'first' }, ...drafts]))).toEqual({
              type: 'appended',
            });
          }),
        );
        const heads = await log.heads(rooms);
        for (const [index, id] of rooms.entries()) {
          expect(heads[index]).toMatchObject({ seq: index + 2, n: 1 });
          expect(seqs(await log.read(id, { after: 0, limit: 100 }))).toEqual(upTo(1, index + 2));
          expect(seqs(await log.byTarget(id, [1], 99))).toEqual(upTo(2, index + 2));
          expect(seqs(await log.byCid(id, [{ by: user(ids[index] as string), cid: cid(ids[index] as string) }]))).toEqual([index + 2]);
          const missing = ids[index + 1];
          if (missing) expect(await log.byCid(id, [{ by: user(missing), cid: cid(missing) }])).toEqual([]);
        }
      }));
  });

  describe('tail', () => {
    it('tells each commit in order, after it can be read, until it is ended', () =>
      withStore(factory, async ({ log }) => {
        const id = freshRoom();
        const told: number[] = [];
        const seen: Promise<boolean>[] = [];
        const end = log.tail((of, head) => {
          if (of !== id) return;
          told.push(head.seq);
          seen.push(log.at([{ room: of, seq: head.seq }]).then(([entry]) => entry?.seq === head.seq && entry.n === head.n));
        });
        for (let i = 0; i < 5; i += 1) await log.append(id, i, [entryAfter({ seq: i, n: i })]);
        await log.append(id, 2, [entryAfter({ seq: 2, n: 2 })]);
        await waitUntil('the tail told of every commit', () => told.length >= 5);
        expect(told).toEqual([1, 2, 3, 4, 5]);
        expect(await Promise.all(seen)).toEqual([true, true, true, true, true]);
        end();
        end();
        let isToldToOthers = false;
        const endOther = log.tail(() => {
          isToldToOthers = true;
        });
        await log.append(id, 5, [entryAfter({ seq: 5, n: 5 })]);
        await waitUntil('another listener was told', () => isToldToOthers);
        endOther();
        expect(told).toHaveLength(5);
      }));
  });

  describe('close', () => {
    it('answers appends in flight truly, then refuses everything, and may be called twice', async () => {
      const store = await factory.open();
      const id = freshRoom();
      const inFlight = store.log.append(id, 0, [entryAfter(emptyHead)]);
      await Promise.all([store.close(), store.close()]);
      expect(await inFlight).toEqual({ type: 'appended' });
      const unavailable = { name: 'Fault', code: 'STORE_UNAVAILABLE' };
      expect(await store.log.append(id, 1, [entryAfter({ seq: 1, n: 1 })])).toMatchObject({ type: 'unknown', cause: expect.any(Fault) });
      await expect(store.log.read(id, { after: 0, limit: 1 })).rejects.toMatchObject(unavailable);
      await expect(store.log.at([{ room: id, seq: 1 }])).rejects.toMatchObject(unavailable);
      await expect(store.log.heads([id])).rejects.toMatchObject(unavailable);
      await expect(store.log.lastMessages([id])).rejects.toMatchObject(unavailable);
      await expect(store.log.byCid(id, [])).rejects.toMatchObject(unavailable);
      await expect(store.log.controls(id, 0, 1)).rejects.toMatchObject(unavailable);
      await expect(store.log.byTarget(id, [1], 1)).rejects.toMatchObject(unavailable);
      await expect(store.log.messages(id, { after: 0, limit: 1 }, 1)).rejects.toMatchObject(unavailable);
      await expect(store.userRooms.pend(id, [user('ada')])).rejects.toMatchObject(unavailable);
      await expect(store.userRooms.list(user('ada'), 1)).rejects.toMatchObject(unavailable);
      await store.close();
    });

    it.runIf(factory.reopen)('loses nothing', async () => {
      const store = await factory.open();
      const id = freshRoom();
      const entries = await fill(store, id, [
        {},
        { kind: 'react', target: 1, emoji: 'x', on: true },
        { kind: 'member', member: { user: user('ada'), change: 'joined' } },
      ]);
      await store.close();
      const again = (await factory.reopen?.(store)) as RoomStore;
      try {
        expect(await again.log.heads([id])).toEqual([headAfter(entries[2] as Entry)]);
        expect(await again.log.read(id, { after: 0, limit: 10 })).toEqual(entries);
        expect(seqs(await again.log.controls(id, 0, 9))).toEqual([3]);
        expect(seqs(await again.log.lastMessages([id]))).toEqual([1]);
        expect(await again.log.append(id, 3, entriesAfter({ seq: 3, n: 1 }, [{ cid: entries[0]?.cid as string }]))).toEqual({
          type: 'conflict',
        });
        expect(await again.log.append(id, 3, entriesAfter({ seq: 3, n: 1 }, [{}]))).toEqual({ type: 'appended' });
      } finally {
        await again.close();
      }
    });
  });
}
