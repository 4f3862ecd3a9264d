/**
 * AppendActors: everything between a decoded command and the disk: rooms, mailboxes, validation, projections, encoding of the delivery.
 */
import type { Answer } from '../../actors/client-command.ts';
import type { WriteCommand } from '../../actors/room-fold.ts';
import { RoomTally } from '../../actors/room-tally.ts';
import { spawnRooms } from '../../actors/rooms.ts';
import { createFrameEncoder } from '../../gateway/frame-encoder.ts';
import { callbackRef, createActorSystem } from '../../system/actor.ts';
import { systemClock } from '../../system/clock.ts';
import { createMemoryDirectory } from '../../system/directory/directory-memory.ts';
import type { RoomStore } from '../../system/store/room-store.ts';
import { type AppendRun, createRooms, type DriveRequest, drive, messagesIn } from './append-drive.ts';
import { textOf } from './message-text.ts';
import { quietLog } from './open-store.ts';
import { cidOf, roomOf, roomSettings, userOf } from './sample-entries.ts';

/** `sharedLog`: as on a store that other nodes write to as well. Closes the store. */
export async function runActors(store: RoomStore, request: DriveRequest, sharedLog = false): Promise<AppendRun> {
  await createRooms(store.log, request);
  const system = createActorSystem({ clock: systemClock, log: quietLog });
  const rooms = spawnRooms(system.root, {
    log: store.log,
    userRooms: store.userRooms,
    wire: {
      publish: () => {},
      signal: () => {},
      state: () => {},
      subscribe: () => () => {},
      health: () => 'up',
      description: 'none',
      close: async () => {},
    },
    directory: createMemoryDirectory(),
    encoder: createFrameEncoder(),
    clock: systemClock,
    settings: { ...roomSettings, sharedLog },
    roomIdleMs: 60_000,
    pace: { gatherMs: () => 0, gave: () => {} },
    tally: new RoomTally(),
    notices: { read: () => {}, membership: () => {}, appended: () => {} },
    roomsActiveMax: 10_000,
  });
  const run = await drive(request, (sender, index, done) => {
    const command: WriteCommand = {
      by: userOf(sender),
      name: userOf(sender),
      cid: cidOf(index),
      write: { type: 'send', text: textOf(index) },
    };
    const replyTo = callbackRef<Answer>('bench.answer', (answer) => {
      if (!answer.ok) throw new Error(`a message was answered ${JSON.stringify(answer)}`);
      done();
    });
    const refusal = rooms.send(roomOf(sender % request.rooms), { type: 'room.write', command, replyTo });
    if (refusal) throw new Error(`a message was refused: ${JSON.stringify(refusal)}`);
  });
  const stored = await messagesIn(store.log, request);
  await system.stop(5_000);
  await store.close();
  return { ...run, stored };
}
