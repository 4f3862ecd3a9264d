/**
 * CommitQueue: group commit across rooms. One batch is on its way to the disk; everything that arrives meanwhile is the next.
 *
 * Two stages: arrivals are looked up together (off the thread) while the batch before them is written; then, once that
 * one is durable, each job plans its writes against what is committed, in the order of arrival.
 * Guarantees: batches never overlap; a job hears `committed` after the write resolved, or `failed` once.
 * Does not: know what is written, or retry.
 */
import { Fault } from '../errors.ts';

/** What one batch will write: keys and values in turn. A later value for a key replaces an earlier one. */
export class CommitBatch {
  readonly pairs: string[] = [];
  chars = 0;

  put(key: string, value: string): void {
    this.pairs.push(key, value);
    this.chars += key.length + value.length;
  }

  /** The value this batch holds for a key so far. */
  find(key: string): string | undefined {
    for (let i = this.pairs.length - 2; i >= 0; i -= 2) if (this.pairs[i] === key) return this.pairs[i + 1];
    return undefined;
  }

  /** The keys of this batch with a prefix. */
  keysUnder(prefix: string): readonly string[] {
    return this.pairs.filter((key, index) => index % 2 === 0 && key.startsWith(prefix));
  }
}

export interface CommitJob {
  /** About how much it will write. */
  readonly chars: number;
  /** Puts its writes into the batch, or none. It hears of the batch in either case. A throw fails this job only. */
  plan(batch: CommitBatch): void | Promise<void>;
  committed(): void;
  failed(cause: unknown): void;
}

export interface CommitQueueDeps<Job extends CommitJob> {
  /** Reads what jobs need before they plan, in one go. No promise: nothing had to be read. */
  readonly lookUp: (jobs: readonly Job[]) => Promise<void> | undefined;
  /** Writes and syncs. Resolves when durable. */
  readonly write: (pairs: readonly string[]) => Promise<void>;
}

/** A batch takes jobs until it has this much. More would hold up the acks of small ones. */
const batchCharsMax = 1024 * 1024;
/** Waiting jobs beyond these fail at once: the disk does not keep up, and callers retry with back-off. */
const waitingCharsMax = 32 * 1024 * 1024;
const waitingJobsMax = 20_000;

export class CommitQueue<Job extends CommitJob> {
  readonly #deps: CommitQueueDeps<Job>;
  #arrived: Job[] = [];
  #ready: Job[] = [];
  #waitingChars = 0;
  #waitingJobs = 0;
  #lookingUp = false;
  #committing = false;
  #idle: (() => void)[] = [];

  constructor(deps: CommitQueueDeps<Job>) {
    this.#deps = deps;
  }

  submit(job: Job): void {
    if (this.#waitingJobs >= waitingJobsMax || this.#waitingChars + job.chars > waitingCharsMax) {
      job.failed(new Fault('STORE_UNAVAILABLE', 'the queue to the disk is full: the disk is too slow for this load'));
      return;
    }
    this.#waitingJobs += 1;
    this.#waitingChars += job.chars;
    this.#arrived.push(job);
    if (!this.#lookingUp) void this.#lookUpArrived();
  }

  /** Resolves when nothing waits and nothing is being written. */
  async whenIdle(): Promise<void> {
    if (this.#waitingJobs === 0 && !this.#committing) return;
    await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  async #lookUpArrived(): Promise<void> {
    this.#lookingUp = true;
    // One turn of the promise queue, so that all who were answered together come in together.
    await Promise.resolve();
    while (this.#arrived.length > 0) {
      const jobs = this.#arrived;
      this.#arrived = [];
      try {
        const reading = this.#deps.lookUp(jobs);
        if (reading !== undefined) await reading;
        this.#ready.push(...jobs);
        if (!this.#committing) void this.#commitReady();
      } catch (cause) {
        for (const job of jobs) this.#settle(job, () => job.failed(cause));
      }
    }
    this.#lookingUp = false;
    this.#tellIdle();
  }

  async #commitReady(): Promise<void> {
    this.#committing = true;
    while (this.#ready.length > 0) {
      const batch = new CommitBatch();
      const planned: Job[] = [];
      let taken = 0;
      for (const job of this.#ready) {
        if (taken > 0 && batch.chars + job.chars > batchCharsMax) break;
        taken += 1;
        try {
          const later = job.plan(batch);
          if (later !== undefined) await later;
          planned.push(job);
        } catch (cause) {
          this.#settle(job, () => job.failed(cause));
        }
      }
      this.#ready.splice(0, taken);
      try {
        if (batch.pairs.length > 0) await this.#deps.write(batch.pairs);
        for (const job of planned) this.#settle(job, () => job.committed());
      } catch (cause) {
        for (const job of planned) this.#settle(job, () => job.failed(cause));
      }
    }
    this.#committing = false;
    this.#tellIdle();
  }

  #settle(job: Job, tell: () => void): void {
    this.#waitingJobs -= 1;
    this.#waitingChars -= job.chars;
    tell();
  }

  #tellIdle(): void {
    if (this.#waitingJobs > 0 || this.#committing) return;
    for (const resolve of this.#idle.splice(0)) resolve();
  }
}
