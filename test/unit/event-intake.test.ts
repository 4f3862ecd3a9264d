/**
 * Events taken before socket.io's parser are what that parser would have given; the rest is left to it.
 */
import { EventEmitter } from 'node:events';
import fc from 'fast-check';
import type { Socket } from 'socket.io';
import { Decoder, type Packet, PacketType } from 'socket.io-parser';
import { describe, expect, it } from 'vitest';
import { takeEvents } from '../../gateway/event-intake.ts';

function setUp() {
  const passedOn: unknown[] = [];
  const conn = new EventEmitter();
  const client = { ondata: (data: unknown) => void passedOn.push(data) };
  conn.on('data', client.ondata);
  const socket = { conn, client, connected: true };
  const events: (readonly unknown[])[] = [];
  const answers: string[] = [];
  takeEvents(
    socket as unknown as Socket,
    (packet) => void events.push(packet),
    (packet) => void answers.push(packet),
  );
  return { socket, events, answers, passedOn, come: (data: unknown) => conn.emit('data', data) };
}

describe('event intake', () => {
  it('gives name, payload and the function that answers under the number that was asked for', () => {
    const { events, answers, passedOn, come } = setUp();
    come('217["typing",{"room":"r"}]');
    come('2["typing",{"room":"r"}]');
    const [asked, silent] = events;
    expect(asked?.slice(0, 2)).toEqual(['typing', { room: 'r' }]);
    const answer = asked?.[2] as (body: object) => void;
    answer({ ok: true });
    expect(answers).toEqual(['317[{"ok":true}]']);
    expect(silent).toEqual(['typing', { room: 'r' }]);
    expect(passedOn).toEqual([]);
  });

  it.each([
    ['another namespace', '2/admin,1["x"]'],
    ['a binary event', '51-["x",{"_placeholder":true,"num":0}]'],
    ['an attachment', Buffer.from('x')],
    ['what does not parse', '21["x",'],
    ['what is no list', '21{"x":1}'],
    ['a number that nobody counts to', `2${'1'.repeat(16)}["x"]`],
    ['a connect', '0{"token":"t"}'],
    ['a disconnect', '1'],
    ['an answer', '31[]'],
    ['nothing', ''],
  ])('leaves %s to socket.io', (_what, data) => {
    const { events, passedOn, come } = setUp();
    come(data);
    expect([events, passedOn]).toEqual([[], [data]]);
  });

  it('leaves everything to socket.io until the client is connected', () => {
    const { socket, events, passedOn, come } = setUp();
    socket.connected = false;
    come('21["typing",{}]');
    expect([events, passedOn]).toEqual([[], ['21["typing",{}]']]);
  });

  it("reads every event as socket.io's own parser does", () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), fc.array(fc.jsonValue(), { maxLength: 3 }), fc.option(fc.nat()), (name, args, id) => {
        const data = `2${id ?? ''}${JSON.stringify([`x${name}`, ...args])}`;
        const { events, come } = setUp();
        come(data);
        let expected: Packet | undefined;
        const decoder = new Decoder();
        decoder.on('decoded', (packet: Packet) => {
          expected = packet;
        });
        decoder.add(data);
        expect(expected?.type).toBe(PacketType.EVENT);
        expect(events[0]?.slice(0, args.length + 1)).toEqual(expected?.data);
        expect(typeof events[0]?.at(-1) === 'function').toBe(id !== null);
      }),
      { numRuns: 500 },
    );
  });
});
