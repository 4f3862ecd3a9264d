/**
 * Promises across nodes, one story each: what was changed while one was away, a retry elsewhere, a removed member's waiting message,
 * and who is shown as present when a node dies or freezes.
 */
import type { Socket } from 'socket.io-client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ChatClient } from '../../gateway/client/chat-client.ts';
import { newId } from '../../system/ids.ts';
import { ask, client, closeClients, connected } from '../support/gateway-client.ts';
import { waitUntil } from '../support/store-processes.ts';
import { ClusterStage, servers } from './cluster-stage.ts';
import { withinMs } from './story.ts';

describe.skipIf(servers.mongo === '')('three nodes (needs PLAYHOUSE_TEST_MONGO_URL: npm run services)', () => {
  let stage: ClusterStage;
  const people: ChatClient[] = [];
  beforeAll(async () => {
    stage = await ClusterStage.start({ nodes: 3 });
  });
  afterAll(async () => {
    closeClients();
    for (const person of people) person.end();
    await stage?.stop();
  });

  const urlOf = (node: number): string => stage.urls[node] as string;

  async function person(user: string, node: number): Promise<ChatClient> {
    const own = new ChatClient();
    people.push(own);
    await own.connect({ url: urlOf(node), token: async () => stage.tokenOf(user) });
    return own;
  }
  const socketOf = (user: string, node: number): Promise<Socket> =>
    connected(client(urlOf(node), { auth: { token: stage.tokenOf(user) } }));

  /** A group room with these two, made on the first node. */
  async function room(owner: ChatClient, ...members: readonly string[]): Promise<string> {
    const id = `room-${newId().slice(0, 8)}`;
    await owner.createRoom({ kind: 'group', id, public: false, members: [...members] });
    return id;
  }

  it('bring edits, deletes and reactions that were made elsewhere while a client was away, in order, on resume', async () => {
    const ada = await person('ada', 0);
    const bob = await person('bob', 1);
    const id = await room(ada, 'bob');
    const seen: string[] = [];
    bob.on('entries', ({ entries }) => {
      for (const { seq, kind } of entries) seen.push(`${seq} ${kind}`);
    });
    await bob.open(id, { since: 0 });
    const first = await ada.send(id, 'first');
    const second = await ada.send(id, 'second');
    await waitUntil('bob has seen both', () => seen.length === 3);
    bob.disconnect();
    await ada.modify(id, first.seq, 'first, better');
    await ada.delete(id, second.seq);
    await ada.react(id, first.seq, '👍');
    await ada.send(id, 'third');
    await bob.connect({ url: urlOf(2), token: async () => stage.tokenOf('bob') });
    await waitUntil(
      'bob has what he missed',
      () => seen.length === 7,
      10_000,
      () => seen.join(', '),
    );
    expect(seen).toEqual(['1 room', '2 message', '3 message', '4 modify', '5 delete', '6 react', '7 message']);
    expect((await bob.history(id, { after: 0 })).entries.map(({ text }) => text)).toEqual(['first, better', undefined, 'third']);
  });

  it('give a message that is sent through one and retried through the others one seq', async () => {
    const ada = await person('ada', 0);
    const id = await room(ada, 'bob');
    const bobs = await Promise.all([0, 1, 2].map((node) => socketOf('bob', node)));
    // At once through all three, then again one after the other.
    const say = (bob: Socket) =>
      ask(bob, 'message:send', { room: id, cid: 'same', text: 'once' }) as Promise<{ ok: boolean; seq?: number }>;
    const answers = await Promise.all(bobs.map(say));
    for (const bob of bobs) answers.push(await say(bob));
    expect(answers.map(({ ok }) => ok)).toEqual(Array(6).fill(true));
    expect(new Set(answers.map(({ seq }) => seq)).size).toBe(1);
  });

  it('refuse what a kicked member says on another node, however soon after', async () => {
    const ada = await person('ada', 0);
    const id = await room(ada, 'eve');
    const eves = await Promise.all([1, 2].map((node) => socketOf('eve', node)));
    // Her rooms are awake everywhere, so that each node has something to be out of date with.
    for (const [index, eve] of eves.entries())
      expect(await ask(eve, 'message:send', { room: id, cid: `before-${index}`, text: 'hello' })).toMatchObject({ ok: true });
    await ada.kick(id, 'eve');
    const late = await Promise.all(
      eves.map((eve, index) => ask(eve, 'message:send', { room: id, cid: `after-${index}`, text: 'still here?' })),
    );
    for (const answer of late) expect(answer).toMatchObject({ ok: false, error: { code: 'NOT_FOUND' } });
    const stored = await stage.database.entries.find({ room: id as never, text: 'still here?' }).toArray();
    expect(stored).toEqual([]);
  });

  it('show everybody of a killed and of a frozen node as gone within 10 s, and present again once they are back', async () => {
    const ada = await person('watcher', 0);
    const bob = await person('on-the-killed', 1);
    const eve = await person('on-the-frozen', 2);
    await ada.watchPresence(['on-the-killed', 'on-the-frozen']);
    const state = (user: string) => ada.presence(user)?.state;
    await waitUntil('both are online', () => state('on-the-killed') === 'online' && state('on-the-frozen') === 'online', withinMs(3_000));
    const atMs = performance.now();
    await stage.nodes[1]?.kill('SIGKILL');
    stage.nodes[2]?.signal('SIGSTOP');
    await waitUntil(
      'both are offline',
      () => state('on-the-killed') === 'offline' && state('on-the-frozen') === 'offline',
      withinMs(10_000),
    );
    console.log(`offline after ${Math.round(performance.now() - atMs)} ms`);
    stage.nodes[2]?.signal('SIGCONT');
    await stage.nodes[1]?.start();
    await waitUntil(
      'both are online again',
      () => state('on-the-killed') === 'online' && state('on-the-frozen') === 'online',
      withinMs(10_000),
    );
    for (const { isOnline } of [bob, eve]) expect(isOnline).toBe(true);
  });
});
