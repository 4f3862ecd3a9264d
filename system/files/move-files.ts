/**
 * MoveFiles: takes the bytes of all files of one store into another, under their ids.
 *
 * Guarantees: a file that is there already with the same bytes is not written again, so what was cut goes on; every file is read
 * through its checksum on the way, and what arrived is compared with what was read. A file that does not read is left behind and counted.
 * Does not: allow for others that put files into the target meanwhile.
 */
import { Fault } from '../errors.ts';
import type { FileId } from '../ids.ts';
import type { FileStore, StoredFile } from './file-store.ts';

export interface MoveFilesOptions {
  readonly source: FileStore;
  readonly target: FileStore;
  readonly nowMs: number;
  readonly isStopped: () => boolean;
}

export interface MovedFiles {
  readonly files: number;
  readonly bytes: number;
  /** That do not read here. */
  readonly damaged: readonly FileId[];
}

const filesPerPage = 100;

export async function moveFiles({ source, target, nowMs, isStopped }: MoveFilesOptions): Promise<MovedFiles> {
  // What a move that was killed had begun: nobody else writes here.
  await target.sweep(nowMs);
  const damaged: FileId[] = [];
  let files = 0;
  let bytes = 0;
  for (let after: FileId | '' = ''; ; ) {
    const page: readonly StoredFile[] = await source.list(after, filesPerPage);
    const last = page.at(-1);
    if (!last) return { files, bytes, damaged };
    after = last.id;
    for (const file of page) {
      if (isStopped()) throw new Fault('MOVE_STOPPED', 'stopped; the same command goes on from here');
      if (await isMoved(file, source, target)) {
        files += 1;
        bytes += file.bytes;
      } else damaged.push(file.id);
    }
  }
}

async function isMoved(file: StoredFile, source: FileStore, target: FileStore): Promise<boolean> {
  const there = await target.stat(file.id);
  if (there?.sha256 === file.sha256 && there.bytes === file.bytes) return true;
  if (there) throw new Fault('MOVE_CONFLICT', `file ${file.id} stands in MongoDB with other bytes`);
  try {
    const found = await source.get(file.id);
    if (!found) return false;
    const put = await target.put(file.id, file, found.bytes, file.bytes);
    if (put.type === 'stored' && put.file.sha256 === file.sha256) return true;
    throw new Fault('MOVE_DIFFERENT', `file ${file.id} arrived otherwise than it was read`);
  } catch (cause) {
    if (cause instanceof Fault && cause.code === 'FILE_CORRUPT') return false;
    throw cause;
  }
}
