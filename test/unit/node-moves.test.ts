/**
 * Clients of a node without its store: when they are told to go to another one, and when nobody is. Time by hand.
 */
import { describe, expect, it } from 'vitest';
import { drainSpreadMs } from '../../actors/drain-spread.ts';
import type { ClusterView } from '../../system/cluster/cluster-view.ts';
import { createMemoryClusterHub } from '../../system/cluster/cluster-view-memory.ts';
import { Health, type PartState } from '../../system/health.ts';
import type { Incarnation, NodeId } from '../../system/ids.ts';
import { moveTimes, NodeMoves } from '../../system/node-moves.ts';
import { startStage, stopStages } from '../support/actor-stage.ts';
import { manualClock } from '../support/manual-clock.ts';

const down: PartState = { down: 'does not answer' };

/** Node a with clients, beside node b, both on one store. */
function start({ isStoreShared = true, ofView = {} as Partial<ClusterView> } = {}) {
  const clock = manualClock();
  const hub = createMemoryClusterHub();
  const moved: number[] = [];
  const lines: unknown[] = [];
  const join = (name: string, isShared = isStoreShared) => {
    const parts: Record<string, PartState> = { store: 'up', node: 'up' };
    const health = new Health();
    for (const part of Object.keys(parts)) health.add(part, () => parts[part] as PartState);
    const incarnation = `${name}.1` as Incarnation;
    const view = { ...hub.join(), ...ofView };
    view.announce({ node: name as NodeId, incarnation, address: `${name}.example:1` });
    const moves = new NodeMoves({
      view,
      incarnation,
      health,
      moveAway: () => (name === 'a' ? moved.push(clock.nowMs()) : 0),
      isStoreShared: isShared,
      clock,
      log: { warn: (line: unknown) => void lines.push(line) } as never,
    });
    return { parts, moves, view };
  };
  return { clock, moved, lines, a: join('a'), b: join('b'), join };
}

describe('clients of a node whose store is away', () => {
  it('are told to go to another that is ready, once that was so for a while, and a line says how many', () => {
    const { clock, moved, a, lines } = start();
    clock.advance(10_000);
    a.parts['store'] = down;
    clock.advance(moveTimes.awayMs);
    expect(moved).toEqual([]);
    clock.advance(1_000);
    expect(moved).toHaveLength(1);
    expect([lines, a.moves.moved]).toEqual([[{ ev: 'clients.moved', count: 1 }], 1]);
  });

  it('are not told so twice within a minute; who is here after it is told again, if it is still so', () => {
    const { clock, moved, a } = start();
    a.parts['store'] = down;
    clock.advance(60_000);
    expect(moved).toHaveLength(1);
    a.parts['store'] = 'up';
    clock.advance(1_000);
    a.parts['store'] = down;
    clock.advance(50_000);
    expect(moved).toHaveLength(2);
    expect((moved[1] ?? 0) - (moved[0] ?? 0)).toBeGreaterThanOrEqual(moveTimes.pauseMs);
  });

  it('stay when it is back within that while, or when no other node says that it is ready', () => {
    const { clock, moved, a, b } = start();
    a.parts['store'] = down;
    clock.advance(4_000);
    a.parts['store'] = 'up';
    clock.advance(1_000);
    expect(moved).toEqual([]);
    b.parts['store'] = down;
    clock.advance(1_000);
    a.parts['store'] = down;
    clock.advance(600_000);
    expect(moved).toEqual([]);
  });

  it('stay when all nodes lost it and another one has it back a moment before', () => {
    const { clock, moved, a, b } = start();
    for (const node of [a, b]) node.parts['store'] = down;
    clock.advance(30_000);
    b.parts['store'] = 'up';
    clock.advance(4_000);
    a.parts['store'] = 'up';
    clock.advance(60_000);
    expect(moved).toEqual([]);
  });

  it('stay while it may be old what is known of others, and where another node has other rooms', () => {
    const stale = start({ ofView: { health: () => ({ degraded: 'may be out of date' }) } });
    const alone = start({ isStoreShared: false });
    for (const { clock, moved, a } of [stale, alone]) {
      a.parts['store'] = down;
      clock.advance(120_000);
      expect(moved).toEqual([]);
    }
  });

  it('stay when the other one does not say, as those of an older version', () => {
    const { clock, moved, a, b, join } = start();
    b.moves.stop();
    b.view.announce({ node: 'b' as NodeId, incarnation: 'b.1' as Incarnation, address: undefined });
    a.parts['store'] = down;
    clock.advance(120_000);
    expect(moved).toEqual([]);
    join('c');
    clock.advance(10_000);
    expect(moved).toHaveLength(1);
  });

  it('stay when it is another part that is down: they would be as badly off elsewhere, or it is the node that stops', () => {
    const { clock, moved, a } = start();
    a.parts['node'] = { down: 'is draining' };
    clock.advance(120_000);
    expect(moved).toEqual([]);
  });
});

describe('a node', () => {
  it('tells others whether it is ready, with its address, soon after each change, until it is stopped', () => {
    const { clock, a, b } = start();
    const seen = () => b.view.find('a.1' as Incarnation);
    expect(seen()).toEqual({ node: 'a', incarnation: 'a.1', address: 'a.example:1', isReady: true });
    a.parts['store'] = down;
    clock.advance(500);
    expect(seen()?.isReady).toBe(false);
    a.moves.stop();
    a.parts['store'] = 'up';
    clock.advance(5_000);
    expect(seen()?.isReady).toBe(false);
  });

  it('that moves its clients tells each why, at times spread over some seconds, and admits whoever comes', async () => {
    const stage = startStage();
    const clients = ['ada', 'bob', 'cid'].map((user) => stage.connect(user));
    expect(stage.gateway.moveAway()).toBe(3);
    expect(clients.map(({ sink }) => sink.closed)).toEqual(
      [0, 1, 2].map((index) => ({ code: 'STORE_UNAVAILABLE', reconnectInMs: (drainSpreadMs * index) / 3 })),
    );
    expect(stage.connect('dan').sink.closed).toBeUndefined();
    stage.gateway.drain();
    expect(stage.gateway.moveAway(), 'who was told that the node stops is told nothing else').toBe(0);
    await stopStages();
  });
});
