/**
 * FileCollector: takes away the bytes that no entry refers to: of files that were deleted, at once; of uploads that never came to an
 * entry (refused, or their node died between), by age.
 *
 * Guarantees: a file whose entry exists is never taken: the log is asked, and while it does not answer nothing is. Work is bounded: pages
 * of `pageFiles` with a rest between, one deletion after the other, so many waiting. Several nodes may collect at once.
 */
import type { Clock } from '../clock.ts';
import type { RoomId } from '../ids.ts';
import type { Logger } from '../logger.ts';
import type { RoomLog } from '../store/room-log.ts';
import type { FileStore, StoredFile } from './file-store.ts';

export interface CollectorTimes {
  /** A file younger than this may be on its way into the log. */
  readonly orphanAgeMs: number;
  readonly everyMs: number;
  /** Between pages. */
  readonly restMs: number;
}

export interface CollectorDeps {
  readonly files: FileStore;
  readonly log: Pick<RoomLog, 'at' | 'byCid'>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly times: CollectorTimes;
  readonly onCollected: (why: 'deleted' | 'orphan') => void;
}

export const collectorTimes = { orphanAgeMs: 60 * 60_000, everyMs: 60 * 60_000, restMs: 250 } as const satisfies CollectorTimes;
const pageFiles = 100;
/** Deletions that wait for their bytes to go; more are left to the next round. */
export const deletionsWaitingMax = 1_000;

export class FileCollector {
  private readonly deps: CollectorDeps;
  private readonly deletions: { readonly room: RoomId; readonly seq: number }[] = [];
  private isDeleting = false;
  private isStopped = false;
  private cancel: () => void = () => {};

  constructor(deps: CollectorDeps) {
    this.deps = deps;
  }

  start(): void {
    this.cancel = this.deps.clock.after(this.deps.times.everyMs, () => this.round());
  }

  stop(): void {
    this.isStopped = true;
    this.cancel();
    this.deletions.length = 0;
  }

  /** An entry that deletes this one was given to the log. */
  deleted(room: RoomId, seq: number): void {
    if (this.isStopped || this.deletions.length >= deletionsWaitingMax) return;
    this.deletions.push({ room, seq });
    if (!this.isDeleting) void this.removeDeleted();
  }

  /** All files, once. Answers how many were taken. Rejects with a Fault of the store or the log. */
  async collect(): Promise<number> {
    const { files, clock, times } = this.deps;
    const beforeMs = clock.wallMs() - times.orphanAgeMs;
    await files.sweep(beforeMs);
    let taken = 0;
    for (let after: StoredFile['id'] | '' = ''; !this.isStopped; ) {
      const page = await files.list(after, pageFiles);
      taken += await this.takeOrphans(page.filter(({ atMs }) => atMs < beforeMs));
      after = page.at(-1)?.id ?? after;
      if (page.length < pageFiles) break;
      await new Promise<void>((resolve) => clock.after(times.restMs, resolve));
    }
    return taken;
  }

  private round(): void {
    this.collect()
      .then(
        (taken) => taken > 0 && this.deps.logger.info({ ev: 'file.collect', count: taken }, 'files that no entry refers to were removed'),
        (error: unknown) => this.warn(error),
      )
      .finally(() => {
        if (!this.isStopped) this.start();
      });
  }

  private async takeOrphans(page: readonly StoredFile[]): Promise<number> {
    const { log, files } = this.deps;
    const byRoom = groupByRoom(page);
    let taken = 0;
    for (const [room, inRoom] of byRoom) {
      const entries = await log.byCid(
        room,
        inRoom.map(({ by, cid }) => ({ by, cid })),
      );
      const named = new Set(entries.flatMap(({ file }) => file?.id ?? []));
      for (const { id } of inRoom) {
        if (named.has(id)) continue;
        await files.remove(id);
        this.deps.onCollected('orphan');
        taken += 1;
      }
    }
    return taken;
  }

  private async removeDeleted(): Promise<void> {
    this.isDeleting = true;
    const { log, files } = this.deps;
    for (let next = this.deletions.shift(); next && !this.isStopped; next = this.deletions.shift()) {
      const { room, seq } = next;
      try {
        const [entry] = await log.at([{ room, seq }]);
        if (entry?.kind !== 'file' || !entry.scrubbed) continue; // No file, or the delete did not come to be.
        for (const id of await files.ofOwner({ room, by: entry.by, cid: entry.cid })) {
          await files.remove(id);
          this.deps.onCollected('deleted');
        }
      } catch (error) {
        this.warn(error);
      }
    }
    this.isDeleting = false;
  }

  private warn(error: unknown): void {
    if (!this.isStopped) this.deps.logger.warn({ ev: 'file.collect', cause: String(error) }, 'files were left to the next round');
  }
}

function groupByRoom(page: readonly StoredFile[]): Map<RoomId, StoredFile[]> {
  const groups = new Map<RoomId, StoredFile[]>();
  for (const file of page) groups.set(file.room, [...(groups.get(file.room) ?? []), file]);
  return groups;
}
