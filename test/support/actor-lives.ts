/**
 * ActorLives: actor systems on a clock of the test's own, and an actor that writes down all that happens to it.
 */
import { afterEach } from 'vitest';
import { type ActorSystem, type Behaviour, createActorSystem } from '../../system/actor.ts';
import { createLogger } from '../../system/logger.ts';
import { type ManualClock, manualClock, turns } from './manual-clock.ts';

const quiet = createLogger({ level: 'silent', base: {} });
const systems: ActorSystem[] = [];
export function newSystem(): { system: ActorSystem; clock: ManualClock } {
  const clock = manualClock();
  const system = createActorSystem({ clock, log: quiet });
  systems.push(system);
  return { system, clock };
}
afterEach(async () => {
  for (const system of systems.splice(0)) void system.stop(0);
  await turns(2);
});

export const restarts = { restartsMax: 3, windowMs: 10_000, backoffMs: 100, backoffMaxMs: 250 } as const;
export const sturdy = { mailboxMax: 1_000, restarts } as const;
export const frail = { mailboxMax: 1_000, restarts: 'never' } as const;

export type Msg = number | 'crash' | 'stop';
/** Writes all that happens to it into `events`. */
export const recorder = (events: unknown[], over: Partial<Behaviour<number, Msg>> = {}): Behaviour<number, Msg> => ({
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
