/**
 * Clients that stop reading, on a whole node: what waits for them is bounded, they miss nothing when they read again, and
 * whoever never does is closed and resumes.
 */
import type { Socket } from 'socket.io-client';
import { afterEach, expect, it } from 'vitest';
import type { Config } from '../../config/schema.ts';
import type { WireEntry } from '../../gateway/client-protocol.ts';
import { ask, client, closeClients, connected, readingOf, waitUntil } from '../support/gateway-client.ts';
import { noRates } from '../support/test-config.ts';
import { signToken, startTestNode, stopNodes, type TestNode } from '../support/test-nodes.ts';

afterEach(async () => {
  closeClients();
  await stopNodes();
});

const text = 'x'.repeat(10_000);
/** The kernel's buffers take several MB before anything waits in the node. */
const messages = 2_000;
const outboxBytesMax = 150_000;
const settings: Partial<Config> = {
  outboxBytesMax,
  outboxFramesMax: 200,
  ...noRates,
  pingIntervalMs: 60_000,
  pingTimeoutMs: 60_000,
};
const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => from + index);

async function reader(node: TestNode, user: string, since: number) {
  const socket = await connected(client(node.url, { auth: { token: signToken(user) } }));
  const seqs: number[] = [];
  const typing: unknown[] = [];
  socket.on('entries', ({ entries }: { entries: WireEntry[] }) => void seqs.push(...entries.map(({ seq }) => seq)));
  socket.on('typing', (body) => void typing.push(body));
  await ask(socket, 'room:join', { room: 'lobby' });
  const opened = await ask(socket, 'room:open', { room: 'lobby', since });
  expect(opened.ok).toBe(true);
  seqs.unshift(...(opened['entries'] as WireEntry[]).map(({ seq }) => seq));
  return { socket, seqs, typing };
}

/** Alice has made the room; what she says comes in lots, so that nobody else is kept from it. */
async function lobby(node: TestNode): Promise<{ alice: Socket; say: (count: number) => Promise<void> }> {
  const alice = await connected(client(node.url, { auth: { token: signToken('alice') } }));
  await ask(alice, 'room:create', { kind: 'group', id: 'lobby', public: true });
  let said = 0;
  return {
    alice,
    async say(count) {
      for (let left = count; left > 0; left -= 50) {
        const lot = range(said + 1, said + Math.min(50, left));
        said += lot.length;
        const replies = await Promise.all(lot.map((index) => ask(alice, 'message:send', { room: 'lobby', cid: `m${index}`, text })));
        expect(replies.every(({ ok }) => ok)).toBe(true);
      }
    },
  };
}

/** Highest share of a bound that any connection of the node has reached when asked. */
async function fillRatio(node: TestNode): Promise<number> {
  const lines = (await (await fetch(`${node.url}/metrics`)).text()).split('\n');
  return Number(/ (\S+)$/.exec(lines.find((line) => line.startsWith('playhouse_outbox_fill_ratio')) ?? '')?.[1] ?? Number.NaN);
}

it('a client that stops reading and reads again gets every entry once, in order; meanwhile what waits for it stays within the bound, and others notice nothing', async () => {
  const node = await startTestNode(settings);
  const { say } = await lobby(node);
  const bob = await reader(node, 'bob', 0);
  const carol = await reader(node, 'carol', 0);
  await say(10);
  await waitUntil('both read along', () => [bob, carol].every(({ seqs }) => seqs.at(-1) === 13));
  readingOf(bob.socket).pause();
  let highest = 0;
  for (let lot = 0; lot < messages / 200; lot += 1) {
    await say(200);
    highest = Math.max(highest, await fillRatio(node));
  }
  await waitUntil('carol has all', () => carol.seqs.at(-1) === 13 + messages, 10_000);
  expect(highest).toBeGreaterThan(0.5); // It was full.
  expect(highest).toBeLessThanOrEqual(1);
  expect(bob.seqs.length).toBeLessThan(2_000);
  readingOf(bob.socket).resume();
  await waitUntil('bob has all', () => bob.seqs.at(-1) === 13 + messages, 15_000);
  expect(bob.seqs).toEqual(range(1, 13 + messages));
  expect(bob.socket.connected).toBe(true);
}, 60_000);

it('a client that never reads is closed after its time, with a line for operators, and its resume is complete', async () => {
  const node = await startTestNode({ ...settings, slowConsumerMs: 300 });
  const { say } = await lobby(node);
  const bob = await reader(node, 'bob', 0);
  readingOf(bob.socket).pause();
  const slow = () => node.lines.map((line) => JSON.parse(line)).filter(({ ev }) => ev === 'slow.consumer');
  let said = 0;
  for (; said < 2 * messages && slow().length === 0; said += 100) await say(100);
  await waitUntil('it is closed', () => slow().length === 1);
  expect(slow()[0]).toMatchObject({ v: 1, decision: 'close', kind: 'outbox', about: { user: 'bob' } });
  expect(slow()[0].about.bytes).toBeLessThanOrEqual(outboxBytesMax);
  bob.socket.disconnect();
  const again = await reader(node, 'bob', bob.seqs.at(-1) ?? 0);
  await say(10);
  await waitUntil('bob has all', () => again.seqs.at(-1) === 2 + said + 10, 15_000);
  expect([...bob.seqs, ...again.seqs]).toEqual(range(1, 2 + said + 10));
}, 60_000);

it('typing is shed before entries are held back', async () => {
  const node = await startTestNode(settings);
  const { alice, say } = await lobby(node);
  const bob = await reader(node, 'bob', 0);
  readingOf(bob.socket).pause();
  for (let ratio = 0, said = 0; ratio < 0.3 && said < 2 * messages; said += 4) {
    await say(4);
    ratio = await fillRatio(node);
  }
  await ask(alice, 'typing', { room: 'lobby' });
  readingOf(bob.socket).resume();
  await say(1);
  const head = ((await ask(alice, 'room:list'))['rooms'] as { head: number }[])[0]?.head;
  await waitUntil('bob has all', () => bob.seqs.at(-1) === head, 15_000);
  expect(bob.seqs).toEqual(range(1, head ?? 0));
  expect(bob.typing.filter((body) => (body as { users: string[] }).users.length > 0)).toEqual([]);
}, 60_000);
