/**
 * ActorSystems: actor systems that end with the test, and the plainest actor.
 */
import { afterEach } from 'vitest';
import { type ActorSystem, type Behaviour, createActorSystem } from '../../system/actor.ts';
import { systemClock } from '../../system/clock.ts';
import { createLogger } from '../../system/logger.ts';

const quiet = createLogger({ level: 'silent', base: {} });
const systems: ActorSystem[] = [];
export function newSystem(clock = systemClock): ActorSystem {
  const system = createActorSystem({ clock, log: quiet });
  systems.push(system);
  return system;
}
afterEach(async () => {
  await Promise.all(systems.splice(0).map((system) => system.stop(0)));
});

export const plain = { mailboxMax: 100_000, restarts: 'never' } as const;
/** Calls `take` with each message. */
export const taker = <M>(take: (msg: M) => void): Behaviour<undefined, M> => ({
  kind: 'taker',
  start: () => undefined,
  receive(_state, msg) {
    take(msg);
    return undefined;
  },
});
