/**
 * Presence over real sockets: who sees whom come and go, how soon, and what a reconnect or a stalled client makes of it.
 */
import type { Socket } from 'socket.io-client';
import { afterEach, describe, expect, it } from 'vitest';
import { ChatClient } from '../../gateway/client/chat-client.ts';
import type { WirePresence } from '../../gateway/client-protocol.ts';
import { createMemoryStateHub } from '../../system/state/state-link-memory.ts';
import { openMemoryStore } from '../../system/store/room-store-memory.ts';
import { createMemoryWireHub } from '../../system/wire/wire-memory.ts';
import { ask, client, closeClients, connected, readingOf, waitUntil } from '../support/gateway-client.ts';
import { tokenOf } from '../support/gateway-fixtures.ts';
import { noRates } from '../support/test-config.ts';
import { startInProcess, stopNodes } from '../support/test-nodes.ts';

const chats: ChatClient[] = [];
afterEach(async () => {
  closeClients();
  for (const chat of chats.splice(0)) chat.end();
  await stopNodes();
});

const connect = (url: string, user: string): Promise<Socket> => connected(client(url, { auth: { token: tokenOf(user) } }));

/** A raw client that watches; `told` has a line for each change, `at` when it came. */
async function watcher(url: string, user: string, users: string[]) {
  const socket = await connect(url, user);
  const told: string[] = [];
  socket.on('presence', ({ changes }: { changes: WirePresence[] }) => {
    for (const change of changes) told.push([change.user, change.state, change.place].filter(Boolean).join(' '));
  });
  const answer = await ask(socket, 'presence:watch', { users });
  return { socket, told, states: answer['states'] as WirePresence[] };
}
const tookMs = async (what: string, condition: () => boolean, withinMs: number): Promise<number> => {
  const fromMs = performance.now();
  await waitUntil(what, condition, withinMs);
  return performance.now() - fromMs;
};

describe('a client that goes', () => {
  it('on purpose is offline for others at once; a second device keeps its user online', async () => {
    const { url } = await startInProcess();
    const phone = await connect(url, 'bob');
    const desk = await connect(url, 'bob');
    const alice = await watcher(url, 'alice', ['bob', 'carol']);
    expect(alice.states).toEqual([
      { user: 'bob', state: 'online' },
      { user: 'carol', state: 'offline' },
    ]);
    await connect(url, 'carol');
    await waitUntil('carol is seen', () => alice.told.length > 0, 1_000);
    phone.disconnect();
    await connect(url, 'dora');
    expect(alice.told).toEqual(['carol online']);
    desk.disconnect();
    expect(await tookMs('bob is offline', () => alice.told.length > 1, 1_000)).toBeLessThan(1_000);
    expect(alice.told).toEqual(['carol online', 'bob offline']);
  });

  it('without a word, with its cable, is offline after the ping bounds', async () => {
    const { url } = await startInProcess({ pingIntervalMs: 300, pingTimeoutMs: 3_000 });
    const bob = await connect(url, 'bob');
    const alice = await watcher(url, 'alice', ['bob']);
    readingOf(bob).pause(); // It answers no ping any more, and says nothing.
    const ms = await tookMs('bob is offline', () => alice.told.length > 0, 6_000);
    expect(alice.told).toEqual(['bob offline']);
    expect(ms).toBeGreaterThan(2_500);
    expect(ms).toBeLessThan(4_500);
  });

  it('with a broken connection and is back soon was never away', async () => {
    const { url } = await startInProcess();
    const bob = await connect(url, 'bob');
    const alice = await watcher(url, 'alice', ['bob', 'carol']);
    bob.io.engine.close();
    await connect(url, 'bob');
    await connect(url, 'carol');
    await waitUntil('carol is seen', () => alice.told.includes('carol online'), 1_000);
    expect(alice.told).toEqual(['carol online']);
  });

  it('to another room is seen there by those who have it open, and by nobody else', async () => {
    const { url } = await startInProcess();
    const [alice, bob, eve] = [await watcher(url, 'alice', ['bob']), await connect(url, 'bob'), await watcher(url, 'eve', ['bob'])];
    await ask(alice.socket, 'room:create', { kind: 'group', id: 'lobby', members: ['bob'] });
    await ask(alice.socket, 'room:open', { room: 'lobby' });
    await ask(bob, 'room:open', { room: 'lobby' });
    await waitUntil('bob is seen in the lobby', () => alice.told.includes('bob online lobby'), 1_000);
    await ask(bob, 'room:close', { room: 'lobby' });
    await waitUntil('bob is seen to go home', () => alice.told.at(-1) === 'bob online', 1_000);
    expect(eve.told).toEqual([]);
    expect(alice.told).toEqual(['bob online', 'bob online lobby', 'bob online']);
  });
});

