/**
 * Packets of socket.io clients: read as socket.io's own parser reads them, and nothing read into what is none.
 */
import fc from 'fast-check';
import { Decoder, Encoder, type Packet, PacketType } from 'socket.io-parser';
import { describe, expect, it } from 'vitest';
import { readPacket } from '../../gateway/socket-packet.ts';

describe('a packet', () => {
  it.each([
    ['40', { type: 'connect', auth: {} }],
    ['40{"token":"t"}', { type: 'connect', auth: { token: 't' } }],
    ['40/admin,{"token":"t"}', { type: 'stranger', namespace: '/admin' }],
    ['40/admin', { type: 'stranger', namespace: '/admin' }],
    ['42["typing",{"room":"r"}]', { type: 'event', event: ['typing', { room: 'r' }], ackId: '', attachments: 0 }],
    ['4217["typing",{"room":"r"}]', { type: 'event', event: ['typing', { room: 'r' }], ackId: '17', attachments: 0 }],
    ['41', { type: 'leave' }],
    ['41/admin', { type: 'nothing' }],
    ['431[]', { type: 'nothing' }],
    ['3', { type: 'pong' }],
    ['1', { type: 'close' }],
    ['6', { type: 'nothing' }],
  ])('%s', (text, packet) => {
    expect(readPacket(text)).toEqual(packet);
  });

  it.each([
    '',
    '4',
    '2',
    '0{}',
    'x',
    '3probe',
    '42',
    '421["x",',
    '421{"x":1}',
    '42/admin,1["x"]',
    `42${'1'.repeat(16)}["x"]`,
    '40{"token"',
    '44{}',
    '49["x"]',
    '45["x"]',
    '4511-["x"]',
    '45x-["x"]',
    '45',
    '__proto__',
  ])('%j is none', (text) => {
    expect(readPacket(text)).toEqual({ type: 'malformed' });
  });

  it("holds every event as socket.io's own parser gives it", () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), fc.array(fc.jsonValue(), { maxLength: 3 }), fc.option(fc.nat()), (name, args, id) => {
        const data = `2${id ?? ''}${JSON.stringify([`x${name}`, ...args])}`;
        let expected: Packet | undefined;
        const decoder = new Decoder();
        decoder.on('decoded', (packet: Packet) => {
          expected = packet;
        });
        decoder.add(data);
        expect(expected?.type).toBe(PacketType.EVENT);
        const packet = readPacket(`4${data}`);
        expect(packet).toEqual({ type: 'event', event: expected?.data, ackId: id === null ? '' : String(id), attachments: 0 });
      }),
      { numRuns: 500 },
    );
  });

  it('with buffers in it holds empty ones in their places, and says how many frames to skip', () => {
    const [text, ...buffers] = new Encoder().encode({
      type: PacketType.EVENT,
      data: ['message:send', { room: Buffer.from('room'), text: [Buffer.from('a'), 'b'] }],
      id: 7,
      nsp: '/',
    }) as [string, ...Buffer[]];
    expect(buffers).toHaveLength(2);
    const none = Buffer.alloc(0);
    expect(readPacket(`4${text}`)).toEqual({
      type: 'event',
      event: ['message:send', { room: none, text: [none, 'b'] }],
      ackId: '7',
      attachments: 2,
    });
  });

  it('is never a throw', () => {
    fc.assert(
      fc.property(fc.string(), (text) => void readPacket(`4${text}`)),
      { numRuns: 2_000 },
    );
  });
});
