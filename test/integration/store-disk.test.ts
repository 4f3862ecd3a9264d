/**
 * The embedded store on a disk that fills up, refuses writes, or never took any: explicit errors, nothing acknowledged
 * that is not there, and recovery without a restart.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../system/clock.ts';
import { Fault } from '../../system/errors.ts';
import { createLogger } from '../../system/logger.ts';
import { type Entry, emptyHead, headAfter } from '../../system/store/entry.ts';
import type { AppendOutcome } from '../../system/store/room-log.ts';
import type { RoomStore } from '../../system/store/room-store.ts';
import { openEmbeddedStore } from '../../system/store/room-store-embedded.ts';
import { silentLog, tempFolder } from '../support/embedded-stores.ts';
import { entryAfter, room, user } from '../support/entries.ts';
import { startStoreProcess, waitUntil } from '../support/store-processes.ts';

const isRoot = process.getuid?.() === 0;
const canMount = isRoot && probeMount();
const canFreeze = isRoot && probeFreeze();

function probeMount(): boolean {
  const temp = tempFolder();
  const { status } = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', temp.dir]);
  if (status === 0) spawnSync('umount', [temp.dir]);
  temp.remove();
  return status === 0;
}

/** Whether `chattr +i` stops writes to a file that is open: on ext4 it does, on tmpfs and overlays it does not. */
function probeFreeze(): boolean {
  const temp = tempFolder();
  const path = join(temp.dir, 'file');
  const probe = `const fs=require('fs');const fd=fs.openSync(${JSON.stringify(path)},'w');require('child_process').spawnSync('chattr',['+i',${JSON.stringify(path)}]);try{fs.writeSync(fd,'x')}catch{process.exit(7)}`;
  const { status } = spawnSync(process.execPath, ['-e', probe]);
  spawnSync('chattr', ['-i', path]);
  temp.remove();
  return status === 7;
}

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0).reverse()) cleanup();
});

function folder(): string {
  const temp = tempFolder();
  cleanups.push(temp.remove);
  return temp.dir;
}

function smallDisk(megabytes: number): string {
  const dir = join(folder(), 'disk');
  mkdirSync(dir);
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', dir]);
  cleanups.push(() => execFileSync('umount', ['-l', dir]));
  return dir;
}

interface Watched {
  readonly store: RoomStore;
  readonly states: string[];
  readonly lines: { readonly ev?: string; readonly msg?: string }[];
}

async function openWatched(dir: string): Promise<Watched> {
  const states: string[] = [];
  const lines: { ev?: string; msg?: string }[] = [];
  const log = createLogger({ level: 'info', base: {}, destination: { write: (line: string) => void lines.push(JSON.parse(line)) } });
  const store = await openEmbeddedStore({ dir, clock: systemClock, log, onState: (state) => states.push(state) });
  return { store, states, lines };
}

const rooms = ['a', 'b', 'c', 'd'];

/** Appends to all rooms until one answer is not `appended`. What was acknowledged goes into `acked`. */
async function writeUntilRefused(store: RoomStore, acked: Map<string, string>, most: number): Promise<AppendOutcome | undefined> {
  let refused: AppendOutcome | undefined;
  let written = 0;
  await Promise.all(
    rooms.map(async (id) => {
      let [head = emptyHead] = await store.log.heads([room(id)]);
      while (!refused && written < most) {
        const entry: Entry = entryAfter(head, { text: randomBytes(3_000).toString('base64') });
        const outcome = await store.log.append(room(id), head.seq, [entry]);
        if (outcome.type === 'appended') {
          acked.set(`${id} ${entry.seq}`, `${entry.by} ${entry.cid}`);
          head = headAfter(entry);
          written += 1;
        } else refused = outcome;
      }
    }),
  );
  return refused;
}

async function lostOf(dir: string, acked: ReadonlyMap<string, string>): Promise<readonly unknown[]> {
  const reader = startStoreProcess(join(folder(), 'dump'), ['dump', dir, ...rooms]);
  expect(await reader.ended(), reader.lines().at(-1)).toBe(0);
  const found = new Map(
    reader
      .lines()
      .map((line) => line.split(' '))
      .map(([id, seq, by, cid]) => [`${id} ${seq}`, `${by} ${cid}`]),
  );
  return [...acked].filter(([place, id]) => found.get(place) !== id);
}

/** The store refuses: at once, for everything that writes, with a cause; and still reads. */
async function expectRefusing(
  { store, states, lines }: Watched,
  refused: AppendOutcome | undefined,
  acked: ReadonlyMap<string, string>,
): Promise<void> {
  expect(refused).toMatchObject({ type: 'unknown', cause: expect.any(Fault) });
  expect(refused?.type === 'unknown' && (refused.cause as Fault).code).toBe('STORE_UNAVAILABLE');
  const start = performance.now();
  expect((await store.log.append(room('new'), 0, [entryAfter(emptyHead)])).type).toBe('unknown');
  await expect(store.userRooms.pend(room('new'), [user('ada')])).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
  expect(performance.now() - start).toBeLessThan(250);
  for (const id of rooms) {
    const known = [...acked.keys()].filter((place) => place.startsWith(`${id} `)).length;
    expect(
      (await store.log.read(room(id), { before: known + 1, limit: 1_000 }))
        .map(({ seq }) => `${id} ${seq}`)
        .filter((place) => !acked.has(place)),
    ).toEqual([]);
    expect((await store.log.messages(room(id), { before: known + 1, limit: 100 }, known)).length).toBe(Math.min(known, 100));
    // What was not written is not in sight either.
    expect((await store.log.heads([room(id)]))[0]?.seq).toBe(known);
  }
  expect(states).toEqual(['down']);
  expect(lines.filter(({ ev }) => ev === 'store.down')).toHaveLength(1);
  expect(lines.find(({ ev }) => ev === 'store.down')?.msg).toMatch(/Free space or fix the disk/);
}

