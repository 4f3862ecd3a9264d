/**
 * What a websocket is given: the shared bytes while it takes them, and bytes of its own once it does not.
 */
import { describe, expect, it } from 'vitest';
import type { WebSocket } from 'ws';
import { createFrameEncoder, type EncodedFrame } from '../../gateway/frame-encoder.ts';
import { WebsocketConnection } from '../../gateway/websocket-connection.ts';
import type { RoomId } from '../../system/ids.ts';

/** Takes every byte into the kernel until `isStalled`. */
class SocketTwin {
  readonly OPEN = 1;
  readonly readyState = 1;
  isStalled = false;
  bufferedAmount = 0;
  readonly written: Buffer[] = [];
  readonly _sender = {
    sendFrame: ([buffer]: readonly Buffer[]) => {
      this.written.push(buffer as Buffer);
      if (this.isStalled) this.bufferedAmount += (buffer as Buffer).length;
    },
  };
  on(): void {}
}

function setUp() {
  const socket = new SocketTwin();
  const host = { connect: () => ({ refused: {} }), closed: () => {} };
  const connection = new WebsocketConnection(socket as unknown as WebSocket, host);
  const frame = createFrameEncoder().typing('r' as RoomId, []) as EncodedFrame;
  return { socket, connection, frame };
}

describe('a websocket', () => {
  it('is given the bytes all others are given while it takes them, without a copy', () => {
    const { socket, connection, frame } = setUp();
    for (let times = 0; times < 3; times += 1) connection.write([], frame);
    expect(socket.written.every((buffer) => buffer === frame.buffer)).toBe(true);
  });

  it('that does not take them keeps bytes of its own, and no slab by a slice of it', () => {
    const { socket, connection, frame } = setUp();
    socket.isStalled = true;
    connection.write([], frame);
    connection.write([], frame);
    connection.write(['0'], frame);
    connection.ping();
    const [first, ...waiting] = socket.written as [Buffer, ...Buffer[]];
    expect(first).toBe(frame.buffer); // Nobody knew yet.
    expect(waiting).toHaveLength(3);
    for (const buffer of waiting) expect(buffer.buffer.byteLength).toBe(buffer.length);
    expect(waiting[0]?.equals(frame.buffer)).toBe(true);
    expect(waiting[1]?.subarray(-frame.bytes).equals(frame.buffer)).toBe(true);
  });

  it('that takes them again is given the shared bytes again', () => {
    const { socket, connection, frame } = setUp();
    socket.isStalled = true;
    connection.write([], frame);
    connection.write([], frame);
    socket.bufferedAmount = 0;
    connection.write([], frame);
    expect(socket.written.map((buffer) => buffer === frame.buffer)).toEqual([true, false, true]);
  });
});
