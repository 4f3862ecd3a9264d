/**
 * Voice channels: who enters, who hears, where somebody is, and what is said while nothing is known of other nodes.
 */
import { afterEach, describe, expect, it } from 'vitest';
import type { Answer, ClientCommand } from '../../actors/client-command.ts';
import { voiceRightsMax, voiceUsersMax } from '../../actors/voice.ts';
import { voiceExitMs } from '../../actors/voice-exits-state.ts';
import { voiceLingerMs } from '../../actors/voice-state.ts';
import { voicePlace } from '../../system/state/state-link.ts';
import { createMemoryStateHub } from '../../system/state/state-link-memory.ts';
import type { StateEvent } from '../../system/wire/wire.ts';
import { createMemoryWireHub } from '../../system/wire/wire-memory.ts';
import { type Stage, type StageClient, startStage, stopStages } from '../support/actor-stage.ts';
import { room, user } from '../support/entries.ts';
import { turns } from '../support/manual-clock.ts';
import { liveSession } from '../support/state-link-listener.ts';

afterEach(stopStages);

const enter = (channel: string, community = '3'): ClientCommand => ({ type: 'voice.enter', community, channel });
const list = (community = '3'): ClientCommand => ({ type: 'voice.list', community });
const leave: ClientCommand = { type: 'voice.leave' };

/** ada, bob and eve in a channel of community 3; whoever else is in none. */
async function start(options: Parameters<typeof startStage>[0] = {}) {
  const hub = createMemoryStateHub();
  const wireHub = createMemoryWireHub();
  const published: StateEvent[] = [];
  wireHub.join('other').subscribe({ wants: () => false, onEntries: () => {}, onState: (event) => void published.push(event) });
  const stage = startStage({ wire: wireHub.join('me'), presence: { link: hub.join('me') }, ...options });
  const elsewhere = hub.join('elsewhere');
  const ada = stage.connect('ada');
  await ada.done({
    type: 'room.create',
    kind: 'channel',
    id: room('tea'),
    public: false,
    community: '3',
    members: [user('bob'), user('eve')],
  });
  return { stage, hub, elsewhere, ada, published };
}

/** `x: ada bob, y: eve`, with ` ?` where it is not complete; or the code of a refusal. */
function said(answer: Answer): string {
  if (!answer.ok) return answer.refusal.code;
  if (answer.result.type !== 'voice') return answer.result.type;
  const { channels, complete } = answer.result.view;
  return `${channels.map(([channel, users]) => `${channel}: ${users.join(' ')}`).join(', ')}${complete ? '' : ' ?'}`;
}
const told = ({ sink }: StageClient): unknown[] => sink.events('voice');
async function pass(stage: Stage, ms = 200): Promise<void> {
  await turns(5);
  await stage.clock.advance(ms);
  await turns(5);
}

describe('a voice channel', () => {
  it('shows whoever entered it, on whatever node, to who lists or enters; one command moves', async () => {
    const { stage, elsewhere, ada } = await start();
    const bob = stage.connect('bob');
    elsewhere.put(liveSession('v', 'zoe', voicePlace('3', 'x')));
    expect(said(await ada.ask(enter('x')))).toBe('x: ada zoe');
    expect(said(await bob.ask(list()))).toBe('x: ada zoe');
    expect(said(await bob.ask(enter('y')))).toBe('x: ada zoe, y: bob');
    expect(said(await ada.ask(enter('y')))).toBe('x: zoe, y: ada bob');
    expect(said(await ada.ask(leave))).toBe('x: zoe, y: bob');
    expect(said(await ada.ask(leave))).toBe('done');
  });

  it('is told to those who listed or entered, together for what happens within 150 ms, and to nobody else', async () => {
    const { stage, ada } = await start();
    const [bob, eve] = [stage.connect('bob'), stage.connect('eve')];
    await bob.ask(list());
    await pass(stage);
    const before = told(bob).length;
    await ada.ask(enter('x'));
    await ada.ask(enter('y'));
    await ada.ask(enter('z'));
    await pass(stage, 1_000);
    expect(told(bob).length - before).toBeLessThanOrEqual(2);
    expect(told(bob).at(-1)).toEqual({ community: '3', channels: { z: ['ada'] }, complete: true });
    expect(told(ada).at(-1)).toEqual({ community: '3', channels: { z: ['ada'] }, complete: true });
    expect(told(eve)).toEqual([]);
  });

  it('is told late, and as it is then, to a connection that had no room', async () => {
    const { stage, ada } = await start();
    const bob = stage.connect('bob');
    await bob.ask(list());
    await pass(stage);
    bob.sink.isBusy = true;
    const before = told(bob).length;
    await ada.ask(enter('x'));
    await pass(stage);
    await ada.ask(enter('y'));
    await pass(stage);
    expect(told(bob).length).toBe(before);
    bob.sink.drain();
    await pass(stage);
    expect(told(bob).at(-1)).toMatchObject({ channels: { y: ['ada'] } });
  });

  it('is left at once by who says goodbye, and after a moment by who is lost and does not come back', async () => {
    const { stage, ada } = await start();
    const [bob, eve] = [stage.connect('bob'), stage.connect('eve')];
    await bob.ask(enter('x'));
    await eve.ask(enter('x'));
    bob.handle.disconnected('left');
    eve.handle.disconnected('lost');
    await turns(10);
    expect(said(await ada.ask(list()))).toBe('x: eve');
    await pass(stage, 2_900);
    expect(said(await ada.ask(list()))).toBe('x: eve');
    for (let i = 0; i < 4; i += 1) await pass(stage, 100);
    expect(said(await ada.ask(list()))).toBe('');
  });

  it('keeps who was lost and enters again in time', async () => {
    const { stage, ada } = await start();
    const bob = stage.connect('bob');
    await bob.ask(enter('x'));
    bob.handle.disconnected('lost');
    await pass(stage, 1_000);
    await stage.connect('bob').ask(enter('x'));
    for (let i = 0; i < 40; i += 1) await pass(stage, 100);
    expect(said(await ada.ask(list()))).toBe('x: bob');
  });
});

