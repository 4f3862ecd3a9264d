/**
 * The client library's list of watched users: retries, answers that come too late, and what is emitted.
 */
import { describe, expect, it } from 'vitest';
import { ChatError } from '../../gateway/client/chat-error.ts';
import { Emitter } from '../../gateway/client/emitter.ts';
import { type PresenceEvents, PresenceWatch } from '../../gateway/client/presence-watch.ts';
import type { WirePresence } from '../../gateway/client-protocol.ts';

type Done = Parameters<ConstructorParameters<typeof PresenceWatch>[0]['ask']>[1];

function rig() {
  const line = { isOnline: true };
  const asked: { readonly users: string[]; readonly done: Done }[] = [];
  const timers: (() => void)[] = [];
  const told: string[] = [];
  const emitter = new Emitter<PresenceEvents>();
  emitter.on('presence', ({ changes }) =>
    changes.forEach(({ user, state, place }) => void told.push([user, state, place].filter(Boolean).join(' '))),
  );
  const watch = new PresenceWatch({
    ask: ({ users }, done) => asked.push({ users, done }),
    isOnline: () => line.isOnline,
    timing: { nowMs: () => 0, random: () => 1, after: (_delayMs, task) => (timers.push(task), () => {}) },
    emitter,
  });
  const online = (...users: string[]): { states: WirePresence[] } => ({
    states: users.map((user) => ({ user, state: 'online' as const })),
  });
  return { watch, line, asked, timers, told, online };
}

describe('a list of watched users', () => {
  it('is asked for at once, or as soon as there is a connection, and again after each reconnect', async () => {
    const { watch, line, asked, told, online } = rig();
    line.isOnline = false;
    const states = watch.watch(['bob']);
    expect(asked).toHaveLength(0);
    watch.resume();
    asked[0]?.done(undefined, online('bob'));
    expect(await states).toEqual([{ user: 'bob', state: 'online' }]);
    watch.rest();
    expect(watch.of('bob')?.state).toBe('unknown');
    watch.resume();
    asked[1]?.done(undefined, online('bob'));
    expect(told).toEqual(['bob online', 'bob unknown', 'bob online']);
  });

  it('takes events of watched users, once each, and nothing that is malformed', () => {
    const { watch, asked, told, online } = rig();
    void watch.watch(['bob']);
    asked[0]?.done(undefined, online('bob'));
    for (const payload of [undefined, null, 7, {}, { changes: 'all' }]) watch.onEvent(payload);
    watch.onEvent({ changes: [{ user: 'eve', state: 'online' }] });
    watch.onEvent({ changes: [{ user: 'bob', state: 'online', place: 'lobby' }] });
    watch.onEvent({ changes: [{ user: 'bob', state: 'online', place: 'lobby' }] });
    expect(told).toEqual(['bob online', 'bob online lobby']);
  });

  it('is asked for again after a refusal that may pass, and given up after one that may not', async () => {
    const { watch, asked, timers } = rig();
    const states = watch.watch(['bob']);
    asked[0]?.done(new ChatError('BUSY', 'later', true, 5_000), undefined);
    expect(asked).toHaveLength(1);
    timers[0]?.();
    asked[1]?.done(new ChatError('INVALID', 'no such thing', false), undefined);
    await expect(states).rejects.toMatchObject({ code: 'INVALID' });
    watch.resume();
    expect(asked).toHaveLength(2);
  });

  it('ignores the answer to a list that was replaced, and to a connection that is gone', async () => {
    const { watch, asked, told, online } = rig();
    const older = watch.watch(['bob']);
    const newer = watch.watch(['carol']);
    asked[0]?.done(undefined, online('bob'));
    await expect(older).rejects.toMatchObject({ code: 'CONFLICT' });
    watch.rest();
    asked[1]?.done(undefined, online('carol'));
    expect(told).toEqual([]);
    watch.resume();
    asked[2]?.done(undefined, online('carol'));
    expect(await newer).toHaveLength(1);
    expect(told).toEqual(['carol online']);
  });
});
