/**
 * The outbox on a websocket: the same counts and bounds without engine.io between.
 */
import { describe, expect, it } from 'vitest';
import type { ClientSocket, ClientSocketListener } from '../../gateway/client-socket.ts';
import { createFrameEncoder, type EncodedFrame, websocketFrames } from '../../gateway/frame-encoder.ts';
import { Outbox } from '../../gateway/outbox.ts';
import { depsOf, frameOf, limitsDefault } from '../support/outbox-twins.ts';

/** A websocket that gives to a kernel with room for nothing until `drain`. */
class WebsocketTwin implements ClientSocket {
  readonly writes: Buffer[] = [];
  unsentBytes = 0;
  unsentFrames = 0;
  isCut = false;
  #listener: ClientSocketListener | undefined;
  listen(listener: ClientSocketListener): void {
    this.#listener = listener;
  }
  write(packets: readonly string[], frame?: EncodedFrame): void {
    const buffer = packets.length === 0 && frame ? frame.buffer : websocketFrames(packets, frame?.buffer);
    this.writes.push(buffer);
    this.unsentBytes += buffer.length;
    this.unsentFrames += 1;
  }
  end(): void {
    this.cut();
  }
  cut(): void {
    this.isCut = true;
  }
  drain(): void {
    this.unsentBytes = 0;
    for (; this.unsentFrames > 0; ) {
      this.unsentFrames -= 1;
      this.#listener?.sent();
    }
  }
  /** The texts of the frames of one write. */
  static texts(write: Buffer): string[] {
    const texts: string[] = [];
    for (let at = 0; at < write.length; ) {
      const short = (write[at + 1] as number) & 0x7f;
      const start = short < 126 ? at + 2 : at + 4;
      const end = start + (short < 126 ? short : write.readUInt16BE(at + 2));
      texts.push(write.toString('utf8', start, end));
      at = end;
    }
    return texts;
  }
}

function setUpStraight(limits = limitsDefault) {
  const websocket = new WebsocketTwin();
  const { deps, lines } = depsOf(limits);
  const outbox = new Outbox(websocket, deps);
  outbox.start();
  return { outbox, lines, websocket, writes: () => websocket.writes.map(WebsocketTwin.texts) };
}

describe('an outbox on a websocket', () => {
  it('gives frames straight to it, and counts what the kernel has not taken', () => {
    const { outbox, websocket, writes } = setUpStraight();
    const frame = frameOf(100);
    expect([outbox.send(frame), outbox.send(frame)]).toEqual([true, true]);
    expect(websocket.writes).toEqual([frame.buffer, frame.buffer]);
    expect([outbox.bytes, outbox.frames]).toEqual([200, 2]);
    websocket.drain();
    expect([outbox.bytes, outbox.frames]).toEqual([0, 0]);
    expect(writes()[0]).toEqual([`4${frame.packet}`]);
  });

  it("puts a turn's answers before its first frame, in one write; answers alone leave at the turn's end", async () => {
    const { outbox, writes } = setUpStraight();
    outbox.answer('31[{"ok":true}]');
    outbox.answer('32[{"ok":true,"text":"€"}]');
    expect(writes()).toEqual([]);
    const frame = createFrameEncoder().typing('r' as never, []) as EncodedFrame;
    outbox.send(frame);
    outbox.send(frame);
    outbox.answer('33[{}]');
    await Promise.resolve();
    expect(writes()).toEqual([['431[{"ok":true}]', '432[{"ok":true,"text":"€"}]', `4${frame.packet}`], [`4${frame.packet}`], ['433[{}]']]);
  });

  it('refuses over the bound and says when there is room, as on every transport', () => {
    const { outbox, websocket } = setUpStraight();
    let rooms = 0;
    outbox.onRoom(() => {
      rooms += 1;
    });
    for (let sent = 0; sent < 4; sent += 1) expect(outbox.send(frameOf(250))).toBe(true);
    expect([outbox.send(frameOf(20)), outbox.isFull, rooms]).toEqual([false, true, 0]);
    websocket.drain();
    expect([outbox.isFull, rooms]).toEqual([false, 1]);
  });

  it('cuts a client that asks without reading at four times the bound', async () => {
    const { outbox, websocket, lines } = setUpStraight();
    for (let asked = 0; asked < 9; asked += 1) {
      outbox.answer('x'.repeat(500));
      await Promise.resolve();
    }
    expect(websocket.isCut).toBe(true);
    expect(lines.join()).toContain('slow.consumer');
    outbox.answer('after');
    await Promise.resolve();
    expect(websocket.writes.length).toBeLessThan(9);
  });
});
