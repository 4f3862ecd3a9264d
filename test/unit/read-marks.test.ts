/**
 * Read marks as people see them: who is answered what, who is shown what, and what is kept.
 */
import { afterEach, describe, expect, it } from 'vitest';
import type { Answer, ClientCommand } from '../../actors/client-command.ts';
import type { RoomCommand } from '../../actors/room-commands.ts';
import type { RoomId, UserId } from '../../system/ids.ts';
import type { RoomStore } from '../../system/store/room-store.ts';
import { openMemoryStore } from '../../system/store/room-store-memory.ts';
import type { ReadMark } from '../../system/store/user-rooms.ts';
import {
  create,
  join,
  open,
  poison,
  type Stage,
  type StageClient,
  type StageOptions,
  send,
  startStage,
  stopStages,
} from '../support/actor-stage.ts';
import { turns } from '../support/manual-clock.ts';

afterEach(stopStages);

const lobby = 'lobby' as RoomId;
const mark = (seq: number, room = 'lobby'): ClientCommand => ({ type: 'read.mark', room: room as RoomId, seq });
const list: ClientCommand = { type: 'room.list' };
const code = (answer: Answer): string => (answer.ok ? 'ok' : answer.refusal.code);
const row = async (client: StageClient): Promise<unknown> => ((await client.done(list)) as unknown as { rooms: unknown[] }).rooms[0];
/** Lets the paced writes of marks pass. */
async function pass(on: Stage, ms = 1_200): Promise<void> {
  for (let step = 0; step < 6; step += 1) {
    on.clock.advance(ms / 6);
    await turns(3);
  }
}

/** A store whose writes of marks are counted, and can be held or failed. */
function watchedStore(): { store: RoomStore; calls: (readonly ReadMark[])[]; gate: { held: Promise<void> | undefined; error: unknown } } {
  const store = openMemoryStore();
  const calls: (readonly ReadMark[])[] = [];
  const gate: { held: Promise<void> | undefined; error: unknown } = { held: undefined, error: undefined };
  const { userRooms } = store;
  const markNow = userRooms.mark.bind(userRooms);
  userRooms.mark = async (room, marks) => {
    calls.push(marks);
    await gate.held;
    if (gate.error) throw gate.error;
    return markNow(room, marks);
  };
  return { store, calls, gate };
}

/** Alice has written three messages (3 to 5), Bob has joined and reads along. */
async function conversation(options?: StageOptions) {
  const on = startStage(options);
  const [alice, bob] = [on.connect('alice'), on.connect('bob')];
  await alice.done(create('lobby'));
  await bob.done(join('lobby'));
  await alice.done(open('lobby', 0));
  await bob.done(open('lobby', 0));
  for (const cid of ['a', 'b', 'c']) await alice.done(send('lobby', cid, cid));
  await pass(on);
  return { on, alice, bob };
}

