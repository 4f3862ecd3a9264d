/**
 * What the suites of the RoomLog contract share: stores that are closed at the end, rooms that nobody else uses.
 */
import { expect } from 'vitest';
import type { RoomId } from '../../system/ids.ts';
import { type Entry, emptyHead } from '../../system/store/entry.ts';
import type { Range, RoomLog } from '../../system/store/room-log.ts';
import type { RoomStore } from '../../system/store/room-store.ts';
import { type Draft, entriesAfter, room } from './entries.ts';

export interface StoreFactory {
  /** An empty store. */
  open(): Promise<RoomStore>;
  /** The same data in a new store, after `store` was closed; undefined when closing loses it. */
  readonly reopen?: (store: RoomStore) => Promise<RoomStore>;
  /** The same data in a second store, while `store` is open; undefined where one excludes the other. */
  readonly beside?: (store: RoomStore) => Promise<RoomStore>;
  /** An append that conflicts at one of its entries may leave those before it. Else it is all or nothing. */
  readonly leavesPrefix?: true;
}

export const seqs = (entries: readonly (Entry | undefined)[]): (number | undefined)[] => entries.map((entry) => entry?.seq);
export const upTo = (from: number, to: number): number[] => Array.from({ length: Math.max(to - from + 1, 0) }, (_, i) => from + i);

let names = 0;

export function freshRoom(): RoomId {
  names += 1;
  return room(`room-${names}`);
}

export async function withStore(factory: StoreFactory, story: (store: RoomStore) => Promise<void>): Promise<void> {
  const store = await factory.open();
  try {
    await story(store);
  } finally {
    await store.close();
  }
}

/** Appends drafts to an empty room, in batches as they come; answers all entries. */
export async function fill({ log }: Pick<RoomStore, 'log'>, id: RoomId, drafts: readonly Draft[], batch = 50): Promise<readonly Entry[]> {
  const entries = entriesAfter(emptyHead, drafts);
  for (let i = 0; i < entries.length; i += batch) {
    expect(await log.append(id, i, entries.slice(i, i + batch))).toEqual({ type: 'appended' });
  }
  return entries;
}

type Reads = Exclude<keyof RoomLog, 'append' | 'heads' | 'tail' | 'isTailLive'>;

/** What every kind of read says of a room of up to `last` ≤ 100 entries, as JSON. A further kind of read does not compile until it is here. */
export async function everyRead(log: RoomLog, id: RoomId, last: number): Promise<string> {
  const numbers = upTo(1, last);
  const all = await log.read(id, { after: 0, limit: last });
  const pages = [{ after: 0 }, { before: last + 1 }, { around: 1 }].map((range) => ({ ...range, limit: last })) as readonly Range[];
  const said: Readonly<Record<Reads, unknown>> = {
    read: await Promise.all(pages.map((range) => log.read(id, range))),
    at: await log.at(numbers.map((seq) => ({ room: id, seq }))),
    lastMessages: await log.lastMessages([id]),
    byCid: await log.byCid(id, all),
    controls: await log.controls(id, 0, last),
    byTarget: await log.byTarget(id, numbers, last),
    messages: await Promise.all(pages.map((range) => log.messages(id, range, last))),
  };
  return JSON.stringify(said);
}
