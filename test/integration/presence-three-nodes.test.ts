/**
 * Presence over three nodes and a state server, each a process, as watching clients live through it: nodes are killed, frozen and
 * replaced, the state server is killed and frozen. Real time, real TCP.
 */
import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../system/clock.ts';
import { waitUntil } from '../support/gateway-client.ts';
import { allSee, PresenceStage, type StagedNode } from '../support/presence-stage.ts';

/** A lost node's users are offline by then; the server itself gives it 8 s. */
const lostMs = 10_000;
const healedMs = 3_000;
const soonMs = 3_000;
const passed = (ms: number): Promise<void> => new Promise((resolve) => systemClock.after(ms, resolve));

let stage: PresenceStage;
let one: StagedNode;
let two: StagedNode;
let three: StagedNode;
const start = async (): Promise<void> => {
  stage = await PresenceStage.start(['one', 'two', 'three']);
  [one, two, three] = stage.nodes as [StagedNode, StagedNode, StagedNode];
};
afterEach(() => stage.stop());

describe('a user', () => {
  it('who is on two nodes is online until the last session ends', async () => {
    await start();
    const [first, second] = [await stage.connect(one, 'bob'), await stage.connect(two, 'bob')];
    await stage.connect(one, 'amy');
    const watcher = await stage.watch(three, ['bob', 'amy']);
    await allSee(stage, [watcher], { bob: 'online', amy: 'online' }, soonMs);
    const leftMs = performance.now();
    first.disconnect();
    // Whoever comes after him on the same way is told: so he was not overlooked.
    const later = await stage.connect(one, 'zoe');
    const late = await stage.watch(three, ['zoe']);
    await allSee(stage, [late], { zoe: 'online' }, soonMs);
    later.disconnect();
    await allSee(stage, [late], { zoe: 'offline' }, soonMs);
    expect(watcher.history('bob', leftMs)).toEqual(['online']);
    second.disconnect();
    await allSee(stage, [watcher], { bob: 'offline' }, soonMs);
    expect(watcher.history('amy', leftMs)).toEqual(['online']);
  }, 60_000);
});

describe('a node that is lost', () => {
  it('by kill -9: its users are offline within 10 s on both others, and who moved meanwhile never flaps', async () => {
    await start();
    await stage.connect(two, 'dan');
    const mia = await stage.connect(two, 'mia');
    const watchers = [await stage.watch(one, ['dan', 'mia']), await stage.watch(three, ['dan', 'mia'])];
    await allSee(stage, watchers, { dan: 'online', mia: 'online' }, soonMs);
    const moved = new Promise((resolve) => mia.once('disconnect', () => resolve(stage.connect(three, 'mia'))));
    const killedMs = performance.now();
    await two.process.kill('SIGKILL');
    await moved;
    await allSee(stage, watchers, { dan: 'offline', mia: 'online' }, lostMs - (performance.now() - killedMs));
    for (const watcher of watchers) {
      expect(watcher.history('dan', killedMs)).toEqual(['online', 'offline']);
      expect(watcher.history('mia', killedMs)).toEqual(['online']);
    }
  }, 60_000);

  it('by freezing: the same, and its sessions return when it goes on', async () => {
    await start();
    await stage.connect(two, 'dan');
    await stage.connect(two, 'mia');
    const watchers = [await stage.watch(one, ['dan', 'mia']), await stage.watch(three, ['dan', 'mia'])];
    await allSee(stage, watchers, { dan: 'online', mia: 'online' }, soonMs);
    const frozenMs = performance.now();
    two.process.signal('SIGSTOP');
    await stage.connect(three, 'mia');
    await allSee(stage, watchers, { dan: 'offline', mia: 'online' }, lostMs - (performance.now() - frozenMs));
    two.process.signal('SIGCONT');
    await allSee(stage, watchers, { dan: 'online', mia: 'online' }, 2 * healedMs);
    for (const watcher of watchers) {
      expect(watcher.history('dan', frozenMs)).toEqual(['online', 'offline', 'online']);
      expect(watcher.history('mia', frozenMs)).toEqual(['online']);
    }
  }, 60_000);

  it('and whose next life is here already touches nothing when it goes on: its late words end nobody', async () => {
    await start();
    const old = await stage.connect(two, 'lea');
    const watcher = await stage.watch(one, ['lea', 'new']);
    await allSee(stage, [watcher], { lea: 'online' }, soonMs);
    const frozenMs = performance.now();
    two.process.signal('SIGSTOP');
    const next = await stage.startNode('two');
    await stage.connect(next, 'lea');
    two.process.signal('SIGCONT');
    old.disconnect();
    await waitUntil('the old life is not let in', () => /SUPERSEDED/.test(stage.stateServer.stdout + two.process.stdout), lostMs);
    // Longer than the grace of the old life, whose sessions end meanwhile.
    await passed(lostMs);
    expect(watcher.history('lea', frozenMs)).toEqual(['online']);
    expect(next.process.stdout, 'the next life was never pushed out').not.toContain('"ev":"link.down"');
    await stage.connect(next, 'new');
    await allSee(stage, [watcher], { new: 'online' }, soonMs);
  }, 60_000);
});

