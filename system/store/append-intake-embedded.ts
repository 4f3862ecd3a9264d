/**
 * AppendIntake: takes appends in, checks what needs no store, and looks up what they need before they are planned.
 *
 * Owns: which client ids are on their way. Two appends with one id meet here: the later one asks the disk again when its
 * turn comes, since the look-up may have come before the commit of the other.
 */
import type { RoomId } from '../ids.ts';
import { type AppendDeps, AppendJob, BatchView, type StoredDocument } from './append-job-embedded.ts';
import { checkNumbering, rejectionOf } from './append-rules.ts';
import { isTableDamage } from './embedded-folder.ts';
import { type Entry, isMessage } from './entry.ts';
import { encodeEntry } from './entry-document.ts';
import type { AppendOutcome } from './room-log.ts';

/** What the keys and checksum of one entry add to its document, about. */
const entryOverheadChars = 200;

export class AppendIntake {
  readonly #deps: AppendDeps;
  readonly #submit: (job: AppendJob) => void;
  readonly #view = new BatchView();
  /** Ids of appends that were not answered yet, and how many of these carry each. */
  readonly #idsInFlight = new Map<string, number>();

  constructor(deps: AppendDeps, submit: (job: AppendJob) => void) {
    this.#deps = deps;
    this.#submit = submit;
  }

  async append(room: RoomId, after: number, entries: readonly Entry[]): Promise<AppendOutcome> {
    checkNumbering(room, after, entries);
    const cause = this.#deps.database.damageOf(room) ?? this.#deps.database.refusal();
    if (cause) return { type: 'unknown', cause };
    // Nearly always right; the job encodes again what follows another message than this one.
    let lastMessage = this.#deps.heads.cached(room)?.lastMessage ?? 0;
    let chars = 0;
    const ids = new Set<string>();
    const documents: StoredDocument[] = [];
    for (const [index, entry] of entries.entries()) {
      const document = encodeEntry(entry, lastMessage);
      documents.push({ document, lastMessage });
      if (isMessage(entry)) lastMessage = entry.seq;
      const reason = rejectionOf(entry, document);
      if (reason !== undefined) return { type: 'rejected', index, reason };
      chars += document.length + entryOverheadChars;
      ids.add(`${entry.by}!${entry.cid}`);
    }
    if (ids.size !== entries.length) return { type: 'conflict' };
    return new Promise((resolve, reject) => {
      const job: AppendJob = new AppendJob(
        this.#deps,
        this.#view,
        { room, after, entries, documents, chars },
        {
          resolve: (outcome) => {
            this.#leave(job);
            resolve(outcome);
          },
          reject: (bug) => {
            this.#leave(job);
            reject(bug);
          },
        },
      );
      for (const key of job.idKeys) {
        const count = this.#idsInFlight.get(key) ?? 0;
        if (count > 0) job.idsUncertain = true;
        this.#idsInFlight.set(key, count + 1);
      }
      this.#submit(job);
    });
  }

  /** Stage one of the commit queue: heads and ids of these appends, as far as memory does not know them. */
  lookUp(jobs: readonly AppendJob[]): Promise<void> | undefined {
    const { heads, filters } = this.#deps;
    const unknown = jobs.filter((job) => {
      const head = heads.cached(job.room);
      return !head || filters.ask(job.room, head.seq, job.idHashes) === 'unsure';
    });
    return unknown.length === 0 ? undefined : this.#lookUpOnDisk(unknown);
  }

  async #lookUpOnDisk(jobs: readonly AppendJob[]): Promise<void> {
    const keys = jobs.flatMap((job) => job.idKeys);
    const idsTaken = this.#deps.database.read(async (level) => {
      try {
        return await level.hasMany(keys);
      } catch (cause) {
        if (isTableDamage(cause)) return undefined;
        throw cause;
      }
    });
    const [taken] = await Promise.all([idsTaken, this.#deps.heads.getMany(jobs.map(({ room }) => room))]);
    let position = 0;
    for (const job of jobs) {
      // Somebody's index cannot be read: each job asks for itself, so that only the damaged room is refused.
      if (!taken) job.idsUncertain = true;
      else if (taken.slice(position, position + job.idKeys.length).includes(true)) job.idTaken = true;
      position += job.idKeys.length;
    }
  }

  #leave(job: AppendJob): void {
    for (const key of job.idKeys) {
      const count = (this.#idsInFlight.get(key) ?? 1) - 1;
      if (count === 0) this.#idsInFlight.delete(key);
      else this.#idsInFlight.set(key, count);
    }
  }
}
