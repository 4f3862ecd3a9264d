/** The contract of ClusterView, kept by the Redis twin on a real server; and what only that one promises. */
import { describe, expect, it } from 'vitest';
import type { ClusterView } from '../../system/cluster/cluster-view.ts';
import { createRedisClusterView, nodesMax } from '../../system/cluster/cluster-view-redis.ts';
import type { Incarnation } from '../../system/ids.ts';
import { newPrefix, type RedisSide, redisNeeded, redisSide, redisUrl } from '../support/redis-server.ts';
import { redisStage } from '../support/redis-stage.ts';
import { waitUntil } from '../support/store-processes.ts';
import { clusterNode, clusterViewContract, namesOf } from './cluster-view.contract.ts';

const stage = redisStage(createRedisClusterView);
const joinAt = async (prefix: string, url?: string): Promise<{ view: ClusterView; side: RedisSide }> => {
  const { part: view, side } = await stage.join(prefix, url);
  return { view, side };
};

describe.skipIf(redisUrl === '')(`ClusterView on Redis (${redisNeeded})`, () => {
  clusterViewContract({
    newCluster() {
      const prefix = newPrefix();
      return { join: async () => (await joinAt(prefix)).view };
    },
  });

  it('finds what was announced while its notice was lost', async () => {
    const prefix = newPrefix();
    const { view: a, side } = await joinAt(prefix);
    const deaf = await redisSide(prefix);
    await deaf.redis.ready(2_000);
    const b = stage.on({ ...deaf, redis: { ...bound(deaf), subscribe: () => () => {} } });
    await waitUntil('b has read', () => b.health() === 'up');
    a.announce(clusterNode('a'));
    expect(side.redis.health()).toBe('up');
    await waitUntil('b sees it by its next reading', () => namesOf(b).join() === 'a.1', 4_000);
  });

  it('ignores what is forged, malformed or moved from elsewhere, counts it and says so once', async () => {
    const prefix = newPrefix();
    const { view, side } = await joinAt(prefix);
    const other = await redisSide(newPrefix());
    const far = Date.now() + 60_000;
    const forged = [
      'garbage',
      `${'-'.repeat(43)}{"node":"evil","inc":"evil.1","address":"evil.example:1"}`,
      `${'A'.repeat(43)}{"node":"evil","inc":"evil.1","address":"evil.example:1"}`,
      other.signed.seal('node', other.keys.nodes, { node: 'evil', inc: 'evil.1' }),
      side.signed.seal('claim', side.keys.nodes, { node: 'evil', inc: 'evil.1' }),
      side.signed.seal('node', side.keys.nodes, { node: 'e v i l', inc: 'evil.1' }),
      side.signed.seal('node', side.keys.nodes, { node: 'evil', inc: 'evil.1', address: 'x'.repeat(70_000) }),
    ];
    const args = forged.flatMap((text) => [String(far), text]);
    await side.redis.script({ text: addAll, sha: 'not there yet' }, [side.keys.nodes], args);
    view.announce(clusterNode('a'));
    await waitUntil('they were read', () => (side.signed.bad['node'] ?? 0) >= forged.length);
    expect(namesOf(view)).toEqual(['a.1']);
    expect(side.lines.filter((line) => line.includes('redis.bad'))).toHaveLength(1);
  });

  it('sees so many nodes and says once that there are more', async () => {
    const { view, side } = await joinAt(newPrefix());
    const far = Date.now() + 60_000;
    const args = Array.from({ length: nodesMax + 5 }, (_, index) => [
      far,
      side.signed.seal('node', side.keys.nodes, { node: `n${index}`, inc: `n${index}.1` }),
    ]).flat();
    await side.redis.script({ text: addAll, sha: 'not there yet' }, [side.keys.nodes], args);
    view.announce(clusterNode('a'));
    await waitUntil('it has read them', () => view.nodes().length >= nodesMax);
    await waitUntil('it has read them again', () => side.lines.some((line) => line.includes('cluster.full')));
    expect(view.nodes().length).toBeLessThanOrEqual(nodesMax + 1);
    expect(side.lines.filter((line) => line.includes('cluster.full'))).toHaveLength(1);
  });

  it('leaves one word of a node there, the last one, however fast it changes its mind', async () => {
    const prefix = newPrefix();
    const [a, b] = [await joinAt(prefix), await joinAt(prefix)];
    const read = { text: "return redis.call('ZRANGE', KEYS[1], 0, -1)", sha: 'not there yet' };
    const words = async () => (await a.side.redis.script(read, [a.side.keys.nodes], [])) as string[];
    a.view.announce(clusterNode('a'));
    await waitUntil('it is there', async () => (await words()).length === 1);
    for (let i = 0; i < 5; i += 1) for (const isReady of [true, false]) a.view.announce({ ...clusterNode('a'), isReady });
    await waitUntil('the other has the last word', () => b.view.nodes()[0]?.isReady === false);
    await waitUntil('and no other is there', async () => (await words()).join().endsWith('"ready":false}') && (await words()).length === 1);
  });

  it('sees nodes of other versions: one that says more, and one that does not say whether it is ready', async () => {
    const { view, side } = await joinAt(newPrefix());
    const far = Date.now() + 60_000;
    const said = [
      { node: 'old', inc: 'old.1', address: 'old.example:3200' },
      { node: 'new', inc: 'new.1', ready: true, mood: 'fine' },
    ];
    const args = said.flatMap((words) => [String(far), side.signed.seal('node', side.keys.nodes, words)]);
    await side.redis.script({ text: addAll, sha: 'not there yet' }, [side.keys.nodes], args);
    view.announce(clusterNode('a'));
    await waitUntil('they were read', () => view.nodes().length === 3);
    expect([view.find('old.1' as Incarnation), view.find('new.1' as Incarnation)]).toEqual([
      clusterNode('old'),
      { ...clusterNode('new', '1', null), isReady: true },
    ]);
  });

  it('takes the place of a key of another type', async () => {
    const prefix = newPrefix();
    const side = await redisSide(prefix);
    await side.redis.ready(2_000);
    await side.redis.call((redis) => redis.set(side.keys.nodes, 'a string'));
    const view = stage.on(side);
    view.announce(clusterNode('a'));
    const { view: other } = await joinAt(prefix);
    await waitUntil('the other sees it', () => namesOf(other).join() === 'a.1');
  });
});

