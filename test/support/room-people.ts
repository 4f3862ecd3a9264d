/**
 * RoomPeople: two people in one open room of an actor stage, and what tests of rooms say of answers and lines.
 */
import type { Answer } from '../../actors/client-command.ts';
import type { RoomId } from '../../system/ids.ts';
import { create, join, open, type Stage, type StageOptions, startStage } from './actor-stage.ts';
import { turns } from './manual-clock.ts';

export const lobby = 'lobby' as RoomId;
export const stored = (answer: Answer): number => (answer.ok && answer.result.type === 'stored' ? answer.result.seq : -1);
export const code = (answer: Answer): string => (answer.ok ? 'ok' : answer.refusal.code);
/** Lets back-offs of restarts pass. */
export async function settle(on: Stage, ms = 2_000): Promise<void> {
  for (let step = 0; step < 8; step += 1) {
    await turns(3);
    on.clock.advance(ms / 8);
  }
  await turns(3);
}
export const events = (on: Stage, ev: string): Record<string, unknown>[] => on.lines.filter((line) => line.ev === ev);

/** Alice and Bob in one open room, Bob having been given seq 1 and 2 with the answer. */
export async function twoPeople(options?: StageOptions) {
  const on = startStage(options);
  const alice = on.connect('alice');
  const bob = on.connect('bob');
  await alice.done(create('lobby'));
  await bob.done(join('lobby'));
  await alice.done(open('lobby', 0));
  await bob.done(open('lobby', 0));
  return { on, alice, bob };
}
