/**
 * One room written through several nodes at once: with links the commands go to the last winner and hardly anything collides; without them,
 * with a link that is cut, or with a winner that accepts and never answers, everything still arrives once and in order.
 */
import { afterEach, describe, expect, it } from 'vitest';
import type { ChatClient } from '../../gateway/client/chat-client.ts';
import { createMemoryNodeLinkHub } from '../../system/cluster/node-link-memory.ts';
import { joinAll, type LinkedNode, type Links, sawAll, sayMuch, startLinked } from '../support/linked-nodes.ts';
import { eventsOf } from '../support/room-events.ts';
import { waitUntil } from '../support/store-processes.ts';
import { stopNodes } from '../support/test-nodes.ts';

const each = 120;
const clients: ChatClient[] = [];
afterEach(async () => {
  for (const client of clients.splice(0)) client.end();
  await stopNodes();
});

async function run(count: number, links: Links, meanwhile: (nodes: readonly LinkedNode[]) => void | Promise<void> = () => {}) {
  const nodes = await startLinked(count, links);
  const writers = await joinAll(nodes, clients);
  const [seqs] = await Promise.all([sayMuch(writers, each, 4), meanwhile(nodes)]);
  expect(new Set(seqs).size).toBe(each * count);
  await sawAll(writers, each);
  return eventsOf(nodes);
}

describe('one room written through several nodes', () => {
  it.each([2, 3])('%i nodes with links: acknowledged once, in order, and hardly a conflict', { timeout: 60_000 }, async (count) => {
    const linked = await run(count, 'tcp');
    await stopNodes();
    const alone = await run(count, 'none');
    expect(linked['forwardStored']).toBeGreaterThan(each / 4);
    expect(linked['link taken']).toBeGreaterThan(0);
    expect(linked['link forged'] ?? 0).toBe(0);
    expect(alone['forwarded']).toBe(0);
    expect(linked['conflict']).toBeLessThan((alone['conflict'] as number) / 4);
  });

  it('a link that is cut, and cut again, loses nothing', { timeout: 60_000 }, async () => {
    const hub = createMemoryNodeLinkHub();
    const events = await run(3, hub, async (nodes) => {
      for (const { incarnation } of nodes) {
        await waitUntil('there were forwards', async () => ((await eventsOf(nodes))['forwardStored'] ?? 0) > 5);
        hub.cut(incarnation);
      }
    });
    expect(events['forwardStored']).toBeGreaterThan(5);
  });

  it('a winner that accepts forwards and never answers holds nobody up for long', { timeout: 60_000 }, async () => {
    const hub = createMemoryNodeLinkHub();
    const nodes = await startLinked(2, hub);
    const writers = await joinAll(nodes, clients);
    for (const { incarnation } of nodes) hub.mute(incarnation, true);
    const seqs = await sayMuch(writers, 30, 4);
    expect(new Set(seqs).size).toBe(60);
    await sawAll(writers, 30);
    const events = await eventsOf(nodes);
    expect(events['forwardExpired']).toBeGreaterThan(0);
    expect(events['forwardStored']).toBe(0);
  });

  it('the last winner is killed in the middle: what was forwarded to it is taken over at once', { timeout: 60_000 }, async () => {
    const nodes = await startLinked(2, 'tcp');
    const writers = await joinAll(nodes, clients);
    const [survivor] = [writers[0] as (typeof writers)[number]];
    // Only the second one writes at first: it is the winner.
    await sayMuch([writers[1] as (typeof writers)[number]], 20, 4);
    const saying = sayMuch([survivor], 40, 2);
    await waitUntil('it forwards', async () => ((await eventsOf(nodes.slice(0, 1)))['forwarded'] ?? 0) > 0);
    await nodes[1]?.node.stop();
    const seqs = await saying;
    expect(new Set(seqs).size).toBe(40);
    await waitUntil('it has seen all', () => survivor.seen.length === 60);
  });

  it('a kick on one node holds for what another node forwards', { timeout: 60_000 }, async () => {
    const nodes = await startLinked(2, 'tcp');
    await joinAll(nodes, clients);
    const [owner, member] = clients as [ChatClient, ChatClient];
    for (let index = 0; index < 10; index += 1) await Promise.all([owner.send('lobby', 'x'), member.send('lobby', 'y')]);
    await owner.kick('lobby', 'writer-2');
    await expect(member.send('lobby', 'too late')).rejects.toMatchObject({ code: 'FORBIDDEN' });
  });
});
