/**
 * Actor, messages: telling, order, bounds, names.
 */
import { describe, expect, it, vi } from 'vitest';
import {
  type ActorRef,
  acceptedCount,
  type Behaviour,
  callbackRef,
  isStopped,
  mailboxSize,
  spawn,
  spawnBucket,
  stopActor,
  tell,
} from '../../system/actor.ts';
import { newSystem, plain, taker } from '../support/actor-systems.ts';
import { turns } from '../support/manual-clock.ts';

describe('telling', () => {
  it('messages of each sender are handled in the order told, one at a time', async () => {
    const system = newSystem();
    const got: [string, number][] = [];
    const target = spawn(
      system,
      taker<[string, number]>((msg) => got.push(msg)),
      { name: 'target', ...plain },
    );
    const sender = (name: string): Behaviour<number, 'go'> => ({
      kind: 'sender',
      start: () => 0,
      receive(sent, _go, ctx) {
        tell(target, [name, sent]);
        if (sent < 2_999) tell(ctx.self, 'go');
        return sent + 1;
      },
    });
    for (const name of ['a', 'b', 'c']) tell(spawn(system, sender(name), { name, ...plain }), 'go');
    await vi.waitUntil(() => got.length === 9_000);
    for (const name of ['a', 'b', 'c'])
      expect(got.filter(([from]) => from === name).map(([, n]) => n)).toEqual(Array.from({ length: 3_000 }, (_, n) => n));
  });

  it('a mailbox refuses exactly at its bound, and nothing of the accepted is lost', async () => {
    const system = newSystem();
    const got: number[] = [];
    const ref = spawn(
      system,
      taker<number>((n) => got.push(n)),
      { name: 'small', mailboxMax: 10, restarts: 'never' },
    );
    const told = Array.from({ length: 15 }, (_, n) => tell(ref, n));
    expect(told).toEqual([...Array(10).fill('accepted'), ...Array(5).fill('refused')]);
    expect(mailboxSize(ref)).toBe(10);
    await turns();
    expect(got).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(tell(ref, 99)).toBe('accepted');
    expect(acceptedCount(ref)).toBe(11);
    expect(system.stats()).toMatchObject({ accepted: 11, refused: 5, deadLetters: 0 });
  });

  it('a mailbox keeps order while its ring wraps, grows and is given back', async () => {
    const system = newSystem();
    const got: number[] = [];
    const ref = spawn(
      system,
      taker<number>((n) => got.push(n)),
      { name: 'ring', ...plain },
    );
    let sent = 0;
    for (const burst of [3, 7, 1, 40, 5, 2_000, 9]) {
      for (let i = 0; i < burst; i += 1) tell(ref, sent++);
      if (burst !== 7) await turns(2);
    }
    await turns(6);
    expect(got).toEqual(Array.from({ length: sent }, (_, n) => n));
  });

  it('tell to a stopped actor says refused and counts a dead letter', async () => {
    const system = newSystem();
    const ref = spawn(
      system,
      taker<number>(() => {}),
      { name: 'gone', ...plain },
    );
    await stopActor(ref, { drain: true, deadlineMs: 1_000 });
    expect(isStopped(ref)).toBe(true);
    expect(tell(ref, 1)).toBe('refused');
    expect(system.stats().deadLetters).toBe(1);
  });

  it('a callback takes messages at once, and what it throws or rejects with stays with it', async () => {
    const system = newSystem();
    const got: string[] = [];
    expect(
      tell(
        callbackRef<string>('probe', (msg) => got.push(msg)),
        'hello',
      ),
    ).toBe('accepted');
    expect(got).toEqual(['hello']);
    const thrower = callbackRef<string>('edge', () => {
      throw new Error('socket gone');
    });
    expect(tell(thrower, 'x')).toBe('accepted');
    tell(callbackRef<string>('edge', (async () => Promise.reject(new Error('late'))) as () => void, system), 'x');
    await turns();
    expect(system.stats().callbackCrashes).toBe(2);
  });

  it('a ref prints as path and kind, never as the state behind it', () => {
    const ref = spawn(newSystem(), { kind: 'vault', start: () => 'secret', receive: (state) => state }, { name: 'vault', ...plain });
    expect(JSON.stringify({ ref })).toBe('{"ref":{"path":"/vault","kind":"vault"}}');
    expect(() => tell({ path: '/vault', kind: 'vault' } as unknown as ActorRef<string>, 'x')).toThrow(TypeError);
  });
});

describe('names', () => {
  it('any string is a good name', async () => {
    const system = newSystem();
    const names = ['room:evil', '채팅방', 'a/b', 'two words', '', '..', '%00', '!cm9vbQ', 'x'.repeat(10_000), '\n{"level":60}', '🎭'];
    const refs = names.map((name) =>
      spawn(
        system,
        taker(() => {}),
        { name, ...plain },
      ),
    );
    expect(new Set(refs.map((ref) => ref.path)).size).toBe(names.length);
    for (const ref of refs) expect(ref.path).toMatch(/^\/[A-Za-z0-9_.$+!-]{1,180}$/);
    for (const ref of refs) expect(tell(ref, undefined as never)).toBe('accepted');
  });

  it('a name in use among siblings throws a TypeError that says so, and is free again after the stop', async () => {
    const system = newSystem();
    const first = spawn(
      system,
      taker(() => {}),
      { name: 'room:1', ...plain },
    );
    expect(() =>
      spawn(
        system,
        taker(() => {}),
        { name: 'room:1', ...plain },
      ),
    ).toThrow(/alive already; names are unique/);
    spawn(
      spawnBucket(system, 'other'),
      taker(() => {}),
      { name: 'room:1', ...plain },
    );
    await stopActor(first, { drain: true, deadlineMs: 10 });
    expect(
      isStopped(
        spawn(
          system,
          taker(() => {}),
          { name: 'room:1', ...plain },
        ),
      ),
    ).toBe(false);
  });

  it('names and questions do not depend on Math.random: 20,000 actors with a constant one do not clash', () => {
    vi.spyOn(Math, 'random').mockReturnValue(0.5);
    const bucket = spawnBucket(newSystem(), 'many');
    for (let n = 0; n < 20_000; n += 1)
      spawn(
        bucket,
        taker(() => {}),
        { name: `s-${n}`, mailboxMax: 1, restarts: 'never' },
      );
    vi.restoreAllMocks();
  });
});
