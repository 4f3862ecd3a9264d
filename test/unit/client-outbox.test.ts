/**
 * The client's outbox and connection: order, same cid on every try, bounds; against manual time, then against a socket.
 */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ChatClient } from '../../gateway/client/chat-client.ts';
import { ChatError } from '../../gateway/client/chat-error.ts';
import type { StateChange } from '../../gateway/client/connection.ts';
import { Outbox, type StoringCommand } from '../../gateway/client/outbox.ts';
import { systemTiming, type Timing } from '../../gateway/client/timing.ts';
import type { WireStored } from '../../gateway/client-protocol.ts';
import { refusal, StubNode } from '../replay/stub-node.ts';

const send = (room: string, cid: string): StoringCommand => ({ event: 'message:send', payload: { room, cid, text: cid } });

interface Try {
  readonly cid: string;
  readonly ok: (stored: WireStored) => void;
  readonly fail: (error: ChatError) => void;
}

function rig(commandsMax?: number) {
  const tries: Try[] = [];
  const timers: { readonly atMs: number; readonly task: () => void }[] = [];
  const timing: Timing = {
    nowMs: () => 0,
    random: () => 1,
    after: (atMs, task) => {
      const timer = { atMs, task };
      timers.push(timer);
      return () => void timers.splice(timers.indexOf(timer), 1);
    },
  };
  const line = { isOnline: true };
  const outbox = new Outbox({
    timing,
    isOnline: () => line.isOnline,
    transmit: ({ payload }) => new Promise((ok, fail) => tries.push({ cid: payload.cid, ok, fail })),
    ...(commandsMax !== undefined && { commandsMax }),
  });
  const cids = () => tries.map(({ cid }) => cid);
  const settled = () => new Promise((resolve) => setImmediate(resolve));
  return { outbox, tries, timers, line, cids, settled };
}

const stored = (seq: number): WireStored => ({ seq, at: 0 });

describe('outbox', () => {
  it('has one message of a room in flight, and those of other rooms beside it', async () => {
    const { outbox, tries, cids, settled } = rig();
    const first = outbox.add(send('a', 'a1'));
    void outbox.add(send('a', 'a2'));
    void outbox.add(send('b', 'b1'));
    expect(cids()).toEqual(['a1', 'b1']);
    tries[0]?.ok(stored(7));
    expect(await first).toEqual(stored(7));
    await settled();
    expect(cids()).toEqual(['a1', 'b1', 'a2']);
    expect(outbox.size).toBe(2);
  });

  it('sends what was unacknowledged at the cut first on the next connection, with its cid, before anything newer', async () => {
    const { outbox, tries, line, cids, settled } = rig();
    void outbox.add(send('a', 'a1'));
    void outbox.add(send('a', 'a2'));
    line.isOnline = false;
    tries[0]?.fail(new ChatError('CONNECTION_LOST', 'cut', true));
    void outbox.add(send('a', 'a3'));
    await settled();
    expect(cids()).toEqual(['a1']);
    line.isOnline = true;
    outbox.resume();
    expect(cids()).toEqual(['a1', 'a1']);
    tries[1]?.ok(stored(1));
    await settled();
    tries[2]?.ok(stored(2));
    await settled();
    expect(cids()).toEqual(['a1', 'a1', 'a2', 'a3']);
  });

  it('tries a retryable refusal again after retryAfterMs and back-off; nothing overtakes it', async () => {
    const { outbox, tries, timers, cids, settled } = rig();
    void outbox.add(send('a', 'a1'));
    void outbox.add(send('a', 'a2'));
    tries[0]?.fail(new ChatError('BUSY', 'full', true, 1_000));
    await settled();
    expect(cids()).toEqual(['a1']);
    expect(timers.map(({ atMs }) => atMs)).toEqual([1_200]);
    timers[0]?.task();
    expect(cids()).toEqual(['a1', 'a1']);
  });

  it('rejects what can never succeed to its caller, and goes on with the next', async () => {
    const { outbox, tries, cids, settled } = rig();
    const first = outbox.add(send('a', 'a1'));
    void outbox.add(send('a', 'a2'));
    tries[0]?.fail(new ChatError('FORBIDDEN', 'no', false));
    await expect(first).rejects.toMatchObject({ code: 'FORBIDDEN', retryable: false });
    await settled();
    expect(cids()).toEqual(['a1', 'a2']);
  });

  it('refuses with OUTBOX_FULL beyond its bound and keeps the others', async () => {
    const { outbox, tries, settled } = rig(2);
    void outbox.add(send('a', 'a1'));
    void outbox.add(send('a', 'a2'));
    await expect(outbox.add(send('b', 'b1'))).rejects.toMatchObject({ code: 'OUTBOX_FULL' });
    expect(outbox.size).toBe(2);
    tries[0]?.ok(stored(1));
    await settled();
    void outbox.add(send('b', 'b2'));
    expect(outbox.size).toBe(2);
  });

  it('rejects everything that waits when it is cleared', async () => {
    const { outbox, tries, settled } = rig();
    const all = ['a1', 'a2'].map((cid) => outbox.add(send('a', cid)).catch((error: ChatError) => error.code));
    outbox.clear(new ChatError('ENDED', 'over', false));
    expect(await Promise.all(all)).toEqual(['ENDED', 'ENDED']);
    tries[0]?.ok(stored(1));
    await settled();
    expect(outbox.size).toBe(0);
  });
});

