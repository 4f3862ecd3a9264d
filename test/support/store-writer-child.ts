/**
 * A process with an embedded store, or one on a MongoDB that others write to as well: it writes until it is killed, or tells what is
 * stored. Started by the crash tests. `dir`: a folder, or a mongodb:// URL that names its database.
 *
 *   node store-writer-child.js write <dir> <run> <rooms>   one line per acknowledged entry: room seq by cid
 *   node store-writer-child.js dump <dir> <rooms>          one line per stored entry: room seq by cid
 *   node store-writer-child.js hold <dir>                  opens, says so, and stays
 *
 * Lines go out by a synchronous write, after the ack and before anything else: a line that is there was acknowledged.
 */
import { writeSync } from 'node:fs';
import { systemClock } from '../../system/clock.ts';
import { type Entry, headAfter } from '../../system/store/entry.ts';
import type { RoomLog } from '../../system/store/room-log.ts';
import { openEmbeddedStore } from '../../system/store/room-store-embedded.ts';
import { openMongoStore } from '../../system/store/room-store-mongo.ts';
import { silentLog } from './embedded-stores.ts';
import { type Draft, entriesAfter, room } from './entries.ts';

const [mode = '', dir = '', ...rest] = process.argv.slice(2);

const isShared = dir.startsWith('mongodb://');

const say = (text: string): void => {
  writeSync(1, text);
};

const lines = (id: string, entries: readonly Entry[]): string => entries.map(({ seq, by, cid }) => `${id} ${seq} ${by} ${cid}\n`).join('');

/** Two of these write to each room, so that conflicts happen all the time. */
async function writeForEver(log: RoomLog, id: string, by: string, run: string): Promise<never> {
  let sent = 0;
  for (;;) {
    const [head = { seq: 0, n: 0, writer: '' }] = await log.heads([room(id)]);
    const drafts = Array.from({ length: 1 + ((sent * 7 + id.length) % 6) }, (_, i): Draft => {
      const number = sent + i;
      const cid = `${run}-${number}`;
      const target = Math.max(head.seq - (number % 9), 1);
      if (number % 11 === 3) return { kind: 'delete', by, cid, target };
      if (number % 7 === 2) return { kind: 'react', by, cid, target, emoji: 'x', on: true };
      if (number % 13 === 5) return { kind: 'modify', by, cid, target, text: 'edited' };
      return { by, cid, text: `${cid} ${'x'.repeat((number * 37) % 900)}` };
    });
    const entries = entriesAfter(head, drafts);
    const outcome = await log.append(room(id), head.seq, entries);
    if (outcome.type === 'appended') {
      say(lines(id, entries));
      sent += entries.length;
    } else if (outcome.type === 'conflict' || (outcome.type === 'unknown' && isShared)) {
      // On MongoDB those before the one that was taken may be in; what is unknown is looked up.
      const stored = await log.byCid(
        room(id),
        entries.map((entry) => ({ by: entry.by, cid: entry.cid })),
      );
      say(lines(id, stored));
      sent += stored.length;
    } else throw new Error(`unexpected: ${outcome.type}`, { cause: outcome });
  }
}

async function dump(log: RoomLog, id: string): Promise<void> {
  let after = 0;
  for (;;) {
    const entries = await log.read(room(id), { after, limit: 1_000 });
    const last = entries.at(-1);
    if (!last) return;
    say(lines(id, entries));
    after = headAfter(last).seq;
  }
}

try {
  const options = { clock: systemClock, log: silentLog };
  const store = await (isShared ? openMongoStore({ url: dir, ...options }) : openEmbeddedStore({ dir, ...options }));
  if (mode === 'write') {
    const [run = '', rooms = '0'] = rest;
    say('open\n');
    const ids = Array.from({ length: Number(rooms) }, (_, i) => `room-${i}`);
    await Promise.all(ids.flatMap((id) => [writeForEver(store.log, id, 'ada', run), writeForEver(store.log, id, 'bob', run)]));
  } else if (mode === 'dump') {
    for (const id of rest) await dump(store.log, id);
    await store.close();
  } else if (mode === 'hold') {
    say('open\n');
    systemClock.after(60_000, () => process.exit(0));
  }
} catch (error) {
  say(`failed ${error instanceof Error ? `${error.name} ${'code' in error ? error.code : ''} ${error.message}` : String(error)}\n`);
  process.exit(3);
}
