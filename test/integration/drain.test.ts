/**
 * A drain as clients live through it: nothing that they send fails, what was taken is answered, and the process ends in time.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { ChatClient } from '../../gateway/client/chat-client.ts';
import type { WireMessage } from '../../gateway/client-protocol.ts';
import { openMemoryStore } from '../../system/store/room-store-memory.ts';
import { withOverrides } from '../support/actor-stage.ts';
import { ask, client, closeClients, connected, waitUntil } from '../support/gateway-client.ts';
import { tokenOf } from '../support/gateway-fixtures.ts';
import { freePort, NodeProcess } from '../support/node-process.ts';
import { shared, signToken, startInProcess, startTestNode, stopNodes } from '../support/test-nodes.ts';

const ends: (() => unknown)[] = [];
afterEach(async () => {
  closeClients();
  for (const end of ends.splice(0).reverse()) await end();
  await stopNodes();
});
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** A store in memory whose appends can be held. */
function heldStore() {
  const memory = openMemoryStore();
  const waiting: (() => void)[] = [];
  let isHeld = false;
  const log = withOverrides(memory.log, {
    async append(room, after, entries) {
      if (isHeld) await new Promise<void>((resolve) => void waiting.push(resolve));
      return memory.log.append(room, after, entries);
    },
  });
  return {
    store: { ...memory, log },
    hold: () => void (isHeld = true),
    waiting: () => waiting.length,
    release() {
      isHeld = false;
      for (const go of waiting.splice(0)) go();
    },
  };
}

/** A node of which ada's message is being appended, until the store is released. */
async function appendUnderWay(drainDeadlineMs: number) {
  const held = heldStore();
  const node = await startTestNode({ drainDeadlineMs }, shared(held.store));
  const socket = await connected(client(node.url, { auth: { token: signToken('ada') } }));
  await ask(socket, 'room:create', { kind: 'group', id: 'lobby' });
  held.hold();
  const sent = ask(socket, 'message:send', { room: 'lobby', cid: 'c', text: 'x' });
  await waitUntil('the append is under way', () => held.waiting() === 1);
  return { held, node, socket, sent };
}

function nodeProcess(port: number, env: Record<string, string> = {}): NodeProcess {
  const dir = mkdtempSync(join(tmpdir(), 'playhouse-drain-'));
  const node = new NodeProcess({ CHAT_PORT: String(port), CHAT_DATA_DIR: dir, ...env });
  ends.push(() => rmSync(dir, { recursive: true, force: true }));
  ends.push(() => node.kill());
  return node;
}
async function devToken(url: string, user: string): Promise<string> {
  const response = await fetch(`${url}/api/dev/token`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ user }),
  });
  return ((await response.json()) as { token: string }).token;
}

