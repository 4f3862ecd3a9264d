/**
 * AppendArms: the arms of the append benchmark that run inside one process: LevelDB raw, the store, the room actors.
 *
 * All have the same load shape: `senders` messages in flight over `rooms` rooms, each sender's next one when its last is durable.
 * Guarantees: what was acknowledged is counted again in what is stored. Does not: read anything while it measures.
 */
import { ClassicLevel } from 'classic-level';
import { encodeEntry } from '../../system/store/entry-document.ts';
import { runActors } from './append-actors.ts';
import { type AppendRun, type DriveRequest, drive } from './append-drive.ts';
import { runStore } from './append-store.ts';
import { answerCalls } from './calls.ts';
import { textOf } from './message-text.ts';
import { openStore } from './open-store.ts';
import { cidOf, messageEntry, roomOf, userOf } from './sample-entries.ts';

/** raw: the fastest form LevelDB offers. array: the form its documentation shows for a group of writes. */
export type AppendArm = 'raw' | 'array' | 'store' | 'actors';
export interface AppendRequest extends DriveRequest {
  readonly arm: AppendArm;
}

/** What a disk and LevelDB can do: entry and idempotency key of everything that waits in one synced batch, one batch at a time. */
async function runRaw(request: AppendRequest): Promise<AppendRun> {
  // As embedded-folder.ts opens it.
  const level = new ClassicLevel<string, string>(request.dir, {
    keyEncoding: 'utf8',
    valueEncoding: 'utf8',
    cacheSize: 32 << 20,
    writeBufferSize: 4 << 20,
  });
  await level.open();
  const heads = new Array<number>(request.rooms).fill(0);
  let waiting: { key: string; idKey: string; value: string; done: () => void }[] = [];
  let isWriting = false;
  // Made before the clock runs: this arm is the disk's, not the encoder's.
  const values = Array.from({ length: 256 }, (_, index) =>
    encodeEntry(messageEntry(1_000_000, 1_000_000, userOf(index), cidOf(1_000_000 + index), textOf(index)), 999_999),
  );
  const write = async (): Promise<void> => {
    isWriting = true;
    while (waiting.length > 0) {
      const messages = waiting;
      waiting = [];
      if (request.arm === 'array') {
        const operations = messages.flatMap(({ key, idKey, value }) => [
          { type: 'put', key, value } as const,
          { type: 'put', key: idKey, value: key } as const,
        ]);
        await level.batch(operations, { sync: true });
      } else {
        const batch = level.batch();
        for (const { key, idKey, value } of messages) batch.put(key, value).put(idKey, key);
        await batch.write({ sync: true });
      }
      for (const { done } of messages) done();
    }
    isWriting = false;
  };
  const run = await drive(request, (sender, index, done) => {
    const room = sender % request.rooms;
    const seq = (heads[room] as number) + 1;
    heads[room] = seq;
    const key = `e!${roomOf(room)}!${String(seq).padStart(12, '0')}`;
    waiting.push({ key, idKey: `i!${roomOf(room)}!${userOf(sender)}!${cidOf(index)}`, value: values[index & 255] as string, done });
    if (!isWriting) void write();
  });
  const stored = (await level.keys({ gt: 'e!', lt: 'e"' }).all()).length;
  await level.close();
  return { ...run, stored };
}

process.on('unhandledRejection', (error) => {
  throw error;
});
answerCalls({
  async run(request: AppendRequest) {
    if (request.arm === 'raw' || request.arm === 'array') return runRaw(request);
    const store = await openStore(request.dir);
    return request.arm === 'store' ? runStore(store, request) : runActors(store, request);
  },
});
