/**
 * AppendStore: the arm of the store alone: one append of a room in flight, what waits is the next.
 */
import { batchEntriesMax } from '../../system/store/room-log.ts';
import type { RoomStore } from '../../system/store/room-store.ts';
import { type AppendRun, createRooms, type DriveRequest, drive, messagesIn } from './append-drive.ts';
import { textOf } from './message-text.ts';
import { cidOf, messageEntry, roomOf, userOf } from './sample-entries.ts';

export async function runStore(store: RoomStore, request: DriveRequest): Promise<AppendRun> {
  const rooms = await createRooms(store.log, request);
  const lines = rooms.map(() => ({
    seq: 1,
    n: 0,
    isAppending: false,
    waiting: [] as { sender: number; index: number; done: () => void }[],
  }));
  const appendWaiting = async (room: number): Promise<void> => {
    const line = lines[room] as (typeof lines)[number];
    line.isAppending = true;
    while (line.waiting.length > 0) {
      const messages = line.waiting.splice(0, batchEntriesMax);
      const entries = messages.map(({ sender, index }, place) =>
        messageEntry(line.seq + 1 + place, line.n + 1 + place, userOf(sender), cidOf(index), textOf(index)),
      );
      const outcome = await store.log.append(roomOf(room), line.seq, entries);
      if (outcome.type !== 'appended') throw new Error(`append was answered ${outcome.type}`);
      line.seq += entries.length;
      line.n += entries.length;
      for (const { done } of messages) done();
    }
    line.isAppending = false;
  };
  const run = await drive(request, (sender, index, done) => {
    const room = sender % request.rooms;
    const line = lines[room] as (typeof lines)[number];
    line.waiting.push({ sender, index, done });
    // A turn of the promise queue later: all who were answered together go together, as a room's actor does it.
    if (!line.isAppending) {
      line.isAppending = true;
      void Promise.resolve().then(() => appendWaiting(room));
    }
  });
  const stored = await messagesIn(store.log, request);
  await store.close();
  return { ...run, stored };
}
