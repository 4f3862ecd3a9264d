/**
 * The contract of RoomLog as tests: what `append` takes, refuses and never does.
 */
import { describe, expect, it } from 'vitest';
import { type Entry, emptyHead, headAfter } from '../../system/store/entry.ts';
import { batchEntriesMax, entryBytesMax } from '../../system/store/room-log.ts';
import { cid, entriesAfter, entryAfter, user } from '../support/entries.ts';
import { turns } from '../support/manual-clock.ts';
import { fill, freshRoom, type StoreFactory, seqs, upTo, withStore } from '../support/store-stories.ts';

export function roomLogAppendContract(factory: StoreFactory): void {
  describe('append', () => {
    it('stores what it was given, and reads it back equal', () =>
      withStore(factory, async ({ log }) => {
        const id = freshRoom();
        const members = [{ user: user('ada'), role: 'owner' as const }];
        const entries = entriesAfter(emptyHead, [
          { kind: 'room', room: { kind: 'group', name: 'Räume ✨', public: false, community: 'c', members }, name: 'Ada' },
          { kind: 'member', member: { user: user('bob'), change: 'joined', role: 'member' } },
          { kind: 'message', text: '' },
          { kind: 'reply', replyTo: 3, text: 'line\nbreak\u0000\u2028 "quoted" \\ 𝄞 é' },
          { kind: 'file', text: '{}' },
          { kind: 'modify', target: 3, text: 'lone \ud800 surrogate \udc00' },
          { kind: 'react', target: 3, emoji: '👍🏽', on: false },
        ]);
        expect(await log.append(id, 0, entries)).toEqual({ type: 'appended' });
        expect(await log.read(id, { after: 0, limit: 100 })).toEqual(entries);
      }));

    it('answers a misnumbered append with a TypeError, and writes nothing of it', () =>
      withStore(factory, async ({ log }) => {
        const id = freshRoom();
        const [first, second] = entriesAfter(emptyHead, [{}, {}]) as [Entry, Entry];
        const wrong: [number, readonly Entry[]][] = [
          [1, [first]],
          [0, [second]],
          [0, [first, first]],
          [0, [second, first]],
          [0, [first, { ...second, n: 1 }]],
          [0, [{ ...first, n: 7 }]],
          [-1, [{ ...first, seq: 0 }]],
          [0.5, [{ ...first, seq: 1.5 }]],
          [
            0,
            entriesAfter(
              emptyHead,
              Array.from({ length: batchEntriesMax + 1 }, () => ({})),
            ),
          ],
        ];
        for (const [after, entries] of wrong) await expect(log.append(id, after, entries)).rejects.toBeInstanceOf(TypeError);
        expect(await log.heads([id])).toEqual([emptyHead]);
        expect(await log.append(id, 0, [first, second])).toEqual({ type: 'appended' });
      }));

    it('takes an empty append as done', () =>
      withStore(factory, async ({ log }) => {
        expect(await log.append(freshRoom(), 0, [])).toEqual({ type: 'appended' });
      }));

    it('conflicts on a taken number, below, at and beyond the head, and writes nothing', () =>
      withStore(factory, async ({ log }) => {
        const id = freshRoom();
        const entries = await fill({ log }, id, [{}, {}, {}]);
        for (const after of [0, 1, 2, 4, 100]) {
          const head = after === 0 ? emptyHead : { seq: after, n: after };
          const batch = entriesAfter(head, [{ cid: `taken-${after}` }, { cid: `taken-b-${after}` }]);
          expect(await log.append(id, after, batch)).toEqual({ type: 'conflict' });
        }
        expect(await log.read(id, { after: 0, limit: 100 })).toEqual(entries);
        expect(await log.byCid(id, [{ by: user('ada'), cid: cid('taken-100') }])).toEqual([]);
      }));

    it('conflicts on a (by, cid) of any age, whoever shares the cid or the sender alone does not', () =>
      withStore(factory, async ({ log }) => {
        const id = freshRoom();
        const entries = await fill(
          { log },
          id,
          Array.from({ length: 600 }, (_, i) => ({ cid: `age-${i}` })),
          200,
        );
        let head = headAfter(entries.at(-1) as Entry);
        for (const old of [0, 1, 299, 599]) {
          const batch = entriesAfter(head, [{ cid: `new-${old}` }, { cid: `age-${old}` }, { cid: `after-${old}` }]);
          expect(await log.append(id, head.seq, batch)).toEqual({ type: 'conflict' });
          const left = factory.leavesPrefix ? batch.slice(0, 1) : [];
          expect(await log.byCid(id, [{ by: user('ada'), cid: cid(`new-${old}`) }])).toEqual(left);
          expect(await log.byCid(id, [{ by: user('ada'), cid: cid(`after-${old}`) }])).toEqual([]);
          [head = emptyHead] = await log.heads([id]);
        }
        const allowed = entriesAfter(head, [{ by: 'bob', cid: 'age-0' }, { cid: 'age-00' }]);
        expect(await log.append(id, head.seq, allowed)).toEqual({ type: 'appended' });
        const other = freshRoom();
        expect(await log.append(other, 0, [entryAfter(emptyHead, { cid: 'age-0' })])).toEqual({ type: 'appended' });
      }));

    it('conflicts on a (by, cid) twice in one append', () =>
      withStore(factory, async ({ log }) => {
        const id = freshRoom();
        expect(await log.append(id, 0, entriesAfter(emptyHead, [{ cid: 'x' }, { cid: 'x' }]))).toEqual({ type: 'conflict' });
        expect(await log.heads([id])).toEqual([emptyHead]);
      }));

    it('lets one of two simultaneous appends to a slot win, and shows nothing of the other', () =>
      withStore(factory, async ({ log }) => {
        for (let round = 0; round < 10; round += 1) {
          const id = freshRoom();
          const one = entriesAfter(emptyHead, [{ cid: 'one-1' }, { cid: 'one-2' }]);
          const two = entriesAfter(emptyHead, [{ cid: 'two-1' }]);
          const outcomes = await Promise.all([log.append(id, 0, one), log.append(id, 0, two)]);
          expect(outcomes.map(({ type }) => type).sort()).toEqual(['appended', 'conflict']);
          expect(await log.read(id, { after: 0, limit: 10 })).toEqual(outcomes[0].type === 'appended' ? one : two);
        }
      }));

    it('keeps a cid unique when the same command is appended twice at once, at two slots', () =>
      withStore(factory, async ({ log }) => {
        for (let round = 0; round < 10; round += 1) {
          const id = freshRoom();
          const first = entryAfter(emptyHead, { cid: 'same' });
          const second = entryAfter(headAfter(first), { cid: 'same' });
          const outcomes = await Promise.all([log.append(id, 0, [first]), log.append(id, 1, [second])]);
          expect(outcomes.map(({ type }) => type)).toEqual(['appended', 'conflict']);
          expect(await log.heads([id])).toEqual([headAfter(first)]);
        }
      }));

    it('keeps a cid unique when its retry comes at any moment while the first try is on its way', () =>
      withStore(factory, async ({ log }) => {
        for (let round = 0; round < 40; round += 1) {
          const id = freshRoom();
          // A room that was looked at before and one that was not go different ways.
          if (round % 2 === 0) await log.append(id, 0, [entryAfter(emptyHead)]);
          const [head = emptyHead] = await log.heads([id]);
          const first = entryAfter(head, { cid: 'same' });
          const trying = log.append(id, head.seq, [first]);
          await turns(round % 10);
          const retry = log.append(id, first.seq, [entryAfter(headAfter(first), { cid: 'same' })]);
          expect([await trying, await retry].map(({ type }) => type)).toEqual(['appended', 'conflict']);
          expect(await log.heads([id])).toEqual([headAfter(first)]);
        }
      }));

    it('keeps a cid unique also when its retry was looked up before the first try was durable, and had to wait for another write', () =>
      withStore(factory, async ({ log, userRooms }) => {
        for (let round = 0; round < 20; round += 1) {
          const id = freshRoom();
          await log.append(id, 0, [entryAfter(emptyHead)]);
          const first = entryAfter({ seq: 1, n: 1 }, { cid: 'same' });
          const trying = log.append(id, 1, [first]);
          await turns(round % 2);
          const row = userRooms.pend(id, [user('ada')]);
          const retry = log.append(id, 2, [entryAfter(headAfter(first), { cid: 'same' })]);
          expect([await trying, await retry].map(({ type }) => type)).toEqual(['appended', 'conflict']);
          await row;
        }
      }));

    it('numbers appends of one room on that do not wait for each other, and keeps cids unique among them', () =>
      withStore(factory, async ({ log }) => {
        const id = freshRoom();
        const entries = entriesAfter(
          emptyHead,
          Array.from({ length: 60 }, (_, i) => ({ cid: `chain-${i % 50}` })),
        );
        const written = [];
        for (const [index, entry] of entries.entries()) {
          // From the fiftieth on each cid was used: those conflict, wherever the first of it is by then.
          written.push(log.append(id, Math.min(index, 50), [index < 50 ? entry : { ...entry, seq: 51, n: 51 }]));
          if (index % 7 === 0) await turns(1);
        }
        const outcomes = (await Promise.all(written)).map(({ type }) => type);
        expect(outcomes).toEqual(Array.from({ length: 60 }, (_, index) => (index < 50 ? 'appended' : 'conflict')));
        expect(await log.read(id, { after: 0, limit: 100 })).toEqual(entries.slice(0, 50));
      }));

    it('rejects an entry over the size limit by its index, and takes one just below it', () =>
      withStore(factory, async ({ log }) => {
        const id = freshRoom();
        const large = 'é'.repeat(entryBytesMax / 2);
        const outcome = await log.append(id, 0, entriesAfter(emptyHead, [{}, { text: large }, {}]));
        expect(outcome).toMatchObject({ type: 'rejected', index: 1 });
        const [head] = await log.heads([id]);
        expect(head?.seq).toBeLessThanOrEqual(1);
        const other = freshRoom();
        expect(await log.append(other, 0, [entryAfter(emptyHead, { text: 'a'.repeat(entryBytesMax - 1000) })])).toEqual({
          type: 'appended',
        });
      }));

    it('rejects ids and targets that could not be told apart as keys', () =>
      withStore(factory, async ({ log }) => {
        for (const draft of [
          { by: 'a!b' },
          { by: '' },
          { cid: '' },
          { cid: 'a b' },
          { cid: '\ud800' },
          { cid: 'x'.repeat(257) },
          { target: -1 },
          { target: 0.5 },
          { target: Number.NaN },
        ]) {
          expect(await log.append(freshRoom(), 0, [entryAfter(emptyHead, draft)])).toMatchObject({ type: 'rejected', index: 0 });
        }
      }));

    it('leaves no hole and loses nothing when two writers race for one room', () =>
      withStore(factory, async ({ log }) => {
        const id = freshRoom();
        const writer = async (by: string) => {
          const acked: number[] = [];
          let sent = 0;
          while (sent < 60) {
            const [head] = await log.heads([id]);
            const count = 1 + (sent % 3);
            const batch = entriesAfter(
              head ?? emptyHead,
              Array.from({ length: count }, (_, i) => ({ by, cid: `${by}-${sent + i}` })),
            );
            const outcome = await log.append(id, batch[0]?.seq ? batch[0].seq - 1 : 0, batch);
            if (outcome.type === 'appended') {
              acked.push(...batch.map(({ seq }) => seq));
              sent += count;
            } else expect(outcome.type).toBe('conflict');
          }
          return acked;
        };
        const acked = (await Promise.all([writer('ada'), writer('bob')])).flat().sort((a, b) => a - b);
        const entries = await log.read(id, { after: 0, limit: 1000 });
        expect(seqs(entries)).toEqual(upTo(1, acked.length));
        expect(acked).toEqual(upTo(1, acked.length));
        expect(new Set(entries.map((entry) => `${entry.by}!${entry.cid}`)).size).toBe(entries.length);
      }));
  });
}
