/**
 * MoveSource on a data folder: everything an embedded store holds, read for a move and left as it is.
 *
 * Guarantees: what is answered verified under its key; what does not is the damage of its room. The folder belongs to this process
 * until `close`: a folder that a node uses is refused (STORE_LOCKED), and no node can take it meanwhile.
 */
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { Fault, LogCorrupt } from '../errors.ts';
import type { RoomId, UserId } from '../ids.ts';
import { EmbeddedDatabase, type EmbeddedDatabaseOptions } from './embedded-database.ts';
import { isTableDamage } from './embedded-folder.ts';
import { keysUnder, userRoomKey } from './embedded-keys.ts';
import { EmbeddedEntries } from './entries-embedded.ts';
import type { Entry } from './entry.ts';
import { EmbeddedHeads } from './heads-embedded.ts';
import type { MovedRow, MoveSource } from './move.ts';
import type { Revocation } from './revocations.ts';
import { EmbeddedRevocations } from './revocations-embedded.ts';
import { openRow, type UserRoomRow } from './user-room-row.ts';

const headsAtOnce = 512;
const rowsPerPage = 1_000;

export interface EmbeddedMoveSource extends MoveSource {
  readonly dir: string;
  close(): Promise<void>;
}

/** `folder`: a node's data folder, or the `log` folder in it. */
export async function openEmbeddedMoveSource(folder: string, options: Omit<EmbeddedDatabaseOptions, 'dir'>): Promise<EmbeddedMoveSource> {
  const dir = await logFolder(folder);
  try {
    const database = await EmbeddedDatabase.open({ ...options, dir });
    return new Source(dir, database, options.clock.wallMs);
  } catch (cause) {
    if (!(cause instanceof Fault) || cause.code !== 'STORE_LOCKED') throw cause;
    throw new Fault('STORE_LOCKED', `a node uses ${dir}: stop it first, so that nothing is written while it is moved`, cause);
  }
}

async function logFolder(folder: string): Promise<string> {
  for (const dir of [join(folder, 'log'), folder]) {
    const isThere = await access(join(dir, 'CURRENT')).then(
      () => true,
      () => false,
    );
    if (isThere) return dir;
  }
  throw new Fault('MOVE_NO_LOG', `there is no embedded log in ${folder}; name the CHAT_DATA_DIR of the node`);
}

class Source implements EmbeddedMoveSource {
  readonly dir: string;
  readonly #database: EmbeddedDatabase;
  readonly #entries: EmbeddedEntries;
  readonly #heads: EmbeddedHeads;
  readonly #wallMs: () => number;

  constructor(dir: string, database: EmbeddedDatabase, wallMs: () => number) {
    this.dir = dir;
    this.#database = database;
    this.#entries = new EmbeddedEntries(database);
    this.#heads = new EmbeddedHeads(database);
    this.#wallMs = wallMs;
  }

  async rooms(): Promise<ReadonlyMap<RoomId, number | LogCorrupt>> {
    const rooms = [...new Set([...(await this.#roomsUnder('h!')), ...(await this.#roomsUnder('e!'))])].sort();
    const found = new Map<RoomId, number | LogCorrupt>();
    for (let from = 0; from < rooms.length; from += headsAtOnce) {
      const part = rooms.slice(from, from + headsAtOnce);
      const heads = await this.#heads.getMany(part);
      for (const [index, room] of part.entries()) {
        const head = heads[index];
        const damage = this.#database.damageOf(room) ?? (head instanceof LogCorrupt ? head : undefined);
        found.set(room, damage ?? (head as { readonly seq: number }).seq);
      }
    }
    return found;
  }

  async entries(room: RoomId, after: number, limit: number): Promise<readonly Entry[]> {
    return (await this.#entries.range(room, after + 1, after + limit)).map(({ entry }) => entry);
  }

  async *rows(): AsyncIterable<readonly MovedRow[]> {
    const { gte, lt } = keysUnder('u!');
    for (let from = gte; ; ) {
      const page = await this.#database.read((level) => level.iterator({ gt: from, lt, limit: rowsPerPage }).all()).catch(asFolderDamage);
      const [last] = page.at(-1) ?? [];
      if (last === undefined) return;
      from = last;
      yield page.map(([key, value]) => {
        const [, user, room] = key.split('!') as [string, UserId, RoomId];
        return { user, room, row: openRow(key, value) as UserRoomRow };
      });
    }
  }

  async rowsOf(room: RoomId, users: readonly UserId[]): Promise<readonly (UserRoomRow | undefined)[]> {
    const keys = users.map((user) => userRoomKey(user, room));
    const values = await this.#database.read((level) => level.getMany(keys)).catch(asFolderDamage);
    return keys.map((key, index) => openRow(key, values[index]));
  }

  async revocations(): Promise<readonly Revocation[]> {
    const refused = new Fault(
      'STORE_CORRUPT',
      'a revocation does not read; start a node on this folder once, which makes it one of everybody',
    );
    const store = new EmbeddedRevocations({
      database: this.#database,
      submit: (job) => job.failed(refused), // Nothing is written to a folder that is moved.
      wallMs: this.#wallMs,
      onDamage: () => {},
    });
    const nowMs = this.#wallMs();
    return (await store.read()).revocations.filter(({ endsAtMs }) => endsAtMs > nowMs);
  }

  close(): Promise<void> {
    return this.#database.close();
  }

  /** Rooms named by keys `prefix room` or `prefix room!…`, by a leap from one to the next. */
  #roomsUnder(prefix: string): Promise<readonly RoomId[]> {
    const { gte, lt } = keysUnder(prefix);
    return this.#database
      .read(async (level) => {
        const rooms: RoomId[] = [];
        const keys = level.keys({ gte, lt });
        try {
          for (let key = await keys.next(); key !== undefined; key = await keys.next()) {
            const room = key.split('!')[1] as RoomId;
            rooms.push(room);
            // `"` is the character after `!`, and before all that a longer id could go on with.
            keys.seek(`${prefix}${room}"`);
          }
        } finally {
          await keys.close();
        }
        return rooms;
      })
      .catch(asFolderDamage);
  }
}

function asFolderDamage(cause: unknown): never {
  if (!isTableDamage(cause)) throw cause;
  throw new Fault(
    'STORE_CORRUPT',
    'a table of the folder cannot be read; restore the folder from a copy, or start a node on it once, which repairs it',
    cause,
  );
}
