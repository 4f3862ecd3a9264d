/**
 * What a crash of a room, a session, rooms or the gateway does at each handler, and what people see of it.
 */
import { afterEach, describe, expect, it } from 'vitest';
import type { RoomCommand } from '../../actors/room-commands.ts';
import { type ActorRef, tell } from '../../system/actor.ts';
import type { AppendOutcome } from '../../system/store/room-log.ts';
import { create, open, poison, send, stopStages } from '../support/actor-stage.ts';
import { turns } from '../support/manual-clock.ts';
import { code, events, lobby, settle, stored, twoPeople } from '../support/room-people.ts';

afterEach(stopStages);

describe('a crash of a room', () => {
  const handlers: RoomCommand['type'][] = [
    'room.write',
    'room.open',
    'room.close',
    'room.history',
    'room.typing',
    'room.readerReady',
    'room.event',
    'room.hint',
    'room.signal',
  ];

  it.each(handlers)('at %s rebuilds it from the log: nothing acknowledged is lost, its readers go on without a hole', async (type) => {
    const { on, alice, bob } = await twoPeople();
    await alice.done(send('lobby', 'before', 'x'));
    on.rooms.sendIfActive(lobby, poison<RoomCommand>(type));
    await settle(on);
    expect(events(on, 'actor.crash')).toHaveLength(1);
    expect(stored(await alice.ask(send('lobby', 'after', 'x')))).toBe(4);
    await turns(5);
    expect(bob.sink.seqs('lobby')).toEqual([3, 4]);
    expect(stored(await alice.ask(send('lobby', 'before', 'x')))).toBe(3);
  });

  it('while it delivers repairs the reader that caused it and the others alike', async () => {
    const { on, alice, bob } = await twoPeople();
    bob.sink.mustThrow = true;
    const answer = await alice.ask(send('lobby', 'm', 'x'));
    expect(stored(answer)).toBe(3);
    await settle(on);
    expect(bob.sink.seqs('lobby')).toEqual([3]);
    expect(alice.sink.seqs('lobby')).toEqual([3]);
  });

  it('with an append under way answers INTERNAL, and the retry gets the number of the first try', async () => {
    let release: () => void = () => {};
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    let isHeld = false;
    const { on, alice, bob } = await twoPeople({
      log: (log) => ({
        async append(room, after, entries): Promise<AppendOutcome> {
          if (isHeld) await gate;
          return log.append(room, after, entries);
        },
      }),
    });
    isHeld = true;
    const pending = alice.ask(send('lobby', 'm', 'x'));
    await turns(5);
    on.rooms.sendIfActive(lobby, poison<RoomCommand>('room.hint'));
    await settle(on, 400);
    expect(code(await pending)).toBe('INTERNAL');
    isHeld = false;
    release();
    await turns(5);
    on.rooms.onHead(lobby, 3);
    await settle(on);
    expect(await alice.ask(send('lobby', 'm', 'x'))).toMatchObject({ ok: true, result: { seq: 3, dup: true } });
    expect(bob.sink.seqs('lobby')).toEqual([3]);
  });

  it('four times in ten seconds rests it: ROOM_UNAVAILABLE for five seconds, other rooms go on, then it works again', async () => {
    const { on, alice, bob } = await twoPeople();
    await alice.done(create('other'));
    for (let crash = 0; crash < 4; crash += 1) {
      on.rooms.sendIfActive(lobby, poison<RoomCommand>('room.hint'));
      await settle(on, 1_200);
    }
    expect(events(on, 'actor.quarantine')).toMatchObject([{ room: 'lobby', decision: 'quarantine', delayMs: 5_000 }]);
    const refused = await alice.ask(send('lobby', 'm', 'x'));
    expect(refused).toMatchObject({ ok: false, refusal: { code: 'ROOM_UNAVAILABLE', retryable: true, retryAfterMs: expect.any(Number) } });
    expect(bob.sink.events('room:gone')).toEqual([{ room: 'lobby', reason: 'unavailable' }]);
    expect(code(await alice.ask(send('other', 'm', 'x')))).toBe('ok');
    on.clock.advance(5_001);
    expect(stored(await alice.ask(send('lobby', 'm', 'x')))).toBe(3);
    expect(on.lost).toEqual([]);
  });
});

describe('a crash of a session', () => {
  it('closes its connection with INTERNAL and leaves its rooms; its client resumes on a new one', async () => {
    const { on, alice, bob } = await twoPeople();
    bob.handle.command(poison('message.send'), () => {});
    await settle(on, 100);
    expect(bob.sink.closed).toEqual({ code: 'INTERNAL' });
    expect(on.system.stats().actorsByKind.session).toBe(1);
    const again = on.connect('bob');
    await again.done(open('lobby', 2));
    await alice.done(send('lobby', 'm', 'x'));
    expect(again.sink.seqs('lobby')).toEqual([3]);
    expect(bob.sink.seqs('lobby')).toEqual([]);
  });
});

describe('a crash of rooms or gateway', () => {
  it('restarts them and loses no room and no session', async () => {
    const { on, alice, bob } = await twoPeople();
    tell(on.rooms.ref, poison('rooms.idle'));
    tell(on.gateway.ref as ActorRef<{ type: 'gateway.sessionEnded' }>, poison('gateway.sessionEnded'));
    await settle(on, 400);
    expect(events(on, 'actor.restart').map((line) => line.kind)).toEqual(expect.arrayContaining(['rooms', 'gateway']));
    await alice.done(send('lobby', 'm', 'x'));
    expect(bob.sink.seqs('lobby')).toEqual([3]);
    bob.handle.disconnected();
    await settle(on, 100);
    expect(on.gateway.sessionCount()).toBe(1);
  });

  it('again and again is reported once, so that the node drains', async () => {
    const { on } = await twoPeople();
    for (let crash = 0; crash < 7; crash += 1) {
      tell(on.rooms.ref, poison('rooms.idle'));
      await settle(on, 1_200);
    }
    expect(on.lost).toEqual(['rooms']);
  });
});
