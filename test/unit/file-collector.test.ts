/** FileCollector: what waits for its bytes to go. What it takes and leaves is in integration/files.test.ts. */
import { Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../system/clock.ts';
import { collectorTimes, deletionsWaitingMax, FileCollector } from '../../system/files/file-collector.ts';
import { newFileId } from '../../system/files/file-store.ts';
import { MemoryFileStore } from '../../system/files/file-store-memory.ts';
import type { Entry } from '../../system/store/entry.ts';
import { silentLog } from '../support/embedded-stores.ts';
import { cid, entryAfter, room, user } from '../support/entries.ts';

const owner = { room: room('lobby'), by: user('ada'), cid: cid('c1') };

async function start(entryAt: (seq: number) => Entry | undefined, isOpen = Promise.resolve()) {
  const files = new MemoryFileStore(systemClock);
  await files.put(newFileId(owner), owner, Readable.from([Buffer.from('x')]), 10);
  const asked: number[] = [];
  const collector = new FileCollector({
    files,
    log: {
      at: async (refs) => {
        asked.push(...refs.map(({ seq }) => seq));
        await isOpen;
        return refs.map(({ seq }) => entryAt(seq));
      },
      byCid: async () => [],
    },
    clock: systemClock,
    logger: silentLog,
    times: collectorTimes,
    onCollected: () => {},
  });
  return { files, collector, asked };
}

const file = (more: Partial<Entry>): Entry => ({ ...entryAfter({ seq: 0, n: 0 }, { kind: 'file', by: 'ada', cid: 'c1' }), ...more });

describe('a deletion', () => {
  it('takes the bytes of a file whose entry was scrubbed, and of nothing else', async () => {
    const entries = [undefined, file({ kind: 'message', scrubbed: true }), file({}), file({ scrubbed: true })];
    const { files, collector, asked } = await start((seq) => entries[seq]);
    for (const seq of [0, 1, 2]) collector.deleted(owner.room, seq);
    await expect.poll(() => asked.length).toBe(3);
    expect((await files.list('', 9)).length).toBe(1);
    collector.deleted(owner.room, 3);
    await expect.poll(async () => (await files.list('', 9)).length).toBe(0);
  });

  it('lets so many deletions wait, and leaves more to the next round', async () => {
    let open = (): void => {};
    const gate = new Promise<void>((resolve) => {
      open = resolve;
    });
    const { collector, asked } = await start(() => undefined, gate);
    for (let seq = 0; seq < deletionsWaitingMax + 50; seq += 1) collector.deleted(owner.room, seq);
    open();
    await expect.poll(() => asked.length).toBe(deletionsWaitingMax + 1);
    expect(asked.at(-1)).toBe(deletionsWaitingMax);
    collector.stop();
    collector.deleted(owner.room, 1);
    expect(asked.length).toBe(deletionsWaitingMax + 1);
  });
});