describe('two nodes with one state server', () => {
  it("see each other's users; one that stops in order takes its users along at once", async () => {
    const hub = createMemoryStateHub();
    const store = openMemoryStore();
    const wires = createMemoryWireHub();
    const start = (nodeId: string) =>
      startInProcess(
        { nodeId },
        { parts: { store: { ...store, close: async () => {} }, wire: wires.join(nodeId), sharedLog: true, link: hub.join(nodeId) } },
      );
    const [one, two] = [await start('one'), await start('two')];
    const alice = await watcher(one.url, 'alice', ['bob']);
    await connect(two.url, 'bob');
    await waitUntil('bob is seen', () => alice.told.length > 0, 1_000);
    await two.node.stop();
    await waitUntil('bob went with the node', () => alice.told.length > 1, 1_000);
    expect(alice.told).toEqual(['bob online', 'bob offline']);
  });
});

describe('the client library', () => {
  it('keeps its watch over a lost connection: unknown meanwhile, then the truth', async () => {
    const { url } = await startInProcess();
    const chat = new ChatClient();
    chats.push(chat);
    const told: string[] = [];
    chat.on('presence', ({ changes }) => changes.forEach(({ user, state }) => void told.push(`${user} ${state}`)));
    const watching = chat.watchPresence(['bob', 'carol']); // Before there is a connection.
    await chat.connect({ url, token: tokenOf('alice') });
    expect(await watching).toEqual([
      { user: 'bob', state: 'offline' },
      { user: 'carol', state: 'offline' },
    ]);
    chat.disconnect();
    expect(chat.presence('bob')).toEqual({ user: 'bob', state: 'unknown' });
    await connect(url, 'bob');
    await chat.connect({ url, token: tokenOf('alice') });
    await waitUntil('the truth is back', () => chat.presence('carol')?.state === 'offline', 1_000);
    await connect(url, 'carol');
    await waitUntil('carol is seen', () => chat.presence('carol')?.state === 'online', 1_000);
    expect(told).toEqual(['bob offline', 'carol offline', 'bob unknown', 'carol unknown', 'bob online', 'carol offline', 'carol online']);
    await expect(chat.watchPresence(['not an id'])).rejects.toMatchObject({ code: 'INVALID' });
    chat.end();
    await expect(chat.watchPresence(['bob'])).rejects.toMatchObject({ code: 'ENDED' });
  });
});

describe('a client that does not read', () => {
  it('is told the last states when it reads again, and nothing of what is over', async () => {
    const { url } = await startInProcess({
      outboxBytesMax: 40_000,
      textBytesMax: 16_384,
      ...noRates,
    });
    const visitors = Array.from({ length: 10 }, (_, index) => `u${index}`);
    const alice = await watcher(url, 'alice', ['bob', ...visitors]);
    const writer = await connect(url, 'writer');
    await ask(writer, 'room:create', { kind: 'group', id: 'lobby', members: ['alice'] });
    await ask(alice.socket, 'room:open', { room: 'lobby' });
    readingOf(alice.socket).pause();
    const text = 'x'.repeat(15_000);
    // The kernel's buffers take some MB first.
    for (let index = 0; index < 700; index += 1) await ask(writer, 'message:send', { room: 'lobby', cid: `c${index}`, text });
    const bystander = await watcher(url, 'eve', visitors);
    for (const user of visitors) (await connect(url, user)).disconnect();
    await waitUntil('all have come and gone', () => bystander.told.filter((line) => line.endsWith('offline')).length === 10, 2_000);
    await connect(url, 'bob');
    readingOf(alice.socket).resume();
    await waitUntil('alice knows', () => alice.told.length > 0, 5_000);
    expect(alice.told).toEqual(['bob online']);
    expect(bystander.told).toHaveLength(20);
  });
});
