/** RoomHistory: pages as of a head, bounded by bytes, and messages folded with their changes. */
import { describe, expect, it } from 'vitest';
import { foldMessage, readPage } from '../../actors/room-history.ts';
import type { Cid, RoomId, UserId } from '../../system/ids.ts';
import { type Entry, isMessage } from '../../system/store/entry.ts';
import { openMemoryStore } from '../../system/store/room-store-memory.ts';

const room = 'r' as RoomId;
const entriesOf = (drafts: readonly Partial<Entry>[]): Entry[] => {
  let n = 0;
  return drafts.map((draft, index) => {
    const kind = draft.kind ?? 'message';
    if (isMessage({ kind })) n += 1;
    return { seq: index + 1, n, kind, by: 'ann' as UserId, at: 0, cid: `c${index}` as Cid, writer: 'w', ...draft } as Entry;
  });
};
async function logOf(drafts: readonly Partial<Entry>[]) {
  const { log } = openMemoryStore();
  expect(await log.append(room, 0, entriesOf(drafts))).toEqual({ type: 'appended' });
  return log;
}
const long = 'x'.repeat(16_000);

describe('a page', () => {
  it('holds fewer messages when they are long, the nearest ones, and says that there are more', async () => {
    const log = await logOf(Array.from({ length: 20 }, () => ({ text: long })));
    const back = await readPage(log, room, { before: 21, limit: 20 }, 20);
    expect(back.entries.map((entry) => entry.seq)).toEqual([16, 17, 18, 19, 20]);
    expect(back).toMatchObject({ hasBefore: true, hasAfter: false });
    const forth = await readPage(log, room, { after: 0, limit: 20 }, 20);
    expect(forth.entries.map((entry) => entry.seq)).toEqual([1, 2, 3, 4, 5]);
    expect(forth).toMatchObject({ hasBefore: false, hasAfter: true });
  });

  it('folds in what changed up to the head it names, and nothing later', async () => {
    const log = await logOf([{ text: 'one' }, { kind: 'modify', target: 1, text: 'two' }, { kind: 'modify', target: 1, text: 'three' }]);
    expect((await readPage(log, room, { before: 9, limit: 5 }, 2)).entries).toMatchObject([{ seq: 1, text: 'two', edited: 2 }]);
  });

  it('quotes the answered message as it is now, cut, or says that it is deleted', async () => {
    const log = await logOf([{ text: '🙂'.repeat(300) }, { kind: 'reply', replyTo: 1, text: 'yes' }]);
    const [, reply] = (await readPage(log, room, { before: 9, limit: 5 }, 2)).entries;
    expect([...(reply?.quote?.text ?? '')]).toHaveLength(200);
  });
});

describe('a message with its changes', () => {
  const [message] = entriesOf([{ text: 'a' }]) as [Entry];
  const change = (seq: number, over: Partial<Entry>): Entry => ({ ...message, seq, target: 1, ...over }) as Entry;
  it.each([
    ['an edit', [change(2, { kind: 'modify', text: 'b' })], { text: 'b', edited: 2 }],
    [
      'the last of two edits',
      [change(2, { kind: 'modify', text: 'b' }), change(3, { kind: 'modify', text: 'c' })],
      { text: 'c', edited: 3 },
    ],
    [
      'a reaction twice',
      [change(2, { kind: 'react', emoji: 'x', on: true }), change(3, { kind: 'react', emoji: 'x', on: true })],
      { reactions: [{ emoji: 'x', users: ['ann'] }] },
    ],
    [
      'a reaction taken back',
      [change(2, { kind: 'react', emoji: 'x', on: true }), change(3, { kind: 'react', emoji: 'x', on: false })],
      { text: 'a' },
    ],
    ['a delete after an edit', [change(2, { kind: 'modify', text: 'b' }), change(3, { kind: 'delete' })], { deleted: true }],
  ] as const)('shows %s', (_what, changes, expected) => {
    const { seq: _seq, n: _n, kind: _kind, by: _by, at: _at, cid: _cid, writer: _writer, ...shown } = foldMessage(message, changes);
    expect(shown).toEqual({ ...('deleted' in expected ? {} : { text: 'a' }), ...expected });
  });
});
