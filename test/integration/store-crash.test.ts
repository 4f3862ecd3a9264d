/**
 * The embedded store when its process dies: nothing acknowledged is lost, nothing is there twice, no log has a hole.
 */
import { randomInt } from 'node:crypto';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../system/clock.ts';
import { emptyHead } from '../../system/store/entry.ts';
import { openEmbeddedStore } from '../../system/store/room-store-embedded.ts';
import { silentLog, tempFolder } from '../support/embedded-stores.ts';
import { entryAfter, room } from '../support/entries.ts';
import { seeded, startStoreProcess, waitUntil } from '../support/store-processes.ts';

const kills = 24;
const rooms = Array.from({ length: 20 }, (_, i) => `room-${i}`);
const seed = Number(process.env['TEST_SEED'] ?? randomInt(2 ** 31));

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});
const folder = (): string => {
  const temp = tempFolder();
  cleanups.push(temp.remove);
  return temp.dir;
};

/** Every stored entry, checked on the way: no hole, no (by, cid) twice. */
async function stored(dir: string): Promise<Map<string, string>> {
  const store = await openEmbeddedStore({ dir, clock: systemClock, log: silentLog });
  const found = new Map<string, string>();
  try {
    for (const id of rooms) {
      const ids = new Set<string>();
      const [head = emptyHead] = await store.log.heads([room(id)]);
      let messages = 0;
      for (let after = 0; after < head.seq; after += 1_000) {
        const entries = await store.log.read(room(id), { after, limit: 1_000 });
        expect(entries.map(({ seq }) => seq)).toEqual(Array.from({ length: Math.min(1_000, head.seq - after) }, (_, i) => after + 1 + i));
        for (const { seq, by, cid, n, kind } of entries) {
          if (kind === 'message') messages += 1;
          if (n !== messages) throw new Error(`${id} ${seq}: n ${n}, counted ${messages}`);
          found.set(`${id} ${seq}`, `${by} ${cid}`);
          if (ids.has(`${by} ${cid}`)) throw new Error(`${id} ${seq}: ${by} ${cid} is there twice`);
          ids.add(`${by} ${cid}`);
        }
      }
      expect(await store.log.read(room(id), { after: head.seq, limit: 10 })).toEqual([]);
    }
  } finally {
    await store.close();
  }
  return found;
}

describe('an embedded store whose process is killed', () => {
  it(`loses no acknowledged entry in ${kills} kills while writing to ${rooms.length} rooms (TEST_SEED=${seed})`, {
    timeout: 60_000,
  }, async () => {
    console.log(`store-crash: TEST_SEED=${seed}`);
    const random = seeded(seed);
    const base = folder();
    const dir = join(base, 'data');
    const acked = new Map<string, string>();
    for (let kill = 0; kill < kills; kill += 1) {
      const writer = startStoreProcess(join(base, `acks-${kill}`), ['write', dir, `run${kill}`, String(rooms.length)]);
      const least = Math.floor(random() * 400);
      await waitUntil(
        `run ${kill} has acknowledged ${least} entries: ${writer.lines().at(-1)}`,
        () => writer.lines().length > least || writer.child.exitCode !== null,
      );
      await new Promise((resolve) => setTimeout(resolve, random() * 60));
      expect(writer.child.exitCode).toBe(null);
      await writer.kill();
      for (const line of writer.lines().slice(1)) {
        const [id, seq, by, cid] = line.split(' ');
        const place = `${id} ${seq}`;
        if (acked.has(place)) throw new Error(`${place} was acknowledged twice: ${acked.get(place)}, then ${by} ${cid}`);
        acked.set(place, `${by} ${cid}`);
      }
      if (kill % 6 !== 5) continue;
      const found = await stored(dir);
      const lost = [...acked].filter(([place, id]) => found.get(place) !== id);
      expect(lost.slice(0, 5), `after kill ${kill}: ${lost.length} of ${acked.size} acknowledged entries lost`).toEqual([]);
    }
    expect(acked.size).toBeGreaterThan(kills * 100);
    console.log(`store-crash: ${kills} kills, ${acked.size} acknowledged, 0 lost`);
  });
});

describe('a data folder that another process uses', () => {
  it('is refused with what to do, and its owner goes on', async () => {
    const base = folder();
    const dir = join(base, 'data');
    const store = await openEmbeddedStore({ dir, clock: systemClock, log: silentLog });
    const second = startStoreProcess(join(base, 'second'), ['hold', dir]);
    expect(await second.ended()).toBe(3);
    expect(second.lines().join()).toMatch(
      /STORE_LOCKED data folder .* is in use by another node; stop it or give this one another CHAT_DATA_DIR/,
    );
    await expect(openEmbeddedStore({ dir, clock: systemClock, log: silentLog })).rejects.toMatchObject({ code: 'STORE_LOCKED' });
    expect(await store.log.append(room('a'), 0, [entryAfter(emptyHead)])).toEqual({ type: 'appended' });
    await store.close();
    const third = startStoreProcess(join(base, 'third'), ['hold', dir]);
    await waitUntil('the folder is free after the owner closed it', () => third.lines()[0] === 'open');
    await expect(openEmbeddedStore({ dir, clock: systemClock, log: silentLog })).rejects.toMatchObject({ code: 'STORE_LOCKED' });
    await third.kill();
    const last = await openEmbeddedStore({ dir, clock: systemClock, log: silentLog });
    expect((await last.log.heads([room('a')]))[0]?.seq).toBe(1);
    await last.close();
  });
});
