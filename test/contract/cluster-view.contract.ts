/**
 * The contract of ClusterView, for any twin: who announces is seen by all others, once it is gone by none.
 */
import { expect, it } from 'vitest';
import type { ClusterNode, ClusterView } from '../../system/cluster/cluster-view.ts';
import type { Incarnation, NodeId } from '../../system/ids.ts';
import { waitUntil } from '../support/store-processes.ts';

export const clusterNode = (name: string, life = '1', address: string | null = `${name}.example:3200`): ClusterNode => ({
  node: name as NodeId,
  incarnation: `${name}.${life}` as Incarnation,
  address: address ?? undefined,
});

export const namesOf = (view: ClusterView): readonly string[] =>
  view
    .nodes()
    .map(({ incarnation }) => incarnation)
    .sort();

/** `join`: a view of one more node of a cluster that nobody else is in; a new cluster for each test. */
export function clusterViewContract(clusters: { newCluster(): { join(): Promise<ClusterView> } }): void {
  it('shows who announced itself to all, those who joined later too, with its address', async () => {
    const cluster = clusters.newCluster();
    const a = await cluster.join();
    a.announce(clusterNode('a'));
    expect(namesOf(a)).toEqual(['a.1']);
    const [b, c] = [await cluster.join(), await cluster.join()];
    b.announce(clusterNode('b', '1', null));
    await waitUntil('each sees both', () => [a, b, c].every((view) => namesOf(view).join() === 'a.1,b.1'));
    expect(c.find('a.1' as Incarnation)).toEqual(clusterNode('a'));
    expect(c.find('b.1' as Incarnation)).toEqual(clusterNode('b', '1', null));
    expect(c.find('c.1' as Incarnation)).toBeUndefined();
    expect([a, b, c].map((view) => view.health())).toEqual(['up', 'up', 'up']);
  });

  it('takes a node out that closes, at once for itself and soon for others; a second close does nothing', async () => {
    const cluster = clusters.newCluster();
    const [a, b] = [await cluster.join(), await cluster.join()];
    a.announce(clusterNode('a'));
    b.announce(clusterNode('b'));
    await waitUntil('a sees b', () => namesOf(a).length === 2);
    await b.close();
    await b.close();
    await waitUntil('a is alone', () => namesOf(a).join() === 'a.1');
  });

  it('tells of each change until the listener leaves, and not of what changes nothing', async () => {
    const cluster = clusters.newCluster();
    const [a, b] = [await cluster.join(), await cluster.join()];
    const seen: string[] = [];
    const leave = a.onChange(() => seen.push(namesOf(a).join()));
    b.announce(clusterNode('b'));
    await waitUntil('a was told', () => seen.includes('b.1'));
    expect(seen).toEqual(['b.1']);
    b.announce(clusterNode('b'));
    b.announce(clusterNode('b', '1', 'moved.example:1'));
    await waitUntil('a was told of the move', () => a.find('b.1' as Incarnation)?.address === 'moved.example:1');
    expect(namesOf(a)).toEqual(['b.1']);
    leave();
    leave();
    const told = seen.length;
    b.announce(clusterNode('b', '1', 'again.example:1'));
    await waitUntil('a knows it all the same', () => a.find('b.1' as Incarnation)?.address === 'again.example:1');
    expect(seen).toHaveLength(told);
  });

  it('shows whether a node says that it is ready, by its last word, and tells of the change', async () => {
    const cluster = clusters.newCluster();
    const [a, b] = [await cluster.join(), await cluster.join()];
    const seen: (boolean | undefined)[] = [];
    const isReady = () => a.find('b.1' as Incarnation)?.isReady;
    a.onChange(() => seen.push(isReady()));
    b.announce(clusterNode('b'));
    await waitUntil('a sees b, which does not say', () => namesOf(a).join() === 'b.1');
    expect(isReady()).toBeUndefined();
    b.announce({ ...clusterNode('b'), isReady: true });
    await waitUntil('a knows it is ready', () => isReady() === true && seen.at(-1) === true);
    for (const ready of [false, true, false, true, false]) b.announce({ ...clusterNode('b'), isReady: ready });
    await waitUntil('a knows it is not', () => isReady() === false && seen.at(-1) === false);
    const later = await cluster.join();
    await waitUntil('whoever comes later knows it too', () => later.find('b.1' as Incarnation)?.isReady === false);
    expect(later.find('b.1' as Incarnation)).toEqual({ ...clusterNode('b'), isReady: false });
  });

  it('knows two lives of one node apart', async () => {
    const cluster = clusters.newCluster();
    const [first, second] = [await cluster.join(), await cluster.join()];
    first.announce(clusterNode('a', '1'));
    second.announce(clusterNode('a', '2', 'new.example:1'));
    await waitUntil('both are there', () => namesOf(second).join() === 'a.1,a.2' && namesOf(first).length === 2);
    await first.close();
    await waitUntil('only the newer is left', () => namesOf(second).join() === 'a.2');
  });

  it('announces nothing after it was closed', async () => {
    const cluster = clusters.newCluster();
    const [a, b] = [await cluster.join(), await cluster.join()];
    await b.close();
    b.announce(clusterNode('b'));
    a.announce(clusterNode('a'));
    await waitUntil('a sees itself', () => namesOf(a).join() === 'a.1');
  });
}
