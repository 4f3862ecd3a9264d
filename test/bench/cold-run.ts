/**
 * ColdRun: one cold read in a process of its own: nothing compiled, nothing cached, the database just opened.
 */
import { readPage, readRoom } from '../../actors/room-history.ts';
import { readRoomList } from '../../actors/room-list.ts';
import { emptyHead, isControl } from '../../system/store/entry.ts';
import type { RoomLog } from '../../system/store/room-log.ts';
import { answerCalls } from './calls.ts';
import { bigRoom, editedText, isEdited, listRoomOf, listRooms, listUser, prepareColdData } from './cold-data.ts';
import { openStore } from './open-store.ts';

export interface ColdRun {
  readonly openDatabaseMs: number;
  /** Head and control entries: what the room's actor loads. */
  readonly loadMs: number;
  /** load + the last page. For `list`: the whole list. */
  readonly totalMs: number;
  /** Of this process in that time, all threads. Moves less than the time when others use the machine. */
  readonly cpuMs: number;
  /** Entries that are no control entries, seen while the actor loaded. */
  readonly messagesRead: number;
  readonly controls: number;
}

const pageLimit = 50;

/** Counts every entry that a read gives back. */
function counting(log: RoomLog, count: { controls: number; others: number }): RoomLog {
  return new Proxy(log, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name, target);
      if (typeof member !== 'function') return member;
      return async (...args: unknown[]) => {
        const result: unknown = await (member as (...args: unknown[]) => unknown).apply(target, args);
        for (const entry of Array.isArray(result) ? result : []) {
          if (typeof entry === 'object' && entry !== null && 'kind' in entry) count[isControl(entry) ? 'controls' : 'others'] += 1;
        }
        return result;
      };
    },
  });
}

function cpuMsSince(before: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000;
}

async function open({ dir, entries }: { dir: string; entries: number }): Promise<ColdRun> {
  const startMs = performance.now();
  const store = await openStore(dir);
  const openDatabaseMs = performance.now() - startMs;
  const count = { controls: 0, others: 0 };
  const [cpuBefore, loadStartMs] = [process.cpuUsage(), performance.now()];
  const { head = emptyHead } = await readRoom(counting(store.log, count), bigRoom);
  const loadMs = performance.now() - loadStartMs;
  const page = await readPage(store.log, bigRoom, { before: head.seq + 1, limit: pageLimit }, head.seq);
  const [totalMs, cpuMs] = [performance.now() - loadStartMs, cpuMsSince(cpuBefore)];
  if (head.seq !== entries) throw new Error(`the room has ${head.seq} entries, expected ${entries}`);
  if (page.entries.length !== pageLimit || page.entries.at(-1)?.n !== head.n || !page.hasBefore || page.hasAfter) {
    throw new Error(`not the last page: ${page.entries.length} messages, the last is ${page.entries.at(-1)?.n} of ${head.n}`);
  }
  await store.close();
  return { openDatabaseMs, loadMs, totalMs, cpuMs, messagesRead: count.others, controls: count.controls };
}

async function list({ dir }: { dir: string }): Promise<ColdRun> {
  const startMs = performance.now();
  const store = await openStore(dir);
  const openDatabaseMs = performance.now() - startMs;
  const [cpuBefore, listStartMs] = [process.cpuUsage(), performance.now()];
  const rooms = await readRoomList(store, listUser);
  const [totalMs, cpuMs] = [performance.now() - listStartMs, cpuMsSince(cpuBefore)];
  if (rooms.length !== listRooms) throw new Error(`${rooms.length} rooms in the list, expected ${listRooms}`);
  const byId = new Map<string, (typeof rooms)[number]>(rooms.map((room) => [room.id, room]));
  for (let room = 0; room < listRooms; room += 1) {
    const last = byId.get(listRoomOf(room))?.last;
    if (!last || (last.text === editedText(room)) !== isEdited(room))
      throw new Error(`room ${room} shows ${JSON.stringify(last)} as its last message`);
  }
  await store.close();
  return { openDatabaseMs, loadMs: 0, totalMs, cpuMs, messagesRead: 0, controls: 0 };
}

answerCalls({
  prepare: (data: { dir: string; entries: number }) => prepareColdData(data, (line) => process.send?.({ id: 0, progress: line })),
  open,
  list,
});
