/**
 * What the embedded store keeps on disk: the index of control entries, and folders of the format before.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ClassicLevel } from 'classic-level';
import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../system/clock.ts';
import { LogCorrupt } from '../../system/errors.ts';
import { controlKey, encodeSeq, entryKey } from '../../system/store/embedded-keys.ts';
import { type Entry, emptyHead, headAfter, isControl } from '../../system/store/entry.ts';
import type { RoomStore } from '../../system/store/room-store.ts';
import { openEmbeddedStore } from '../../system/store/room-store-embedded.ts';
import { silentLog, tempFolder } from '../support/embedded-stores.ts';
import { entriesAfter, entryAfter, room, user } from '../support/entries.ts';

const id = room('format');
const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

const open = (dir: string): Promise<RoomStore> => openEmbeddedStore({ dir, clock: systemClock, log: silentLog });

async function edit(dir: string, task: (level: ClassicLevel<string, string>) => Promise<void>): Promise<void> {
  const level = new ClassicLevel<string, string>(dir, { keyEncoding: 'utf8', valueEncoding: 'utf8' });
  await level.open();
  await task(level);
  await level.close();
}

const joined = { kind: 'member' as const, member: { user: user('bob'), change: 'joined' as const } };
const facts = { kind: 'room' as const, room: { kind: 'group' as const, public: true, members: [] } };

/** A closed folder with one room: its control entries are 1, 3 and 6. */
async function writtenFolder(): Promise<{ dir: string; entries: readonly Entry[] }> {
  const temp = tempFolder();
  cleanups.push(temp.remove);
  const store = await open(temp.dir);
  const entries = entriesAfter(emptyHead, [facts, { text: 'a' }, joined, { text: 'b' }, { text: 'c' }, joined]);
  for (const entry of entries) expect(await store.log.append(id, entry.seq - 1, [entry])).toEqual({ type: 'appended' });
  await store.close();
  return { dir: temp.dir, entries };
}

const formatOf = (dir: string): unknown => JSON.parse(readFileSync(join(dir, 'playhouse.json'), 'utf8')).format;

describe('the index of control entries', () => {
  it('answers without the entries at their places in the log, so that a room loads by one read of one place', async () => {
    const { dir, entries } = await writtenFolder();
    await edit(dir, async (level) => {
      for (const seq of [1, 3, 6]) await level.put(entryKey(id, seq), 'spoiled');
    });
    const store = await open(dir);
    expect(await store.log.controls(id, 0, 99)).toEqual(entries.filter(isControl));
    expect(await store.log.controls(id, 1, 3)).toEqual([entries[2]]);
    await expect(store.log.read(id, { after: 0, limit: 10 })).rejects.toBeInstanceOf(LogCorrupt);
    await store.close();
  });

  it.each([
    [
      'was changed',
      async (level: ClassicLevel<string, string>) => {
        const value = (await level.get(controlKey(id, 3))) as string;
        await level.put(controlKey(id, 3), value.replace('bob', 'eve'));
      },
    ],
    [
      'has the value of another one',
      async (level: ClassicLevel<string, string>) => {
        await level.put(controlKey(id, 3), (await level.get(controlKey(id, 1))) as string);
      },
    ],
    ['is no row at all', (level: ClassicLevel<string, string>) => level.put(controlKey(id, 3), 'OOPS!!!!')],
  ] as const)('names the room and the seq of a row that %s', async (_what, change) => {
    const { dir } = await writtenFolder();
    await edit(dir, change);
    const store = await open(dir);
    await expect(store.log.controls(id, 0, 99)).rejects.toMatchObject({ code: 'LOG_CORRUPT', room: id, seq: 3 });
    await store.close();
  });

  it('names the row behind a row that is missing', async () => {
    const { dir } = await writtenFolder();
    await edit(dir, (level) => level.del(controlKey(id, 3)));
    const store = await open(dir);
    await expect(store.log.controls(id, 0, 99)).rejects.toMatchObject({ code: 'LOG_CORRUPT', room: id, seq: 6 });
    await store.close();
  });

  it('goes with the log when a delete names a control entry', async () => {
    const { dir, entries } = await writtenFolder();
    const store = await open(dir);
    const head = headAfter(entries.at(-1) as Entry);
    expect(await store.log.append(id, head.seq, [entryAfter(head, { kind: 'delete', target: 3 })])).toEqual({ type: 'appended' });
    const controls = await store.log.controls(id, 0, 99);
    expect(controls).toEqual((await store.log.read(id, { after: 0, limit: 10 })).filter(isControl));
    expect(controls.map(({ scrubbed }) => scrubbed)).toEqual([undefined, true, undefined]);
    await store.close();
  });
});

describe('a folder of format 1', () => {
  it('is read as it is, written in this format from then on, and marked so that an older program refuses it', async () => {
    const { dir, entries } = await writtenFolder();
    await edit(dir, async (level) => {
      for (const [seq, before] of [
        [1, 0],
        [3, 1],
        [6, 3],
      ] as const)
        await level.put(controlKey(id, seq), encodeSeq(before));
    });
    writeFileSync(join(dir, 'playhouse.json'), JSON.stringify({ format: 1, damaged: [{ room: 'other', seq: 7, reason: 'known' }] }));
    const store = await open(dir);
    expect(await store.log.controls(id, 0, 99)).toEqual(entries.filter(isControl));
    const head = headAfter(entries.at(-1) as Entry);
    const more = entryAfter(head, joined);
    expect(await store.log.append(id, head.seq, [more])).toEqual({ type: 'appended' });
    expect(await store.log.controls(id, 0, 99)).toEqual([...entries.filter(isControl), more]);
    await expect(store.log.read(room('other'), { after: 0, limit: 1 })).rejects.toMatchObject({ code: 'LOG_CORRUPT', seq: 7 });
    await store.close();
    expect(formatOf(dir)).toBe(2);
  });
});