describe('a read mark', () => {
  it('is answered with itself and what is unread after it, and room:list says the same', async () => {
    const { bob } = await conversation();
    expect(await row(bob)).toMatchObject({ head: 5, n: 3, read: 2, unread: 3 });
    expect(await bob.done(mark(4))).toEqual({ type: 'marked', seq: 4, unread: 1 });
    expect(await row(bob)).toMatchObject({ head: 5, read: 4, unread: 1 });
  });

  it('never goes back: a lower one changes nothing and is answered with what stands', async () => {
    const { on, bob } = await conversation();
    await bob.done(mark(5));
    await pass(on);
    const lower = bob.ask(mark(3));
    await pass(on);
    expect(await lower).toEqual({ ok: true, result: { type: 'marked', seq: 5, unread: 0 } });
    expect(await row(bob)).toMatchObject({ read: 5, unread: 0 });
  });

  it('of what does not exist yet is INVALID; of a room one is not in, as if there were none', async () => {
    const { on, bob, alice } = await conversation();
    expect(await bob.ask(mark(6))).toMatchObject({
      ok: false,
      refusal: { code: 'INVALID', message: expect.stringContaining('which is 5') },
    });
    const carol = on.connect('carol');
    expect(code(await carol.ask(mark(1)))).toBe('FORBIDDEN');
    await alice.done(create('secret', false));
    expect(await carol.ask(mark(1, 'secret'))).toEqual(await carol.ask(mark(1, 'nowhere')));
  });

  it('counts messages only: edits and reactions before it and after it are not unread', async () => {
    const { on, alice, bob } = await conversation();
    const react = (cid: string): ClientCommand => ({
      type: 'message.react',
      room: lobby,
      cid: cid as never,
      target: 3,
      emoji: 'x',
      on: true,
    });
    await alice.done(react('r1'));
    await alice.done(react('r2'));
    await alice.done(send('lobby', 'd', 'd'));
    await pass(on);
    expect(await bob.done(mark(6))).toEqual({ type: 'marked', seq: 6, unread: 1 });
  });

  it('outlives leaving and coming back, and what was said meanwhile is not unread', async () => {
    const { on, alice, bob } = await conversation();
    await bob.done(mark(5));
    await bob.done({ type: 'room.leave', room: lobby });
    await alice.done(send('lobby', 'd', 'while bob is away'));
    expect(code(await bob.ask(mark(5)))).toBe('FORBIDDEN');
    await bob.done(join('lobby'));
    await pass(on);
    expect(await row(bob)).toMatchObject({ head: 8, read: 8, unread: 0 });
  });

  it('is kept: a new node on the same store has it', async () => {
    const store = openMemoryStore();
    const { bob } = await conversation({ store });
    await bob.done(mark(4));
    const again = startStage({ store });
    expect(await row(again.connect('bob'))).toMatchObject({ read: 4, unread: 1 });
  });

  it('of many a second becomes few writes, the last wins, and each is answered', async () => {
    const { store, calls } = watchedStore();
    const { on, alice, bob } = await conversation({ store });
    for (let index = 0; index < 40; index += 1) await alice.done(send('lobby', `m${index}`, 'x'));
    await pass(on);
    calls.length = 0;
    const asked: Promise<Answer>[] = [];
    for (let seq = 6; seq <= 45; seq += 1) {
      asked.push(bob.ask(mark(seq)));
      on.clock.advance(10);
      await turns(1);
    }
    await pass(on);
    const answers = await Promise.all(asked);
    expect(answers.every((answer) => answer.ok)).toBe(true);
    expect(answers.at(-1)).toEqual({ ok: true, result: { type: 'marked', seq: 45, unread: 0 } });
    expect(calls.length).toBeGreaterThan(1);
    expect(calls.length).toBeLessThanOrEqual(4);
    expect(calls.every((marks) => marks.length === 1)).toBe(true);
  });

  it('is not answered before it is durable, and refused as retryable when it cannot be kept or takes too long', async () => {
    const { store, gate } = watchedStore();
    const { on, bob } = await conversation({ store });
    let release: () => void = () => {};
    gate.held = new Promise((resolve) => (release = resolve));
    let answer: Answer | undefined;
    bob.handle.command(mark(4), (given) => (answer = given));
    await pass(on);
    expect(answer).toBeUndefined();
    release();
    await turns(3);
    expect(answer).toMatchObject({ ok: true });
    gate.held = undefined;
    gate.error = new Error('disk full');
    await pass(on);
    expect(await bob.ask(mark(5))).toMatchObject({ ok: false, refusal: { code: 'STORE_UNAVAILABLE', retryable: true } });
    gate.error = undefined;
    gate.held = new Promise(() => {});
    await pass(on);
    const late = bob.ask(mark(5));
    await pass(on, 6_600);
    expect(await late).toMatchObject({ ok: false, refusal: { code: 'STORE_UNAVAILABLE' } });
  });

  it('that waits when the room crashes is refused as retryable, and the next one is kept', async () => {
    const { store, gate } = watchedStore();
    const { on, bob } = await conversation({ store });
    gate.held = new Promise(() => {});
    let answer: Answer | undefined;
    bob.handle.command(mark(4), (given) => (answer = given));
    await turns(4);
    on.rooms.sendIfActive(lobby, poison<RoomCommand>('room.mark'));
    gate.held = undefined;
    await pass(on);
    expect(answer).toMatchObject({ ok: false, refusal: { code: 'INTERNAL', retryable: true } });
    expect(await bob.done(mark(5))).toEqual({ type: 'marked', seq: 5, unread: 0 });
  });

  it('beyond a thousand waiting in one room is answered BUSY', async () => {
    const { store, gate } = watchedStore();
    const { on, bob } = await conversation({ store });
    gate.held = new Promise(() => {});
    const answers: Answer[] = [];
    for (let index = 0; index < 1_002; index += 1) {
      bob.handle.command(mark(4), (given) => answers.push(given));
      if (index % 100 === 0) await turns(2);
    }
    await turns(4);
    expect(answers.map(code)).toEqual(['BUSY', 'BUSY']);
    expect(on.lines.filter(({ ev }) => ev === 'actor.crash')).toEqual([]);
  });
});

