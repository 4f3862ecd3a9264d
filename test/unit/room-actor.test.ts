/**
 * Room, session, rooms, gateway as actors: what people see.
 */
import { afterEach, describe, expect, it } from 'vitest';
import type { Answer } from '../../actors/client-command.ts';
import type { RoomCommand } from '../../actors/room-commands.ts';
import type { ReaderGone } from '../../actors/room-readers.ts';
import { callbackRef } from '../../system/actor.ts';
import type { Cid, RoomId, UserId } from '../../system/ids.ts';
import type { AppendOutcome } from '../../system/store/room-log.ts';
import { create, join, open, poison, RecordingSink, type StageOptions, send, startStage, stopStages } from '../support/actor-stage.ts';
import { turns } from '../support/manual-clock.ts';
import { code, lobby, settle, stored, twoPeople } from '../support/room-people.ts';

afterEach(stopStages);

/** `twoPeople` on a node whose rooms gather as long as `busy.ms` says. */
async function busyRoom(options?: StageOptions) {
  const busy = { ms: 0 };
  const people = await twoPeople({ ...options, gatherMs: () => busy.ms });
  const say = (cid: string) => {
    let answer: Answer | undefined;
    people.alice.handle.command(send('lobby', cid, cid), (given) => {
      answer = given;
    });
    return {
      isAnswered: () => answer !== undefined,
      get answered(): Promise<Answer> {
        return (async () => {
          for (let turn = 0; turn < 200 && !answer; turn += 1) await turns(1);
          if (!answer) throw new Error(`no answer to ${cid}`);
          return answer;
        })();
      },
    };
  };
  return { ...people, busy, say };
}

