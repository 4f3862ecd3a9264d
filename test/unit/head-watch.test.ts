/**
 * room:head as clients get it: of which rooms, how often, how late, and that nothing of it is ever stale or lost.
 */
import { afterEach, describe, expect, it } from 'vitest';
import type { ClientCommand } from '../../actors/client-command.ts';
import type { Frame } from '../../actors/client-sink.ts';
import { spawnHeadWatch } from '../../actors/head-watch.ts';
import { createActorSystem } from '../../system/actor.ts';
import type { RoomId, UserId } from '../../system/ids.ts';
import type { Head } from '../../system/store/entry.ts';
import {
  create,
  join,
  open,
  type Stage,
  type StageClient,
  type StageOptions,
  send,
  startStage,
  stopStages,
} from '../support/actor-stage.ts';
import { silentLog } from '../support/embedded-stores.ts';
import { manualClock, turns } from '../support/manual-clock.ts';

afterEach(stopStages);

const list: ClientCommand = { type: 'room.list' };
const id = (room: string) => room as RoomId;
const heads = (client: StageClient): [string, number, number][] =>
  (client.sink.events('room:head') as { room: string; head: number; n: number }[]).map(({ room, head, n }) => [room, head, n]);
const invite = (room: string, user: string): ClientCommand => ({ type: 'room.invite', room: id(room), user: user as UserId });
const kick = (room: string, user: string): ClientCommand => ({ type: 'room.kick', room: id(room), user: user as UserId });
const leave = (room: string): ClientCommand => ({ type: 'room.leave', room: id(room) });
async function pass(on: Stage, ms: number): Promise<void> {
  for (let step = 0; step < 10; step += 1) {
    on.clock.advance(ms / 10);
    await turns(2);
  }
}

/** Alice made the rooms, Bob is in them and has asked for his list. */
async function listed(rooms: readonly string[] = ['lobby'], options?: StageOptions) {
  const on = startStage(options);
  const [alice, bob] = [on.connect('alice'), on.connect('bob')];
  for (const room of rooms) {
    await alice.done(create(room));
    await bob.done(join(room));
  }
  await bob.done(list);
  return { on, alice, bob };
}

