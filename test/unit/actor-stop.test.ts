/**
 * Actor, stop: the order of an end, drain, and what is refused after it.
 */
import { describe, expect, it } from 'vitest';
import {
  type ActorRef,
  type ActorSystem,
  type Behaviour,
  callbackRef,
  isStopped,
  mailboxSize,
  spawn,
  spawnBucket,
  stopActor,
  tell,
} from '../../system/actor.ts';
import { frail, type Msg, newSystem, recorder, sturdy } from '../support/actor-lives.ts';
import { turns } from '../support/manual-clock.ts';

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
