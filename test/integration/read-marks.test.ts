/**
 * Unread counts with real clients on a real node: what one device reads the other knows, and a coming back asks again.
 */
import { afterEach, expect, it } from 'vitest';
import { ChatClient } from '../../gateway/client/chat-client.ts';
import type { ServerEvents, WireRoomSummary } from '../../gateway/client-protocol.ts';
import { waitUntil } from '../support/gateway-client.ts';
import { shared, signToken, startTestNode, stopNodes } from '../support/test-nodes.ts';

const clients: ChatClient[] = [];
afterEach(async () => {
  for (const chat of clients.splice(0)) chat.end();
  await stopNodes();
});

async function enter(user: string, url: string | readonly string[]) {
  const chat = new ChatClient();
  clients.push(chat);
  const heads: ServerEvents['room:head'][] = [];
  const reads: ServerEvents['read'][] = [];
  const marked: { room: string; seq: number; unread: number }[] = [];
  const lists: (readonly WireRoomSummary[])[] = [];
  chat.on('head', (head) => void heads.push(head));
  chat.on('read', (read) => void reads.push(read));
  chat.on('marked', (mark) => void marked.push(mark));
  chat.on('rooms', ({ rooms }) => void lists.push(rooms));
  await chat.connect({ url, token: signToken(user) });
  return { chat, heads, reads, marked, lists };
}

it('two devices of one user agree on what is unread, without opening the room', async () => {
  const node = await startTestNode();
  const alice = await enter('alice', node.url);
  const [phone, laptop] = [await enter('bob', node.url), await enter('bob', node.url)];
  await alice.chat.createRoom({ kind: 'group', id: 'lobby', public: true });
  await phone.chat.join('lobby');
  expect(await laptop.chat.listRooms()).toMatchObject([{ id: 'lobby', head: 2, n: 0, read: 2, unread: 0 }]);
  for (const text of ['one', 'two', 'three']) await alice.chat.send('lobby', text);
  await waitUntil('the laptop hears of them', () => laptop.heads.at(-1)?.n === 3);
  expect(laptop.heads.at(-1)).toEqual({ room: 'lobby', head: 5, n: 3 });
  expect(phone.heads).toEqual([]); // It did not ask.
  phone.chat.markRead('lobby', 4);
  await waitUntil('the mark is kept', () => phone.marked.length === 1);
  expect(phone.marked).toEqual([{ room: 'lobby', seq: 4, unread: 1 }]);
  await waitUntil('the laptop knows', () => laptop.reads.length === 1);
  expect(laptop.reads).toEqual([{ room: 'lobby', marks: [{ user: 'bob', seq: 4, n: 2 }] }]);
  expect(phone.reads).toEqual([]);
  expect(await laptop.chat.listRooms()).toMatchObject([{ read: 4, unread: 1 }]);
});

it('a mark made offline arrives after the coming back, and heads are asked for again', async () => {
  const both = shared();
  const first = await startTestNode({}, both);
  const second = await startTestNode({}, both);
  const alice = await enter('alice', second.url);
  await alice.chat.createRoom({ kind: 'group', id: 'lobby', public: true });
  const bob = await enter('bob', [first.url, second.url]);
  await bob.chat.join('lobby');
  await bob.chat.listRooms();
  for (const text of ['one', 'two']) await alice.chat.send('lobby', text);
  const stopped = first.stop();
  await waitUntil('bob is away', () => !bob.chat.isOnline);
  bob.chat.markRead('lobby', 4);
  await stopped;
  await waitUntil('bob is back', () => bob.chat.isOnline && bob.lists.length > 0, 10_000);
  await waitUntil('the mark is kept', () => bob.marked.length === 1);
  expect(bob.marked).toEqual([{ room: 'lobby', seq: 4, unread: 0 }]);
  await alice.chat.send('lobby', 'three');
  await waitUntil('bob hears of it', () => bob.heads.at(-1)?.head === 5);
});
