/**
 * A message is notified of and published once by the node that stored it, also when it learns of that late.
 */
import { afterEach, describe, expect, it } from 'vitest';
import { createMemoryNotifier, type Told } from '../../system/directory/notifier-memory.ts';
import type { Entry } from '../../system/store/entry.ts';
import type { RoomLog } from '../../system/store/room-log.ts';
import { createMemoryWireHub } from '../../system/wire/wire-memory.ts';
import { create, send, startStage, stopStages } from '../support/actor-stage.ts';
import { turns } from '../support/manual-clock.ts';

afterEach(stopStages);

/** A stage whose next append ends unknown after `then` was done with it. */
async function stageWith(then: (log: RoomLog, call: Parameters<RoomLog['append']>) => Promise<unknown>) {
  const told: Told[] = [];
  const published: Entry[] = [];
  const hub = createMemoryWireHub();
  hub.join('other').subscribe({ wants: () => true, onEntries: (_room, entries) => void published.push(...entries) });
  let isDue = false;
  const stage = startStage({
    notifier: createMemoryNotifier(told),
    wire: hub.join('test-1'),
    log: (log) => ({
      async append(...call) {
        if (!isDue) return log.append(...call);
        isDue = false;
        await then(log, call);
        return { type: 'unknown', cause: new Error('the answer was lost') };
      },
    }),
  });
  const ada = stage.connect('ada');
  await ada.done(create('lobby', true, ['bea']));
  const breakNext = (): void => {
    isDue = true;
  };
  const passed = async (): Promise<void> => {
    for (let round = 0; round < 20; round += 1) {
      await turns(5);
      stage.clock.advance(100);
    }
  };
  const texts = (entries: readonly { readonly text?: string }[]): (string | undefined)[] =>
    entries.map(({ text }) => text).filter((text) => text !== undefined);
  return { stage, ada, breakNext, passed, notified: () => texts(told), published: () => texts(published) };
}

describe('a message whose append ended unknown', () => {
  it('is notified of and published once when it is found in the log', async () => {
    const on = await stageWith((log, call) => log.append(...call));
    on.breakNext();
    const answer = on.ada.ask(send('lobby', 'c1', 'was it stored?'));
    await on.passed();
    expect(await answer).toMatchObject({ ok: true, result: { type: 'stored' } });
    await on.ada.done(send('lobby', 'c1', 'was it stored?')); // A retry is nothing new.
    await on.passed();
    expect(on.notified()).toEqual(['was it stored?']);
    expect(on.published()).toEqual(['was it stored?']);
  });

  it('is notified of and published once when it was not stored, and then is', async () => {
    const on = await stageWith(async () => undefined);
    on.breakNext();
    const answer = on.ada.ask(send('lobby', 'c1', 'again'));
    await on.passed();
    expect(await answer).toMatchObject({ ok: true, result: { type: 'stored' } });
    expect(on.notified()).toEqual(['again']);
    expect(on.published()).toEqual(['again']);
  });

  it('is left to the node that stored it when it is found under another writer', async () => {
    const on = await stageWith(async (log, [room, after, [first, ...more]]) => {
      await log.append(room, after, [{ ...(first as Entry), writer: 'other~1' as Entry['writer'] }, ...more]);
    });
    on.breakNext();
    const answer = on.ada.ask(send('lobby', 'c1', 'theirs'));
    await on.passed();
    expect(await answer).toMatchObject({ ok: true });
    expect(on.notified()).toEqual([]);
    expect(on.published()).toEqual([]);
  });
});
