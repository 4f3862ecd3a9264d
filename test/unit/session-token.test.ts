/**
 * The life of a session's token: told of, refreshed, over, revoked; by a clock that the test moves.
 */
import { afterEach, describe, expect, it } from 'vitest';
import type { Answer, ClientCommand } from '../../actors/client-command.ts';
import type { Identity } from '../../actors/identity.ts';
import { TokenLifeState } from '../../actors/token-life-state.ts';
import type { RoomId, UserId } from '../../system/ids.ts';
import { create, type Stage, startStage, stopStages } from '../support/actor-stage.ts';
import { turns } from '../support/manual-clock.ts';

afterEach(stopStages);

const list: ClientCommand = { type: 'room.list' };
const codeOf = (answer: Answer): string => (answer.ok ? 'ok' : answer.refusal.code);
async function pass(on: Stage, ms: number): Promise<void> {
  on.clock.advance(ms);
  await turns(3);
}
const identity = (on: Stage, livesMs: number, more: Partial<Identity> = {}): Identity => ({
  userId: 'alice' as UserId,
  name: 'Alice',
  roles: [],
  expiresAtMs: on.clock.wallMs() + livesMs,
  ...more,
});
const refresh = (given: Identity): ClientCommand => ({ type: 'auth.refresh', identity: given });

