/**
 * The contract of RoomLog as tests: one suite for every twin. Each test takes rooms of its own, so a twin may keep its data.
 */
import { describe, expect, it } from 'vitest';
import { Fault } from '../../system/errors.ts';
import { type Entry, emptyHead, headAfter, isControl, isMessage } from '../../system/store/entry.ts';
import { entryBytesMax, type Range } from '../../system/store/room-log.ts';
import type { RoomStore } from '../../system/store/room-store.ts';
import { cid, type Draft, entriesAfter, entryAfter, room, user } from '../support/entries.ts';

export interface StoreFactory {
  /** An empty store. */
  open(): Promise<RoomStore>;
  /** The same data in a new store, after `store` was closed; undefined when closing loses it. */
  readonly reopen?: (store: RoomStore) => Promise<RoomStore>;
}

const seqs = (entries: readonly (Entry | undefined)[]): (number | undefined)[] => entries.map((entry) => entry?.seq);
const upTo = (from: number, to: number): number[] => Array.from({ length: Math.max(to - from + 1, 0) }, (_, i) => from + i);

export function roomLogContract(factory: StoreFactory): void {
  let names = 0;
  const freshRoom = () => {
    names += 1;
    return room(`room-${names}`);
  };
  const withStore = async (story: (store: RoomStore) => Promise<void>): Promise<void> => {
    const store = await factory.open();
    try {
      await story(store);
    } finally {
      await store.close();
    }
  };
  /** Appends drafts in batches as they come; answers all entries. */
  const fill = async (store: RoomStore, id: ReturnType<typeof room>, drafts: readonly Draft[], batch = 50): Promise<readonly Entry[]> => {
    const entries = entriesAfter(emptyHead, drafts);
    for (let i = 0; i < entries.length; i += batch) {
      expect(await store.log.append(id, i, entries.slice(i, i + batch))).toEqual({ type: 'appended' });
    }
    return entries;
  };

  describe('append', () => {
    it('stores what it was given, and reads it back equal', () =>
      withStore(async ({ log }) => {
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
      withStore(async ({ log }) => {
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
              Array.from({ length: 257 }, () => ({})),
            ),
          ],
        ];
        for (const [after, entries] of wrong) await expect(log.append(id, after, entries)).rejects.toBeInstanceOf(TypeError);
        expect(await log.heads([id])).toEqual([emptyHead]);
        expect(await log.append(id, 0, [first, second])).toEqual({ type: 'appended' });
      }));

    it('takes an empty append as done', () =>
      withStore(async ({ log }) => {
        expect(await log.append(freshRoom(), 0, [])).toEqual({ type: 'appended' });
      }));

    it('conflicts on a taken number, below, at and beyond the head, and writes nothing', () =>
      withStore(async ({ log }) => {
        const id = freshRoom();
        const entries = await fill(store(log), id, [{}, {}, {}]);
        for (const after of [0, 1, 2, 4, 100]) {
          const head = after === 0 ? emptyHead : { seq: after, n: after };
          const batch = entriesAfter(head, [{ cid: `taken-${after}` }, { cid: `taken-b-${after}` }]);
          expect(await log.append(id, after, batch)).toEqual({ type: 'conflict' });
        }
        expect(await log.read(id, { after: 0, limit: 100 })).toEqual(entries);
        expect(await log.byCid(id, [{ by: user('ada'), cid: cid('taken-100') }])).toEqual([]);
      }));

    it('conflicts on a (by, cid) of any age, whoever shares the cid or the sender alone does not', () =>
      withStore(async ({ log }) => {
        const id = freshRoom();
        const entries = await fill(
          store(log),
          id,
          Array.from({ length: 600 }, (_, i) => ({ cid: `age-${i}` })),
          200,
        );
        const head = headAfter(entries.at(-1) as Entry);
        for (const old of [0, 1, 299, 599]) {
          const batch = entriesAfter(head, [{ cid: `new-${old}` }, { cid: `age-${old}` }]);
          expect(await log.append(id, head.seq, batch)).toEqual({ type: 'conflict' });
          expect(await log.byCid(id, [{ by: user('ada'), cid: cid(`new-${old}`) }])).toEqual([]);
        }
        const allowed = entriesAfter(head, [{ by: 'bob', cid: 'age-0' }, { cid: 'age-00' }]);
        expect(await log.append(id, head.seq, allowed)).toEqual({ type: 'appended' });
        const other = freshRoom();
        expect(await log.append(other, 0, [entryAfter(emptyHead, { cid: 'age-0' })])).toEqual({ type: 'appended' });
      }));

    it('conflicts on a (by, cid) twice in one append', () =>
      withStore(async ({ log }) => {
        const id = freshRoom();
        expect(await log.append(id, 0, entriesAfter(emptyHead, [{ cid: 'x' }, { cid: 'x' }]))).toEqual({ type: 'conflict' });
        expect(await log.heads([id])).toEqual([emptyHead]);
      }));

    it('lets one of two simultaneous appends to a slot win, and shows nothing of the other', () =>
      withStore(async ({ log }) => {
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
      withStore(async ({ log }) => {
        for (let round = 0; round < 10; round += 1) {
          const id = freshRoom();
          const first = entryAfter(emptyHead, { cid: 'same' });
          const second = entryAfter(headAfter(first), { cid: 'same' });
          const outcomes = await Promise.all([log.append(id, 0, [first]), log.append(id, 1, [second])]);
          expect(outcomes.map(({ type }) => type)).toEqual(['appended', 'conflict']);
          expect(await log.heads([id])).toEqual([headAfter(first)]);
        }
      }));

    it('rejects an entry over the size limit by its index, and takes one just below it', () =>
      withStore(async ({ log }) => {
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

    it('rejects ids that could not be told apart as keys', () =>
      withStore(async ({ log }) => {
        for (const draft of [{ by: 'a!b' }, { by: '' }, { cid: '' }, { cid: 'a b' }, { cid: '\ud800' }, { cid: 'x'.repeat(257) }]) {
          expect(await log.append(freshRoom(), 0, [entryAfter(emptyHead, draft)])).toMatchObject({ type: 'rejected', index: 0 });
        }
      }));

    it('leaves no hole and loses nothing when two writers race for one room', () =>
      withStore(async ({ log }) => {
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

  describe('read', () => {
    it('answers all three ranges, cut at both ends, ascending', () =>
      withStore(async (opened) => {
        const id = freshRoom();
        await fill(
          opened,
          id,
          Array.from({ length: 20 }, () => ({})),
        );
        const cases: [Range, number[]][] = [
          [{ after: 0, limit: 5 }, upTo(1, 5)],
          [{ after: 17, limit: 5 }, upTo(18, 20)],
          [{ after: 20, limit: 5 }, []],
          [{ after: 99, limit: 5 }, []],
          [{ after: -3, limit: 2 }, [1, 2]],
          [{ before: 21, limit: 5 }, upTo(16, 20)],
          [{ before: Number.MAX_SAFE_INTEGER, limit: 3 }, upTo(18, 20)],
          [{ before: Number.POSITIVE_INFINITY, limit: 3 }, upTo(18, 20)],
          [{ before: 4, limit: 5 }, [1, 2, 3]],
          [{ before: 1, limit: 5 }, []],
          [{ before: 0, limit: 5 }, []],
          [{ around: 10, limit: 5 }, upTo(8, 12)],
          [{ around: 10, limit: 4 }, upTo(8, 11)],
          [{ around: 10, limit: 1 }, [10]],
          [{ around: 1, limit: 5 }, [1, 2, 3]],
          [{ around: 20, limit: 5 }, [18, 19, 20]],
          [{ around: 22, limit: 6 }, [19, 20]],
          [{ around: 99, limit: 6 }, []],
          [{ after: 0, limit: 0 }, []],
          [{ before: 9, limit: 0 }, []],
          [{ around: 9, limit: 0 }, []],
          [{ after: 0, limit: -1 }, []],
        ];
        for (const [range, expected] of cases) expect([range, seqs(await opened.log.read(id, range))]).toEqual([range, expected]);
        expect(await opened.log.read(freshRoom(), { before: 10, limit: 5 })).toEqual([]);
      }));

    it('cuts the limit at 1,000', () =>
      withStore(async (opened) => {
        const id = freshRoom();
        await fill(
          opened,
          id,
          Array.from({ length: 1_100 }, () => ({ kind: 'react' as const, target: 1, emoji: 'x', on: true })),
          256,
        );
        expect(seqs(await opened.log.read(id, { after: 10, limit: 5_000 }))).toEqual(upTo(11, 1_010));
        expect(seqs(await opened.log.read(id, { before: 1_101, limit: 5_000 }))).toEqual(upTo(101, 1_100));
      }));

    it('answers at, heads and lastMessages in the order asked, doubles and unknown rooms included', () =>
      withStore(async (opened) => {
        const [one, two, none, quiet] = [freshRoom(), freshRoom(), freshRoom(), freshRoom()];
        const first = await fill(opened, one, [{}, {}, { kind: 'react', target: 1, emoji: 'x', on: true }]);
        const second = await fill(opened, two, [{}]);
        await fill(opened, quiet, [{ kind: 'member', member: { user: user('ada'), change: 'joined' } }]);
        const { log } = opened;
        expect(
          await log.at([
            { room: two, seq: 1 },
            { room: one, seq: 3 },
            { room: one, seq: 4 },
            { room: none, seq: 1 },
            { room: one, seq: 0 },
            { room: one, seq: 3 },
          ]),
        ).toEqual([second[0], first[2], undefined, undefined, undefined, first[2]]);
        expect(await log.at([])).toEqual([]);
        expect(await log.heads([none, one, two, one])).toEqual([
          emptyHead,
          headAfter(first[2] as Entry),
          headAfter(second[0] as Entry),
          headAfter(first[2] as Entry),
        ]);
        expect(await log.heads([])).toEqual([]);
        expect(await log.lastMessages([none, two, one, quiet, one])).toEqual([undefined, second[0], first[1], undefined, first[1]]);
        expect(await log.lastMessages([])).toEqual([]);
      }));

    it('finds entries by (by, cid) and leaves out what is not there', () =>
      withStore(async (opened) => {
        const id = freshRoom();
        const entries = await fill(opened, id, [{ cid: 'a' }, { by: 'bob', cid: 'a' }, { cid: 'sys:node.life:1' }]);
        const ids = [
          { by: user('bob'), cid: cid('a') },
          { by: user('eve'), cid: cid('a') },
          { by: user('ada'), cid: cid('sys:node.life:1') },
        ];
        expect(new Set(await opened.log.byCid(id, ids))).toEqual(new Set([entries[1], entries[2]]));
        expect(await opened.log.byCid(freshRoom(), ids)).toEqual([]);
        expect(await opened.log.byCid(id, [])).toEqual([]);
      }));

    it('finds control entries and entries with a target, up to a seq', () =>
      withStore(async (opened) => {
        const id = freshRoom();
        const change = { user: user('bob'), change: 'joined' as const };
        const entries = await fill(opened, id, [
          { kind: 'room', room: { kind: 'group', public: true, members: [] } },
          {},
          { kind: 'member', member: change },
          { kind: 'react', target: 2, emoji: 'x', on: true },
          { kind: 'modify', target: 2, text: 'new' },
          {},
          { kind: 'react', target: 6, emoji: 'y', on: true },
          { kind: 'member', member: { ...change, change: 'left' } },
          { kind: 'react', target: 2, emoji: 'x', on: false },
        ]);
        const { log } = opened;
        expect(await log.controls(id, 0, 9)).toEqual(entries.filter(isControl));
        expect(seqs(await log.controls(id, 1, 8))).toEqual([3, 8]);
        expect(seqs(await log.controls(id, 1, 7))).toEqual([3]);
        expect(seqs(await log.controls(id, 3, 99))).toEqual([8]);
        expect(await log.controls(id, 8, 9)).toEqual([]);
        expect(await log.controls(id, 9, 3)).toEqual([]);
        expect(seqs(await log.byTarget(id, [2, 6], 99))).toEqual([4, 5, 7, 9]);
        expect(seqs(await log.byTarget(id, [6, 2, 2], 8))).toEqual([4, 5, 7]);
        expect(await log.byTarget(id, [1, 3, -1, 0.5], 99)).toEqual([]);
        expect(await log.byTarget(id, [], 99)).toEqual([]);
        expect(await log.byTarget(freshRoom(), [2], 99)).toEqual([]);
      }));
  });

  describe('messages', () => {
    it('pages through long runs of other entries, both ways and around', () =>
      withStore(async (opened) => {
        const id = freshRoom();
        const drafts: Draft[] = [];
        for (const run of [1, 300, 0, 0, 5, 60, 1, 1, 2, 200, 3]) {
          drafts.push({});
          drafts.push(...Array.from({ length: run }, () => ({ kind: 'react' as const, target: 1, emoji: 'x', on: true })));
        }
        const entries = await fill(opened, id, drafts, 100);
        const messages = entries.filter(isMessage);
        const { log } = opened;
        for (const limit of [1, 2, 3, 5, 100]) {
          for (const edge of [0, 1, 2, 3, 150, 303, 304, 305, 306, 400, 585, 586, 9_999]) {
            for (const bound of [0, 1, 304, 400, entries.length, 9_999]) {
              const known = messages.filter(({ seq }) => seq <= bound);
              const before = known.filter(({ seq }) => seq < edge);
              const from = known.filter(({ seq }) => seq >= edge);
              const after = known.filter(({ seq }) => seq > edge);
              const half = Math.floor(limit / 2);
              const name = `limit ${limit} at ${edge} up to ${bound}`;
              expect(seqs(await log.messages(id, { after: edge, limit }, bound)), `after ${name}`).toEqual(seqs(after.slice(0, limit)));
              expect(seqs(await log.messages(id, { before: edge, limit }, bound)), `before ${name}`).toEqual(seqs(before.slice(-limit)));
              const around = [...(half ? before.slice(-half) : []), ...from.slice(0, limit - half)];
              expect(seqs(await log.messages(id, { around: edge, limit }, bound)), `around ${name}`).toEqual(seqs(around));
            }
          }
        }
        expect(await log.messages(id, { after: 0, limit: 0 }, 999)).toEqual([]);
        expect(await log.messages(freshRoom(), { before: 10, limit: 5 }, 999)).toEqual([]);
      }));

    it('cuts the limit at 100', () =>
      withStore(async (opened) => {
        const id = freshRoom();
        await fill(
          opened,
          id,
          Array.from({ length: 150 }, () => ({})),
        );
        expect(seqs(await opened.log.messages(id, { before: 151, limit: 500 }, 150))).toEqual(upTo(51, 150));
        expect(seqs(await opened.log.messages(id, { after: 5, limit: 500 }, 150))).toEqual(upTo(6, 105));
      }));
  });

  describe('delete', () => {
    const secret = 'what was said';
    const scrubbed = (entries: readonly (Entry | undefined)[]) => entries.every((entry) => entry?.scrubbed === true && !('text' in entry));

    for (const inOneAppend of [true, false]) {
      it(`takes the text of the message and its edits out of every read, ${inOneAppend ? 'in one append with them' : 'appended later'}`, () =>
        withStore(async (opened) => {
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

    it('is harmless when its target is not there, is itself, or was deleted before', () =>
      withStore(async (opened) => {
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
      withStore(async ({ log }) => {
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
      withStore(async ({ log }) => {
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
        await Promise.resolve();
        expect(told).toEqual([1, 2, 3, 4, 5]);
        expect(await Promise.all(seen)).toEqual([true, true, true, true, true]);
        end();
        end();
        await log.append(id, 5, [entryAfter({ seq: 5, n: 5 })]);
        await Promise.resolve();
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

/** `fill` takes a store; these tests hold its log only. */
const store = (log: RoomStore['log']): RoomStore => ({ log }) as RoomStore;
