/**
 * AppendIntake: takes appends in, checks what needs no store, and looks up what they need before they are planned.
 *
 * A look-up may come before the commit of an append that is on its way. So each says how far the log went that it saw; when
 * the log has gone on by the time its job is planned, the job asks again.
 */
import { LogCorrupt } from '../errors.ts';
import type { RoomId } from '../ids.ts';
import { type AppendDeps, AppendJob, type StoredDocument } from './append-job-embedded.ts';
import { checkNumbering, rejectionOf } from './append-rules.ts';
import { isTableDamage } from './embedded-folder.ts';
import { cidIndexKey } from './embedded-keys.ts';
import { type Entry, isMessage } from './entry.ts';
import { encodeEntry } from './entry-document.ts';
import type { AppendOutcome } from './room-log.ts';

/** What the keys and checksum of one entry add to its document, about. */
const entryOverheadChars = 200;

export class AppendIntake {
  readonly #deps: AppendDeps;
  readonly #submit: (job: AppendJob) => void;

  constructor(deps: AppendDeps, submit: (job: AppendJob) => void) {
    this.#deps = deps;
    this.#submit = submit;
  }

  async append(room: RoomId, after: number, entries: readonly Entry[]): Promise<AppendOutcome> {
    checkNumbering(room, after, entries);
    const { database, planned, heads } = this.#deps;
    const cause = database.damageOf(room) ?? database.refusal();
    if (cause) return { type: 'unknown', cause };
    // Nearly always right; the job encodes again what follows another message than this one.
    let lastMessage = (planned.get(room)?.head ?? heads.cached(room))?.lastMessage ?? 0;
    let chars = 0;
    let hasDelete = false;
    const idKeys: string[] = [];
    const documents: StoredDocument[] = [];
    for (const [index, entry] of entries.entries()) {
      const document = encodeEntry(entry, lastMessage);
      const reason = rejectionOf(entry, document);
      if (reason !== undefined) return { type: 'rejected', index, reason };
      documents.push({ document, lastMessage });
      idKeys.push(cidIndexKey(room, entry.by, entry.cid));
      if (isMessage(entry)) lastMessage = entry.seq;
      else if (entry.kind === 'delete') hasDelete = true;
      chars += document.length + entryOverheadChars;
    }
    if (idKeys.length > 1 && new Set(idKeys).size !== idKeys.length) return { type: 'conflict' };
    return new Promise((resolve, reject) => {
      this.#submit(new AppendJob(this.#deps, { room, after, entries, documents, chars, hasDelete }, idKeys, { resolve, reject }));
    });
  }

  /** Stage one of the commit queue: heads and ids of these appends, as far as memory does not know them. */
  lookUp(jobs: readonly AppendJob[]): Promise<void> | undefined {
    const { heads, filters } = this.#deps;
    const unknown: AppendJob[] = [];
    for (const job of jobs) {
      const head = heads.cached(job.room);
      if (head && filters.ask(job.room, head.seq, job.idHashes) === 'absent') job.lookedUpTo = head.seq;
      else unknown.push(job);
    }
    return unknown.length === 0 ? undefined : this.#lookUpOnDisk(unknown);
  }

  async #lookUpOnDisk(jobs: readonly AppendJob[]): Promise<void> {
    // Heads before ids: what is committed in between is seen by the second look, and asked for again, not missed.
    const heads = await this.#deps.heads.getMany(jobs.map(({ room }) => room));
    const keys = jobs.flatMap((job) => job.idKeys);
    const taken = await this.#deps.database.read(async (level) => {
      try {
        return await level.hasMany(keys);
      } catch (cause) {
        if (isTableDamage(cause)) return undefined;
        throw cause;
      }
    });
    // Somebody's index cannot be read: each job asks for itself, so that only the damaged room is refused.
    if (!taken) return;
    let position = 0;
    for (const [index, job] of jobs.entries()) {
      const head = heads[index];
      if (head && !(head instanceof LogCorrupt)) job.lookedUpTo = head.seq;
      if (taken.slice(position, position + job.idKeys.length).includes(true)) job.idTaken = true;
      position += job.idKeys.length;
    }
  }
}
