/**
 * The contract of RoomLog as tests: what each read answers.
 */
import { describe, expect, it } from 'vitest';
import { type Entry, emptyHead, headAfter, isControl, isMessage } from '../../system/store/entry.ts';
import type { Range } from '../../system/store/room-log.ts';
import { cid, type Draft, user } from '../support/entries.ts';
import { fill, freshRoom, type StoreFactory, seqs, upTo, withStore } from '../support/store-stories.ts';

export function roomLogReadContract(factory: StoreFactory): void {
  describe('read', () => {
    it('answers all three ranges, cut at both ends, ascending', () =>
      withStore(factory, async (opened) => {
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
      withStore(factory, async (opened) => {
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
      withStore(factory, async (opened) => {
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
      withStore(factory, async (opened) => {
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
      withStore(factory, async (opened) => {
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
      withStore(factory, async (opened) => {
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
      withStore(factory, async (opened) => {
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
}