describe('people in a room', () => {
  it('get what is said once, in order, as one frame for what was said in one turn', async () => {
    const { alice, bob } = await twoPeople();
    const answers = await Promise.all(['a', 'b', 'c'].map((cid) => alice.ask(send('lobby', cid, cid))));
    expect(answers.map(stored)).toEqual([3, 4, 5]);
    expect(bob.sink.seqs('lobby')).toEqual([3, 4, 5]);
    expect(bob.sink.events('entries')).toHaveLength(1);
  });

  it('of a busy node wait for others: the first is stored at once, the next ones together, in one append and one frame', async () => {
    const { on, busy, alice, bob, say } = await busyRoom();
    await say('first').answered;
    busy.ms = 40;
    await say('leads').answered;
    const gathered = ['a', 'b', 'c'].map(say);
    await turns(10);
    expect(gathered.map(({ isAnswered }) => isAnswered())).toEqual([false, false, false]);
    const again = on.connect('bob');
    expect(await again.done(open('lobby', 2))).toMatchObject({ verdict: 'replay', upTo: 4 });
    on.clock.advance(40);
    for (const { answered } of gathered) await answered;
    expect(bob.sink.events('entries')).toHaveLength(3);
    expect([bob, alice].map(({ sink }) => sink.seqs('lobby'))).toEqual([
      [3, 4, 5, 6, 7],
      [3, 4, 5, 6, 7],
    ]);
    expect(again.sink.seqs('lobby')).toEqual([5, 6, 7]);
  });

  it('of a busy node are told when the room crashes over what it gathered, and their retry is stored once', async () => {
    const { on, busy, bob, say } = await busyRoom();
    busy.ms = 40;
    await say('leads').answered;
    const lost = say('lost');
    await turns(5);
    on.rooms.sendIfActive(lobby, poison<RoomCommand>('room.hint'));
    await settle(on);
    expect(code(await lost.answered)).toBe('INTERNAL');
    const retry = say('lost');
    expect(await retry.answered).toMatchObject({ ok: true, result: { seq: 4, dup: false } });
    expect(bob.sink.seqs('lobby')).toEqual([3, 4]);
  });

  it('of a busy node that stops still get what was gathered stored', async () => {
    const { on, busy, say } = await busyRoom();
    busy.ms = 40;
    await say('leads').answered;
    const last = say('last');
    await turns(2);
    await on.stop();
    expect(await last.answered).toMatchObject({ ok: true, result: { seq: 4 } });
    expect(await on.store.log.heads([lobby])).toMatchObject([{ seq: 4 }]);
  });

  it('are not kept waiting by a full batch: it is appended whatever the time', async () => {
    const { busy, say } = await busyRoom({ settings: { batchEntriesMax: 4 } });
    busy.ms = 40;
    await say('leads').answered;
    const full = ['a', 'b', 'c', 'd'].map(say);
    for (const { answered } of full) expect(code(await answered)).toBe('ok');
  });

  it('get the same answer for a retry of the same command, and CONFLICT for another text under its cid', async () => {
    const { alice } = await twoPeople();
    const first = await alice.ask(send('lobby', 'a', 'x'));
    expect(await alice.ask(send('lobby', 'a', 'x'))).toMatchObject({ ok: true, result: { seq: stored(first), dup: true } });
    expect(code(await alice.ask(send('lobby', 'a', 'y')))).toBe('CONFLICT');
  });

  it('are not there for a stranger: a private room and a room that does not exist answer alike', async () => {
    const { on, alice } = await twoPeople();
    await alice.done(create('secret', false));
    const carol = on.connect('carol');
    const commands = (room: string) => [
      send(room, 'x', 'x'),
      open(room),
      join(room),
      { type: 'history.get', room: room as RoomId, range: { before: 9, limit: 5 } } as const,
    ];
    for (const [index, command] of commands('secret').entries()) {
      const known = await carol.ask(command);
      expect(known).toEqual(await carol.ask(commands('nowhere')[index] as typeof command));
      expect(code(known)).toBe('NOT_FOUND');
    }
  });

  it('get nothing after they were removed, and are told', async () => {
    const { alice, bob } = await twoPeople();
    const kick = alice.ask({ type: 'room.kick', room: lobby, user: 'bob' as UserId });
    const after = alice.ask(send('lobby', 'after', 'he is gone'));
    await Promise.all([kick, after]);
    expect(bob.sink.seqs('lobby')).toEqual([3]);
    expect(bob.sink.events('room:gone')).toEqual([{ room: 'lobby', reason: 'kicked' }]);
    expect(await bob.ask(open('lobby', 3))).toMatchObject({ ok: true, result: { verdict: 'denied' } });
  });

  it('who open a room anew in the turn in which their connection was full get each entry once all the same', async () => {
    let release: () => void = () => {};
    let isHeld = false;
    const { on, alice } = await twoPeople({
      log: (log) => ({
        async append(room, after, entries): Promise<AppendOutcome> {
          const outcome = await log.append(room, after, entries);
          if (isHeld) await new Promise<void>((resolve) => (release = resolve));
          return outcome;
        },
      }),
    });
    const sink = new RecordingSink();
    const answers: Answer[] = [];
    const openAnew = (since: number) =>
      on.rooms.send(lobby, {
        type: 'room.open',
        session: callbackRef<ReaderGone>('test.session', () => {}),
        reader: 'r',
        user: 'bob' as UserId,
        sink,
        opening: 1,
        since,
        limit: 50,
        replyTo: callbackRef('test', (answer: Answer) => answers.push(answer)),
      });
    openAnew(2);
    await turns(4);
    isHeld = true;
    const sent = alice.ask(send('lobby', 'm', 'x'));
    await turns(6);
    sink.isFull = true;
    isHeld = false;
    release();
    for (let index = 0; index < 50; index += 1) await Promise.resolve(); // The outcome is in the room's mailbox, its turn has not begun.
    openAnew(2);
    await sent;
    sink.isFull = false;
    on.rooms.sendIfActive(lobby, { type: 'room.readerReady', reader: 'r' });
    await turns(6);
    await alice.done(send('lobby', 'n', 'x'));
    await turns(4);
    const [, second] = answers;
    const shown = second?.ok && second.result.type === 'opened' ? second.result.entries.map((entry) => entry.seq) : [];
    expect([...shown, ...sink.seqs('lobby')]).toEqual([3, 4]);
  });

  it('whose connection is full are cut when they are removed, and find out when they resume', async () => {
    const { alice, bob } = await twoPeople();
    bob.sink.isFull = true;
    await alice.done({ type: 'room.kick', room: lobby, user: 'bob' as UserId });
    expect(bob.sink.closed).toEqual({ code: 'SLOW_CONSUMER' });
  });

  it('who are catching up when they leave still get everything up to their leaving, then they are told', async () => {
    const { on, alice, bob } = await twoPeople({ settings: { recentEntriesMax: 2, readEntriesMax: 3 } });
    for (let index = 0; index < 12; index += 1) await alice.done(send('lobby', `m${index}`, 'x'));
    const again = on.connect('bob');
    const opened = again.ask(open('lobby', 2));
    const left = again.ask({ type: 'room.leave', room: lobby });
    const after = alice.ask(send('lobby', 'after', 'x'));
    const answer = await opened;
    await Promise.all([left, after]);
    await turns(20);
    const first = answer.ok && answer.result.type === 'opened' ? answer.result.entries.map((entry) => entry.seq) : [];
    expect([...first, ...again.sink.seqs('lobby')]).toEqual(Array.from({ length: 13 }, (_, index) => index + 3));
    expect(again.sink.events('room:gone')).toEqual([{ room: 'lobby', reason: 'left' }]);
    expect(bob.sink.seqs('lobby').at(-1)).toBe(15);
  });

  it('who type before the room is awake are judged when it is, not taken for strangers', async () => {
    const on = startStage();
    const alice = on.connect('alice');
    await alice.done(create('cold', false));
    on.clock.advance(61_000);
    await expect.poll(() => on.rooms.isActive('cold' as RoomId)).toBe(false);
    const typing = { type: 'typing', room: 'cold' as RoomId } as const;
    const [member, stranger] = await Promise.all([alice.ask(typing), on.connect('eve').ask(typing)]);
    expect(member).toMatchObject({ ok: true });
    expect(stranger).toMatchObject({ ok: false, refusal: { code: 'NOT_FOUND', message: 'no such room' } });
  });

  it('see typing end by time, by the message, and with the connection', async () => {
    const { on, alice, bob } = await twoPeople();
    const shown = () => (bob.sink.events('typing') as { users: string[] }[]).map((body) => body.users);
    await alice.done({ type: 'typing', room: lobby });
    on.clock.advance(6_001);
    await turns(3);
    await alice.done({ type: 'typing', room: lobby });
    await alice.done(send('lobby', 't', 'said'));
    await alice.done({ type: 'typing', room: lobby });
    alice.handle.disconnected();
    await turns(4);
    expect(shown()).toEqual([['alice'], [], ['alice'], [], ['alice'], []]);
  });

  it('whose connection is full miss nothing: delivery stops at their cursor and goes on from the log', async () => {
    const { alice, bob } = await twoPeople({ settings: { recentEntriesMax: 2, readEntriesMax: 3 } });
    bob.sink.isFull = true;
    for (let index = 0; index < 12; index += 1) await alice.done(send('lobby', `m${index}`, 'x'));
    expect(bob.sink.seqs('lobby')).toEqual([]);
    bob.sink.drain();
    await turns(20);
    await alice.done(send('lobby', 'live', 'x'));
    expect(bob.sink.seqs('lobby')).toEqual(Array.from({ length: 13 }, (_, index) => index + 3));
  });

  it('who are behind in a room of large messages get them in frames that their connection can hold', async () => {
    const { on, alice, bob } = await twoPeople();
    const text = 'x'.repeat(10_000);
    bob.sink.isFull = true;
    for (let index = 0; index < 60; index += 1) await alice.done(send('lobby', `m${index}`, text));
    bob.sink.drain();
    await turns(6);
    const all = Array.from({ length: 60 }, (_, index) => index + 3);
    expect(bob.sink.seqs('lobby')).toEqual(all);
    const sizes = (client: typeof bob) => (client.sink.events('entries') as { entries: unknown[] }[]).map(({ entries }) => entries.length);
    expect(Math.max(...sizes(bob))).toBeLessThan(6);
    const again = on.connect('bob');
    const opened = await again.done(open('lobby', 2));
    if (opened.type !== 'opened') throw new Error('not opened');
    expect(opened).toMatchObject({ verdict: 'replay', head: 62, more: true });
    expect(opened.entries.length).toBeLessThanOrEqual(10);
    await turns(4);
    expect([...opened.entries.map(({ seq }) => seq), ...again.sink.seqs('lobby')]).toEqual(all);
    expect(Math.max(...sizes(again))).toBeLessThan(6);
  });

  it('who open with since get exactly what follows, however the messages race with the opening', async () => {
    const { on, alice } = await twoPeople({ settings: { recentEntriesMax: 4, readEntriesMax: 5 } });
    for (let index = 0; index < 20; index += 1) await alice.done(send('lobby', `old${index}`, 'x'));
    const carol = on.connect('bob');
    const racing = Array.from({ length: 20 }, (_, index) => alice.ask(send('lobby', `new${index}`, 'x')));
    const answer = await carol.ask(open('lobby', 7));
    await Promise.all(racing);
    await turns(20);
    if (!answer.ok || answer.result.type !== 'opened') throw new Error('not opened');
    const all = [...answer.result.entries.map((entry) => entry.seq), ...carol.sink.seqs('lobby')];
    expect(all).toEqual(Array.from({ length: 35 }, (_, index) => index + 8));
  });

  it('are two in a direct room, and there is only one of it whoever makes it', async () => {
    const on = startStage();
    const [alice, bob] = [on.connect('alice'), on.connect('bob')];
    const dm = (other: string) => ({ type: 'room.create', kind: 'dm', public: false, members: [other as UserId] }) as const;
    const [first, second] = [await alice.done(dm('bob')), await bob.done(dm('alice'))];
    expect(first).toMatchObject({ room: { kind: 'dm', members: 2 } });
    expect((second as typeof first & { room: { id: string } }).room.id).toBe((first as typeof first & { room: { id: string } }).room.id);
  });

  it('are listed their rooms with unread counts that ignore edits and reactions', async () => {
    const { alice, bob } = await twoPeople();
    const seq = stored(await alice.ask(send('lobby', 'm', 'helo')));
    await alice.done({ type: 'message.modify', room: lobby, cid: 'e' as Cid, target: seq, text: 'hello' });
    await alice.done({ type: 'message.react', room: lobby, cid: 'r' as Cid, target: seq, emoji: '👍', on: true });
    expect(await bob.done({ type: 'room.list' })).toMatchObject({
      rooms: [
        {
          id: 'lobby',
          head: 5,
          read: 2,
          unread: 1,
          last: { seq: 3, text: 'hello', edited: 4, reactions: [{ emoji: '👍', users: ['alice'] }] },
        },
      ],
    });
  });

  it('are listed the last message as edited, also when much was said of it since', async () => {
    const { alice, bob } = await twoPeople();
    const seq = stored(await alice.ask(send('lobby', 'm', 'helo')));
    await alice.done({ type: 'message.modify', room: lobby, cid: 'e' as Cid, target: seq, text: 'hello' });
    for (let index = 0; index < 20; index += 1) {
      await bob.done({ type: 'message.react', room: lobby, cid: `r${index}` as Cid, target: seq, emoji: '👍', on: index % 2 === 0 });
    }
    expect(await bob.done({ type: 'room.list' })).toMatchObject({
      rooms: [{ head: 24, unread: 1, last: { seq, text: 'hello', edited: 4 } }],
    });
  });

  it('may edit and delete their own only; a deleted text is gone from history, its number stays', async () => {
    const { on, alice, bob } = await twoPeople();
    const seq = stored(await bob.ask(send('lobby', 'm', 'oops')));
    const carol = on.connect('carol');
    await carol.done(join('lobby'));
    expect(code(await carol.ask({ type: 'message.modify', room: lobby, cid: 'e' as Cid, target: seq, text: 'x' }))).toBe('FORBIDDEN');
    expect(code(await carol.ask({ type: 'message.delete', room: lobby, cid: 'd' as Cid, target: seq }))).toBe('FORBIDDEN');
    const reply = stored(await alice.ask({ ...send('lobby', 're', 'what?'), replyTo: seq } as ReturnType<typeof send>));
    await bob.done({ type: 'message.delete', room: lobby, cid: 'd' as Cid, target: seq });
    const page = await alice.done({ type: 'history.get', room: lobby, range: { before: 100, limit: 10 } });
    expect(page).toMatchObject({
      entries: [
        { seq, deleted: true },
        { seq: reply, quote: { seq, deleted: true } },
      ],
      hasBefore: false,
      hasAfter: false,
    });
    expect(JSON.stringify(page)).not.toContain('oops');
  });
});