describe('a client on a socket', () => {
  const node = new StubNode();
  const clients: ChatClient[] = [];
  const states: StateChange[] = [];

  async function enter(user: string, options: ConstructorParameters<typeof ChatClient>[0] = {}): Promise<ChatClient> {
    const client = new ChatClient(options);
    clients.push(client);
    client.on('state', (change) => states.push(change));
    await client.connect({ url: node.url, token: user });
    return client;
  }
  const becomes = (client: ChatClient, state: StateChange['state']): Promise<void> =>
    new Promise((resolve) => void client.on('state', (change) => change.state === state && resolve()));
  const sends = () => node.heard.filter(({ event }) => event === 'message:send').map(({ payload }) => payload.cid);

  beforeEach(async () => {
    node.logs.clear();
    node.heard.length = 0;
    states.length = 0;
    await node.start();
  });
  afterEach(async () => {
    for (const client of clients.splice(0)) client.end();
    for (const key of Object.keys(node.faults)) delete node.faults[key as keyof typeof node.faults];
    await node.stop();
  });

  it('whose connection is cut while a send is unacknowledged sends it again with the same cid, before newer ones, and it is stored once', async () => {
    const client = await enter('alice');
    await client.createRoom({ kind: 'group', id: 'lobby', public: true });
    let cuts = 0;
    node.faults.swallow = (event) => event === 'message:send' && cuts === 0;
    const first = client.send('lobby', 'one', 'c1');
    await vi.waitFor(() => expect(sends()).toEqual(['c1']));
    const second = client.send('lobby', 'two', 'c2');
    cuts = 1;
    const offline = becomes(client, 'offline');
    node.cut();
    await offline;
    const third = client.send('lobby', 'three', 'c3');
    expect(client.waiting).toBe(3);
    expect(await first).toMatchObject({ seq: 2, dup: true });
    expect((await second).seq).toBe(3);
    expect((await third).seq).toBe(4);
    expect(sends()).toEqual(['c1', 'c1', 'c2', 'c3']);
    expect(node.log('lobby').map(({ cid }) => cid)).toEqual(['sys-0', 'c1', 'c2', 'c3']);
  });

  it('retries a refused command with the same cid and reports a final one with its code', async () => {
    const client = await enter('alice');
    await client.createRoom({ kind: 'group', id: 'lobby', public: true });
    let refusals = 2;
    node.faults.command = (event, { cid }) => {
      if (cid === 'bad') return refusal('FORBIDDEN', false);
      if (event !== 'message:send' || refusals === 0) return undefined;
      refusals -= 1;
      return refusal('RATE_LIMITED', true, 5);
    };
    await client.send('lobby', 'one', 'c1');
    expect(sends()).toEqual(['c1', 'c1', 'c1']);
    await expect(client.send('lobby', 'two', 'bad')).rejects.toMatchObject({ code: 'FORBIDDEN', retryable: false });
  });

  it('gives a command up after its time-out as unknown, and leaves a connection that says nothing at all', async () => {
    // The clock stands still: a timer may fire early, and the silence is then not quite as long as the time-out.
    const client = await enter('alice', { ackTimeoutMs: 60, timing: { ...systemTiming, nowMs: () => 0 } });
    node.faults.swallow = () => true;
    await expect(client.listRooms()).rejects.toMatchObject({ code: 'TIMEOUT', retryable: true });
    expect(states.some(({ state, reason }) => state === 'offline' && reason === 'the node does not answer')).toBe(true);
    await vi.waitFor(() => expect(client.isOnline).toBe(true));
  });

  it('sends nothing later that was asked for while offline and is not a message', async () => {
    const client = await enter('alice');
    await node.stop();
    await vi.waitFor(() => expect(client.isOnline).toBe(false));
    client.typing('lobby');
    await expect(client.listRooms()).rejects.toMatchObject({ code: 'OFFLINE', retryable: true });
    await node.start();
    await vi.waitFor(() => expect(client.isOnline).toBe(true), 5_000);
    await client.join('lobby').catch(() => {});
    expect(node.heard.map(({ event }) => event)).toEqual(['room:join']);
  });

  it('gives nothing to a socket that is still connecting, which would send it later', async () => {
    const client = new ChatClient();
    clients.push(client);
    const online = client.connect({ url: node.url, token: 'alice' });
    await new Promise((resolve) => setImmediate(resolve));
    expect(client.isOnline).toBe(false);
    await expect(client.listRooms()).rejects.toMatchObject({ code: 'OFFLINE' });
    await online;
    await client.join('lobby').catch(() => {});
    expect(node.heard.map(({ event }) => event)).toEqual(['room:join']);
  });

  it('stays away after a closing that says so, and its messages wait for the next connect', async () => {
    const client = await enter('alice');
    await client.createRoom({ kind: 'group', id: 'lobby', public: true });
    node.tell('closing', { code: 'REVOKED' });
    setTimeout(() => node.cut(), 20); // Behind the word, not before it.
    await vi.waitFor(() => expect(states.at(-1)).toMatchObject({ state: 'closed', code: 'REVOKED' }));
    const waiting = client.send('lobby', 'later', 'c9');
    await new Promise((resolve) => setTimeout(resolve, 500)); // The first back-off would be at most 200 ms.
    expect(states.at(-1)?.state).toBe('closed');
    await client.connect({ url: node.url, token: 'alice' });
    expect((await waiting).seq).toBe(2);
  });

  it('comes back after a drain when the node said', async () => {
    const client = await enter('alice');
    const offline = becomes(client, 'offline');
    node.tell('closing', { code: 'SERVER_DRAINING', reconnectInMs: 30 });
    setTimeout(() => node.cut(), 20);
    await offline;
    expect(states.find(({ state }) => state === 'offline')).toMatchObject({ code: 'SERVER_DRAINING', retryInMs: 30 });
    await vi.waitFor(() => expect(client.isOnline).toBe(true));
  });

  it('takes the next URL when a node is not there', async () => {
    const client = new ChatClient();
    clients.push(client);
    await client.connect({ url: ['http://127.0.0.1:9', node.url], token: async () => 'alice' });
    expect(client.isOnline).toBe(true);
  });

  it('does not come back when its token is refused for good, but does when the node is only full', async () => {
    let refusals = 1;
    node.faults.refuse = (user) => {
      if (user === 'mallory') return { code: 'UNAUTHENTICATED', message: 'no', retryable: false };
      refusals -= 1;
      return refusals >= 0 ? { code: 'TOO_MANY_CONNECTIONS', message: 'full', retryable: true, retryAfterMs: 10 } : undefined;
    };
    await expect(enter('mallory')).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
    expect((await enter('alice')).isOnline).toBe(true);
  });
});
