/**
 * What reaches real, unmodified clients: order, slow readers, rates, and the last word before a close.
 */
import { afterEach, describe, expect, it } from 'vitest';
import type { WireEntry } from '../../gateway/client-protocol.ts';
import { createFrameEncoder } from '../../gateway/frame-encoder.ts';
import type { RoomId } from '../../system/ids.ts';
import { ask, client, closeClients, connected, readingOf, waitUntil } from '../support/gateway-client.ts';
import { asEntry, type Seen, startTestGateway, type TestGateway, tokenOf } from '../support/gateway-fixtures.ts';

const room = 'r' as RoomId;
let gateway: TestGateway;
afterEach(async () => {
  closeClients();
  await gateway.server.close(200);
});
const connect = async (transports: ('websocket' | 'polling')[] = ['websocket']) => {
  const socket = client(gateway.url, { auth: { token: tokenOf('ada') }, transports });
  const seqs: number[] = [];
  socket.on('entries', ({ entries }: { entries: WireEntry[] }) => void seqs.push(...entries.map(({ seq }) => seq)));
  await connected(socket);
  return { socket, seqs, seen: gateway.seen.at(-1) as Seen };
};
const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i);

describe('delivery', () => {
  it('gives the same frames to websocket, polling and upgrading clients, whole and in order', async () => {
    gateway = await startTestGateway();
    const encoder = createFrameEncoder();
    const readers = [await connect(['websocket']), await connect(['polling']), await connect(['polling', 'websocket'])];
    let seq = 0;
    const text = 'Grüße 🫖 \u2028 "quoted" \ud800';
    for (let turn = 0; turn < 200; turn++) {
      const entries = range(seq + 1, seq + 1 + (turn % 7)).map((each) => asEntry({ seq: each, text }));
      seq += entries.length;
      const frame = encoder.entries(room, entries);
      for (const { seen } of readers) expect(seen.sink.send(frame)).toBe(true);
      if (turn % 10 === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    }
    for (const { socket, seqs } of readers) {
      expect((await ask(socket, 'room:list')).ok).toBe(true);
      await waitUntil('all arrived', () => seqs.length >= seq);
      expect(seqs).toEqual(range(1, seq));
    }
    expect(readers.map(({ socket }) => socket.io.engine.transport.name)).toEqual(['websocket', 'polling', 'websocket']);
    const got = new Promise((resolve) => readers[0]?.socket.once('entries', resolve));
    readers[0]?.seen.sink.send(encoder.entries(room, [asEntry({ seq: seq + 1, text: 'Grüße 🫖' })]));
    expect(await got).toEqual({
      room,
      entries: [{ seq: seq + 1, n: seq + 1, kind: 'message', by: 'ada', at: 1_700_000_000_000, cid: `c${seq + 1}`, text: 'Grüße 🫖' }],
    });
  });

  it('stops taking at the bound when a client stops reading, and goes on when it reads again', async () => {
    gateway = await startTestGateway({ outboxBytesMax: 200_000, outboxFramesMax: 1_000 });
    const encoder = createFrameEncoder();
    const { socket, seqs, seen } = await connect();
    const bystander = await connect();
    readingOf(socket).pause();
    let next = 1;
    let rooms = 0;
    const text = 'x'.repeat(10_000);
    const pump = (most: number) => {
      while (next <= most && seen.sink.send(encoder.entries(room, [asEntry({ seq: next, text })]))) next += 1;
    };
    seen.sink.onRoom(() => {
      rooms += 1;
      pump(3_000);
    });
    // The kernel's buffers take some MB first; then the bound holds, for good.
    let takenMb = 0;
    await waitUntil(
      'the bound is reached',
      () => {
        const before = next;
        pump(3_000);
        takenMb = next / 100;
        return next === before && next > 20;
      },
      10_000,
    );
    const refusedAt = next;
    const roomsThen = rooms;
    expect(takenMb).toBeLessThan(20);
    const frame = encoder.entries(room, [asEntry({ seq: 9_999, text })]);
    for (let i = 0; i < 1_000; i++) expect(seen.sink.send(frame)).toBe(false);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect([next, rooms]).toEqual([refusedAt, roomsThen]);
    expect((await ask(bystander.socket, 'room:list')).ok).toBe(true);
    readingOf(socket).resume();
    await waitUntil('everything arrived', () => seqs.length >= 3_000, 10_000);
    expect(rooms).toBeGreaterThan(roomsThen);
    expect(seqs).toEqual(range(1, 3_000));
  });

  it('closes a client that does not read, within a second, and tells its session', async () => {
    gateway = await startTestGateway({ outboxBytesMax: 200_000 });
    const encoder = createFrameEncoder();
    const { socket, seen } = await connect();
    readingOf(socket).pause();
    const frame = encoder.entries(room, [asEntry({ seq: 1, text: 'x'.repeat(10_000) })]);
    await waitUntil('the bound is reached', () => {
      while (seen.sink.send(frame));
      return true;
    });
    await new Promise((resolve) => setTimeout(resolve, 20));
    while (seen.sink.send(frame));
    seen.sink.close('SLOW_CONSUMER', 100);
    await waitUntil('the session is told', () => seen.gone === 1, 1_500);
    expect(gateway.server.connections()).toBe(0);
  });

  it('says why before it closes; a stock client comes back where it may, and not where it must not', async () => {
    gateway = await startTestGateway();
    for (const [code, reason] of [
      ['SLOW_CONSUMER', 'transport close'],
      ['REVOKED', 'io server disconnect'],
    ] as const) {
      const { socket, seqs, seen } = await connect();
      const closing = new Promise((resolve) => socket.once('closing', resolve));
      const gone = new Promise((resolve) => socket.once('disconnect', resolve));
      seen.sink.send(createFrameEncoder().entries(room, [asEntry({ seq: 1 })]));
      seen.sink.close(code, 250);
      seen.sink.close('FLOOD');
      expect(await closing).toEqual({ code, reconnectInMs: 250 });
      expect(seqs).toEqual([1]);
      expect(await gone).toBe(reason);
      await waitUntil('the session is told', () => seen.gone === 1);
    }
  });

  it('limits the rate per connection, and ends a flood', async () => {
    gateway = await startTestGateway({ commandsPerSecondMax: 10, commandsBurstMax: 5 });
    const { socket, seen } = await connect();
    const closing = new Promise((resolve) => socket.once('closing', resolve));
    const replies = await Promise.all(range(1, 20).map(() => ask(socket, 'typing', { room })));
    expect(replies.filter(({ ok }) => ok)).toHaveLength(5);
    expect(replies.at(-1)?.error).toMatchObject({ code: 'RATE_LIMITED', retryable: true });
    expect(replies.at(-1)?.error?.retryAfterMs).toBeGreaterThan(0);
    for (let i = 0; i < 60; i++) socket.emit('nonsense');
    expect(await closing).toEqual({ code: 'FLOOD' });
    await waitUntil('the session is told', () => seen.gone === 1);
    expect(seen.commands).toHaveLength(5);
    expect(gateway.lines.join()).toContain('client.flood');
  });

  it('takes no command of a client that does not read its answers', async () => {
    gateway = await startTestGateway({ outboxBytesMax: 50_000 });
    gateway.answer = (_command, reply) => {
      const entries = range(1, 100).map((seq) => asEntry({ seq, text: 'x'.repeat(1_000) }));
      reply({ ok: true, result: { type: 'history', entries, hasBefore: true, hasAfter: true } });
      return 'accepted';
    };
    const { socket, seen } = await connect();
    const heapBefore = process.memoryUsage().heapUsed;
    readingOf(socket).pause();
    for (let i = 0; i < 3_000; i++) socket.emit('history:get', { room, after: 0 }, () => undefined);
    await waitUntil('it was answered BUSY or cut', () => seen.gone === 1 || seen.commands.length > 0, 5_000);
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(seen.commands.length).toBeLessThan(1_000);
    expect(process.memoryUsage().heapUsed - heapBefore).toBeLessThan(60_000_000);
  });
});
