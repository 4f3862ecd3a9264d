/**
 * Actors below a bucket share one lane: what one of them does must not be felt by the others, but for the time it takes.
 */
import { expect, it } from 'vitest';
import { type ActorRef, createActorSystem, spawn, spawnBucket, stopActor, tell } from '../../system/actor.ts';
import { silentLog } from '../support/embedded-stores.ts';
import { manualClock, turns } from '../support/manual-clock.ts';

function setUp() {
  const clock = manualClock();
  const system = createActorSystem({ clock, log: silentLog });
  const home = spawnBucket(system, 'home');
  const bucket = spawnBucket(home, 'bucket-00');
  const handled: string[] = [];
  const child = (name: string, receive: (msg: string) => void = () => {}): ActorRef<string> =>
    spawn<undefined, string>(
      bucket,
      {
        kind: 'child',
        start: () => undefined,
        receive: (_state, msg) => {
          handled.push(`${name} ${msg}`);
          receive(msg);
          return undefined;
        },
      },
      { name, mailboxMax: 10, restarts: 'never' },
    );
  return { clock, handled, child };
}

it('takes turns in the order in which actors were told, all messages of one together', async () => {
  const { handled, child } = setUp();
  const [a, b] = [child('a'), child('b')];
  tell(b, '1');
  tell(a, '1');
  tell(b, '2');
  await turns(2);
  expect(handled).toEqual(['b 1', 'b 2', 'a 1']);
});

it('goes on with the others when one crashes, stops itself or is stopped while it waits for its turn', async () => {
  const { handled, child } = setUp();
  const crashes = child('crashes', () => {
    throw new Error('a bug');
  });
  const stopped = child('stopped');
  const last = child('last');
  for (const ref of [crashes, stopped, last]) tell(ref, '1');
  await stopActor(stopped, { drain: false, deadlineMs: 0 });
  await turns(2);
  expect(handled).toEqual(['crashes 1', 'last 1']);
});

it('lets everything else have its turn when it has worked for long, and then goes on where it was', async () => {
  const { clock, handled, child } = setUp();
  const slow = ['a', 'b', 'c', 'd'].map((name) => child(name, () => clock.advance(6)));
  for (const ref of slow) tell(ref, '1');
  let seenFromOutside = 0;
  // Asked for after the lane's first turn was: comes between its two.
  setImmediate(() => {
    seenFromOutside = handled.length;
  });
  await turns(6);
  expect(handled).toEqual(['a 1', 'b 1', 'c 1', 'd 1']);
  expect(seenFromOutside).toBe(2);
});
