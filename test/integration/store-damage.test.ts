/**
 * The embedded store over damaged files: a torn tail is cut, damage in the middle is named, nothing is lost without a word.
 *
 * What is promised of a torn tail: everything before the torn record, which is everything acknowledged. Cutting off
 * acknowledged bytes is not a crash but a lie of the disk, and not tested here.
 */
import { randomBytes } from 'node:crypto';
import { cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../system/clock.ts';
import { Fault, LogCorrupt } from '../../system/errors.ts';
import { type Entry, emptyHead, headAfter } from '../../system/store/entry.ts';
import type { RoomStore } from '../../system/store/room-store.ts';
import { openEmbeddedStore } from '../../system/store/room-store-embedded.ts';
import { blockBytes, buildWal, scanWal } from '../../system/store/wal-format.ts';
import { silentLog, tempFolder } from '../support/embedded-stores.ts';
import { type Draft, entriesAfter, entryAfter, room, user } from '../support/entries.ts';
import { seeded } from '../support/store-processes.ts';

const roomIds = Array.from({ length: 12 }, (_, i) => `room-${i}`);
const base = tempFolder();
let copies = 0;

const open = (dir: string): Promise<RoomStore> => openEmbeddedStore({ dir, clock: systemClock, log: silentLog });
const copyOf = (dir: string): string => {
  copies += 1;
  const copy = join(base.dir, `copy-${copies}`);
  cpSync(dir, copy, { recursive: true });
  return copy;
};
const remove = (dir: string): void => rmSync(dir, { recursive: true });
const newest = (dir: string, suffix: string): string =>
  join(
    dir,
    readdirSync(dir)
      .filter((name) => name.endsWith(suffix))
      .sort((a, b) => Number.parseInt(b, 10) - Number.parseInt(a, 10))[0] ?? `no ${suffix}`,
  );

const drafts = (round: number, index: number): Draft[] => {
  if (round === 0) return [{ kind: 'room', room: { kind: 'group', public: true, members: [] } }, { text: 'hello' }];
  const text = 'text '.repeat((round * 31 + index * 17) % 60);
  const some: Draft[] = [{ text }, { kind: 'react', target: 2, emoji: 'x', on: true }, { text: `${text}!` }];
  if (round % 5 === 0) some.push({ kind: 'member', member: { user: user('bob'), change: 'joined' } });
  return some.slice(0, 1 + ((round + index) % 4));
};

/** Writes to all rooms at once, so that one record of the log holds several rooms. */
async function writeRounds(store: RoomStore, logs: Map<string, Entry[]>, rounds: number): Promise<void> {
  for (let round = 0; round < rounds; round += 1) {
    await Promise.all(
      roomIds.map(async (id, index) => {
        const log = logs.get(id) ?? [];
        logs.set(id, log);
        const last = log.at(-1);
        const entries = entriesAfter(last ? headAfter(last) : emptyHead, drafts(last ? round + 1 : 0, index));
        expect(await store.log.append(room(id), log.length, entries)).toEqual({ type: 'appended' });
        log.push(...entries);
      }),
    );
  }
}

/** Reads a room in every way; its damage if it is refused. Fails when it answers anything but what was written. */
async function check(store: RoomStore, id: string, written: readonly Entry[]): Promise<LogCorrupt | undefined> {
  try {
    const found = await store.log.read(room(id), { after: 0, limit: 1_000 });
    expect(found).toEqual(written);
    expect(await store.log.messages(room(id), { before: 9_999, limit: 100 }, 9_999)).toEqual(
      written.filter(({ kind }) => kind === 'message').slice(-100),
    );
    expect(await store.log.controls(room(id), 0, 9_999)).toEqual(written.filter(({ kind }) => kind === 'room' || kind === 'member'));
    const head = headAfter(written.at(-1) as Entry);
    expect(await store.log.heads([room(id)])).toEqual([head]);
    const old = written[3] as Entry;
    const repeated = await store.log.append(room(id), head.seq, [entryAfter(head, { cid: old.cid, by: old.by })]);
    if (repeated.type === 'unknown') throw repeated.cause;
    expect(repeated).toEqual({ type: 'conflict' });
    const fresh = await store.log.append(room(id), head.seq, [entryAfter(head)]);
    if (fresh.type === 'unknown') throw fresh.cause;
    expect(fresh).toEqual({ type: 'appended' });
    return undefined;
  } catch (error) {
    if (!(error instanceof LogCorrupt)) throw error;
    expect(error.room).toBe(id);
    expect(error.seq).toBeGreaterThanOrEqual(0);
    expect(error.seq).toBeLessThanOrEqual(written.length);
    return error;
  }
}

async function damageOf(dir: string, logs: Map<string, Entry[]>): Promise<LogCorrupt[]> {
  const store = await open(dir);
  try {
    const damages = await Promise.all(roomIds.map((id) => check(store, id, logs.get(id) ?? [])));
    return damages.filter((damage) => damage !== undefined);
  } finally {
    await store.close();
  }
}

const flipped = (bytes: Buffer, bit: number): Buffer => {
  const copy = Buffer.from(bytes);
  copy[bit >>> 3] = (copy[bit >>> 3] as number) ^ (1 << (bit & 7));
  return copy;
};

afterAll(() => base.remove());

describe('an embedded store whose log was damaged while it was stopped', () => {
  const dir = join(base.dir, 'log');
  const logs = new Map<string, Entry[]>();
  beforeAll(async () => {
    const store = await open(dir);
    await writeRounds(store, logs, 60);
    await store.close();
  });

  it('has a log that is read as LevelDB wrote it, and written as LevelDB reads it', async () => {
    const bytes = readFileSync(newest(dir, '.log'));
    const { pieces, tail } = scanWal(bytes);
    expect(bytes.length).toBeGreaterThan(3 * blockBytes);
    expect(tail).toBe(undefined);
    expect(pieces.length).toBeGreaterThan(30);
    expect(buildWal(pieces.map(({ content }) => content)).equals(bytes)).toBe(true);
  });

  const tails: [string, (bytes: Buffer) => Buffer][] = [
    ['garbage', (bytes) => Buffer.concat([bytes, Buffer.alloc(5_000, 0xa7)])],
    ['zeroes', (bytes) => Buffer.concat([bytes, Buffer.alloc(50_000)])],
    ['three bytes of a header', (bytes) => Buffer.concat([bytes, Buffer.from([1, 2, 3])])],
    [
      'half a record',
      (bytes) => {
        const { pieces } = scanWal(bytes);
        const contents = pieces.map(({ content }) => content);
        const more = buildWal([...contents, Buffer.concat(contents.slice(-30))]);
        expect(more.subarray(0, bytes.length).equals(bytes)).toBe(true);
        return more.subarray(0, bytes.length + Math.floor((more.length - bytes.length) / 2));
      },
    ],
  ];
  for (const [name, tear] of tails) {
    it(`cuts a torn tail of ${name}, keeps all before it, and goes on`, async () => {
      const copy = copyOf(dir);
      const path = newest(copy, '.log');
      writeFileSync(path, tear(readFileSync(path)));
      expect(await damageOf(copy, logs)).toEqual([]);
      expect(readdirSync(copy).filter((file) => file.endsWith('.damaged'))).toEqual([]);
    });
  }

  it('names what a flipped bit in the middle cost, and nothing else is lost, wherever the bit is', { timeout: 60_000 }, async () => {
    const bytes = readFileSync(newest(dir, '.log'));
    const lastRecord = scanWal(bytes).pieces.at(-1)?.offset ?? 0;
    const random = seeded(7);
    let refusedRooms = 0;
    const flips = 80;
    for (let i = 0; i < flips; i += 1) {
      const bit = Math.floor(random() * lastRecord * 8);
      const copy = copyOf(dir);
      writeFileSync(newest(copy, '.log'), flipped(bytes, bit));
      const damages = await damageOf(copy, logs).catch((cause: unknown) => {
        throw new Error(`bit ${bit}`, { cause });
      });
      refusedRooms += damages.length;
      expect(damages.length, `rooms refused for bit ${bit}`).toBeLessThanOrEqual(1);
      for (const damage of damages) expect(damage.message).toMatch(/lost with a damaged record of \d+\.log at offset \d+/);
      // The marks are kept: a second opening, of a log that is sound now, refuses the same rooms.
      if (i % 10 === 0 && damages.length > 0) {
        const again = await open(copy);
        for (const { room: id } of damages) await expect(again.log.heads([room(id)])).resolves.toHaveLength(1);
        for (const { room: id } of damages)
          await expect(again.log.read(room(id), { after: 0, limit: 1 })).rejects.toBeInstanceOf(LogCorrupt);
        await again.close();
      }
      remove(copy);
    }
    // Most bits are in the texts and names of entries; those in keys and frames cost nothing.
    expect(refusedRooms).toBeGreaterThan(flips / 4);
  });

  const noise = (length: number): Buffer => {
    const random = seeded(5);
    return Buffer.from(Array.from({ length }, () => Math.floor(random() * 256)));
  };
  it.each([
    ['zeroes', (length: number) => Buffer.alloc(length)],
    ['noise', noise],
  ])('refuses to open when a whole block is %s, and says which file and where, whichever block it is', async (_what, junk) => {
    const bytes = readFileSync(newest(dir, '.log'));
    // The last record must stay sound: without anything behind it, the damage would be a torn tail.
    const last = scanWal(bytes).pieces.at(-1)?.offset ?? 0;
    for (let block = 0; (block + 1) * blockBytes <= last; block += 1) {
      const copy = copyOf(dir);
      const spoiled = Buffer.from(bytes);
      junk(blockBytes).copy(spoiled, block * blockBytes);
      writeFileSync(newest(copy, '.log'), spoiled);
      await expect(open(copy), `block ${block}`).rejects.toMatchObject({
        code: 'STORE_CORRUPT',
        message: expect.stringMatching(/\d+\.log is damaged at offset \d+, .* restore/),
      });
      remove(copy);
    }
  });
  it('refuses to open when all of a record is zeroes, its count too', async () => {
    const copy = copyOf(dir);
    const path = newest(copy, '.log');
    const contents = scanWal(readFileSync(path)).pieces.map(({ content }, index) => (index === 5 ? Buffer.alloc(content.length) : content));
    const spoiled = buildWal(contents);
    const { offset } = scanWal(spoiled).pieces[5] as { offset: number };
    // And its checksum; its length stands, so that it is known to be one record.
    spoiled.fill(0, offset, offset + 4);
    writeFileSync(path, spoiled);
    await expect(open(copy)).rejects.toMatchObject({ code: 'STORE_CORRUPT' });
  });
});

describe('an embedded store with a flipped bit in a table', () => {
  const dir = join(base.dir, 'table');
  const logs = new Map<string, Entry[]>();
  beforeAll(async () => {
    const store = await open(dir);
    await writeRounds(store, logs, 60);
    await store.close();
    // Opening turns the log into a table.
    await (await open(dir)).close();
  });

  it('answers every room right or names its damage, and serves the others, wherever the bit is', { timeout: 60_000 }, async () => {
    const bytes = readFileSync(newest(dir, '.ldb'));
    const random = seeded(11);
    let refused = 0;
    for (let i = 0; i < 100; i += 1) {
      // Every fifth in the last part, where index and filter are.
      const bit = Math.floor((i % 5 === 0 ? 1 - random() * 0.06 : random()) * bytes.length * 8);
      const copy = copyOf(dir);
      writeFileSync(newest(copy, '.ldb'), flipped(bytes, bit));
      try {
        if ((await damageOf(copy, logs)).length > 0) refused += 1;
      } catch (cause) {
        const isRefusal =
          cause instanceof Fault && cause.code === 'STORE_CORRUPT' && /\d+\.ldb is damaged at offset \d+/.test(cause.message);
        if (!isRefusal) throw new Error(`bit ${bit} of ${bytes.length * 8}`, { cause });
      }
      remove(copy);
    }
    expect(refused).toBeGreaterThan(30);
  });

  it('refuses to open when the index or the filter of a table is damaged: with these, whole rooms would look empty', async () => {
    const bytes = readFileSync(newest(dir, '.ldb'));
    const footerBytes = 48;
    for (let back = footerBytes + 10; back < bytes.length * 0.02; back += 67) {
      const copy = copyOf(dir);
      writeFileSync(newest(copy, '.ldb'), flipped(bytes, (bytes.length - back) * 8 + (back % 8)));
      await expect(open(copy), `byte ${back} from the end`).rejects.toMatchObject({
        code: 'STORE_CORRUPT',
        message: expect.stringMatching(/\d+\.ldb is damaged at offset \d+/),
      });
      remove(copy);
    }
  });

  it('goes on after LevelDB meets the damage while compacting, and loses nothing of the other rooms', { timeout: 60_000 }, async () => {
    const copy = copyOf(dir);
    const path = newest(copy, '.ldb');
    const bytes = readFileSync(path);
    // A few bytes of a block of entries: what is compressed does not unpack any more.
    bytes.fill(0xff, 40_000, 40_016);
    writeFileSync(path, bytes);
    const states: string[] = [];
    const store = await openEmbeddedStore({ dir: copy, clock: systemClock, log: silentLog, onState: (state) => states.push(state) });
    const damages = await Promise.all(
      roomIds.map(async (id) =>
        store.log.read(room(id), { after: 0, limit: 1_000 }).then(
          () => undefined,
          (error: unknown) => error,
        ),
      ),
    );
    const sound = roomIds.filter((_id, index) => damages[index] === undefined);
    expect(damages.filter((error) => error !== undefined).length).toBeGreaterThan(0);
    expect(damages.every((error) => error === undefined || error instanceof LogCorrupt)).toBe(true);
    expect(sound.length).toBeGreaterThan(8);
    const more = new Map<string, Entry[]>();
    const text = () => randomBytes(9_000).toString('base64');
    await Promise.all(
      sound.map(async (id) => {
        const added: Entry[] = [];
        more.set(id, added);
        let tries = 0;
        while (added.length < 250) {
          const [head = emptyHead] = await store.log.heads([room(id)]);
          const known = logs.get(id)?.length ?? 0;
          if (head.seq > known + added.length) added.push(...(await store.log.read(room(id), { after: known + added.length, limit: 100 })));
          const entry = entryAfter(head, { text: text() });
          const { type } = await store.log.append(room(id), head.seq, [entry]);
          if (type === 'appended') added.push(entry);
          else {
            tries += 1;
            expect(tries, states.join()).toBeLessThan(2_000);
            await new Promise((resolve) => setTimeout(resolve, 5));
          }
        }
      }),
    );
    expect(states, 'the damage was met').toEqual(['down', 'up']);
    for (const id of sound) {
      const written = [...(logs.get(id) ?? []), ...(more.get(id) ?? [])];
      expect((await store.log.read(room(id), { after: 0, limit: 1_000 })).map(({ cid }) => cid)).toEqual(written.map(({ cid }) => cid));
    }
    await store.close();
    const again = await open(copy);
    for (const [index, id] of roomIds.entries()) {
      const reading = again.log.read(room(id), { after: 0, limit: 1_000 });
      if (damages[index]) await expect(reading).rejects.toBeInstanceOf(LogCorrupt);
      else expect((await reading).length).toBeGreaterThan(300);
    }
    await again.close();
  });
});
