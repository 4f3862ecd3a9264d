/**
 * Frames for one who is behind: none is larger than what may wait for a connection, and the cursor stands where it was taken up to.
 */
import { describe, expect, it } from 'vitest';
import { catchUpFrameBytesMax, framesOf } from '../../actors/frame-state.ts';
import type { ReaderId } from '../../actors/room-protocol.ts';
import { RoomReaders } from '../../actors/room-readers.ts';
import { createFrameEncoder } from '../../gateway/frame-encoder.ts';
import { callbackRef } from '../../system/actor.ts';
import { emptyHead } from '../../system/store/entry.ts';
import { RecordingSink } from '../support/actor-stage.ts';
import { entriesAfter, room, user } from '../support/entries.ts';
import { testConfig } from '../support/test-config.ts';

const lobby = room('lobby');
const encoder = createFrameEncoder();
const said = (count: number, chars: number) => entriesAfter(emptyHead, Array(count).fill({ text: 'x'.repeat(chars) }));

describe('a frame for one who is behind', () => {
  it('is at most what may wait for a connection, with short texts and with the longest', () => {
    const { outboxBytesMax, textBytesMax } = testConfig();
    for (const chars of [1, 200, 1_400, textBytesMax]) {
      const parts = framesOf(said(500, chars), catchUpFrameBytesMax);
      expect(parts.flat()).toHaveLength(500);
      for (const part of parts) expect(encoder.entries(lobby, part).bytes).toBeLessThanOrEqual(outboxBytesMax);
    }
  });

  it('that was refused is where the reader goes on, behind those that were taken', () => {
    const sink = new RecordingSink();
    let framesLeft = 2;
    const send = sink.send.bind(sink);
    sink.send = (frame) => framesLeft-- > 0 && send(frame);
    const readers = new RoomReaders(lobby, encoder);
    const ada = 'ada-1' as ReaderId;
    readers.add(ada, user('ada'), { sink, session: callbackRef('test', () => {}), opening: 1 }, 0);
    const entries = said(100, 1_000);
    const [first, second] = framesOf(entries, catchUpFrameBytesMax);
    const taken = (first?.length ?? 0) + (second?.length ?? 0);
    expect(readers.emit(ada, entries)).toMatchObject({ type: 'refused', reader: ada, after: taken });
    expect(readers.restart()).toMatchObject([{ id: ada, cursor: taken }]);
  });
});
