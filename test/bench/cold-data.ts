/**
 * ColdData: the prepared store of `open` and `list`: one room of very many entries, and a user with 500 rooms.
 *
 * Guarantees: written through RoomLog.append and UserRooms.settle alone, as a node would; a folder is used again only when it was
 * finished by the same layout and opens. Deterministic.
 */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { RoomId, UserId } from '../../system/ids.ts';
import type { Entry } from '../../system/store/entry.ts';
import { batchEntriesMax, type RoomLog } from '../../system/store/room-log.ts';
import type { RoomStore } from '../../system/store/room-store.ts';
import { Random } from '../simulation/random.ts';
import { textOf } from './message-text.ts';
import { openStore } from './open-store.ts';
import { changeEntry, cidOf, createEntry, messageEntry, userOf } from './sample-entries.ts';

/** Raise it when what is written changes, or how the store keeps it without a new format. */
const layout = 4;
export const bigRoom = 'big' as RoomId;
export const listUser = 'lister' as UserId;
export const listRooms = 500;
const bigRoomMembers = 100;
const listMessagesPerRoom = 20;
/** Every third room of the list ends with an edit of its last message. */
export const isEdited = (room: number): boolean => room % 3 === 0;
export const editedText = (room: number): string => `edited in room ${room}`;
export const listRoomOf = (room: number): RoomId => `list-${room}` as RoomId;

const doneFile = (dir: string): string => `${dir}.done`;

/** Prepares the folder, unless it is there. */
export async function prepareColdData({ dir, entries }: { dir: string; entries: number }, progress: (line: string) => void): Promise<void> {
  const wanted = JSON.stringify({ layout, entries });
  if (existsSync(doneFile(dir)) && readFileSync(doneFile(dir), 'utf8') === wanted && (await isReadable(dir, entries))) return;
  rmSync(doneFile(dir), { force: true });
  rmSync(dir, { recursive: true, force: true });
  mkdirSync(dirname(dir), { recursive: true });
  const store = await openStore(dir);
  await writeList(store, progress);
  await writeBigRoom(store.log, entries, progress);
  await store.close();
  writeFileSync(doneFile(dir), wanted);
}

/** A store of another format refuses to open: then the data is made anew. */
async function isReadable(dir: string, entries: number): Promise<boolean> {
  try {
    const store = await openStore(dir);
    const [head] = await store.log.heads([bigRoom]);
    await store.close();
    return head?.seq === entries;
  } catch {
    return false;
  }
}

async function writeList(store: RoomStore, progress: (line: string) => void): Promise<void> {
  await Promise.all(Array.from({ length: listRooms }, (_, room) => writeListRoom(store, room)));
  progress(`${listRooms} rooms of the list written`);
}

async function writeListRoom({ log, userRooms }: RoomStore, room: number): Promise<void> {
  const id = listRoomOf(room);
  const entries: Entry[] = [createEntry([userOf(room), listUser])];
  for (let n = 1; n <= listMessagesPerRoom; n += 1) entries.push(messageEntry(n + 1, n, userOf(room), cidOf(n), textOf(room + n)));
  const last = entries.length;
  if (isEdited(room)) entries.push(changeEntry(last + 1, listMessagesPerRoom, 'modify', userOf(room), last, { text: editedText(room) }));
  await append(log, id, 0, entries);
  await userRooms.settle([{ user: listUser, room: id, member: true, seq: 1, joinedSeq: 1, joinedN: 0 }]);
}

/** 90 % messages, 5 % reactions (half of them in runs of 40), 3 % edits, 1 % deletes, 0.05 % joins and leaves. */
async function writeBigRoom(log: RoomLog, count: number, progress: (line: string) => void): Promise<void> {
  const random = new Random(7);
  const members = Array.from({ length: bigRoomMembers }, (_, index) => userOf(index));
  const recent: { seq: number; by: UserId }[] = [];
  let batch: Entry[] = [createEntry(members)];
  let [seq, n, run, passing] = [1, 0, 0, 0];
  while (seq < count) {
    seq += 1;
    const chance = random.next();
    const target = recent.length > 0 ? random.pick(recent) : undefined;
    const by = random.pick(members);
    if (target && (run > 0 || chance < 0.025)) {
      run = run > 0 ? run - 1 : random.chance(0.025) ? 40 : 0;
      batch.push(changeEntry(seq, n, 'react', by, target.seq, { emoji: '👍', on: random.chance(0.8) }));
    } else if (target && chance < 0.055) {
      batch.push(changeEntry(seq, n, 'modify', target.by, target.seq, { text: textOf(seq) }));
    } else if (target && chance < 0.065) {
      recent.splice(recent.indexOf(target), 1);
      batch.push(changeEntry(seq, n, 'delete', target.by, target.seq, {}));
    } else if (chance < 0.0655) {
      // A guest comes or goes: few, since control entries are what an actor reads.
      const user = `guest-${passing >> 1}` as UserId;
      batch.push({ ...changeEntry(seq, n, 'member', user, 0, {}), ...memberChange(user, passing % 2 === 0) });
      passing += 1;
    } else {
      n += 1;
      batch.push(messageEntry(seq, n, by, cidOf(seq), textOf(seq)));
      recent.push({ seq, by });
      if (recent.length > 200) recent.shift();
    }
    if (batch.length === batchEntriesMax || seq === count) {
      await append(log, bigRoom, (batch[0] as Entry).seq - 1, batch);
      batch = [];
    }
    if (seq % Math.ceil(count / 20) === 0) progress(`${Math.round((100 * seq) / count)} % of ${count} entries written`);
  }
}

function memberChange(user: UserId, hasJoined: boolean): Pick<Entry, 'member'> {
  return { member: hasJoined ? { user, change: 'joined', role: 'member' } : { user, change: 'left' } };
}

async function append(log: RoomLog, room: RoomId, after: number, entries: readonly Entry[]): Promise<void> {
  const outcome = await log.append(room, after, entries);
  if (outcome.type !== 'appended') throw new Error(`append to ${room} after ${after} was answered ${JSON.stringify(outcome)}`);
}