describe('room:head', () => {
  it('tells of rooms that grow from the list on, not before it, and not of those that are open', async () => {
    const { on, alice, bob } = await listed(['lobby', 'open']);
    const silent = on.connect('bob');
    await bob.done(open('open', 0));
    await alice.done(send('lobby', 'a', 'x'));
    await alice.done(send('open', 'a', 'x'));
    await pass(on, 100);
    expect(heads(bob)).toEqual([['lobby', 3, 1]]);
    expect([heads(alice), heads(silent)]).toEqual([[], []]);
    expect(bob.sink.seqs('open')).toEqual([3]);
  });

  it('comes at most once a second for each room, and the last one is the newest', async () => {
    const { on, alice, bob } = await listed(['lobby', 'other']);
    const ofRoom = (name: string) => heads(bob).filter(([room]) => room === name);
    for (let index = 0; index < 30; index += 1) {
      await alice.done(send('lobby', `m${index}`, 'x'));
      if (index % 10 === 0) await alice.done(send('other', `m${index}`, 'x'));
      on.clock.advance(50);
      await turns(2);
    }
    expect(ofRoom('lobby')).toHaveLength(2); // At once, and a second later.
    await pass(on, 1_100);
    expect(ofRoom('lobby').at(-1)).toEqual(['lobby', 32, 30]);
    expect(ofRoom('other').at(-1)).toEqual(['other', 5, 3]);
    const told = heads(bob).length;
    await pass(on, 3_000);
    expect(heads(bob)).toHaveLength(told);
  });

  it('counts messages, not edits', async () => {
    const { on, alice, bob } = await listed();
    await alice.done(send('lobby', 'a', 'helo'));
    await alice.done({ type: 'message.modify', room: id('lobby'), cid: 'e' as never, target: 3, text: 'hello' });
    await pass(on, 100);
    expect(heads(bob)).toEqual([['lobby', 4, 1]]);
  });

  it('tells of a room that somebody is brought into later, and ends with the membership', async () => {
    const { on, alice, bob } = await listed();
    await alice.done(create('private', false));
    await alice.done(invite('private', 'bob'));
    await pass(on, 1_100);
    expect(heads(bob)).toEqual([['private', 2, 0]]);
    await alice.done(create('with-bob', false, ['bob']));
    await pass(on, 1_100);
    expect(heads(bob).at(-1)).toEqual(['with-bob', 1, 0]);
    await alice.done(kick('private', 'bob'));
    await bob.done(leave('lobby'));
    const told = heads(bob).length;
    for (const room of ['private', 'lobby']) await alice.done(send(room, 'after', 'x'));
    await pass(on, 1_100);
    expect(heads(bob).slice(told)).toEqual([]);
    await alice.done(invite('private', 'bob'));
    await pass(on, 1_100);
    expect(heads(bob).at(-1)).toEqual(['private', 5, 1]);
  });

  it('tells who was removed from an open room and is back in it, without opening it', async () => {
    const { on, alice, bob } = await listed();
    await bob.done(open('lobby', 0));
    await alice.done(kick('lobby', 'bob'));
    await alice.done(invite('lobby', 'bob'));
    await alice.done(send('lobby', 'a', 'x'));
    await pass(on, 1_100);
    expect(heads(bob).at(-1)).toEqual(['lobby', 5, 1]);
  });

  it('waits for a busy connection, as the newest word only', async () => {
    const { on, alice, bob } = await listed(['lobby', 'other']);
    bob.sink.isFull = true;
    for (let index = 0; index < 5; index += 1) {
      await alice.done(send('lobby', `m${index}`, 'x'));
      await alice.done(send('other', `m${index}`, 'x'));
      await pass(on, 1_100);
    }
    expect(heads(bob)).toEqual([]);
    bob.sink.drain();
    await turns(3);
    expect(heads(bob).sort()).toEqual([
      ['lobby', 7, 5],
      ['other', 7, 5],
    ]);
  });

  it('of a room that was open and is closed tells what may have been missed', async () => {
    const { on, alice, bob } = await listed();
    await bob.done(open('lobby', 0));
    bob.sink.isFull = true;
    await alice.done(send('lobby', 'a', 'x'));
    await pass(on, 1_100);
    bob.sink.isFull = false;
    await bob.done({ type: 'room.close', room: id('lobby') });
    await pass(on, 1_100);
    expect(heads(bob)).toEqual([['lobby', 3, 1]]);
  });

  it('misses nothing that happens while the list is read: growth, coming, going', async () => {
    let release: () => void = () => {};
    let isHeld = false;
    const { on, alice, bob } = await listed(['stays', 'leaves'], {
      log: (log) => ({
        async heads(rooms): Promise<readonly Head[]> {
          const found = await log.heads(rooms);
          if (isHeld) await new Promise<void>((resolve) => (release = resolve));
          return found;
        },
      }),
    });
    const phone = on.connect('bob');
    isHeld = true;
    const asked = phone.ask(list);
    await turns(6);
    isHeld = false;
    await alice.done(send('stays', 'a', 'x'));
    await bob.done(leave('leaves'));
    await alice.done(create('comes', false, ['bob']));
    await pass(on, 1_100);
    release();
    const rooms = [
      { id: 'leaves', head: 2 },
      { id: 'stays', head: 2 },
    ];
    expect(await asked).toMatchObject({ result: { rooms } });
    await alice.done(send('leaves', 'a', 'x'));
    await pass(on, 1_100);
    expect(heads(phone).sort()).toEqual([
      ['comes', 1, 0],
      ['stays', 3, 1],
    ]);
  });

  it('is not undone by a list that was read before a change of membership', async () => {
    let release: () => void = () => {};
    let isHeld = false;
    const { on, alice, bob } = await listed(['stays', 'leaves']);
    const { userRooms } = on.store;
    const listNow = userRooms.list.bind(userRooms);
    userRooms.list = async (user, limit) => {
      const rows = await listNow(user, limit);
      if (isHeld) await new Promise<void>((resolve) => (release = resolve));
      return rows;
    };
    isHeld = true;
    const asked = bob.ask(list);
    await turns(6);
    isHeld = false;
    await bob.done(leave('leaves'));
    await alice.done(create('comes', false, ['bob']));
    release();
    await asked;
    await pass(on, 1_100);
    const told = heads(bob).length;
    for (const room of ['stays', 'leaves', 'comes']) await alice.done(send(room, 'a', 'x'));
    await pass(on, 1_100);
    const names = heads(bob)
      .slice(told)
      .map(([room]) => room);
    expect(names.sort()).toEqual(['comes', 'stays']);
  });

  it('costs nothing for sessions that never list, and nothing is left of a session that ended', async () => {
    const { on, bob } = await listed(['lobby', 'other']);
    const silent = on.connect('bob');
    await silent.done(open('lobby', 0));
    expect(on.heads.watchCount()).toBe(2);
    await bob.done(list);
    expect(on.heads.watchCount()).toBe(2);
    bob.handle.disconnected();
    await turns(3);
    expect(on.heads.watchCount()).toBe(0);
  });

  it('reaches the others when one connection breaks, and the broken one too', async () => {
    const { on, alice, bob } = await listed();
    const phone = on.connect('bob');
    await phone.done(list);
    bob.sink.mustThrow = true;
    await alice.done(send('lobby', 'a', 'x'));
    await pass(on, 3_000);
    expect(on.lines.filter(({ ev }) => ev === 'actor.crash')).toHaveLength(1);
    expect(heads(phone).at(-1)).toEqual(['lobby', 3, 1]);
    expect(heads(bob).at(-1)).toEqual(['lobby', 3, 1]);
  });

  it('and read together give an own message on another device as read', async () => {
    const { on, bob } = await listed();
    const phone = on.connect('bob');
    await phone.done(open('lobby', 0));
    await phone.done(send('lobby', 'a', 'from the phone'));
    await pass(on, 1_500);
    expect(heads(bob).at(-1)).toEqual(['lobby', 3, 1]);
    expect(bob.sink.events('read')).toEqual([{ room: 'lobby', marks: [{ user: 'bob', seq: 3, n: 1 }] }]);
  });
});

