/**
 * Nodes that a real state server loses: when their users are offline, and when not. Bytes over TCP, time by hand.
 */
import { afterEach, describe, expect, it } from 'vitest';
import { voicePlace } from '../../system/state/state-link.ts';
import { waitUntil } from '../support/gateway-client.ts';
import { turns } from '../support/manual-clock.ts';
import { alice, offline, online, snapshot, watch } from '../support/node-lines.ts';
import { type StateServerStage, startStateStage } from '../support/state-server-stage.ts';

let stage: StateServerStage;
const start = async (given?: Parameters<typeof startStateStage>[0]): Promise<void> => {
  stage = await startStateStage(given);
};
afterEach(() => stage.stop());

describe('a lost node', () => {
  it('that is cut: its users are offline 8 s after its last line', async () => {
    await start();
    const a = await stage.node('a');
    await a.request(snapshot(1, [alice]));
    await a.close();
    await waitUntil('the server has seen the end', () => stage.server.counts().connections === 0);
    stage.clock.advance(7_750);
    expect(stage.transitions).toHaveLength(1);
    stage.clock.advance(250);
    expect(stage.transitions.at(-1)).toEqual({ user: 'alice', state: 'offline' });
  });

  it('that freezes: cut after 6 s without a line, offline after 8; a node that pings stays', async () => {
    await start();
    const [frozen, b] = [await stage.node('frozen'), await stage.node('b')];
    await frozen.request(snapshot(1, [alice]));
    await b.request(snapshot(1, [['s-2', 'bob', 'home']], ['alice']));
    expect(await stage.changes(b)).toEqual([online('alice', 'home')]);
    for (let second = 2; second <= 10; second += 2) {
      stage.clock.advance(2_000);
      if (second === 6) await frozen.end();
      if (second === 8) expect(await b.heard()).toEqual({ type: 'changes', states: [offline('alice')] });
      expect(await b.request({ type: 'ping', id: second })).toEqual({ type: 'pong', id: second });
    }
    expect(stage.transitions).toEqual([
      { user: 'alice', state: 'online' },
      { user: 'bob', state: 'online' },
      { user: 'alice', state: 'offline' },
    ]);
    expect(stage.log).toContainEqual(expect.objectContaining({ ev: 'link.gone', life: 'frozen frozen.1' }));
  });

  it('that is killed: whoever was in a voice channel by it has left that 8 s later, but not who is there from another node by then', async () => {
    await start();
    const [a, b] = [await stage.node('a'), await stage.node('b')];
    const at = (user: string) => [`voice~${user}`, user, voicePlace('3', 'x')] as const;
    await a.request(snapshot(1, [alice, at('alice'), at('bob')]));
    await b.request(snapshot(1, []));
    a.socket.destroy();
    await waitUntil('the server has seen the end', () => stage.server.counts().connections === 1);
    const known = stage.transitions.length;
    stage.clock.advance(4_000);
    await b.request({ type: 'sessions', id: 2, put: [at('bob')], gone: [] });
    stage.clock.advance(3_750);
    expect(stage.transitions.slice(known)).toEqual([]);
    stage.clock.advance(250);
    expect(stage.transitions.slice(known)).toEqual([
      { user: 'alice', state: 'exited', community: '3', channel: 'x' },
      { user: 'alice', state: 'offline' },
    ]);
  });

  it('is not lost because the server itself stood still', async () => {
    await start();
    const a = await stage.node('a');
    await a.request(snapshot(1, [alice]));
    stage.sleep(60_000);
    stage.clock.advance(250);
    expect(await a.request({ type: 'ping', id: 2 })).toEqual({ type: 'pong', id: 2 });
    expect(stage.transitions).toEqual([{ user: 'alice', state: 'online' }]);
  });

  it('or late to come back to a server that stood still makes nobody offline, whoever is heard first', async () => {
    await start({ settleMs: 2_500 });
    const [a, b] = [await stage.node('a'), await stage.node('b')];
    await a.request(snapshot(1, [alice]));
    await b.request(snapshot(1, [], ['bob']));
    stage.clock.advance(2_500);
    expect(await stage.changes(b)).toEqual([offline('bob')]);
    stage.clock.advance(100);
    stage.sleep(20_000);
    // Before any timer: node b asks of carol and dora, who came to node a while nobody could say so.
    expect(await b.request(watch(2, 'carol', 'dora'))).toEqual({ type: 'states', id: 2, states: [] });
    await a.request(snapshot(2, [['s-2', 'carol', 'home']]));
    expect(await stage.changes(b)).toEqual([online('carol', 'home')]);
    expect(stage.transitions.at(-1)).toEqual({ user: 'carol', state: 'online' });
    stage.clock.advance(2_750);
    expect(await stage.changes(b)).toEqual([offline('bob'), offline('dora')]);
    expect(stage.transitions.at(-1)).toEqual({ user: 'alice', state: 'offline' });
    expect(stage.log).toContainEqual(expect.objectContaining({ ev: 'state.away', ms: 19_900 }));
  });

  it('whose line never ends is as silent as one that says nothing', async () => {
    await start();
    const a = await stage.node('a');
    for (let second = 1; second <= 6; second += 1) {
      a.raw('{"type":');
      await turns(5);
      stage.clock.advance(1_000);
    }
    expect(await a.end()).toEqual([]);
  });
});
