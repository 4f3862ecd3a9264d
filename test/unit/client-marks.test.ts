/**
 * Read marks at the client: the highest arrives whatever happens on the way; signals are taken only as the protocol says; the
 * terminal says what is unread.
 */
import { describe, expect, it } from 'vitest';
import type { ChatEvents } from '../../gateway/client/chat-client.ts';
import { ChatError } from '../../gateway/client/chat-error.ts';
import { ChatUnread } from '../../gateway/client/chat-unread.ts';
import { Emitter } from '../../gateway/client/emitter.ts';
import { ReadMarks } from '../../gateway/client/read-marks.ts';
import { toHead, toRead } from '../../gateway/client/signals.ts';
import { turns } from '../support/manual-clock.ts';

interface Try {
  readonly room: string;
  readonly seq: number;
  readonly ok: (answer: { seq: number; unread: number }) => void;
  readonly fail: (error: ChatError) => void;
}

function rig() {
  const tries: Try[] = [];
  const timers = new Map<number, () => void>();
  const marked: unknown[] = [];
  const line = { isOnline: true };
  let serial = 0;
  const marks = new ReadMarks({
    ask: (room, seq) => new Promise((ok, fail) => void tries.push({ room, seq, ok, fail })),
    isOnline: () => line.isOnline,
    onMarked: (answer) => void marked.push(answer),
    timing: {
      nowMs: () => 0,
      random: () => 1,
      after(_delayMs, task) {
        serial += 1;
        const id = serial;
        timers.set(id, task);
        return () => void timers.delete(id);
      },
    },
  });
  const elapse = () => {
    const due = [...timers.values()];
    timers.clear();
    for (const task of due) task();
  };
  return { marks, tries, marked, line, elapse, asked: () => tries.map(({ room, seq }) => `${room} ${seq}`) };
}

describe('a mark at the client', () => {
  it('is sent at once; of those that come meanwhile the highest follows, and lower ones never', async () => {
    const { marks, tries, marked, asked } = rig();
    marks.mark('a', 3);
    for (const seq of [5, 9, 7]) marks.mark('a', seq);
    marks.mark('b', 1);
    expect(asked()).toEqual(['a 3', 'b 1']);
    tries[0]?.ok({ seq: 3, unread: 6 });
    await turns(1);
    expect(asked()).toEqual(['a 3', 'b 1', 'a 9']);
    tries[2]?.ok({ seq: 9, unread: 0 });
    await turns(1);
    marks.mark('a', 8);
    expect(tries).toHaveLength(3);
    expect(marked).toEqual([
      { room: 'a', seq: 3, unread: 6 },
      { room: 'a', seq: 9, unread: 0 },
    ]);
  });

  it('waits while offline, and is sent again when its answer was lost', async () => {
    const { marks, tries, line, asked, elapse } = rig();
    line.isOnline = false;
    marks.mark('a', 3);
    marks.mark('a', 4);
    expect(asked()).toEqual([]);
    line.isOnline = true;
    marks.resume();
    expect(asked()).toEqual(['a 4']);
    tries[0]?.fail(new ChatError('CONNECTION_LOST', 'lost', true));
    await turns(1);
    elapse();
    expect(asked()).toEqual(['a 4', 'a 4']);
  });

  it('that is refused for good is dropped, and a later one is tried', async () => {
    const { marks, tries, asked, elapse } = rig();
    marks.mark('a', 3);
    tries[0]?.fail(new ChatError('FORBIDDEN', 'not a member', false));
    await turns(1);
    elapse();
    expect(asked()).toEqual(['a 3']);
    marks.mark('a', 4);
    expect(asked()).toEqual(['a 3', 'a 4']);
  });
});

describe('signals', () => {
  it('are taken as the protocol says, and not otherwise', () => {
    expect(toHead({ room: 'r', head: 4, n: 2, later: true })).toEqual({ room: 'r', head: 4, n: 2 });
    expect(toRead({ room: 'r', marks: [{ user: 'ada', seq: 3, n: 1 }, { user: 7 }, null] })).toEqual({
      room: 'r',
      marks: [{ user: 'ada', seq: 3, n: 1 }],
    });
    for (const bad of [
      undefined,
      null,
      'x',
      7,
      [],
      {},
      { room: 7 },
      { room: 'r' },
      { room: 'r', head: -1, n: 0 },
      { room: 'r', head: 1.5, n: 0 },
    ])
      expect([toHead(bad), toRead(bad)]).toEqual([undefined, undefined]);
    expect(toRead({ room: 'r', marks: [{ user: 'ada', seq: '3', n: 1 }] })).toBeUndefined();
  });
});

describe('the terminal', () => {
  function person() {
    const emitter = new Emitter<ChatEvents>();
    const said: string[] = [];
    const marks: [string, number][] = [];
    const rows = [
      { id: 'here', head: 9, n: 7, read: 3, unread: 5 },
      { id: 'dev\u001b[2J', head: 4, n: 4, read: 1, unread: 3 },
      { id: 'quiet', head: 4, n: 4, read: 4, unread: 0 },
    ];
    const client = {
      listRooms: async () => rows,
      markRead: (room: string, seq: number) => void marks.push([room, seq]),
      on: emitter.on.bind(emitter) as never,
    };
    const unread = new ChatUnread({ client, user: 'bob', room: 'here', say: (line) => void said.push(line) });
    return { emitter, said, marks, unread };
  }

  it('says at the start what is unread elsewhere, and lists it', async () => {
    const { said, unread } = person();
    await unread.begin();
    expect(said).toEqual(['unread: dev[2J 3']);
    expect(await unread.lines()).toEqual(['here  head #9  5 unread', 'dev[2J  head #4  3 unread', 'quiet  head #4']);
  });

  it('says once that a room has something new, and again only after it was read', async () => {
    const { emitter, said, unread } = person();
    await unread.begin();
    said.length = 0;
    emitter.emit('head', { room: 'quiet', head: 5, n: 5 });
    emitter.emit('head', { room: 'quiet', head: 6, n: 6 });
    emitter.emit('head', { room: 'here', head: 10, n: 8 });
    expect(said).toEqual(['(new in quiet: /rooms)']);
    emitter.emit('read', { room: 'quiet', marks: [{ user: 'ada', seq: 6, n: 6 }] });
    emitter.emit('head', { room: 'quiet', head: 7, n: 7 });
    expect(said).toHaveLength(1);
    emitter.emit('read', { room: 'quiet', marks: [{ user: 'bob', seq: 7, n: 7 }] });
    emitter.emit('head', { room: 'quiet', head: 8, n: 8 });
    expect(said).toHaveLength(2);
  });

  it('marks what it shows as read, and not an empty room', () => {
    const { marks, unread } = person();
    unread.shown(0);
    unread.shown(4);
    expect(marks).toEqual([['here', 4]]);
  });
});
