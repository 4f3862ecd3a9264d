/**
 * The room cursor: entries once and in order whatever comes in; then the same over a socket that lies.
 */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ChatClient } from '../../gateway/client/chat-client.ts';
import { type CursorAction, RoomCursor, type Violation } from '../../gateway/client/room-cursor.ts';
import type { WireEntry, WireOpened } from '../../gateway/client-protocol.ts';
import { StubNode } from '../replay/stub-node.ts';

const entry = (seq: number): WireEntry => ({ seq, n: seq, kind: 'message', by: 'bob', at: 0, cid: `c${seq}`, text: `t${seq}` });
const entries = (...seqs: number[]): WireEntry[] => seqs.map(entry);
const replay = (since: number, to: number, head = to): WireOpened => {
  const page = Array.from({ length: to - since }, (_, index) => entry(since + 1 + index));
  return { verdict: 'replay', head, upTo: to, epoch: 'e1', entries: page, more: to < head };
};
const shown = (actions: readonly CursorAction[]): number[] =>
  actions.flatMap((action) => (action.type === 'entries' ? action.entries.map(({ seq }) => seq) : []));
const kinds = (actions: readonly CursorAction[]): string[] => actions.map(({ type }) => type);
const violation = (actions: readonly CursorAction[]): Violation | undefined =>
  actions.flatMap((action) => (action.type === 'violation' ? [action.violation] : []))[0];

function opened(since: number, to: number): RoomCursor {
  const cursor = new RoomCursor('lobby', { since });
  cursor.answered(cursor.begin().opening, replay(since, to));
  return cursor;
}

describe('room cursor', () => {
  it('asks from where it stands: since, epoch', () => {
    const cursor = opened(0, 3);
    cursor.arrived(entries(4, 5));
    cursor.rest();
    expect(cursor.begin().payload).toMatchObject({ room: 'lobby', since: 5, epoch: 'e1' });
  });

  it('shows the replay, then what follows', () => {
    const cursor = new RoomCursor('lobby', { since: 2 });
    const actions = cursor.answered(cursor.begin().opening, replay(2, 4));
    expect(kinds(actions)).toEqual(['opened', 'entries']);
    expect(shown(actions)).toEqual([3, 4]);
    expect(shown(cursor.arrived(entries(5, 6)))).toEqual([5, 6]);
  });

  it.each([
    ['a hole', [5, 7, 8], [5], { kind: 'hole', expectedSeq: 6, gotSeq: 7 }],
    ['a repeat', [5, 5], [5], { kind: 'repeat', expectedSeq: 6, gotSeq: 5 }],
    ['an older entry', [3], [], { kind: 'repeat', expectedSeq: 5, gotSeq: 3 }],
    ['two swapped', [6, 5], [], { kind: 'hole', expectedSeq: 5, gotSeq: 6 }],
  ])('reports %s loudly, shows only what is in order, and opens anew', (_, seqs, good, expected) => {
    const cursor = opened(0, 4);
    const actions = cursor.arrived(entries(...seqs));
    expect(shown(actions)).toEqual(good);
    expect(violation(actions)).toMatchObject(expected);
    expect(actions.at(-1)?.type).toBe('reopen');
    // Until the new answer nothing is shown: it belongs to the old opening.
    expect(cursor.arrived(entries(6))).toEqual([]);
    const { opening, payload } = cursor.begin();
    expect(payload.since).toBe(4 + good.length);
    expect(shown(cursor.answered(opening, replay(4 + good.length, 8)))).toEqual([5, 6, 7, 8].slice(good.length));
  });

  it('waits longer before each opening that fails again', () => {
    const cursor = opened(0, 1);
    const delays = [1, 2, 3].map(() => {
      const actions = cursor.isResting ? cursor.answered(cursor.begin().opening, { ...replay(1, 1), upTo: 9 }) : cursor.arrived(entries(9));
      const last = actions.at(-1);
      return last?.type === 'reopen' ? last.delayMs : 0;
    });
    expect(delays).toEqual([50, 100, 200]);
  });

  it('ignores the answer of an opening that was overtaken', () => {
    const cursor = new RoomCursor('lobby', { since: 0 });
    const first = cursor.begin();
    const second = cursor.begin();
    expect(cursor.answered(first.opening, replay(0, 3))).toEqual([]);
    expect(shown(cursor.answered(second.opening, replay(0, 3)))).toEqual([1, 2, 3]);
  });

  it('jumps by the word snapshot, says what was skipped, and goes on after upTo', () => {
    const cursor = opened(0, 3);
    cursor.rest();
    const actions = cursor.answered(cursor.begin().opening, {
      verdict: 'snapshot',
      head: 90,
      upTo: 90,
      epoch: 'e1',
      entries: entries(88, 89),
      more: true,
    });
    expect(kinds(actions)).toEqual(['opened', 'snapshot']);
    expect(actions[1]).toMatchObject({ snapshot: { since: 3, upTo: 90, hasBefore: true, isResume: true } });
    expect(shown(cursor.arrived(entries(91)))).toEqual([91]);
  });

  it('does not go back within the same log, but takes another life of the log as it is', () => {
    const back: WireOpened = { verdict: 'snapshot', head: 2, upTo: 2, epoch: 'e1', entries: [], more: false };
    const cursor = opened(0, 5);
    cursor.rest();
    expect(violation(cursor.answered(cursor.begin().opening, back))).toMatchObject({ kind: 'backwards', expectedSeq: 5, gotSeq: 2 });
    expect(kinds(cursor.answered(cursor.begin().opening, { ...back, epoch: 'e2' }))).toEqual(['opened', 'snapshot']);
    expect(cursor.lastSeq).toBe(2);
  });

  it('distrusts a replay of another log, and one that does not reach its own upTo', () => {
    const cursor = opened(0, 5);
    cursor.rest();
    expect(violation(cursor.answered(cursor.begin().opening, { ...replay(5, 6), epoch: 'e2' }))?.kind).toBe('malformed');
    expect(violation(cursor.answered(cursor.begin().opening, { ...replay(5, 6), upTo: 8, head: 8 }))?.kind).toBe('malformed');
    expect(cursor.lastSeq).toBe(5);
  });

  it('says that the room is gone when the way back is denied', () => {
    const cursor = opened(0, 5);
    cursor.rest();
    const denied: WireOpened = { verdict: 'denied', head: 0, upTo: 0, epoch: '', entries: [], more: false };
    expect(cursor.answered(cursor.begin().opening, denied)).toEqual([{ type: 'gone', reason: 'denied' }]);
  });
});

