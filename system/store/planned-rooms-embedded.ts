/**
 * PlannedRooms: rooms with entries that are planned and not yet durable: where their logs will end, and which ids are on the way.
 *
 * Guarantees: what is planned behind these entries counts on them only; when their write fails, all of it is dropped.
 */
import type { RoomId } from '../ids.ts';
import type { HeadState } from './head-document-embedded.ts';

/** One append, planned. */
export interface PlannedAppend {
  readonly room: RoomId;
  readonly idKeys: readonly string[];
}

export interface PlannedRoom {
  /** The last entry that was durable when the first of these was planned. */
  readonly base: number;
  readonly head: HeadState;
}

interface Planned {
  base: number;
  head: HeadState;
  /** In order, each with the seq it ends at. */
  readonly appends: { readonly append: PlannedAppend; readonly end: number }[];
  /** All ids of them; made when a second append of the room comes, which is rare. */
  ids: Set<string> | undefined;
}

export class PlannedRooms {
  readonly #rooms = new Map<RoomId, Planned>();

  get(room: RoomId): PlannedRoom | undefined {
    return this.#rooms.get(room);
  }

  /** Whether one of these ids is planned in the room. */
  hasIds(room: RoomId, idKeys: readonly string[]): boolean {
    const planned = this.#rooms.get(room);
    if (!planned) return false;
    planned.ids ??= new Set(planned.appends.flatMap(({ append }) => append.idKeys));
    const { ids } = planned;
    return idKeys.some((key) => ids.has(key));
  }

  add(append: PlannedAppend, base: number, head: HeadState): void {
    const planned = this.#rooms.get(append.room);
    if (!planned) {
      this.#rooms.set(append.room, { base, head, appends: [{ append, end: head.seq }], ids: undefined });
      return;
    }
    planned.head = head;
    planned.appends.push({ append, end: head.seq });
    if (planned.ids) for (const key of append.idKeys) planned.ids.add(key);
  }

  /** The first append of the room is durable. */
  committed(append: PlannedAppend): void {
    const planned = this.#rooms.get(append.room);
    const first = planned?.appends.shift();
    if (planned && first && planned.appends.length > 0) planned.base = first.end;
    else this.#rooms.delete(append.room);
  }

  /** The write of the room's appends failed, and everything planned behind them fails with it. */
  drop(room: RoomId): void {
    this.#rooms.delete(room);
  }
}