describe.skipIf(redisUrl === '')(`ClusterView on a Redis that fails (${redisNeeded})`, () => {
  const two = async () => {
    const server = await stage.ownServer();
    const prefix = newPrefix();
    const [a, b] = [await joinAt(prefix, server.url), await joinAt(prefix, server.url)];
    a.view.announce(clusterNode('a'));
    b.view.announce(clusterNode('b'));
    await waitUntil('both see both', () => [a, b].every(({ view }) => namesOf(view).length === 2));
    return { server, a, b };
  };

  it('keeps the last view while it is dead, and comes back with whoever is there', { timeout: 30_000 }, async () => {
    const { server, a, b } = await two();
    await server.kill();
    await waitUntil('it says so', () => a.view.health() !== 'up' && a.side.redis.health() !== 'up');
    expect([namesOf(a.view), namesOf(b.view)]).toEqual([
      ['a.1', 'b.1'],
      ['a.1', 'b.1'],
    ]);
    await server.start();
    const c = await joinAt(a.side.keys.nodes.replace(/:nodes$/, ''), server.url);
    c.view.announce(clusterNode('c'));
    await waitUntil('all see three', () => [a, b, c].every(({ view }) => namesOf(view).join() === 'a.1,b.1,c.1'));
    expect(a.view.health()).toBe('up');
  });

  it('loses nobody for a moment when it is emptied', { timeout: 30_000 }, async () => {
    const { server, a, b } = await two();
    const seen = new Set<string>();
    a.view.onChange(() => seen.add(namesOf(a.view).join()));
    await server.admin.flushall();
    await waitUntil('both have told themselves again', async () => (await server.admin.zcard(a.side.keys.nodes)) === 2);
    await waitUntil('a has read again', async () => (await server.admin.zcard(a.side.keys.nodes)) === 2);
    expect([...seen]).toEqual([]);
    expect(namesOf(b.view)).toEqual(['a.1', 'b.1']);
  });

  it('forgets a node that died without a word', { timeout: 30_000 }, async () => {
    const { a, b } = await two();
    b.side.redis.close();
    await waitUntil('b is gone', () => namesOf(a.view).join() === 'a.1', 12_000);
  });
});

const addAll = "for i = 1, #ARGV, 2 do redis.call('ZADD', KEYS[1], ARGV[i], ARGV[i + 1]) end return 1";
/** A connection's methods, free to be replaced one by one. */
function bound({ redis }: RedisSide): RedisSide['redis'] {
  return {
    call: (command) => redis.call(command),
    script: (script, keys, values) => redis.script(script, keys, values),
    subscribe: (channel, listener) => redis.subscribe(channel, listener),
    onUp: (listener) => redis.onUp(listener),
    ready: (withinMs) => redis.ready(withinMs),
    health: () => redis.health(),
    counts: () => redis.counts(),
    description: redis.description,
    close: () => redis.close(),
  };
}
