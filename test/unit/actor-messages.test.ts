/**
 * Actor, messages: telling, order, bounds, names, speed.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { afterEach, describe, expect, it, vi } from 'vitest';
import {
  type ActorRef,
  type ActorSystem,
  acceptedCount,
  type Behaviour,
  callbackRef,
  createActorSystem,
  isStopped,
  mailboxSize,
  spawn,
  spawnBucket,
  stopActor,
  tell,
} from '../../system/actor.ts';
import { systemClock } from '../../system/clock.ts';
import { createLogger } from '../../system/logger.ts';
import { manualClock, turns } from '../support/manual-clock.ts';

const quiet = createLogger({ level: 'silent', base: {} });
const systems: ActorSystem[] = [];
function newSystem(clock = systemClock): ActorSystem {
  const system = createActorSystem({ clock, log: quiet });
  systems.push(system);
  return system;
}
afterEach(async () => {
  await Promise.all(systems.splice(0).map((system) => system.stop(0)));
});

const plain = { mailboxMax: 100_000, restarts: 'never' } as const;
/** Calls `take` with each message. */
const taker = <M>(take: (msg: M) => void): Behaviour<undefined, M> => ({
  kind: 'taker',
  start: () => undefined,
  receive(_state, msg) {
    take(msg);
    return undefined;
  },
});

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

describe('what nact does with a message', () => {
  it('a hot actor handles at least 100 messages while one turn of the event loop passes', async () => {
    const ref = spawn(
      newSystem(manualClock()),
      taker<number>(() => {}),
      { name: 'hot', ...plain },
    );
    for (let n = 0; n < 5_000; n += 1) tell(ref, n);
    const before = mailboxSize(ref);
    await turns(1);
    expect(before - mailboxSize(ref)).toBeGreaterThanOrEqual(100);
  });

  it('a hot actor lets others have their turn: by count, and by time', async () => {
    const clock = manualClock();
    const system = newSystem(clock);
    const slow = spawn(
      system,
      taker<number>(() => clock.advance(2)),
      { name: 'slow', ...plain },
    );
    const busy = spawn(
      system,
      taker<number>(() => {}),
      { name: 'busy', ...plain },
    );
    for (let n = 0; n < 3_000; n += 1) {
      tell(slow, n);
      tell(busy, n);
    }
    await turns(1);
    expect(3_000 - mailboxSize(slow)).toBe(3);
    expect(3_000 - mailboxSize(busy)).toBe(1_024);
    await turns(8);
    expect(mailboxSize(busy)).toBe(0);
  });

  it('turnEnd runs once for all messages gathered in a turn', async () => {
    const batches: number[] = [];
    const batching: Behaviour<number, number> = {
      kind: 'batching',
      start: () => 0,
      receive: (gathered) => gathered + 1,
      turnEnd(gathered) {
        batches.push(gathered);
        return 0;
      },
    };
    const ref = spawn(newSystem(manualClock()), batching, { name: 'batching', ...plain });
    for (let n = 0; n < 1_500; n += 1) tell(ref, n);
    await turns();
    expect(batches).toEqual([1_024, 476]);
  });

  /** Of the speed of an actor without children. Where a message costs by the child, 10,000 of them leave less than a hundredth. */
  const fastShare = 1 / 5;

  /**
   * Messages per second of two actors, one message per turn of the loop: the price of a turn is what grows with nact's table of
   * children. Taken in turns and the best of five each, of up to fifteen while others keep the machine busy.
   */
  async function ratioOf(many: ActorRef<number>, none: ActorRef<number>): Promise<number> {
    const perSecond = async (ref: ActorRef<number>) => {
      const startMs = performance.now();
      for (let n = 0; n < 500; n += 1) {
        tell(ref, n);
        await turns(1);
      }
      return 500 / (performance.now() - startMs);
    };
    const best = { many: 0, none: 0 };
    for (let round = 0; round < 15; round += 1) {
      if (round >= 5 && best.many / best.none > fastShare) break;
      best.many = Math.max(best.many, await perSecond(many));
      best.none = Math.max(best.none, await perSecond(none));
    }
    return best.many / best.none;
  }

  it('a parent with 10,000 grandchildren stays fast', async () => {
    const system = newSystem();
    const parent = spawn(
      system,
      taker<number>(() => {}),
      { name: 'parent', ...plain },
    );
    for (let b = 0; b < 100; b += 1) {
      const bucket = spawnBucket(parent, `bucket-${b}`);
      for (let n = 0; n < 100; n += 1)
        spawn(
          bucket,
          taker(() => {}),
          { name: `child-${n}`, mailboxMax: 1, restarts: 'never' },
        );
    }
    const childless = spawn(
      system,
      taker<number>(() => {}),
      { name: 'childless', ...plain },
    );
    expect(await ratioOf(parent, childless)).toBeGreaterThan(fastShare);
  });

  it('10,000 children directly under one actor leave it as fast', async () => {
    const system = newSystem();
    const parent = spawn(
      system,
      taker<number>(() => {}),
      { name: 'parent', ...plain },
    );
    for (let n = 0; n < 10_000; n += 1)
      spawn(
        parent,
        taker(() => {}),
        { name: `child-${n}`, mailboxMax: 1, restarts: 'never' },
      );
    const childless = spawn(
      system,
      taker<number>(() => {}),
      { name: 'childless', ...plain },
    );
    expect(await ratioOf(parent, childless)).toBeGreaterThan(fastShare);
  });

  it('AsyncLocalStorage does not bleed: a message runs in nobody else’s context, nor do start and timers', async () => {
    const user = new AsyncLocalStorage<string>();
    const seen: unknown[] = [];
    const clock = manualClock();
    const spy: Behaviour<undefined, string> = {
      kind: 'spy',
      start: () => void seen.push(user.getStore()) as undefined,
      receive: () => void seen.push(user.getStore()) as undefined,
    };
    const ref = user.run('alice', () => spawn(newSystem(clock), spy, { name: 'spy', ...plain }));
    user.run('alice', () => tell(ref, 'from alice'));
    user.run('bob', () => tell(ref, 'from bob'));
    await turns();
    expect(seen).toEqual([undefined, undefined, undefined]);
  });

  it('a handler that gives a promise is a crash, and its rejection ends nothing', async () => {
    const system = newSystem();
    const cheat: Behaviour<number, string> = {
      kind: 'cheat',
      start: () => 0,
      receive: (() => Promise.reject(new Error('later'))) as unknown as () => number,
    };
    const ref = spawn(system, cheat, { name: 'cheat', ...plain });
    tell(ref, 'go');
    await turns();
    expect(system.stats().crashes).toBe(1);
    expect(isStopped(ref)).toBe(true);
  });

  it('nothing is printed to the console, whatever crashes', async () => {
    const printed = ['log', 'warn', 'error', 'info'].map((name) => vi.spyOn(console, name as 'log').mockImplementation(() => {}));
    const system = newSystem();
    const ref = spawn(
      system,
      taker<string>(() => {
        throw new Error('no');
      }),
      { name: 'loud', ...plain },
    );
    tell(ref, 'a secret');
    await turns();
    await system.stop(10);
    for (const spy of printed) expect(spy).not.toHaveBeenCalled();
    vi.restoreAllMocks();
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