describe('a node that is told to stop', () => {
  it('and started again loses no message of anybody and fails no send, while they all go on sending', async () => {
    const port = await freePort();
    const url = `http://127.0.0.1:${port}`;
    const node = nodeProcess(port);
    await node.start();
    const people = await Promise.all(
      Array.from({ length: 12 }, async (_, index) => {
        const chat = new ChatClient();
        ends.push(() => chat.end());
        const states: { state: string; code?: string | undefined; retryInMs?: number | undefined }[] = [];
        chat.on('state', (change) => void states.push(change));
        await chat.connect({ url, token: await devToken(url, `user-${index}`) });
        return { chat, states, seqs: [] as number[] };
      }),
    );
    const [first] = people as [(typeof people)[0], ...typeof people];
    await first.chat.createRoom({ kind: 'group', id: 'lobby', public: true });
    for (const { chat, seqs } of people) {
      chat.on('entries', ({ entries }) => void seqs.push(...entries.map(({ seq }) => seq)));
      await chat.join('lobby');
      await chat.open('lobby', { since: 0 });
    }
    let isOver = false;
    const sent = people.map(async ({ chat }, person) => {
      const sends: Promise<unknown>[] = [];
      for (let index = 0; !isOver; index += 1) {
        sends.push(chat.send('lobby', `${person}:${index}`));
        await pause(15);
      }
      return Promise.all(sends); // Rejects with the first send that failed.
    });
    await waitUntil('they talk', () => people.every(({ seqs }) => seqs.length > 100), 10_000);
    const stoppedAtMs = performance.now();
    expect(await node.kill('SIGTERM')).toBe(0);
    expect(performance.now() - stoppedAtMs).toBeLessThan(10_000);
    await node.start();
    await waitUntil('all are back', () => people.every(({ chat }) => chat.isOnline), 10_000);
    const before = first.seqs.length;
    await waitUntil('they talk again', () => people.every(({ seqs }) => seqs.length > before + 50), 10_000);
    isOver = true;
    const counts = (await Promise.all(sent)).map((sends) => sends.length);
    const total = counts.reduce((sum, count) => sum + count, 0);
    const head = 12 + total; // The creation, eleven joins of others, the messages.
    await waitUntil('all have everything', () => people.every(({ seqs }) => seqs.length >= head), 10_000);
    for (const { seqs } of people) expect(seqs).toEqual(Array.from({ length: head }, (_, index) => index + 1));
    const texts: (string | undefined)[] = [];
    for (let after = 0; after < head; ) {
      const page = await first.chat.history('lobby', { after, limit: 100 });
      texts.push(...page.entries.map(({ text }: WireMessage) => text));
      if (!page.hasAfter) break;
      after = page.entries.at(-1)?.seq ?? head;
    }
    for (const [person, count] of counts.entries()) {
      const own = texts.filter((text) => text?.startsWith(`${person}:`));
      expect(own).toEqual(Array.from({ length: count }, (_, index) => `${person}:${index}`));
    }
    const waits = people.map(({ states }) => states.find(({ code }) => code === 'SERVER_DRAINING')?.retryInMs);
    expect(waits.sort((a, b) => (a ?? 0) - (b ?? 0))).toEqual(Array.from({ length: 12 }, (_, index) => index * 250));
  }, 60_000);

  it('answers what it has taken before it closes the connection, and takes nothing new', async () => {
    const held = heldStore();
    const node = await startTestNode({ drainDeadlineMs: 15_000 }, shared(held.store));
    const socket = await connected(client(node.url, { auth: { token: signToken('ada') } }));
    expect((await ask(socket, 'room:create', { kind: 'group', id: 'lobby' })).ok).toBe(true);
    const order: string[] = [];
    socket.on('closing', ({ code, reconnectInMs }) => void order.push(`closing ${code} ${reconnectInMs}`));
    socket.on('disconnect', () => void order.push('disconnect'));
    held.hold();
    const sends = [1, 2, 3].map(async (index) => {
      const reply = await ask(socket, 'message:send', { room: 'lobby', cid: `c${index}`, text: 'x' });
      order.push(`answer ${index} ${reply.ok}`);
    });
    await waitUntil('the append is under way', () => held.waiting() === 1);
    const stopped = node.stop();
    await waitUntil('clients are told', () => order.length > 0);
    expect(order).toEqual(['closing SERVER_DRAINING 0']);
    let isLateAnswered = false;
    socket.emit('message:send', { room: 'lobby', cid: 'late', text: 'x' }, () => (isLateAnswered = true));
    held.release();
    await Promise.all(sends);
    expect(await stopped).toBe(true);
    await waitUntil('it is closed', () => socket.disconnected);
    expect(order).toEqual(['closing SERVER_DRAINING 0', 'answer 1 true', 'answer 2 true', 'answer 3 true', 'disconnect']);
    expect(isLateAnswered).toBe(false);
  });

  it('is not ready and lets nobody in from the first moment on', async () => {
    const { held, node, sent } = await appendUnderWay(15_000);
    const stopped = node.stop();
    expect((await fetch(`${node.url}/readyz`)).status).toBe(503);
    expect((await fetch(`${node.url}/healthz`)).status).toBe(200);
    await expect(connected(client(node.url, { auth: { token: signToken('eve') } }))).rejects.toThrow();
    held.release();
    expect((await sent).ok).toBe(true);
    expect(await stopped).toBe(true);
  });

  it('ends at once with code 1 at the second signal', async () => {
    const node = nodeProcess(0);
    await node.start();
    const ended = node.kill('SIGTERM');
    node.kill('SIGINT').catch(() => undefined);
    expect(await ended).toBe(1);
    expect(node.log).toContain('a second signal');
  });

  it('does not wait for a store that hangs for ever: whoever waits for it is told to try again', async () => {
    const { held, node, socket, sent } = await appendUnderWay(800);
    const stopped = node.stop();
    expect((await sent).error).toMatchObject({ code: 'ROOM_UNAVAILABLE', retryable: true });
    await stopped;
    await waitUntil('it is closed', () => socket.disconnected);
    held.release();
  });

  it('crashes no actor on the way, however many people it lets go', async () => {
    const { node, lines } = await startInProcess();
    const sockets = await Promise.all(
      Array.from({ length: 20 }, (_, index) => connected(client(node.url, { auth: { token: tokenOf(`person-${index}`) } }))),
    );
    await ask(sockets[0] as (typeof sockets)[number], 'room:create', { kind: 'group', id: 'lobby', public: true });
    for (const socket of sockets) {
      await ask(socket, 'room:join', { room: 'lobby' });
      await ask(socket, 'room:open', { room: 'lobby' });
    }
    expect(await node.stop()).toBe(true);
    expect(lines.filter((line) => line.includes('actor.crash'))).toEqual([]);
  });
});
