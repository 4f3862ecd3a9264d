/**
 * EmbeddedEntries: reads entries by number and verifies each.
 *
 * Guarantees: what is answered is what was written under that number; a number up to the head that is missing or does not
 * verify is LogCorrupt with room and seq, also when LevelDB itself refuses the block.
 */
import { LogCorrupt } from '../errors.ts';
import type { RoomId } from '../ids.ts';
import type { EmbeddedDatabase } from './embedded-database.ts';
import { isTableDamage } from './embedded-folder.ts';
import { entryKey } from './embedded-keys.ts';
import type { EntryRef } from './entry.ts';
import { decodeEntry, openValue, type StoredEntry } from './entry-document.ts';

/** Several reads by name at once; each is a task of the thread pool. */
const singleReadsMax = 16;
/** Read by one task of the thread pool. More are shared among several, and verified here while the others still read. */
const readTogetherMax = 128;

export class EmbeddedEntries {
  readonly #database: EmbeddedDatabase;

  constructor(database: EmbeddedDatabase) {
    this.#database = database;
  }

  /** Entries from..to, all of which must be there. */
  async range(room: RoomId, from: number, to: number): Promise<readonly StoredEntry[]> {
    if (from > to) return [];
    if (from === to) return [await this.one(room, from)];
    const rows = await this.#database.read(async (level) => {
      try {
        return await level.iterator({ gte: entryKey(room, from), lte: entryKey(room, to), fillCache: true }).all();
      } catch (cause) {
        if (isTableDamage(cause)) return undefined;
        throw cause;
      }
    });
    if (rows && rows.length === to - from + 1) return rows.map(([key, value], index) => verify(room, from + index, key, value));
    // Something is missing or damaged: read one by one, so that the first such seq gets its name.
    const found: StoredEntry[] = [];
    for (let seq = from; seq <= to; seq += 1) found.push(await this.one(room, seq));
    return found;
  }

  async one(room: RoomId, seq: number): Promise<StoredEntry> {
    const [found] = await this.many([{ room, seq }]);
    return found as StoredEntry;
  }

  /** Entries by name, all of which must be there. */
  async many(refs: readonly EntryRef[]): Promise<readonly StoredEntry[]> {
    if (refs.length <= readTogetherMax) return this.#together(refs);
    const parts: Promise<readonly StoredEntry[]>[] = [];
    for (let i = 0; i < refs.length; i += readTogetherMax) parts.push(this.#together(refs.slice(i, i + readTogetherMax)));
    return (await Promise.all(parts)).flat();
  }

  async #together(refs: readonly EntryRef[]): Promise<readonly StoredEntry[]> {
    const keys = refs.map(({ room, seq }) => entryKey(room, seq));
    const values = await this.#database.read(async (level) => {
      try {
        return await level.getMany(keys);
      } catch (cause) {
        if (isTableDamage(cause)) return undefined;
        throw cause;
      }
    });
    if (values) return refs.map(({ room, seq }, index) => verify(room, seq, keys[index] as string, values[index]));
    const found: StoredEntry[] = [];
    for (let i = 0; i < refs.length; i += singleReadsMax) {
      found.push(...(await Promise.all(refs.slice(i, i + singleReadsMax).map(({ room, seq }) => this.#byName(room, seq)))));
    }
    return found;
  }

  async #byName(room: RoomId, seq: number): Promise<StoredEntry> {
    const key = entryKey(room, seq);
    return this.#database.read(async (level) => {
      try {
        return verify(room, seq, key, await level.get(key));
      } catch (cause) {
        if (isTableDamage(cause)) throw new LogCorrupt(room, seq, 'its block on disk cannot be read');
        throw cause;
      }
    });
  }
}

function verify(room: RoomId, seq: number, key: string, value: string | undefined): StoredEntry {
  if (value === undefined) throw new LogCorrupt(room, seq, 'the entry is missing');
  // A row of a range is checked against the key it should have, so a hole that a row too many fills is seen too.
  const content = key === entryKey(room, seq) ? openValue(key, value) : undefined;
  if (content === undefined) throw new LogCorrupt(room, seq, 'the checksum does not match');
  return decodeEntry(content);
}
