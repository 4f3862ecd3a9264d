/**
 * Actor, lives: crash, back-off, restart.
 */
import { describe, expect, it } from 'vitest';
import { type ActorRef, type Behaviour, isStopped, spawn, stopActor, tell } from '../../system/actor.ts';
import { frail, type Msg, newSystem, recorder, restarts, sturdy } from '../support/actor-lives.ts';
import { turns } from '../support/manual-clock.ts';

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