describe('a state server that is lost', () => {
  /** Longer than its grace, and than nodes need to wait the longest between their tries. */
  const awayMs = 10_000;

  it.each<[string, () => Promise<void>, () => Promise<void>]>([
    [
      'killed with -9 and started again',
      async () => void (await stage.stateServer.kill('SIGKILL')),
      async () => {
        // One node comes back later than the others: whoever is on it must not be offline meanwhile.
        two.process.signal('SIGSTOP');
        await stage.stateServer.start();
        systemClock.after(500, () => two.process.signal('SIGCONT'));
      },
    ],
    ['frozen', async () => stage.stateServer.signal('SIGSTOP'), async () => stage.stateServer.signal('SIGCONT')],
  ])(
    'and %s: everybody elsewhere is unknown, and within 3 s of its return the truth is, without a wrong word between',
    // Real times: once more where the machine itself was slower than that.
    { timeout: 60_000, retry: 2 },
    async (_how, lose, heal) => {
      await start();
      const ann = await stage.connect(two, 'ann');
      await stage.connect(two, 'ben');
      await stage.connect(three, 'cat');
      const users = ['ann', 'ben', 'cat', 'dov', 'eve'];
      const watchers = [await stage.watch(one, users), await stage.watch(one, users)];
      await allSee(stage, watchers, { ann: 'online', ben: 'online', cat: 'online', dov: 'offline', eve: 'offline' }, soonMs);
      const lostAtMs = performance.now();
      await lose();
      await allSee(stage, watchers, { ann: 'unknown', ben: 'unknown', cat: 'unknown', dov: 'unknown', eve: 'unknown' }, lostMs);
      ann.disconnect();
      await stage.connect(three, 'dov');
      await passed(awayMs - (performance.now() - lostAtMs));
      await heal();
      const tookMs = await allSee(
        stage,
        watchers,
        { ann: 'offline', ben: 'online', cat: 'online', dov: 'online', eve: 'offline' },
        healedMs,
      );
      expect(tookMs).toBeLessThan(healedMs);
      for (const watcher of watchers) {
        expect(watcher.history('ann', lostAtMs)).toEqual(['online', 'unknown', 'offline']);
        expect(watcher.history('ben', lostAtMs)).toEqual(['online', 'unknown', 'online']);
        expect(watcher.history('cat', lostAtMs)).toEqual(['online', 'unknown', 'online']);
        expect(watcher.history('dov', lostAtMs)).toEqual(['offline', 'unknown', 'online']);
        expect(watcher.history('eve', lostAtMs)).toEqual(['offline', 'unknown', 'offline']);
      }
    },
  );
});
