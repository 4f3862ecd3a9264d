/**
 * Frames are byte for byte what socket.io and ws would have made, and made once.
 */
import { createRequire } from 'node:module';
import { Decoder, Encoder, type Packet, PacketType } from 'socket.io-parser';
import { describe, expect, it } from 'vitest';
import { encodeEntry } from '../../gateway/client-encoding.ts';
import { createFrameEncoder, EncodedFrame } from '../../gateway/frame-encoder.ts';
import type { RoomId, UserId } from '../../system/ids.ts';
import { asEntry } from '../support/gateway-fixtures.ts';

const room = 'r' as RoomId;
/** ws comes with socket.io and has no place in package.json; here it is the judge. */
const { WebSocket } = createRequire(createRequire(import.meta.url).resolve('socket.io-adapter'))('ws') as {
  WebSocket: { Sender: { frame(data: Buffer, options: object): Buffer[] } };
};
function decoded(frame: EncodedFrame): unknown {
  let packet: Packet | undefined;
  const decoder = new Decoder();
  decoder.on('decoded', (got: Packet) => {
    packet = got;
  });
  decoder.add(frame.packet);
  expect(packet?.type).toBe(PacketType.EVENT);
  return packet?.data;
}
const asSocketIo = (data: unknown[]): unknown[] => new Encoder().encode({ type: PacketType.EVENT, data, nsp: '/' } as Packet);

describe('a frame encoder', () => {
  const encoder = createFrameEncoder();
  const entries = (count: number, text: string) =>
    encoder.entries(
      room,
      Array.from({ length: count }, (_, i) => asEntry({ seq: i + 1, text })),
    ) as EncodedFrame;

  it('makes the packet that socket.io makes of the same event', () => {
    const some = [
      asEntry({ seq: 1, text: 'a "quoted" 🫖 \u2028 \ud800' }),
      asEntry({ seq: 2, kind: 'react', target: 1, emoji: '🎉', on: true }),
    ];
    const frame = encoder.entries(room, some) as EncodedFrame;
    expect([frame.packet]).toEqual(asSocketIo(['entries', { room, entries: some.map(encodeEntry) }]));
    expect(decoded(frame)).toEqual(['entries', JSON.parse(JSON.stringify({ room, entries: some.map(encodeEntry) }))]);
    expect(frame.packet).not.toContain('writer');
    const typing = encoder.typing(room, ['ada' as UserId]) as EncodedFrame;
    expect([typing.packet]).toEqual(asSocketIo(['typing', { room, users: ['ada'] }]));
    const gone = encoder.roomGone(room, 'kicked') as EncodedFrame;
    expect([gone.packet]).toEqual(asSocketIo(['room:gone', { room, reason: 'kicked' }]));
  });

  it.each([0, 1, 20, 40, 600, 60_000, 66_000, 70_000])('makes the websocket frame that ws makes of a text of %i characters', (length) => {
    for (const text of ['x'.repeat(length), '€'.repeat(length)]) {
      const frame = entries(1, text);
      const expected = Buffer.concat(
        WebSocket.Sender.frame(Buffer.from(`4${frame.packet}`), { readOnly: false, mask: false, rsv1: false, opcode: 1, fin: true }),
      );
      expect(frame.options.wsPreEncodedFrame).toHaveLength(1);
      expect(frame.options.wsPreEncodedFrame[0]?.equals(expected)).toBe(true);
      expect(frame.bytes).toBe(expected.length);
    }
  });

  it('has the right length of length at every border', () => {
    for (const bytes of [125, 126, 127, 65_535, 65_536]) {
      const frame = new EncodedFrame('x'.repeat(bytes - 1));
      const expected = Buffer.concat(
        WebSocket.Sender.frame(Buffer.from(`4${frame.packet}`), { readOnly: false, mask: false, rsv1: false, opcode: 1, fin: true }),
      );
      expect(frame.options.wsPreEncodedFrame[0]?.equals(expected)).toBe(true);
    }
  });

  it('makes an entry JSON once for all who catch up, however many frames carry it', () => {
    let reads = 0;
    const entry = asEntry({ seq: 1 });
    Object.defineProperty(entry, 'text', {
      enumerable: true,
      get() {
        reads += 1;
        return 'once';
      },
    });
    encoder.entriesAgain(room, [entry]);
    const readsOfOne = reads;
    for (let i = 0; i < 5; i++) expect((encoder.entriesAgain(room, [entry, asEntry({ seq: 2 })]) as EncodedFrame).packet).toContain('once');
    expect(reads).toBe(readsOfOne);
  });

  it('takes no entries for an empty event, which clients understand', () => {
    expect(decoded(entries(0, ''))).toEqual(['entries', { room: 'r', entries: [] }]);
  });
});