async function expectRecovery({ store, states, lines }: Watched, acked: Map<string, string>): Promise<void> {
  await waitUntil('the store takes writes again, without a restart', () => states.at(-1) === 'up');
  expect(states).toEqual(['down', 'up']);
  expect(lines.filter(({ ev }) => ev === 'store.up')).toHaveLength(1);
  expect(await writeUntilRefused(store, acked, 50)).toBe(undefined);
}

describe.skipIf(!canMount)(`an embedded store on a full disk${canMount ? '' : ' (skipped: mounting a tmpfs needs root)'}`, () => {
  it('refuses explicitly, goes on reading, and recovers without a restart when space returns', { timeout: 40_000 }, async () => {
    const disk = smallDisk(14);
    const dir = join(disk, 'data');
    const filler = join(disk, 'filler');
    writeFileSync(filler, Buffer.alloc(7 * 1024 * 1024));
    const watched = await openWatched(dir);
    const acked = new Map<string, string>();
    const refused = await writeUntilRefused(watched.store, acked, 5_000);
    expect(acked.size).toBeGreaterThan(100);
    await expectRefusing(watched, refused, acked);
    rmSync(filler);
    await expectRecovery(watched, acked);
    await watched.store.close();
    expect(await lostOf(dir, acked)).toEqual([]);
    expect(readdirSync(dir).filter((name) => name.includes('probe') || name.endsWith('.damaged'))).toEqual([]);
  });

  it('can be closed while the disk is full, and loses nothing when the process is another one later', { timeout: 40_000 }, async () => {
    const disk = smallDisk(10);
    const dir = join(disk, 'data');
    const filler = join(disk, 'filler');
    writeFileSync(filler, Buffer.alloc(6 * 1024 * 1024));
    const { store } = await openWatched(dir);
    const acked = new Map<string, string>();
    await writeUntilRefused(store, acked, 5_000);
    await store.close();
    await expect(openEmbeddedStore({ dir, clock: systemClock, log: silentLog })).rejects.toMatchObject({
      code: 'STORE_UNWRITABLE',
      message: expect.stringContaining('fix its rights or space'),
    });
    rmSync(filler);
    expect(await lostOf(dir, acked)).toEqual([]);
  });

  it('refuses to open a read-only folder, and says what to do', async () => {
    const disk = smallDisk(4);
    const dir = join(disk, 'data');
    const store = await openEmbeddedStore({ dir, clock: systemClock, log: silentLog });
    await store.close();
    execFileSync('mount', ['-o', 'remount,ro', disk]);
    await expect(openEmbeddedStore({ dir, clock: systemClock, log: silentLog })).rejects.toMatchObject({
      code: 'STORE_UNWRITABLE',
      message: expect.stringContaining('CHAT_DATA_DIR'),
    });
    execFileSync('mount', ['-o', 'remount,rw', disk]);
    await (await openEmbeddedStore({ dir, clock: systemClock, log: silentLog })).close();
  });
});

describe.skipIf(!canFreeze)(
  `an embedded store whose disk becomes read-only${canFreeze ? '' : ' (skipped: needs root and chattr +i of ext4)'}`,
  () => {
    it('refuses explicitly, goes on reading, and recovers when the disk is writable again', { timeout: 40_000 }, async () => {
      const dir = join(folder(), 'data');
      const watched = await openWatched(dir);
      const acked = new Map<string, string>();
      expect(await writeUntilRefused(watched.store, acked, 200)).toBe(undefined);
      const freeze = (how: '+i' | '-i') => execFileSync('chattr', [how, ...readdirSync(dir).map((name) => join(dir, name)), dir]);
      freeze('+i');
      cleanups.push(() => freeze('-i'));
      const refused = await writeUntilRefused(watched.store, acked, 200);
      await expectRefusing(watched, refused, acked);
      freeze('-i');
      await expectRecovery(watched, acked);
      await watched.store.close();
      expect(await lostOf(dir, acked)).toEqual([]);
    });
  },
);

describe('an embedded store that cannot be opened', () => {
  it('says that the folder cannot be made', async () => {
    const dir = folder();
    writeFileSync(join(dir, 'file'), '');
    await expect(openEmbeddedStore({ dir: join(dir, 'file', 'data'), clock: systemClock, log: silentLog })).rejects.toMatchObject({
      code: 'STORE_UNWRITABLE',
    });
  });

  it.skipIf(isRoot)('says that the folder cannot be written (skipped for root, who may write everywhere)', async () => {
    const dir = folder();
    chmodSync(dir, 0o500);
    await expect(openEmbeddedStore({ dir: join(dir, 'data'), clock: systemClock, log: silentLog })).rejects.toMatchObject({
      code: 'STORE_UNWRITABLE',
    });
  });

  it('refuses a newer format by its number', async () => {
    const dir = join(folder(), 'data');
    await (await openEmbeddedStore({ dir, clock: systemClock, log: silentLog })).close();
    writeFileSync(join(dir, 'playhouse.json'), JSON.stringify({ format: 3 }));
    await expect(openEmbeddedStore({ dir, clock: systemClock, log: silentLog })).rejects.toMatchObject({
      code: 'STORE_FORMAT',
      message: expect.stringContaining('format 3, this program reads 1 to 2'),
    });
  });
});
