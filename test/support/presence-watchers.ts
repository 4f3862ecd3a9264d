/**
 * PresenceWatchers: an actor stage whose link to the state server is up, who watches there, and what they were told.
 */
import type { PresenceView } from '../../actors/user-state.ts';
import type { UserId } from '../../system/ids.ts';
import { type Stage, type StageClient, type StageOptions, startStage } from './actor-stage.ts';
import { turns } from './manual-clock.ts';

export const stage = async (options?: StageOptions): Promise<Stage> => {
  const started = startStage(options);
  await turns(2);
  return started;
};

export const watch = async (who: StageClient, ...users: string[]): Promise<readonly PresenceView[]> => {
  const result = await who.done({ type: 'presence.watch', users: users as UserId[] });
  if (result.type !== 'presence') throw new Error(`answered ${result.type}`);
  return result.states;
};
/** What a client was told by events, one line for each change. */
export const told = (who: StageClient): string[] =>
  (who.sink.events('presence') as { changes: PresenceView[] }[]).flatMap(({ changes }) =>
    changes.map(({ user, state, place }) => [user, state, place].filter((part) => part !== undefined).join(' ')),
  );
export const events = (on: Stage, ev: string) => on.lines.filter((line) => line['ev'] === ev);
export const pass = async (on: Stage, ms: number): Promise<void> => {
  await turns(6);
  on.clock.advance(ms);
  await turns(6);
};
