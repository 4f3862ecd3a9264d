/**
 * TurnsRun: a process in which every turn of the event loop is made to last, with a room's actor and with a bare nact actor.
 */
import { dispatch, spawn, start, stop } from 'nact';
import { runActors } from './append-actors.ts';
import { answerCalls } from './calls.ts';
import { openStore } from './open-store.ts';

export interface TurnsRequest {
  readonly dir: string;
  readonly turnMs: number;
  /** Messages in flight, each of another sender. */
  readonly senders: number;
  readonly durationMs: number;
  readonly isNactFirst: boolean;
}
export interface TurnsRun {
  readonly roomPerSecond: number;
  readonly nactPerSecond: number;
  readonly turnsPerSecond: number;
}

const warmUpMs = 500;

async function run(request: TurnsRequest): Promise<TurnsRun> {
  const load = burn(request.turnMs);
  let nactPerSecond = request.isNactFirst ? await handledByNact(request.durationMs) : 0;
  const { roomPerSecond, turnsPerSecond } = await storedByRoom(request, load.turns);
  if (!request.isNactFirst) nactPerSecond = await handledByNact(request.durationMs);
  load.end();
  return { roomPerSecond, nactPerSecond, turnsPerSecond };
}

/** Other work: from now on each turn takes at least `turnMs`. */
function burn(turnMs: number): { readonly turns: () => number; end(): void } {
  let [turns, isBurning] = [0, true];
  const turn = (): void => {
    turns += 1;
    const endMs = performance.now() + turnMs;
    while (performance.now() < endMs);
    if (isBurning) setImmediate(turn);
  };
  setImmediate(turn);
  return {
    turns: () => turns,
    end: () => {
      isBurning = false;
    },
  };
}

async function storedByRoom({ dir, senders, durationMs }: TurnsRequest, turns: () => number) {
  const [startMs, turnsBefore] = [performance.now(), turns()];
  const { perSecond, acked, stored } = await runActors(await openStore(dir), { dir, rooms: 1, senders, warmUpMs, durationMs });
  if (acked !== stored) throw new Error(`${acked} acknowledged, ${stored} stored`);
  return { roomPerSecond: perSecond, turnsPerSecond: ((turns() - turnsBefore) * 1_000) / (performance.now() - startMs) };
}

/** Messages a second of an actor that has always more waiting. */
async function handledByNact(durationMs: number): Promise<number> {
  const system = start();
  let handled = 0;
  const actor = spawn(system, (_state: undefined, _message: number) => {
    handled += 1;
    dispatch(actor, handled);
    return undefined;
  });
  for (let message = 0; message < 100; message += 1) dispatch(actor, message);
  await new Promise((resolve) => setTimeout(resolve, warmUpMs));
  const [startMs, before] = [performance.now(), handled];
  await new Promise((resolve) => setTimeout(resolve, durationMs));
  const perSecond = ((handled - before) * 1_000) / (performance.now() - startMs);
  stop(system);
  return perSecond;
}

process.on('unhandledRejection', (error) => {
  throw error;
});
answerCalls({ run });
