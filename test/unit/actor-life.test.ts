/**
 * Actor, lives: crash, back-off, restart, pipes, watches, drain and stop.
 */
import { afterEach, describe, expect, it } from 'vitest';
import {
  type ActorRef,
  type ActorSystem,
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
import { createLogger } from '../../system/logger.ts';
import { type ManualClock, manualClock, turns } from '../support/manual-clock.ts';

const quiet = createLogger({ level: 'silent', base: {} });
const systems: ActorSystem[] = [];
function newSystem(): { system: ActorSystem; clock: ManualClock } {
  const clock = manualClock();
  const system = createActorSystem({ clock, log: quiet });
  systems.push(system);
  return { system, clock };
}
afterEach(async () => {
  for (const system of systems.splice(0)) void system.stop(0);
  await turns(2);
});

const restarts = { restartsMax: 3, windowMs: 10_000, backoffMs: 100, backoffMaxMs: 250 } as const;
const sturdy = { mailboxMax: 1_000, restarts } as const;
const frail = { mailboxMax: 1_000, restarts: 'never' } as const;

type Msg = number | 'crash' | 'stop';
/** Writes all that happens to it into `events`. */
const recorder = (events: unknown[], over: Partial<Behaviour<number, Msg>> = {}): Behaviour<number, Msg> => ({
  kind: 'recorder',
  start() {
    events.push('start');
    return 0;
  },
  receive(count, msg, ctx) {
    if (msg === 'crash') throw new Error('told to');
    if (msg === 'stop') ctx.stop();
    else events.push(msg);
    return count + 1;
  },
  stopped: (state, reason) => void events.push([reason, state]),
  ...over,
});

describe('crash and restart', () => {
  it('tells of each message that will not be handled: the one it failed on, and those that wait when it stops for good', async () => {
    const { system, clock } = newSystem();
    const events: unknown[] = [];
    const unhandled = (msg: Msg) => void events.push(['unhandled', msg]);
    const ref = spawn(system, recorder(events, { unhandled }), { name: 'r', mailboxMax: 100, restarts: { ...restarts, restartsMax: 1 } });
    for (const msg of [1, 'crash', 2, 'crash', 3, 4] as const) tell(ref, msg);
    await turns();
    clock.advance(100);
    await turns();
    expect(events).toEqual([
      'start',
      1,
      ['unhandled', 'crash'],
      'start',
      2,
      ['unhandled', 'crash'],
      ['unhandled', 3],
      ['unhandled', 4],
      ['crashed', 1],
    ]);
  });

  it('goes on when what it says of an unhandled message throws', async () => {
    const { system, clock } = newSystem();
    const events: unknown[] = [];
    const unhandled = () => {
      throw new Error('in unhandled');
    };
    const ref = spawn(system, recorder(events, { unhandled }), { name: 'r', ...sturdy });
    tell(ref, 'crash');
    tell(ref, 7);
    await turns();
    clock.advance(100);
    await turns();
    expect(events).toEqual(['start', 'start', 7]);
    expect(system.stats().crashes).toBe(2);
  });

  it('restarts after a back-off that doubles up to its bound, and stops for good when the restarts are used up', async () => {
    const { system, clock } = newSystem();
    const events: unknown[] = [];
    const ref = spawn(system, recorder(events), { name: 'r', ...sturdy });
    const watcher = spawn(
      system,
      { kind: 'w', start: (ctx) => ctx.watch(ref, () => 'gone'), receive: (_s, msg: string) => void events.push(msg) },
      { name: 'w', ...frail },
    );
    for (const backoffMs of [100, 200, 250]) {
      tell(ref, 'crash');
      await turns();
      const starts = events.length;
      clock.advance(backoffMs - 1);
      expect(events.length).toBe(starts);
      clock.advance(1);
      expect(events.at(-1)).toBe('start');
    }
    tell(ref, 7);
    tell(ref, 'crash');
    await turns();
    expect(events).toEqual(['start', 'start', 'start', 'start', 7, ['crashed', 1], 'gone']);
    expect([isStopped(ref), isStopped(watcher), tell(ref, 1)]).toEqual([true, false, 'refused']);
    expect(system.stats()).toMatchObject({ crashes: 4, restarts: 3 });
  });

  it('crashes older than the window do not count', async () => {
    const { system, clock } = newSystem();
    const ref = spawn(system, recorder([]), { name: 'r', ...sturdy });
    for (let n = 0; n < 20; n += 1) {
      tell(ref, 'crash');
      await turns(2);
      clock.advance(5_000);
    }
    expect([isStopped(ref), system.stats().restarts]).toEqual([false, 20]);
  });

  it('messages told before the crash and during the back-off are handled after it, in order, up to the bound', async () => {
    const { system, clock } = newSystem();
    const events: unknown[] = [];
    const ref = spawn(system, recorder(events), { name: 'r', mailboxMax: 4, restarts });
    for (const msg of [1, 'crash', 2, 3] as const) tell(ref, msg);
    await turns();
    expect([tell(ref, 4), tell(ref, 5), tell(ref, 6)]).toEqual(['accepted', 'accepted', 'refused']);
    await turns();
    expect(events).toEqual(['start', 1]);
    clock.advance(100);
    await turns();
    expect(events).toEqual(['start', 1, 'start', 2, 3, 4, 5]);
  });

  it('the next life sees nothing of the state of the crashed one', async () => {
    const { system, clock } = newSystem();
    const seen: unknown[] = [];
    const dirty: Behaviour<{ secrets: string[] }, string> = {
      kind: 'dirty',
      start: () => ({ secrets: [] }),
      receive(state, msg) {
        state.secrets.push(msg);
        if (msg === 'crash') throw new Error('in the middle of an edit in place');
        seen.push([...state.secrets]);
        return state;
      },
    };
    const ref = spawn(system, dirty, { name: 'dirty', ...sturdy });
    for (const msg of ['a', 'crash', 'b']) tell(ref, msg);
    await turns();
    clock.advance(100);
    await turns();
    expect(seen).toEqual([['a'], ['b']]);
  });

  it('a throw in start, turnEnd, describe or stopped is this actor’s crash and reaches nobody else', async () => {
    const { system, clock } = newSystem();
    const boom = () => {
      throw new Error('boom');
    };
    const events: unknown[] = [];
    let starts = 0;
    const late = recorder(events, { start: () => (++starts === 1 ? boom() : 0) });
    const refs = [
      spawn(system, late, { name: 'start', ...sturdy }),
      spawn(system, recorder([], { turnEnd: boom }), { name: 'turnEnd', ...frail }),
      spawn(system, recorder([], { describe: boom, stopped: boom }), { name: 'stopped', ...frail }),
    ] as const;
    for (const ref of refs) tell(ref, 1);
    await turns();
    expect(refs.map(isStopped)).toEqual([false, true, false]);
    clock.advance(100);
    await turns();
    expect(events).toEqual([1]);
    await stopActor(refs[2], { drain: false, deadlineMs: 0 });
    expect([isStopped(refs[2]), system.stats().crashes]).toEqual([true, 3]);
    expect(spawn(system, recorder([], { start: boom }), { name: 'never', ...frail }).path).toBe('/never');
  });

  it('a crashed actor takes its children with it, so the next life can spawn them again', async () => {
    const { system, clock } = newSystem();
    const events: unknown[] = [];
    const parent: Behaviour<ActorRef<Msg>, Msg> = {
      kind: 'parent',
      start: (ctx) => spawn(ctx.self, recorder(events), { name: 'child', ...frail }),
      receive(child, msg) {
        if (msg === 'crash') throw new Error('parent');
        tell(child, msg);
        return child;
      },
    };
    const ref = spawn(system, parent, { name: 'parent', ...sturdy });
    tell(ref, 'crash');
    await turns();
    expect(events).toEqual(['start', ['stopped', 0]]);
    clock.advance(100);
    tell(ref, 1);
    await turns();
    expect(events).toEqual(['start', ['stopped', 0], 'start', 1]);
  });

  it('a timer of a crashed life never fires in the next', async () => {
    const { system, clock } = newSystem();
    const events: unknown[] = [];
    let life = 0;
    const timed = recorder(events, {
      start(ctx) {
        life += 1;
        ctx.after(150, life);
        return 0;
      },
    });
    const ref = spawn(system, timed, { name: 'timed', ...sturdy });
    tell(ref, 'crash');
    await turns();
    clock.advance(300);
    await turns();
    expect(events).toEqual([2]);
    await stopActor(ref, { drain: false, deadlineMs: 0 });
  });

  it('a delay of 30 days waits 30 days', async () => {
    const { system, clock } = newSystem();
    const events: unknown[] = [];
    const dayMs = 86_400_000;
    spawn(system, recorder(events, { start: (ctx) => (ctx.after(30 * dayMs, 30), ctx.after(-5, 0), 0) }), { name: 'old', ...frail });
    clock.advance(30 * dayMs - 1);
    await turns();
    expect(events).toEqual([0]);
    clock.advance(1);
    await turns();
    expect(events).toEqual([0, 30]);
  });
});

describe('pipes and watches', () => {
  /** Asks for a result through a gate that the test opens. */
  function piping(events: unknown[], gates: ((value: string) => void)[]): Behaviour<number, Msg> {
    return recorder(events, {
      receive(lives, msg, ctx) {
        if (msg === 'crash') throw new Error('told to');
        if (msg === 'stop') ctx.stop();
        else if (msg < 10)
          ctx.pipe(
            new Promise<string>((resolve) => gates.push(resolve)),
            () => msg * 10,
            () => -1,
          );
        else events.push(msg);
        return lives;
      },
    });
  }

  it('a result piped by an earlier life is not delivered to the next, but counted', async () => {
    const { system, clock } = newSystem();
    const events: unknown[] = [];
    const gates: ((value: string) => void)[] = [];
    const ref = spawn(system, piping(events, gates), { name: 'p', ...sturdy });
    for (const msg of [1, 'crash', 2] as const) tell(ref, msg);
    await turns();
    clock.advance(100);
    await turns();
    for (const open of gates) open('result');
    await turns();
    expect(events).toEqual(['start', 'start', 20]);
    expect(system.stats().deadLetters).toBe(1);
  });

  it('a result that arrives after the stop is counted, and a throw in its mapping or a late rejection ends nothing', async () => {
    const { system } = newSystem();
    const faults: unknown[] = [];
    const onFault = (fault: unknown) => faults.push(fault);
    process.on('unhandledRejection', onFault);
    const gates: (() => void)[] = [];
    const boom = (): never => {
      throw new Error('mapping');
    };
    const late: Behaviour<undefined, string> = {
      kind: 'late',
      start(ctx) {
        ctx.pipe(new Promise<void>((resolve) => gates.push(resolve)), boom, boom);
        ctx.pipe(new Promise<void>((_, reject) => gates.push(() => reject(new Error('store gone')))), boom, boom);
        return undefined;
      },
      receive: () => undefined,
    };
    const stopped = spawn(system, late, { name: 'stopped', ...frail });
    const alive = spawn(system, late, { name: 'alive', ...frail });
    await stopActor(stopped, { drain: true, deadlineMs: 0 });
    for (const open of gates) open();
    await turns();
    process.off('unhandledRejection', onFault);
    expect(faults).toEqual([]);
    expect([isStopped(alive), system.stats().crashes]).toEqual([true, 1]);
    expect(system.stats().deadLetters).toBe(3);
  });

  it('results of its own reach an actor whose mailbox is full', async () => {
    const { system } = newSystem();
    const events: unknown[] = [];
    const gates: ((value: string) => void)[] = [];
    const ref = spawn(system, piping(events, gates), { name: 'p', mailboxMax: 1, restarts });
    tell(ref, 1);
    await turns();
    gates[0]?.('result');
    expect([tell(ref, 11), tell(ref, 12)]).toEqual(['accepted', 'refused']);
    await turns();
    expect(events).toEqual(['start', 11, 10]);
  });

  it('a watch tells of a stop once, at once when it is already over, and not of a restart', async () => {
    const { system, clock } = newSystem();
    const events: unknown[] = [];
    const ref = spawn(system, recorder([]), { name: 'r', ...sturdy });
    const watching: Behaviour<undefined, string> = {
      kind: 'w',
      start: () => undefined,
      receive(_s, msg, ctx) {
        if (msg === 'watch') {
          ctx.watch(ref, () => 'first');
          ctx.watch(ref, () => 'gone');
        } else events.push(msg);
        return undefined;
      },
    };
    const watcher = spawn(system, watching, { name: 'w', ...frail });
    tell(watcher, 'watch');
    await turns();
    tell(ref, 'crash');
    await turns();
    clock.advance(100);
    await turns();
    expect(events).toEqual([]);
    tell(ref, 'stop');
    await turns();
    expect(events).toEqual(['gone']);
    tell(watcher, 'watch');
    await turns();
    expect(events).toEqual(['gone', 'first', 'gone']);
  });

  it('when the watch tells, the name is free for a successor', async () => {
    const { system } = newSystem();
    const spawned: ActorRef<Msg>[] = [];
    const keeper: Behaviour<undefined, string> = {
      kind: 'keeper',
      start: () => undefined,
      receive(_s, _msg, ctx) {
        const child = spawn(ctx.self, recorder([]), { name: 'child', ...frail });
        spawned.push(child);
        if (spawned.length < 5) ctx.watch(child, () => 'gone');
        tell(child, 'stop');
        return undefined;
      },
    };
    tell(spawn(system, keeper, { name: 'keeper', ...frail }), 'go');
    await turns(20);
    expect(spawned.length).toBe(5);
    expect(system.stats().crashes).toBe(0);
  });
});

describe('stop', () => {
  function family(system: ActorSystem, events: unknown[]): { top: ActorRef<Msg>; middle: ActorRef<never>; leaf: ActorRef<Msg> } {
    const named = (name: string) =>
      recorder([], { receive: (n) => (events.push(`${name} handled`), n + 1), stopped: () => void events.push(`${name} stopped`) });
    const top = spawn(system, named('top'), { name: 'top', ...frail });
    const middle = spawnBucket(top, 'middle');
    return { top, middle, leaf: spawn(middle, named('leaf'), { name: 'leaf', ...frail }) };
  }

  it('stopping a parent stops its children, leaves first, and none handles a message after', async () => {
    const { system } = newSystem();
    const events: unknown[] = [];
    const { top, middle, leaf } = family(system, events);
    for (let n = 0; n < 5; n += 1) tell(leaf, n);
    expect(await stopActor(top, { drain: false, deadlineMs: 0 })).toBe('dropped');
    await turns();
    expect(events).toEqual(['leaf stopped', 'top stopped']);
    expect([top, middle, leaf].map(isStopped)).toEqual([true, true, true]);
    expect(system.stats()).toMatchObject({ actors: 0, stopped: 3, handled: 0, deadLetters: 5 });
  });

  it('a drain handles all that is queued everywhere, leaves first, and refuses what is new', async () => {
    const { system } = newSystem();
    const events: unknown[] = [];
    const { top, leaf } = family(system, events);
    tell(top, 1);
    tell(leaf, 1);
    tell(leaf, 2);
    const stopping = stopActor(top, { drain: true, deadlineMs: 1_000 });
    expect([tell(top, 9), tell(leaf, 9)]).toEqual(['refused', 'refused']);
    expect(await stopping).toBe('drained');
    expect(events.filter((event) => String(event).includes('leaf'))).toEqual(['leaf handled', 'leaf handled', 'leaf stopped']);
    expect(events.indexOf('top stopped')).toBe(4);
    expect(system.stats()).toMatchObject({ deadLetters: 0, refused: 2 });
  });

  it('a drain runs the final turnEnd before the end', async () => {
    const { system } = newSystem();
    const events: unknown[] = [];
    const ref = spawn(system, recorder(events, { turnEnd: (n) => (events.push('turnEnd'), n) }), { name: 'r', ...frail });
    tell(ref, 1);
    await stopActor(ref, { drain: true, deadlineMs: 1_000 });
    expect(events).toEqual(['start', 1, 'turnEnd', ['stopped', 1]]);
  });

  it('a drain that reaches its deadline drops the rest as dead letters', async () => {
    const { system, clock } = newSystem();
    const ref = spawn(system, recorder([]), { name: 'r', ...sturdy });
    for (const msg of ['crash', 1, 2, 3] as const) tell(ref, msg);
    await turns();
    const stopping = stopActor(ref, { drain: true, deadlineMs: 50 });
    clock.advance(50);
    expect(await stopping).toBe('dropped');
    expect(system.stats().deadLetters).toBe(3);
    clock.advance(1_000);
    expect(system.stats().restarts).toBe(0);
  });

  it('while children drain, a parent hears them and nobody else', async () => {
    const { system } = newSystem();
    const events: unknown[] = [];
    const parent = spawn(system, recorder(events), { name: 'parent', ...frail });
    const child = spawn(parent, recorder([], { receive: (n) => (tell(parent, 5), n), stopped: () => void tell(parent, 6) }), {
      name: 'child',
      ...frail,
    });
    tell(child, 1);
    const stopping = stopActor(parent, { drain: true, deadlineMs: 1_000 });
    expect(tell(parent, 9)).toBe('refused');
    expect(await stopping).toBe('drained');
    expect(events).toEqual(['start', 5, 6, ['stopped', 2]]);
  });

  it('a parent that drains is not told of its own children’s end, so it does not bring them back', async () => {
    const { system } = newSystem();
    let spawned = 0;
    const keeper: Behaviour<undefined, string> = {
      kind: 'keeper',
      start: (ctx) => void tell(ctx.self, 'spawn') as undefined,
      receive(_s, _msg, ctx) {
        spawned += 1;
        ctx.watch(spawn(ctx.self, recorder([]), { name: 'child', ...sturdy }), () => 'spawn');
        return undefined;
      },
    };
    const ref = spawn(system, keeper, { name: 'keeper', ...frail });
    await turns();
    expect(await stopActor(ref, { drain: true, deadlineMs: 1_000 })).toBe('drained');
    expect(spawned).toBe(1);
  });

  it('with awaitPipes a drain waits for results in flight, without it it does not', async () => {
    for (const awaitPipes of [true, false]) {
      const { system } = newSystem();
      const events: unknown[] = [];
      let open = (_value: number) => {};
      const appending = recorder(events, {
        start: (ctx) => (
          ctx.pipe(
            new Promise<number>((resolve) => {
              open = resolve;
            }),
            (n) => n,
            () => -1,
          ),
          0
        ),
      });
      const ref = spawn(system, appending, { name: 'p', ...frail });
      const stopping = stopActor(ref, { drain: true, deadlineMs: 1_000, awaitPipes });
      await turns();
      open(42);
      expect(await stopping).toBe('drained');
      expect(events).toEqual(awaitPipes ? [42, ['stopped', 1]] : [['stopped', 0]]);
    }
  });

  it('ctx.stop ends after its message and a last turnEnd; the rest is counted', async () => {
    const { system } = newSystem();
    const events: unknown[] = [];
    const ref = spawn(system, recorder(events, { turnEnd: (n) => (events.push('turnEnd'), n) }), { name: 'r', ...frail });
    for (const msg of [1, 'stop', 2, 3] as const) tell(ref, msg);
    await turns();
    expect(events).toEqual(['start', 1, 'turnEnd', ['stopped', 2]]);
    expect(system.stats().deadLetters).toBe(2);
  });

  it('an actor stopped from within its own message ends it first; stopped runs once', async () => {
    const { system } = newSystem();
    const events: unknown[] = [];
    const suicide = recorder(events, {
      receive(n, _msg, ctx) {
        void stopActor(ctx.self, { drain: false, deadlineMs: 0 });
        void stopActor(ctx.self, { drain: false, deadlineMs: 0 });
        events.push('still here');
        ctx.after(1, 1);
        return n + 1;
      },
    });
    const ref = spawn(system, suicide, { name: 'r', ...sturdy });
    tell(ref, 1);
    tell(ref, 2);
    await turns();
    expect(events).toEqual(['start', 'still here', ['stopped', 1]]);
  });

  it('a child that stops its parent from within its own message is still stopped before it', async () => {
    const { system } = newSystem();
    const events: unknown[] = [];
    const parent = spawn(system, recorder(events, { stopped: () => void events.push('parent stopped') }), { name: 'parent', ...frail });
    const rebel = recorder(events, {
      receive: (n) => (void stopActor(parent, { drain: false, deadlineMs: 0 }), events.push('end of message'), n),
      stopped: () => void events.push('child stopped'),
    });
    tell(spawn(parent, rebel, { name: 'child', ...frail }), 1);
    await turns();
    expect(events).toEqual(['start', 'start', 'end of message', 'child stopped', 'parent stopped']);
  });

  it('a stop during the back-off cancels the restart', async () => {
    const { system, clock } = newSystem();
    const events: unknown[] = [];
    const ref = spawn(system, recorder(events), { name: 'r', ...sturdy });
    tell(ref, 'crash');
    await turns();
    await stopActor(ref, { drain: false, deadlineMs: 0 });
    // No log is written at the level silent, so no flood window is open either.
    expect(clock.pending()).toBe(0);
    clock.advance(1_000);
    expect(events).toEqual(['start', ['stopped', undefined]]);
  });

  it('the system stops all, leaves first, refuses spawns after, and leaves no timer behind', async () => {
    const { system, clock } = newSystem();
    const events: unknown[] = [];
    const { leaf } = family(system, events);
    spawn(system, recorder([], { start: (ctx) => (ctx.after(5_000, 1), 0) }), { name: 'timed', ...frail });
    tell(leaf, 1);
    const stopping = system.stop(1_000);
    expect(system.stop(1_000)).toBe(stopping);
    await stopping;
    expect(events).toEqual(['leaf handled', 'leaf stopped', 'top stopped']);
    expect(() => spawn(system, recorder([]), { name: 'late', ...frail })).toThrow(/has stopped/);
    expect(clock.pending()).toBe(0);
  });

  it('an edge ref has no life: never stopped, never watched to an end', async () => {
    const { system } = newSystem();
    const edge = callbackRef<string>('edge', () => {}, system);
    expect([isStopped(edge), mailboxSize(edge), await stopActor(edge, { drain: true, deadlineMs: 1 })]).toEqual([false, 0, 'drained']);
  });
});
