/**
 * EmbeddedHeads: where each room's log ends. A cache in front of `h!`, right because one process owns the folder.
 *
 * Guarantees: a head that is answered is committed. A head that does not read is found again from the last entry.
 * Does not: hold more than `cachedMax` heads; the ones not used longest are read again when needed.
 */
import { LogCorrupt } from '../errors.ts';
import type { RoomId } from '../ids.ts';
import type { EmbeddedDatabase } from './embedded-database.ts';
import { isTableDamage } from './embedded-folder.ts';
import { entryKey, headKey, keysUnder, seqOfKey } from './embedded-keys.ts';
import { decodeEntry, openValue } from './entry-document.ts';
import { advance, emptyHeadState, type HeadState, openHead } from './head-document-embedded.ts';

/** About 200 bytes each. */
const cachedMax = 50_000;

export class EmbeddedHeads {
  readonly #database: EmbeddedDatabase;
  readonly #cached = new Map<RoomId, HeadState>();
  /** Grows with every reopen: a load that began before one must not put its older answer into the cache. */
  #epoch = 0;

  constructor(database: EmbeddedDatabase) {
    this.#database = database;
  }

  cached(room: RoomId): HeadState | undefined {
    return this.#cached.get(room);
  }

  committed(room: RoomId, head: HeadState): void {
    this.#cached.delete(room);
    this.#put(room, head);
  }

  forgetAll(): void {
    this.#epoch += 1;
    this.#cached.clear();
  }

  async get(room: RoomId): Promise<HeadState> {
    const cached = this.#cached.get(room);
    if (cached) return cached;
    const [head] = await this.getMany([room]);
    if (head instanceof LogCorrupt) throw head;
    return head ?? emptyHeadState;
  }

  /** A room whose head cannot be found has its damage in the answer. */
  async getMany(rooms: readonly RoomId[]): Promise<readonly (HeadState | LogCorrupt)[]> {
    const missing = [...new Set(rooms.filter((room) => !this.#cached.has(room)))];
    if (missing.length === 0) return rooms.map((room) => this.#cached.get(room) as HeadState);
    const epoch = this.#epoch;
    const values = await this.#database.read(async (level) => {
      try {
        return await level.getMany(missing.map(headKey));
      } catch (cause) {
        if (!isTableDamage(cause)) throw cause;
        return missing.map(() => undefined);
      }
    });
    const loaded = new Map<RoomId, HeadState | LogCorrupt>();
    await Promise.all(
      missing.map(async (room, index) => {
        const value = values[index];
        const head = (value === undefined ? undefined : openHead(room, value)) ?? (await this.#fromEntries(room));
        loaded.set(room, head);
      }),
    );
    // A commit meanwhile is newer and stands in the cache already.
    for (const [room, head] of loaded) {
      if (!(head instanceof LogCorrupt) && !this.#cached.has(room) && epoch === this.#epoch) this.#put(room, head);
    }
    return rooms.map((room) => this.#cached.get(room) ?? loaded.get(room) ?? emptyHeadState);
  }

  async #fromEntries(room: RoomId): Promise<HeadState | LogCorrupt> {
    return this.#database.read(async (level) => {
      try {
        const [last] = await level.iterator({ ...keysUnder(`e!${room}!`), reverse: true, limit: 1 }).all();
        // A reverse scan passes over a block that does not read; asking for the next entry by name does not.
        const next = await level.get(entryKey(room, last ? seqOfKey(last[0]) + 1 : 1));
        if (next !== undefined) return new LogCorrupt(room, last ? seqOfKey(last[0]) + 1 : 1, 'the end of the log cannot be read');
        if (!last) return emptyHeadState;
        const content = openValue(last[0], last[1]);
        if (content === undefined) return new LogCorrupt(room, seqOfKey(last[0]), 'neither the head nor the last entry can be read');
        const { entry, previousMessage } = decodeEntry(content);
        const [control] = await level.keys({ ...keysUnder(`c!${room}!`), reverse: true, limit: 1 }).all();
        return advance({ ...emptyHeadState, lastMessage: previousMessage, lastControl: control ? seqOfKey(control) : 0 }, entry);
      } catch (cause) {
        if (isTableDamage(cause)) return new LogCorrupt(room, 0, 'neither the head nor the last entry can be read');
        throw cause;
      }
    });
  }

  #put(room: RoomId, head: HeadState): void {
    this.#cached.set(room, head);
    if (this.#cached.size <= cachedMax) return;
    const [oldest] = this.#cached.keys();
    if (oldest !== undefined) this.#cached.delete(oldest);
  }
}