describe('who may', () => {
  it('is whoever is in a room of the community; for others it is as if there were none', async () => {
    const { stage, elsewhere } = await start();
    elsewhere.put(liveSession('v', 'zoe', voicePlace('3', 'x')));
    const mallory = stage.connect('mallory');
    for (const command of [enter('x'), list(), enter('x', '99'), list('99')]) {
      expect(await mallory.ask(command)).toEqual({
        ok: false,
        refusal: { code: 'NOT_FOUND', message: 'no such community', retryable: false },
      });
    }
    expect(said(await stage.connect('bob').ask(list()))).toBe('x: zoe');
  });

  it('ends with the last room: who is removed is out, and hears no more', async () => {
    const { stage, ada } = await start();
    const bob = stage.connect('bob');
    await bob.ask(enter('x'));
    await pass(stage);
    await ada.done({ type: 'room.kick', room: room('tea'), user: user('bob') });
    await pass(stage);
    const before = told(bob).length;
    expect(said(await ada.ask(enter('y')))).toBe('y: ada');
    await pass(stage);
    expect(told(bob).length).toBe(before);
    expect(said(await bob.ask(enter('x')))).toBe('NOT_FOUND');
  });

  it('is, for a room without a community, whoever is in it', async () => {
    const { stage, ada } = await start();
    await ada.done({ type: 'room.create', kind: 'group', id: room('call'), public: false, members: [user('bob')] });
    expect(said(await stage.connect('bob').ask(enter('call', 'call')))).toBe('call: bob');
    expect(said(await stage.connect('eve').ask(enter('call', 'call')))).toBe('NOT_FOUND');
  });
});

describe('what other services hear', () => {
  it('is each step once, in the words of before', async () => {
    const { stage, ada, published } = await start();
    await ada.done({ type: 'room.create', kind: 'group', id: room('call'), public: false, members: [] });
    await ada.ask(list());
    await ada.ask(enter('x'));
    await ada.ask(enter('x'));
    await ada.ask(enter('y'));
    await ada.ask(enter('call', 'call'));
    await ada.ask(leave);
    await ada.ask(leave);
    await pass(stage);
    const step = (type: string, communityId: string, channelId?: string) => ({
      type,
      userId: 'ada',
      communityId,
      ...(channelId && { channelId }),
    });
    expect(published).toEqual([
      step('before-enter', '3'),
      step('enter', '3', 'x'),
      step('enter', '3', 'y'),
      step('exit-community', '3', 'y'),
      step('enter', 'call', 'call'),
      step('exit-room', 'call', 'call'),
    ]);
  });
});