describe('what a poll of the store finds', () => {
  function watching(...rooms: readonly string[]) {
    const clock = manualClock();
    const system = createActorSystem({ clock, log: silentLog });
    const encoder = { roomHead: (room: RoomId, head: { readonly seq: number }) => ({ room, seq: head.seq }) as unknown as Frame };
    const watch = spawnHeadWatch(system.root, { encoder, clock });
    const told: string[] = [];
    const sink = {
      sendMinor(frame: Frame) {
        const { room, seq } = frame as unknown as { room: string; seq: number };
        told.push(`${room} ${seq}`);
        return true;
      },
    };
    const watcher = watch.watcher('bob' as UserId, sink, () => false);
    watcher.replace(rooms.map(id), watcher.position());
    const wait = async () => {
      clock.advance(100);
      await turns(4);
    };
    return { watch, told, wait };
  }

  it('is told when a room grew since the list, and not when it did not', async () => {
    const { watch, told, wait } = watching('lobby', 'quiet');
    watch.onListed(['lobby', 'quiet'].map((room) => ({ id: id(room), head: 5, n: 5 })));
    for (const [room, seq] of [
      ['lobby', 6],
      ['quiet', 5],
    ] as const)
      watch.onPolled(id(room), { seq, n: 5 });
    await wait();
    expect(told).toEqual(['lobby 6']);
  });

  it('is told when it was found while the list was still being read', async () => {
    const { watch, told, wait } = watching('lobby', 'quiet');
    for (const [room, seq] of [
      ['lobby', 7],
      ['quiet', 5],
    ] as const)
      watch.onPolled(id(room), { seq, n: 5 });
    await wait();
    expect(told).toEqual([]);
    watch.onListed(['lobby', 'quiet'].map((room) => ({ id: id(room), head: 5, n: 5 })));
    await wait();
    expect(told).toEqual(['lobby 7']);
  });

  it('comes to every watched room in turn, though rooms come and go', () => {
    const { watch } = watching('a', 'b', 'c');
    const seen = [1, 2, 3, 4].flatMap(() => watch.nextWatched(2));
    expect(seen).toEqual(['a', 'b', 'c', 'a', 'b', 'c', 'a', 'b']);
    expect(watch.nextWatched(100)).toHaveLength(3);
  });
});
