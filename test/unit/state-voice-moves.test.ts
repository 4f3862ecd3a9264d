/**
 * Voice channels that users left with a node that was given up, as other services are to hear of it: once each, and only if it is so.
 */
import { describe, expect, it } from 'vitest';
import type { SessionRow } from '../../system/state/state-lines.ts';
import { voicePlace } from '../../system/state/state-link.ts';
import { StateServerState } from '../../system/state/state-server-state.ts';
import { testLimits } from '../support/state-limits.ts';
import { TestNode, toldState } from '../support/told-state.ts';

const at = (user: string, community = '3', channel = 'x'): SessionRow => [`voice~${user}`, user, voicePlace(community, channel)];
const home = (user: string): SessionRow => [`s-${user}`, user, 'home'];

function start() {
  const told = toldState();
  const moves = () =>
    told.server
      .takeChanges(0)
      .news.map((news) => `${news.user} ${news.state}${'channel' in news ? ` ${news.community} ${news.channel}` : ''}`);
  return { ...told, moves };
}

describe('the voice channels of a node that is given up or says goodbye', () => {
  it('were left by all who were in them, each once, and before they are offline', () => {
    const { up, server, moves } = start();
    up('a').put([home('ada'), at('ada'), at('bob', '3', 'y'), home('eve')]);
    moves();
    server.expire(7_999);
    expect(moves()).toEqual([]);
    server.expire(8_000);
    expect(moves()).toEqual(['ada exited 3 x', 'bob exited 3 y', 'ada offline', 'bob offline', 'eve offline']);
    server.expire(16_000);
    expect(moves()).toEqual([]);
  });

  it('were not left by who is in the community from another node by then, in whatever channel; another community was', () => {
    const { up, server, moves } = start();
    up('a').put([at('ada'), at('bob'), at('eve')]);
    up('b').put([at('ada', '3', 'x'), at('bob', '3', 'z'), at('eve', '31', 'x')], 5_000);
    moves();
    server.expire(8_000);
    expect(moves()).toEqual(['eve exited 3 x']);
  });

  it('are left once by who was there from two nodes that died together', () => {
    const { up, server, moves } = start();
    up('a').put([at('ada', '3', 'x')]);
    up('b').put([at('ada', '3', 'y')]);
    moves();
    server.expire(8_000);
    expect(moves()).toEqual(['ada exited 3 y', 'ada offline']);
  });

  it('of which a newer life came meanwhile, were left by those only who did not enter again there', () => {
    const { up, server, moves } = start();
    up('a', 'a.1').put([at('ada'), at('bob')], 1_000);
    up('a', 'a.2', 3_000).put([at('ada')], 4_000);
    moves();
    server.expire(9_000);
    expect(moves()).toEqual(['bob exited 3 x', 'bob offline']);
  });

  it('were left at once with its goodbye, by whoever did not come back on another node before', () => {
    const { up, moves } = start();
    const a = up('a');
    a.put([at('ada'), at('bob')]);
    up('b').put([at('bob')]);
    moves();
    a.say({ type: 'bye' });
    expect(moves()).toEqual(['ada exited 3 x', 'ada offline']);
  });

  it('are not told of where the node says it itself: of who leaves, or is not in its snapshot', () => {
    const { up, moves } = start();
    const a = up('a');
    a.put([at('ada'), at('bob'), at('eve')]);
    a.gone(['voice~ada']);
    a.snapshot([at('bob')]);
    expect(moves().filter((move) => move.includes('exited'))).toEqual([]);
  });

  it('that an earlier server knew were left too, when the node does not come back to this one', () => {
    const server = new StateServerState(testLimits(), { startedAtMs: 0, settleMs: 2_500 });
    const [id, user, place] = at('ada');
    server.restore([{ owner: 'a\na.1', id, user, place }], 0);
    expect(server.expire(8_000)).toHaveLength(1);
    expect(server.takeChanges(8_000).news).toContainEqual({ user: 'ada', state: 'exited', community: '3', channel: 'x' });
  });
});

describe('a node that was given up and comes back', () => {
  it('has those again in its voice channels who are still there, and of each it is said once', () => {
    const { up, server, moves } = start();
    const a = up('a');
    a.put([at('ada'), at('bob')]);
    server.expire(8_000);
    moves();
    expect(a.hello(20_000)).toBe('ok');
    a.snapshot([home('ada')], [], 20_000, true, false);
    a.snapshot([at('ada'), home('eve')], [], 20_000, false, true);
    expect(moves()).toEqual(['ada online', 'eve online', 'ada entered 3 x']);
    a.hello(21_000);
    a.snapshot([at('ada'), at('eve')], [], 21_000);
    expect(moves(), 'what happens from then on the node says itself').toEqual([]);
  });

  it('says nothing of who went to the community by another node meanwhile', () => {
    const { up, server, moves } = start();
    const a = up('a');
    a.put([at('ada')]);
    server.expire(8_000);
    up('b', 'b.1', 9_000).put([at('ada', '3', 'y')], 9_000);
    moves();
    a.hello(10_000);
    a.snapshot([at('ada')], [], 10_000);
    expect(moves()).toEqual([]);
  });

  it('is no news after its own goodbye, nor is a node that was never here', () => {
    const { up, moves } = start();
    const a = up('a');
    a.put([at('ada')]);
    a.say({ type: 'bye' });
    a.hello(1_000);
    a.snapshot([at('ada')], [], 1_000);
    up('b').snapshot([at('bob')]);
    expect(moves().filter((move) => move.includes('entered'))).toEqual([]);
  });

  it('is remembered for as many nodes as may be there at once', () => {
    const server = new StateServerState(testLimits({ livesMax: 2 }));
    const node = (name: string, nowMs: number): TestNode => {
      const made = new TestNode(server, name, `${name}.1`);
      made.hello(nowMs);
      made.snapshot([at(name)], [], nowMs);
      return made;
    };
    const [a, b, c] = ['a', 'b', 'c'].map((name, index) => {
      const made = node(name, index * 10_000);
      server.expire(index * 10_000 + 8_000);
      return made;
    });
    server.takeChanges(0);
    for (const each of [a, b, c]) {
      each?.hello(40_000);
      each?.snapshot([at(each === a ? 'a' : each === b ? 'b' : 'c')], [], 40_000);
      if (each !== c) each?.say({ type: 'bye' }, 40_000);
    }
    const entered = server.takeChanges(40_000).news.filter(({ state }) => state === 'entered');
    expect(entered.map(({ user }) => user)).toEqual(['b', 'c']);
  });
});