describe('what one wrote', () => {
  it('is read: sending moves the mark, also past what others wrote before', async () => {
    const { on, alice, bob } = await conversation();
    await bob.done(send('lobby', 'd', 'me too'));
    await alice.done(send('lobby', 'e', 'well'));
    await pass(on);
    expect(await row(bob)).toMatchObject({ head: 7, read: 6, unread: 1 });
    expect(await row(alice)).toMatchObject({ unread: 0 });
  });

  it('is read at once, and also when its mark was lost with the node', async () => {
    const { store, gate } = watchedStore();
    gate.error = new Error('killed before it was kept');
    const { alice } = await conversation({ store });
    expect(await row(alice)).toMatchObject({ read: 5, unread: 0 });
  });

  it('costs one write a second for the whole room, and a room that ends does not lose it', async () => {
    const { store, calls } = watchedStore();
    const { on, alice, bob } = await conversation({ store });
    calls.length = 0;
    for (let index = 0; index < 30; index += 1) await (index % 2 === 0 ? alice : bob).done(send('lobby', `m${index}`, 'x'));
    await pass(on);
    expect(calls.map((marks) => marks.map(({ user, seq }) => [user, seq]))).toEqual([
      [
        ['alice', 34],
        ['bob', 35],
      ],
    ]);
    await alice.done(send('lobby', 'last', 'x'));
    await on.stop();
    expect(await store.userRooms.list('alice' as UserId, 1)).toMatchObject([{ readSeq: 36 }]);
  });
});

describe('a read mark is shown', () => {
  const shown = (client: StageClient) => client.sink.events('read');
  const said = (seq: number, n: number, user = 'bob') => ({ room: 'lobby', marks: [{ user, seq, n }] });

  it('to the readers of the room and to the other devices of the user, once, and not when it did not move', async () => {
    const { on, alice, bob } = await conversation();
    const phone = on.connect('bob');
    const tablet = on.connect('bob');
    await tablet.done(open('lobby', 5));
    await bob.done(mark(4));
    await turns(2);
    expect(shown(alice)).toEqual([said(4, 2)]);
    expect(shown(phone)).toEqual([said(4, 2)]);
    expect(shown(tablet)).toEqual([said(4, 2)]);
    const again = bob.ask(mark(4));
    await pass(on);
    await again;
    expect([shown(alice), shown(phone), shown(tablet)].map((events) => events.length)).toEqual([1, 1, 1]);
  });

  it('to readers as one event for what was kept together', async () => {
    const { on, alice, bob } = await conversation();
    const carol = on.connect('carol');
    await carol.done(join('lobby'));
    await alice.done(send('lobby', 'd', 'd'));
    await pass(on);
    await bob.done(mark(3));
    const [five, seven] = [bob.ask(mark(5)), carol.ask(mark(7))];
    await pass(on);
    await Promise.all([five, seven]);
    const marks = [
      { user: 'bob', seq: 5, n: 3 },
      { user: 'carol', seq: 7, n: 4 },
    ];
    expect(shown(alice)).toEqual([said(3, 1), { room: 'lobby', marks }]);
  });

  it('by a message to the own devices that do not have the room open, and to nobody else', async () => {
    const { on, alice, bob } = await conversation();
    const phone = on.connect('alice');
    const tablet = on.connect('alice');
    await tablet.done(open('lobby', 5));
    await alice.done(send('lobby', 'd', 'd'));
    await pass(on);
    expect(shown(phone)).toEqual([said(6, 4, 'alice')]);
    expect([shown(alice).length, shown(bob).length, shown(tablet).length].slice(1)).toEqual([0, 0]);
  });

  it('in a room of more than 100 members to the own devices alone; typing is not shown there either', async () => {
    const { on, alice, bob } = await conversation();
    for (let index = 0; index < 99; index += 1) await alice.done({ type: 'room.invite', room: lobby, user: `guest${index}` as UserId });
    const phone = on.connect('bob');
    await phone.done(open('lobby', 104));
    await pass(on);
    await bob.done(mark(5));
    await turns(2);
    expect(await bob.done({ type: 'typing', room: lobby })).toEqual({ type: 'done' });
    expect([shown(alice), shown(phone)]).toEqual([[], [said(5, 3)]]);
    expect(alice.sink.events('typing')).toEqual([]);
    await alice.done({ type: 'room.kick', room: lobby, user: 'guest7' as UserId });
    await bob.done({ type: 'typing', room: lobby });
    await pass(on);
    await bob.done(mark(104));
    expect(alice.sink.events('typing')).toEqual([{ room: 'lobby', users: ['bob'] }]);
    expect(shown(alice)).toHaveLength(1);
  });
});
