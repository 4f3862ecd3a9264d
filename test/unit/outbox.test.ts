/**
 * The outbox over a twin of engine.io's connection: what is counted, refused, dropped, and when there is room again.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createFrameEncoder } from '../../gateway/frame-encoder.ts';
import { frameOf, limitsDefault, setUp, TransportTwin } from '../support/outbox-twins.ts';

describe('an outbox', () => {
  it('counts what waits in the buffer and in the transport, until the kernel has it', () => {
    const { outbox, conn } = setUp();
    expect(outbox.send(frameOf(100))).toBe(true);
    expect([outbox.bytes, outbox.frames]).toEqual([100, 1]);
    expect(outbox.send(frameOf(200))).toBe(true);
    expect([outbox.bytes, outbox.frames]).toEqual([300, 2]);
    conn.drain();
    expect([outbox.bytes, outbox.frames]).toEqual([200, 1]);
    conn.drain();
    expect([outbox.bytes, outbox.frames]).toEqual([0, 0]);
  });

  it('refuses over the bound of bytes and of frames, and takes nothing of what it refused', () => {
    const { outbox, conn } = setUp();
    for (let i = 0; i < 4; i++) expect(outbox.send(frameOf(250))).toBe(true);
    expect(outbox.send(frameOf(20))).toBe(false);
    expect([outbox.bytes, outbox.frames]).toEqual([1_000, 4]);
    expect(outbox.isFull).toBe(true);
    const many = setUp();
    for (let i = 0; i < 10; i++) expect(many.outbox.send(frameOf(20))).toBe(true);
    expect(many.outbox.send(frameOf(20))).toBe(false);
    expect(conn.sent.length + conn.writeBuffer.length).toBe(4);
  });

  it('lets one frame larger than the bound pass when nothing waits, or it could never be delivered', () => {
    const { outbox } = setUp();
    expect(outbox.send(frameOf(3_000))).toBe(true);
    expect(outbox.send(frameOf(20))).toBe(false);
  });

  it('calls onRoom once, when it fell under half, and only after a refusal', () => {
    const { outbox, conn } = setUp();
    let calls = 0;
    outbox.onRoom(() => {
      calls += 1;
    });
    outbox.send(frameOf(100));
    conn.drain();
    expect(calls).toBe(0);
    outbox.send(frameOf(100)); // In the transport; the rest waits behind it.
    outbox.send(frameOf(600));
    outbox.send(frameOf(300));
    expect(outbox.send(frameOf(100))).toBe(false);
    conn.drain();
    expect([outbox.bytes, calls]).toEqual([900, 0]);
    conn.drain();
    expect([outbox.bytes, calls]).toEqual([0, 1]);
    conn.drain();
    expect(calls).toBe(1);
  });

  it('takes frames from within onRoom, in order', () => {
    const { outbox, conn } = setUp();
    outbox.send(frameOf(900));
    expect(outbox.send(frameOf(500))).toBe(false);
    outbox.onRoom(() => void outbox.send(frameOf(500)));
    conn.drain();
    conn.drain();
    expect(conn.sent.map((packet) => packet.length)).toEqual([895, 495]);
  });

  it('drops volatile frames above a quarter of the bound', () => {
    const { outbox, conn } = setUp();
    outbox.send(frameOf(200));
    outbox.sendVolatile(frameOf(50));
    expect(outbox.frames).toBe(2);
    outbox.sendVolatile(frameOf(20));
    expect([outbox.bytes, outbox.frames]).toEqual([250, 2]);
    conn.drain();
    conn.drain();
    outbox.sendVolatile(frameOf(20));
    expect(outbox.frames).toBe(1);
  });

  it('cuts a client that asks without reading at four times the bound', () => {
    const { outbox, conn, ack, lines } = setUp();
    for (let i = 0; i < 8; i++) ack(500);
    expect(conn.isClosed).toBe(false);
    ack(500);
    expect([conn.isClosed, conn.transport.terminated]).toEqual([true, true]);
    expect(lines.join()).toContain('slow.consumer');
    expect(outbox.send(frameOf(20))).toBe(false);
  });

  it('refuses before the client is connected, offers room after, and then tells an early close', () => {
    const { conn, outbox, told } = setUp(limitsDefault, false);
    let rooms = 0;
    outbox.onRoom(() => {
      rooms += 1;
    });
    expect(outbox.send(frameOf(20))).toBe(false);
    outbox.close('REVOKED');
    expect(told()).toEqual([]);
    outbox.start();
    expect(told()).toEqual([{ code: 'REVOKED' }]);
    conn.drain();
    expect(conn.isClosed).toBe(true);
    expect(rooms).toBe(0);
  });

  it('says closing after what was taken, then closes: the transport when the client may come back, else the socket', () => {
    const back = setUp();
    back.outbox.send(frameOf(100));
    back.outbox.close('SLOW_CONSUMER', 250);
    back.outbox.close('FLOOD');
    expect(back.told()).toEqual([{ code: 'SLOW_CONSUMER', reconnectInMs: 250 }]);
    expect(back.outbox.send(frameOf(20))).toBe(false);
    expect(back.conn.isClosed).toBe(false);
    back.conn.drain();
    back.conn.drain();
    expect([back.conn.isClosed, back.disconnects, back.conn.transport.terminated]).toEqual([true, [], false]);
    expect(back.conn.sent.at(-1)).toContain('closing');
    const forGood = setUp();
    forGood.outbox.close('REVOKED');
    forGood.conn.drain();
    expect(forGood.disconnects).toEqual([true]);
    expect([back.clock.pending(), forGood.clock.pending()]).toEqual([0, 0]);
  });

  it('cuts after 1 s when the closing does not leave', () => {
    const { outbox, conn, clock } = setUp();
    outbox.send(frameOf(100));
    outbox.close('SLOW_CONSUMER');
    clock.advance(999);
    expect(conn.isClosed).toBe(false);
    clock.advance(1);
    expect([conn.isClosed, conn.transport.terminated]).toEqual([true, true]);
  });

  it('closes a client for which too much waited for 30 s, and says so to operators', () => {
    const { outbox, clock, told, lines, conn } = setUp();
    outbox.send(frameOf(900));
    expect(outbox.send(frameOf(200))).toBe(false);
    clock.advance(29_999);
    expect(outbox.send(frameOf(200))).toBe(false);
    expect(told()).toEqual([]);
    clock.advance(1);
    expect(told()).toEqual([{ code: 'SLOW_CONSUMER' }]);
    expect(lines.map((line) => JSON.parse(line))).toMatchObject([
      { ev: 'slow.consumer', v: 1, decision: 'close', about: { bytes: 900, frames: 1 } },
    ]);
    clock.advance(1_000);
    expect([conn.isClosed, conn.transport.terminated, clock.pending()]).toEqual([true, true, 0]);
  });

  it('counts those 30 s anew when there was room in between, and only from the refusal of an event', () => {
    const { outbox, conn, clock, told } = setUp();
    outbox.onRoom(() => undefined);
    outbox.send(frameOf(600));
    outbox.sendMinor(frameOf(200));
    outbox.sendVolatile(frameOf(200));
    expect(clock.pending()).toBe(0);
    expect(outbox.send(frameOf(600))).toBe(false);
    clock.advance(20_000);
    conn.drain();
    outbox.send(frameOf(900));
    expect(outbox.send(frameOf(600))).toBe(false);
    clock.advance(29_999);
    expect(told()).toEqual([]);
    clock.advance(1);
    expect(told()).toEqual([{ code: 'SLOW_CONSUMER' }]);
  });

  it('says that a client was lost while it was over the bound, and leaves no timer', () => {
    const { outbox, conn, clock, lines } = setUp();
    outbox.send(frameOf(900));
    outbox.send(frameOf(200));
    conn.close();
    expect(lines.map((line) => JSON.parse(line))).toMatchObject([{ ev: 'slow.consumer', decision: 'lost' }]);
    clock.advance(1_000); // The window of the supervision's counting.
    expect(clock.pending()).toBe(0);
  });

  it('waits with the end of a drain for the answers of commands that were taken, and not with any other end', async () => {
    const { outbox, conn, clock } = setUp();
    outbox.commandTaken();
    outbox.commandTaken();
    outbox.close('SERVER_DRAINING', 100);
    conn.drain();
    clock.advance(5_000);
    expect(conn.isClosed).toBe(false);
    for (const id of [1, 2]) {
      outbox.answer(`3${id}[{"ok":true}]`);
      outbox.commandAnswered();
    }
    await Promise.resolve();
    expect(conn.isClosed).toBe(false);
    conn.drain();
    conn.drain();
    expect([conn.isClosed, conn.transport.terminated]).toEqual([true, false]);
    expect(conn.sent.slice(-2)).toEqual(['31[{"ok":true}]', '32[{"ok":true}]']);
    const expired = setUp();
    expired.outbox.commandTaken();
    expired.outbox.close('TOKEN_EXPIRED');
    expired.conn.drain();
    expect(expired.conn.isClosed).toBe(true);
  });

  it('ends the wait of a drain when no more answers can come', () => {
    const { outbox, conn, clock } = setUp();
    outbox.commandTaken();
    outbox.close('SERVER_DRAINING');
    conn.drain();
    clock.advance(3_000);
    expect(conn.isClosed).toBe(false);
    outbox.answersEnd();
    expect([conn.isClosed, conn.transport.terminated]).toEqual([true, false]);
    const stuck = setUp();
    stuck.outbox.send(frameOf(100));
    stuck.outbox.commandTaken();
    stuck.outbox.close('SERVER_DRAINING');
    stuck.outbox.answersEnd();
    stuck.clock.advance(1_000);
    expect(stuck.conn.transport.terminated).toBe(true);
  });

  it('follows a change of transport', () => {
    const { outbox, conn } = setUp();
    outbox.send(frameOf(400));
    const websocket = new TransportTwin();
    conn.transport = websocket;
    conn.emit('upgrade', websocket);
    expect(outbox.frames).toBe(0);
    outbox.send(frameOf(400));
    conn.drain();
    expect(outbox.frames).toBe(0);
  });

  it('does not let a crash of onRoom out: it would end the process', () => {
    const { outbox, conn, lines, told } = setUp();
    outbox.onRoom(() => {
      throw new Error('a bug');
    });
    outbox.send(frameOf(1_000));
    outbox.send(frameOf(20));
    conn.drain();
    expect(lines.join()).toContain('gateway.bug');
    expect(told()).toEqual([{ code: 'INTERNAL' }]);
  });

  it('counts right whatever the order of sends, answers and drains', () => {
    const step = fc.oneof(
      fc.record({ do: fc.constant('send' as const), bytes: fc.integer({ min: 10, max: 600 }) }),
      fc.record({ do: fc.constant('volatile' as const), bytes: fc.integer({ min: 10, max: 600 }) }),
      fc.record({ do: fc.constant('ack' as const), bytes: fc.integer({ min: 1, max: 60 }) }),
      fc.record({ do: fc.constant('drain' as const), bytes: fc.constant(0) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const { outbox, conn, ack } = setUp();
        let refused = false;
        let woken = 0;
        outbox.onRoom(() => {
          woken += 1;
        });
        for (const { do: what, bytes } of steps) {
          const before = outbox.bytes;
          if (what === 'drain') conn.drain();
          else if (what === 'ack' && !outbox.isFull) ack(bytes);
          else if (what === 'volatile') outbox.sendVolatile(frameOf(bytes));
          else if (what === 'send') {
            const taken = outbox.send(frameOf(bytes));
            expect(outbox.bytes).toBe(before + (taken ? frameOf(bytes).bytes : 0));
            refused ||= !taken;
          }
          expect(outbox.frames).toBeLessThanOrEqual(10);
        }
        for (let i = 0; i < 3; i++) conn.drain();
        expect([outbox.bytes, outbox.frames]).toEqual([0, 0]);
        if (refused) expect(woken).toBeGreaterThan(0);
        else expect(woken).toBe(0);
      }),
      { numRuns: 2_000 },
    );
  });

  it('takes no frame of another maker', () => {
    const { outbox } = setUp();
    expect(() => outbox.send({ bytes: 1 })).toThrow(TypeError);
    expect(outbox.send(createFrameEncoder().typing('r' as never, []))).toBe(true);
  });
});