describe('a session', () => {
  it('tells its client 60 s before the token ends, once, and ends with it', async () => {
    const on = startStage();
    const expiresAt = on.clock.wallMs() + 600_000;
    const alice = on.connect('alice', 600_000);
    await pass(on, 539_999);
    expect(alice.sink.events('auth:expiring')).toEqual([]);
    await pass(on, 1);
    expect(alice.sink.events('auth:expiring')).toEqual([{ expiresAt, inMs: 60_000 }]);
    await pass(on, 59_999);
    expect(codeOf(await alice.ask(list))).toBe('ok');
    expect(alice.sink.closed).toBeUndefined();
    await pass(on, 1);
    expect(alice.sink.closed).toEqual({ code: 'TOKEN_EXPIRED' });
    expect(alice.sink.events('auth:expiring')).toHaveLength(1);
    expect(on.gateway.sessionCount()).toBe(0);
  });

  it('tells at once of a token that lives shorter, and as soon as there is room when there was none', async () => {
    const on = startStage();
    const alice = on.connect('alice', 20_000);
    expect(alice.sink.events('auth:expiring')).toMatchObject([{ inMs: 20_000 }]);
    const bob = on.connect('bob', 61_000);
    bob.sink.isFull = true;
    await pass(on, 10_000);
    expect(bob.sink.events('auth:expiring')).toEqual([]);
    bob.sink.drain();
    await turns(3);
    expect(bob.sink.events('auth:expiring')).toMatchObject([{ inMs: 51_000 }]);
    bob.sink.drain();
    await turns(3);
    expect(bob.sink.events('auth:expiring')).toHaveLength(1);
  });

  it('lives on with a newer token, is told of that one anew, and goes by its name', async () => {
    const on = startStage();
    const alice = on.connect('alice', 61_000);
    await alice.done(create('lobby'));
    await pass(on, 30_000);
    const newer = identity(on, 300_000);
    expect(await alice.done(refresh(newer))).toEqual({ type: 'refreshed', expiresAtMs: newer.expiresAtMs });
    await pass(on, 239_999);
    expect(alice.sink.closed).toBeUndefined();
    expect(alice.sink.events('auth:expiring')).toHaveLength(1);
    await pass(on, 1);
    expect(alice.sink.events('auth:expiring')).toHaveLength(2);
    await pass(on, 60_000);
    expect(alice.sink.closed).toEqual({ code: 'TOKEN_EXPIRED' });
  });

  it('leaves no timer of the old token behind, however often it is refreshed', async () => {
    const on = startStage();
    const alice = on.connect('alice', 600_000);
    await alice.done(refresh(identity(on, 600_000)));
    const before = on.clock.pending();
    for (let index = 0; index < 20; index += 1) await alice.done(refresh(identity(on, 600_000)));
    expect(on.clock.pending()).toBe(before);
  });

  it('takes a token that ends sooner, too', async () => {
    const on = startStage();
    const alice = on.connect('alice', 600_000);
    await alice.done(refresh(identity(on, 5_000)));
    await pass(on, 5_000);
    expect(alice.sink.closed).toEqual({ code: 'TOKEN_EXPIRED' });
  });

  it('refuses the token of another user and a revoked one, and stays as it was', async () => {
    const on = startStage({ isRevoked: ({ jti }) => jti === 'gone' });
    const alice = on.connect('alice', 61_000);
    expect(await alice.ask(refresh(identity(on, 900_000, { userId: 'bob' as UserId })))).toMatchObject({
      ok: false,
      refusal: { code: 'FORBIDDEN', message: 'the token is of another user' },
    });
    expect(codeOf(await alice.ask(refresh(identity(on, 900_000, { jti: 'gone' }))))).toBe('UNAUTHENTICATED');
    expect(codeOf(await alice.ask(list))).toBe('ok');
    await pass(on, 61_000);
    expect(alice.sink.closed).toEqual({ code: 'TOKEN_EXPIRED' });
  });

  it('carries out nothing after the end, also when the clock jumped past it before any timer fired', async () => {
    let jumpMs = 0;
    const on = startStage({ wallMs: (wallMs) => wallMs + jumpMs });
    const alice = on.connect('alice', 600_000);
    await alice.done(create('lobby'));
    jumpMs = 700_000;
    const late: Answer[] = [];
    for (const command of [create('more'), refresh(identity(on, 9_000_000)), list])
      alice.handle.command(command, (answer) => late.push(answer));
    await turns(5);
    expect(late.map(codeOf)).toEqual(['TOKEN_EXPIRED', 'TOKEN_EXPIRED', 'TOKEN_EXPIRED']);
    expect(alice.sink.closed).toEqual({ code: 'TOKEN_EXPIRED' });
    expect((await on.store.log.heads(['more' as RoomId]))[0]).toMatchObject({ seq: 0 });
  });

  it('ends within 30 s of a jump of the clock past its end though its client is silent, and stays when the clock is set back', async () => {
    let jumpMs = 0;
    const on = startStage({ wallMs: (wallMs) => wallMs + jumpMs });
    const alice = on.connect('alice', 600_000);
    jumpMs = -3_600_000;
    await pass(on, 599_000);
    expect(alice.sink.closed).toBeUndefined();
    jumpMs = 3_600_000;
    await pass(on, 30_000);
    expect(alice.sink.closed).toEqual({ code: 'TOKEN_EXPIRED' });
  });

  it('with a token of a year looks now and then, not all the time', async () => {
    const on = startStage();
    const alice = on.connect('alice', 31_536_000_000);
    const spawned = on.system.stats();
    await pass(on, 300_000);
    expect(alice.sink.closed).toBeUndefined();
    expect(on.system.stats().actors).toBe(spawned.actors);
    expect(new TokenLifeState(31_536_000_000, 60_000).lookAgainMs(0)).toBe(30_000);
  });

  it('is put out by a revocation of the token it was refreshed with, not by one of the token before', async () => {
    const on = startStage();
    const alice = on.connect('alice', 600_000);
    await alice.done(refresh(identity(on, 600_000, { jti: 'second' })));
    await alice.done(refresh(identity(on, 600_000, { jti: 'third' })));
    const revoke = (jti: string) => on.gateway.revoke({ of: { jti }, atMs: on.clock.wallMs(), endsAtMs: on.clock.wallMs() + 1 });
    expect(revoke('second')).toBe(0);
    expect(revoke('third')).toBe(1);
    await turns(3);
    expect(alice.sink.closed).toEqual({ code: 'REVOKED' });
  });

  it('is put out though its client keeps its queue full', async () => {
    const on = startStage();
    const alice = on.connect('alice');
    for (let index = 0; index < 400; index += 1) alice.handle.command(list, () => {});
    expect(on.gateway.revoke({ of: { user: 'alice' as UserId }, atMs: on.clock.wallMs(), endsAtMs: on.clock.wallMs() + 1 })).toBe(1);
    expect(alice.sink.closed).toEqual({ code: 'REVOKED' });
  });
});