describe('of a user whose connection was lost, other services hear', () => {
  async function lost(meanwhile: (given: Awaited<ReturnType<typeof start>>) => unknown) {
    const given = await start();
    const { stage, published } = given;
    const bob = stage.connect('bob');
    await bob.ask(enter('x'));
    await pass(stage);
    bob.handle.disconnected('lost');
    await pass(stage);
    await meanwhile(given);
    for (let ms = 0; ms < voiceLingerMs; ms += 100) await pass(stage, 100);
    const early = published.length;
    for (let ms = 0; ms < voiceExitMs; ms += 100) await pass(stage, 100);
    return { ...given, early, told: published.slice(1).map(({ type, userId, channelId }) => `${type} ${userId} ${channelId}`) };
  }

  it('that they went, once, when they have not come back here or elsewhere', async () => {
    const { told, early, stage, published } = await lost(() => {});
    expect([told, early]).toEqual([['exit-community bob x'], 1]);
    for (let ms = 0; ms < 5_000; ms += 100) await pass(stage, 100);
    expect(published).toHaveLength(2);
  });

  it.each<[string, (given: Awaited<ReturnType<typeof start>>) => unknown]>([
    ['in the same channel from another node', ({ elsewhere }) => elsewhere.put(liveSession('v', 'bob', voicePlace('3', 'x')))],
    ['in another channel from another node', ({ elsewhere }) => elsewhere.put(liveSession('v', 'bob', voicePlace('3', 'y')))],
  ])('nothing when they are %s by then', async (_where, meanwhile) => {
    expect((await lost(meanwhile)).told).toEqual([]);
  });

  it.each([true, false])(
    'nothing but their coming when they are back here after their time was over (others known: %s)',
    async (isKnown) => {
      const { stage, hub, published } = await lost(() => {});
      if (!isKnown) hub.stop('gone');
      const before = published.length;
      const bob = stage.connect('bob');
      await bob.ask(enter('x'));
      bob.handle.disconnected('lost');
      for (let ms = 0; ms < voiceLingerMs + 500; ms += 100) await pass(stage, 100);
      await stage.connect('bob').ask(enter('x'));
      for (let ms = 0; ms < 5_000; ms += 100) await pass(stage, 100);
      expect(published.slice(before).map(({ type }) => type)).toEqual(['enter', 'enter']);
    },
  );

  it('that they went, when they are in another community now', async () => {
    const { told } = await lost(({ elsewhere }) => elsewhere.put(liveSession('v', 'bob', voicePlace('31', 'x'))));
    expect(told).toEqual(['exit-community bob x']);
  });

  it('that they went, when nothing is known of other nodes', async () => {
    expect((await lost(({ hub }) => hub.stop('gone'))).told).toEqual(['exit-community bob x']);
  });

  it('that they went, at once when the node stops while that is waited for', async () => {
    const { stage, published } = await start();
    const bob = stage.connect('bob');
    await bob.ask(enter('x'));
    await pass(stage);
    bob.handle.disconnected('lost');
    for (let ms = 0; ms < voiceLingerMs + 500; ms += 100) await pass(stage, 100);
    expect(published).toHaveLength(1);
    await stage.stop();
    expect(published.map(({ type }) => type)).toEqual(['enter', 'exit-community']);
  });
});

describe('while nothing is known of other nodes', () => {
  it('a channel shows this node, and says that it is not complete; all of it when the server is back', async () => {
    const { stage, hub, elsewhere, ada } = await start();
    elsewhere.put(liveSession('v', 'zoe', voicePlace('3', 'x')));
    expect(said(await ada.ask(enter('x')))).toBe('x: ada zoe');
    hub.stop('gone');
    await pass(stage);
    expect(told(ada).at(-1)).toEqual({ community: '3', channels: { x: ['ada'] }, complete: false });
    expect(said(await ada.ask(list()))).toBe('x: ada ?');
    hub.start();
    await pass(stage);
    expect(told(ada).at(-1)).toEqual({ community: '3', channels: { x: ['ada', 'zoe'] }, complete: true });
  });
});

describe('a bound', () => {
  it('answers BUSY when too many ask at once, and takes them again', async () => {
    let open = (): void => {};
    const gate = new Promise<void>((resolve) => {
      open = resolve;
    });
    const { stage, ada } = await start({
      log: (log) => ({ at: (refs) => (refs[0]?.seq === 1 ? gate.then(() => log.at(refs)) : log.at(refs)) }),
    });
    const answers: Answer[] = [];
    for (let i = 0; i < voiceRightsMax + 2; i += 1) ada.handle.command(list(), (answer) => void answers.push(answer));
    await turns(20);
    expect(answers.map(said)).toEqual(['BUSY', 'BUSY']);
    open();
    await pass(stage);
    expect(answers.length).toBe(voiceRightsMax + 2);
    expect(said(await ada.ask(list()))).toBe('');
  });

  it('takes no more people into a community than its bound', async () => {
    const { stage, elsewhere, ada } = await start();
    for (let i = 0; i < voiceUsersMax - 1; i += 1) elsewhere.put(liveSession(`v${i}`, `u${i}`, voicePlace('3', 'x')));
    await ada.ask(list());
    const bob = stage.connect('bob');
    expect((await ada.ask(enter('x'))).ok).toBe(true);
    expect(said(await bob.ask(enter('x')))).toBe('BUSY');
    expect((await ada.ask(enter('y'))).ok).toBe(true);
    await ada.ask(leave);
    expect((await bob.ask(enter('x'))).ok).toBe(true);
  });

  it('hears of the last eight communities', async () => {
    const { stage, ada } = await start();
    for (let i = 0; i < 9; i += 1) {
      await ada.done({
        type: 'room.create',
        kind: 'channel',
        id: room(`r${i}`),
        public: false,
        community: `c${i}`,
        members: [user('bob')],
      });
      await ada.ask(list(`c${i}`));
    }
    const bob = stage.connect('bob');
    await pass(stage);
    const before = told(ada).length;
    await bob.ask(enter('x', 'c0'));
    await pass(stage);
    expect(told(ada).length).toBe(before);
    await bob.ask(enter('x', 'c8'));
    await pass(stage);
    expect(told(ada).at(-1)).toMatchObject({ community: 'c8', channels: { x: ['bob'] } });
  });
});
