/**
 * RoomStore on an embedded LevelDB: one folder, one owning process, group commit across all rooms.
 *
 * Guarantees: an append is answered `appended` after the fsync of the batch it is in. A full or failing disk is answered
 * at once with `unknown` and STORE_UNAVAILABLE, and the store comes back by itself (embedded-database).
 * Faults of opening: STORE_LOCKED, STORE_UNWRITABLE, STORE_FORMAT, STORE_CORRUPT; each says what to do.
 */
import { AppendJob } from './append-job-embedded.ts';
import { CidFilters } from './cid-filter-embedded.ts';
import { CommitQueue } from './commit-queue.ts';
import { EmbeddedDatabase, type EmbeddedDatabaseOptions } from './embedded-database.ts';
import { keysUnder } from './embedded-keys.ts';
import { EmbeddedHeads } from './heads-embedded.ts';
import { EmbeddedRevocations, type PutJob } from './revocations-embedded.ts';
import { EmbeddedRoomLog } from './room-log-embedded.ts';
import type { RoomStore } from './room-store.ts';
import type { RowsJob } from './rows-job-embedded.ts';
import { EmbeddedUserRooms } from './user-rooms-embedded.ts';

export type EmbeddedStoreOptions = EmbeddedDatabaseOptions;

export async function openEmbeddedStore(options: EmbeddedStoreOptions): Promise<RoomStore> {
  const database = await EmbeddedDatabase.open(options);
  const heads = new EmbeddedHeads(database);
  const filters = new CidFilters((room, each) =>
    database.read(async (level) => {
      for await (const key of level.keys(keysUnder(`i!${room}!`))) each(key);
    }),
  );
  const queue = new CommitQueue<AppendJob | RowsJob | PutJob>({
    lookUp: (jobs) => log.lookUp(jobs.filter((job) => job instanceof AppendJob)),
    stage: () => database.stage(),
    nowMs: () => options.clock.nowMs(),
  });
  const log = new EmbeddedRoomLog({
    database,
    heads,
    filters,
    submit: (job) => queue.submit(job),
    onTailError: (cause) =>
      options.log.error({ ev: 'store.tail', err: cause instanceof Error ? cause.message : String(cause) }, 'a listener of the tail failed'),
  });
  database.onReopen = () => {
    heads.forgetAll();
    filters.forgetAll();
  };
  let closing: Promise<void> | undefined;
  return {
    log,
    userRooms: new EmbeddedUserRooms(database, (job) => queue.submit(job)),
    revocations: new EmbeddedRevocations({
      database,
      submit: (job) => queue.submit(job),
      wallMs: options.clock.wallMs,
      onDamage: (key) =>
        options.log.error({ ev: 'store.damage', key }, 'a revocation does not read: everybody needs a token that is issued from now on'),
    }),
    description: `embedded log in ${options.dir}`,
    close() {
      closing ??= (async () => {
        database.drain();
        await queue.whenIdle();
        log.endTails();
        await database.close();
      })();
      return closing;
    },
  };
}
