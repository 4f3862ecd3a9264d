/**
 * Bounds of rooms and sessions as actors, and how each comes to its end: idle, full, expired, draining, at the deadline.
 */
import { afterEach, describe, expect, it } from 'vitest';
import type { RoomCommand } from '../../actors/room-commands.ts';
import type { RoomId, UserId } from '../../system/ids.ts';
import { create, isRefusal, open, poison, RecordingSink, send, startStage, stopStages } from '../support/actor-stage.ts';
import { turns } from '../support/manual-clock.ts';
import { code, lobby, settle, stored, twoPeople } from '../support/room-people.ts';

afterEach(stopStages);

describe('bounds and ends', () => {
  it('passivates an idle room by handshake, and a message that comes meanwhile keeps it', async () => {
    const { on, alice, bob } = await twoPeople({ roomIdleMs: 1_000 });
    await alice.done({ type: 'room.close', room: lobby });
    await bob.done({ type: 'room.close', room: lobby });
    on.clock.advance(900);
    await alice.done(send('lobby', 'm', 'x'));
    on.clock.advance(900);
    await turns(4);
    expect(on.rooms.isActive(lobby)).toBe(true);
    on.clock.advance(1_200); // Now the read mark is kept that the message implies; then the room is idle.
    await turns(6);
    on.clock.advance(1_000);
    await turns(6);
    expect(on.rooms.isActive(lobby)).toBe(false);
    expect(stored(await alice.ask(send('lobby', 'n', 'x')))).toBe(4);
  });

  it('a room that nobody made does not stay in memory', async () => {
    const on = startStage();
    const alice = on.connect('alice');
    for (let index = 0; index < 50; index += 1) expect(code(await alice.ask(send(`ghost${index}`, 'm', 'x')))).toBe('NOT_FOUND');
    await settle(on, 100);
    expect(on.rooms.activeCount()).toBe(0);
  });

  it('answers whoever waits in the mailbox of a room that fails for good', async () => {
    const on = startStage();
    const alice = on.connect('alice');
    await alice.done(create('lobby'));
    for (let crash = 0; crash < 4; crash += 1) on.rooms.sendIfActive(lobby, poison<RoomCommand>('room.hint'));
    const waiting = alice.ask({ type: 'history.get', room: lobby, range: { before: 9, limit: 5 } });
    for (let crash = 0; crash < 4; crash += 1) {
      await turns(4);
      on.clock.advance(1_000);
    }
    expect(await waiting).toMatchObject({ ok: false, refusal: { code: 'ROOM_UNAVAILABLE', retryable: true } });
  });

  it('says BUSY when too many rooms are active, and makes space', async () => {
    const on = startStage({ roomsActiveMax: 2 });
    const alice = on.connect('alice');
    await alice.done(create('one'));
    await alice.done(create('two'));
    expect(code(await alice.ask(create('three')))).toBe('BUSY');
    await settle(on, 100);
    expect(code(await alice.ask(create('three')))).toBe('ok');
  });

  it('admits no more connections than configured, and none while it drains', async () => {
    const on = startStage({ connectionsMax: 1 });
    const alice = on.connect('alice');
    const identity = { userId: 'bob' as UserId, name: 'bob', roles: [], expiresAtMs: on.clock.wallMs() + 1_000 };
    const refused = on.gateway.openSession(identity, new RecordingSink());
    expect(isRefusal(refused) && refused.code).toBe('TOO_MANY_CONNECTIONS');
    on.gateway.drain();
    await turns(4);
    expect(alice.sink.closed).toEqual({ code: 'SERVER_DRAINING', reconnectInMs: 0 });
  });

  it('ends a session when its token expires', async () => {
    const on = startStage();
    const alice = on.connect('alice', 5_000);
    on.clock.advance(4_999);
    await turns(2);
    expect(alice.sink.closed).toBeUndefined();
    on.clock.advance(2);
    await turns(2);
    expect(alice.sink.closed).toEqual({ code: 'TOKEN_EXPIRED' });
  });

  it('opens no more rooms on a connection than configured; failed opens do not count', async () => {
    const on = startStage({ roomsPerSocketMax: 2 });
    const alice = on.connect('alice');
    for (const id of ['one', 'two', 'three']) await alice.done(create(id));
    for (let index = 0; index < 5; index += 1) expect(code(await alice.ask(open(`ghost${index}`)))).toBe('NOT_FOUND');
    await alice.done(open('one'));
    await alice.done(open('two'));
    expect(code(await alice.ask(open('three')))).toBe('BUSY');
    await alice.done({ type: 'room.close', room: 'one' as RoomId });
    await alice.done(open('three'));
  });

  it('answers STORE_UNAVAILABLE at the deadline when the store does not answer, and acknowledges nothing', async () => {
    let isDead = false;
    const dead = new Promise<never>(() => {});
    const { on, alice, bob } = await twoPeople({
      log: (log) => ({ append: (room, after, entries) => (isDead ? dead : log.append(room, after, entries)) }),
    });
    isDead = true;
    const pending = [alice.ask(send('lobby', 'm', 'x')), alice.ask(send('lobby', 'n', 'x'))];
    await turns(4);
    on.clock.advance(5_001);
    for (const answer of await Promise.all(pending))
      expect(answer).toMatchObject({ ok: false, refusal: { code: 'STORE_UNAVAILABLE', retryable: true } });
    expect(bob.sink.seqs('lobby')).toEqual([]);
  });
});
