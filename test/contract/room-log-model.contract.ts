/**
 * RoomLog against a naive model: random appends and reads applied to both, answers compared.
 *
 * The model is an array per room and filters over it: slow, and too simple to be wrong.
 */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { type Entry, emptyHead, headAfter, isControl, isMessage } from '../../system/store/entry.ts';
import type { Range } from '../../system/store/room-log.ts';
import type { RoomStore } from '../../system/store/room-store.ts';
import { cid, entriesAfter, room, user } from '../support/entries.ts';
import type { StoreFactory } from '../support/store-stories.ts';

const roomIds = ['a', 'a-', '__proto__'];

class Model {
  readonly logs = new Map<string, Entry[]>();

  log(id: string): Entry[] {
    const log = this.logs.get(id) ?? [];
    this.logs.set(id, log);
    return log;
  }

  append(id: string, after: number, entries: readonly Entry[], leavesPrefix: boolean): 'appended' | 'conflict' {
    const log = this.log(id);
    const key = (entry: Entry) => `${entry.by}!${entry.cid}`;
    const taken = new Set(log.map(key));
    if (after !== log.length || new Set(entries.map(key)).size !== entries.length) return 'conflict';
    const firstTaken = entries.findIndex((entry) => taken.has(key(entry)));
    if (firstTaken < 0) this.add(log, entries);
    else if (leavesPrefix) this.add(log, entries.slice(0, firstTaken));
    return firstTaken < 0 ? 'appended' : 'conflict';
  }

  private add(log: Entry[], entries: readonly Entry[]): void {
    for (const entry of entries) {
      log.push(entry);
      if (entry.kind !== 'delete' || entry.target === undefined || entry.target >= entry.seq) continue;
      for (const [index, old] of log.entries()) {
        const isGone = old.seq < entry.seq && (old.seq === entry.target || (old.kind === 'modify' && old.target === entry.target));
        if (!isGone) continue;
        const { text: _text, ...rest } = old;
        log[index] = { ...rest, scrubbed: true };
      }
    }
  }

  read(id: string, range: Range): readonly Entry[] {
    const log = this.log(id);
    if ('after' in range) return log.filter(({ seq }) => seq > range.after).slice(0, range.limit);
    if ('before' in range) return range.limit === 0 ? [] : log.filter(({ seq }) => seq < range.before).slice(-range.limit);
    const first = range.around - Math.floor(range.limit / 2);
    return log.filter(({ seq }) => seq >= first && seq < first + range.limit);
  }

  messages(id: string, range: Range, upTo: number): readonly Entry[] {
    const known = this.log(id).filter((entry) => isMessage(entry) && entry.seq <= upTo);
    const last = (entries: readonly Entry[], count: number) => (count === 0 ? [] : entries.slice(-count));
    if ('after' in range) return known.filter(({ seq }) => seq > range.after).slice(0, range.limit);
    if ('before' in range)
      return last(
        known.filter(({ seq }) => seq < range.before),
        range.limit,
      );
    const half = Math.floor(range.limit / 2);
    const before = known.filter(({ seq }) => seq < range.around);
    return [...last(before, half), ...known.filter(({ seq }) => seq >= range.around).slice(0, range.limit - half)];
  }
}

const draft = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constantFrom('message' as const, 'reply' as const),
      text: fc.string({ unit: 'binary', maxLength: 20 }),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('react' as const), target: fc.nat(12), emoji: fc.constant('x'), on: fc.boolean() }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('modify' as const), target: fc.nat(12), text: fc.string() }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('delete' as const), target: fc.nat(12) }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('member' as const), member: fc.constant({ user: user('bob'), change: 'left' as const }) }),
  },
);
const named = fc
  .tuple(draft, fc.constantFrom('ada', 'bob'), fc.nat(150))
  .map(([fields, by, number]) => ({ ...fields, by, cid: `c${number}` }));
const position = fc.integer({ min: -2, max: 60 });
const range: fc.Arbitrary<Range> = fc
  .tuple(fc.constantFrom('after', 'before', 'around'), position, fc.nat(20))
  .map(([form, at, limit]) => ({ [form]: at, limit }) as unknown as Range);

const step = fc.record({
  room: fc.constantFrom(...roomIds),
  appends: fc.array(fc.record({ shift: fc.constantFrom(0, 0, 0, 0, -1, 1, 2), drafts: fc.array(named, { minLength: 1, maxLength: 8 }) }), {
    maxLength: 3,
  }),
  range,
  upTo: position,
  targets: fc.array(position, { maxLength: 4 }),
  ids: fc.uniqueArray(fc.nat(150), { maxLength: 4 }),
  isReopened: fc.nat(15).map((number) => number === 0),
});

export function roomLogModelContract(factory: StoreFactory, runs: number): void {
  it(`answers as a naive model does, over ${runs} random stories`, { timeout: 60_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 25 }), async (steps) => {
        let store: RoomStore = await factory.open();
        try {
          const model = new Model();
          for (const { room: id, appends, range: asked, upTo, targets, ids, isReopened } of steps) {
            const of = room(id);
            for (const { shift, drafts } of appends) {
              const head = model.log(id).at(-1) ?? emptyHead;
              const after = Math.max(head.seq + shift, 0);
              const entries = entriesAfter({ seq: after, n: after === head.seq ? head.n : after }, drafts);
              expect((await store.log.append(of, after, entries)).type).toBe(
                model.append(id, after, entries, factory.leavesPrefix ?? false),
              );
            }
            if (isReopened && factory.reopen) {
              await store.close();
              store = await factory.reopen(store);
            }
            const log = model.log(id);
            expect(await store.log.read(of, asked)).toEqual(model.read(id, asked));
            expect(await store.log.messages(of, asked, upTo)).toEqual(model.messages(id, asked, upTo));
            expect(await store.log.controls(of, asked.limit, upTo)).toEqual(
              log.filter((entry) => isControl(entry) && entry.seq > asked.limit && entry.seq <= upTo),
            );
            expect(await store.log.byTarget(of, targets, upTo)).toEqual(
              log.filter(({ target, seq }) => target !== undefined && targets.includes(target) && seq <= upTo),
            );
            const wanted = ids.map((number) => ({ by: user('ada'), cid: cid(`c${number}`) }));
            const byCid = await store.log.byCid(of, wanted);
            expect(byCid.toSorted((a, b) => a.seq - b.seq)).toEqual(
              log.filter((entry) => entry.by === 'ada' && wanted.some((ref) => ref.cid === entry.cid)),
            );
            expect(await store.log.at(targets.map((seq) => ({ room: of, seq })))).toEqual(targets.map((seq) => log[seq - 1]));
          }
          const rooms = roomIds.map(room);
          const lasts = roomIds.map((id) => model.log(id).at(-1));
          expect(await store.log.heads(rooms)).toEqual(lasts.map((last) => (last ? headAfter(last) : emptyHead)));
          expect(await store.log.lastMessages(rooms)).toEqual(roomIds.map((id) => model.log(id).findLast(isMessage)));
        } finally {
          await store.close();
        }
      }),
      { numRuns: runs, endOnFailure: true },
    );
  });
}
