/**
 * LinkedNodes: nodes in this process on one slow store, which write to one room and forward to each other, over TCP or in memory.
 *
 * The store takes its time, as one across a network does: without that no append would ever meet another one.
 */
import { ChatClient } from '../../gateway/client/chat-client.ts';
import { systemClock } from '../../system/clock.ts';
import { createMemoryClusterHub } from '../../system/cluster/cluster-view-memory.ts';
import type { MemoryNodeLinkHub } from '../../system/cluster/node-link-memory.ts';
import type { Incarnation } from '../../system/ids.ts';
import { incarnationOf } from '../../system/node.ts';
import type { RoomStore } from '../../system/store/room-store.ts';
import { openMemoryStore } from '../../system/store/room-store-memory.ts';
import { createMemoryWireHub } from '../../system/wire/wire-memory.ts';
import { withOverrides } from './actor-stage.ts';
import { tokenOf } from './gateway-fixtures.ts';
import { clusterSecret } from './node-links.ts';
import { waitUntil } from './store-processes.ts';
import { testConfig } from './test-config.ts';
import { type InProcess, startInProcess } from './test-nodes.ts';

/** tcp: links of their own. none: no node has one. Else a hub of memory links. */
export type Links = 'tcp' | 'none' | MemoryNodeLinkHub;

export interface LinkedNode extends InProcess {
  readonly incarnation: Incarnation;
}

export interface Writer {
  readonly client: ChatClient;
  readonly name: string;
  /** What it was shown. */
  readonly seen: { readonly seq: number; readonly text: string }[];
}

const appendMs = 4;

export function slowStore(): RoomStore {
  const store = openMemoryStore();
  const log = withOverrides(store.log, {
    append: async (room, after, entries) => {
      await new Promise<void>((resolve) => systemClock.after(appendMs, resolve));
      return store.log.append(room, after, entries);
    },
  });
  return { ...store, log, close: async () => {} };
}

const sharedBy = (store: RoomStore) => (): Promise<RoomStore> => Promise.resolve(store);

/** `storeOf`: of each node; one for all else. */
export async function startLinked(
  count: number,
  links: Links,
  storeOf: () => Promise<RoomStore> = sharedBy(slowStore()),
): Promise<readonly LinkedNode[]> {
  const wires = createMemoryWireHub();
  const views = createMemoryClusterHub();
  const start = async (nodeId: string): Promise<LinkedNode> => {
    const config = { nodeId, clusterSecret, drainDeadlineMs: 2_000 };
    const incarnation = incarnationOf(testConfig(config));
    const view = links === 'tcp' ? { view: views.join() } : undefined;
    const nodeLink = typeof links === 'object' ? { nodeLink: links.join(incarnation) } : undefined;
    const store = await storeOf();
    const parts = { store, wire: wires.join(incarnation), sharedLog: true, ...view, ...nodeLink };
    return { ...(await startInProcess(config, { incarnation, parts, level: 'info' })), incarnation };
  };
  return Promise.all(Array.from({ length: count }, (_, index) => start(`node-${index + 1}`)));
}

/** One person on each node, all in the room `lobby`, which they have open. */
export async function joinAll(nodes: readonly InProcess[], clients: ChatClient[]): Promise<readonly Writer[]> {
  const writers: Writer[] = [];
  for (const [index, { url }] of nodes.entries()) {
    const client = new ChatClient();
    clients.push(client);
    const writer: Writer = { client, name: `writer-${index + 1}`, seen: [] };
    client.on('entries', ({ entries }) => {
      for (const { seq, text } of entries) if (text !== undefined) writer.seen.push({ seq, text });
    });
    await client.connect({ url, token: tokenOf(writer.name) });
    if (index === 0) await client.createRoom({ kind: 'group', id: 'lobby', public: true });
    else await client.join('lobby');
    await client.open('lobby');
    writers.push(writer);
  }
  return writers;
}

/** Each says so much, so many on their way at once; gives what was acknowledged. `acksMs`: is given how long each took. */
export async function sayMuch(writers: readonly Writer[], each: number, atOnce: number, acksMs: number[] = []): Promise<readonly number[]> {
  const seqs: number[] = [];
  await Promise.all(
    writers.map(async ({ client, name }) => {
      const underWay = new Set<Promise<void>>();
      for (let index = 0; index < each; index += 1) {
        const sentMs = performance.now();
        const sending = client.send('lobby', `${name} ${index}`).then(({ seq }) => {
          acksMs.push(performance.now() - sentMs);
          seqs.push(seq);
        });
        const done = sending.finally(() => underWay.delete(done));
        underWay.add(done);
        if (underWay.size >= atOnce) await Promise.race(underWay);
      }
      await Promise.all(underWay);
    }),
  );
  return seqs;
}

/** Everybody got everything, once, in one order, which is that of each writer. Says what is wrong. */
export async function sawAll(writers: readonly Writer[], each: number): Promise<void> {
  await waitUntil('all have seen all', () => writers.every(({ seen }) => seen.length >= each * writers.length));
  const [first, ...others] = writers.map(({ seen }) => seen.map(({ seq, text }) => `${seq} ${text}`).join('\n'));
  for (const other of others) if (other !== first) throw new Error('two writers saw different rooms');
  for (const { name } of writers) {
    const said = (writers[0] as Writer).seen
      .filter(({ text }) => text.startsWith(`${name} `))
      .map(({ text }) => Number(text.split(' ')[1]));
    if (said.join() !== Array.from({ length: each }, (_, index) => index).join()) throw new Error(`order of ${name}: ${said.join(' ')}`);
  }
}
