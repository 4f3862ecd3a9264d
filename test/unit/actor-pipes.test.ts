/**
 * Actor, pipes and watches: results that come later, and word of an end.
 */
import { describe, expect, it } from 'vitest';
import { type ActorRef, type Behaviour, isStopped, spawn, stopActor, tell } from '../../system/actor.ts';
import { frail, type Msg, newSystem, recorder, restarts, sturdy } from '../support/actor-lives.ts';
import { turns } from '../support/manual-clock.ts';

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