describe('a client with an open room', () => {
  const node = new StubNode();
  const clients: ChatClient[] = [];
  const seen: number[] = [];
  const violations: Violation[] = [];

  async function enter(user: string): Promise<ChatClient> {
    const client = new ChatClient();
    clients.push(client);
    client.on('entries', (event) => seen.push(...event.entries.map(({ seq }) => seq)));
    client.on('violation', (event) => violations.push(event));
    await client.connect({ url: node.url, token: user });
    return client;
  }
  const talk = (count: number): void => {
    for (let index = 0; index < count; index += 1)
      node.append('lobby', 'bob', `b${node.log('lobby').length}`, { kind: 'message', text: 'x' });
  };
  const upTo = (last: number): number[] => Array.from({ length: last }, (_, index) => index + 1);

  beforeEach(async () => {
    node.logs.clear();
    node.resumeEntriesMax = 10_000;
    seen.length = 0;
    violations.length = 0;
    await node.start();
    node.append('lobby', 'alice', 'sys-0', {
      kind: 'room',
      room: { kind: 'group', public: true, members: [{ user: 'alice', role: 'owner' }] },
    });
  });
  afterEach(async () => {
    for (const client of clients.splice(0)) client.end();
    delete node.faults.deliver;
    await node.stop();
  });

  it('is shown every entry once over cuts and restarts', async () => {
    const client = await enter('alice');
    talk(250);
    await client.open('lobby', { since: 0 });
    talk(5);
    await vi.waitFor(() => expect(seen.length).toBe(256));
    node.cut();
    talk(150); // More than a page: the rest comes as events right behind the answer, in the same bytes.
    await vi.waitFor(() => expect(seen.length).toBe(406), 5_000);
    await node.stop();
    talk(7);
    await node.start();
    await vi.waitFor(() => expect(seen.length).toBe(413), 8_000);
    expect(seen).toEqual(upTo(413));
    expect(violations).toEqual([]);
  });

  it('sees a hole in the entries as a violation, and is shown the rest once after opening anew', async () => {
    const client = await enter('alice');
    await client.open('lobby', { since: 0 });
    node.faults.deliver = (given) => given.filter(({ seq }) => seq !== 4);
    talk(6);
    await vi.waitFor(() => expect(seen.length).toBe(7));
    expect(seen).toEqual(upTo(7));
    expect(violations).toEqual([{ room: 'lobby', kind: 'hole', expectedSeq: 4, gotSeq: 5 }]);
  });

  it('sees an entry that comes twice as a violation, and shows it once', async () => {
    const client = await enter('alice');
    await client.open('lobby', { since: 0 });
    node.faults.deliver = (given) => given.flatMap((each) => (each.seq === 4 ? [each, each] : [each]));
    talk(6);
    await vi.waitFor(() => expect(seen.length).toBe(7));
    expect(seen).toEqual(upTo(7));
    expect(violations[0]).toMatchObject({ kind: 'repeat', gotSeq: 4 });
  });

  it('that comes back too late gets a snapshot that says what was skipped, and goes on behind it', async () => {
    const client = await enter('alice');
    const jumps: unknown[] = [];
    client.on('snapshot', ({ since, upTo: to }) => jumps.push({ since, to }));
    await client.open('lobby', { since: 0 });
    await vi.waitFor(() => expect(seen).toEqual([1]));
    client.disconnect();
    node.resumeEntriesMax = 10;
    talk(30);
    await client.connect({ url: node.url, token: 'alice' });
    await vi.waitFor(() => expect(jumps).toEqual([{ since: 1, to: 31 }]));
    talk(1);
    await vi.waitFor(() => expect(seen).toEqual([1, 32]));
    expect(violations).toEqual([]);
  });

  it('rejects an open that can never succeed, and says gone when the way back is closed', async () => {
    const client = await enter('mallory');
    await expect(client.open('lobby')).rejects.toMatchObject({ code: 'FORBIDDEN' });
    const alice = await enter('alice');
    const gone: string[] = [];
    alice.on('gone', ({ reason }) => gone.push(reason));
    await alice.open('lobby', { since: 0 });
    alice.disconnect();
    node.append('lobby', 'alice', 'sys-9', { kind: 'member', member: { user: 'alice', change: 'left' } });
    await alice.connect({ url: node.url, token: 'alice' });
    await vi.waitFor(() => expect(gone).toEqual(['denied']));
  });
});
