/**
 * CommitQueue: group commit across rooms. One batch is on its way to the disk while the next one is planned and built.
 *
 * Three stages: arrivals are looked up together (off the thread); each job plans its writes, in the order of arrival (which is after
 * what it read ahead for itself), behind what was planned before it; a built batch goes to the disk as soon as the one before it is durable.
 * Guarantees: writes never overlap; a job hears `committed` after the write resolved, or `failed` once. When a write
 * fails, what was planned behind it fails too, before anything else is planned: it may count on what is not there.
 * Does not: know what is written, or retry.
 */
import { Fault } from '../errors.ts';

/** Writes that are handed over one by one and take effect together. */
export interface StagedWrites {
  put(key: string, value: string): void;
  /** Writes and syncs. Resolves when durable. */
  write(): Promise<void>;
  discard(): void;
}

/** What one batch will write: keys and values in turn. A later value for a key replaces an earlier one. */
export class CommitBatch {
  readonly #pairs: string[] = [];
  chars = 0;

  get isEmpty(): boolean {
    return this.#pairs.length === 0;
  }

  put(key: string, value: string): void {
    this.#pairs.push(key, value);
    this.chars += key.length + value.length;
  }

  /** The value this batch holds for a key so far. */
  find(key: string): string | undefined {
    for (let i = this.#pairs.length - 2; i >= 0; i -= 2) if (this.#pairs[i] === key) return this.#pairs[i + 1];
    return undefined;
  }

  /** The keys of this batch with a prefix. */
  keysUnder(prefix: string): readonly string[] {
    return this.#pairs.filter((key, index) => index % 2 === 0 && key.startsWith(prefix));
  }

  /** A point in the batch: how much stands before it. */
  get mark(): number {
    return this.#pairs.length;
  }

  /** Takes out what was put since `mark`. */
  cutTo(mark: number): void {
    for (const part of this.#pairs.splice(mark)) this.chars -= part.length;
  }

  handOver(mark: number, writes: StagedWrites): void {
    for (let i = mark; i < this.#pairs.length; i += 2) writes.put(this.#pairs[i] as string, this.#pairs[i + 1] as string);
  }
}

export interface CommitJob {
  /** About how much it will write. */
  readonly chars: number;
  /** Reads ahead what its plan needs; it takes its place in the line after that, and nobody waits for it. Never rejects. */
  readAhead?(): Promise<void>;
  /** Whether its plan has to read, and so must wait until all that was planned before it is durable or in this batch. */
  readsStore(): boolean;
  /** Puts its writes into the batch, or none. It hears of the batch in either case. A throw fails this job only. */
  plan(batch: CommitBatch): void | Promise<void>;
  committed(): void;
  /** Undoes what `plan` noted elsewhere. */
  failed(cause: unknown): void;
}

export interface CommitQueueDeps<Job extends CommitJob> {
  /** Reads what jobs need before they plan, in one go. No promise: nothing had to be read. */
  readonly lookUp: (jobs: readonly Job[]) => Promise<void> | undefined;
  readonly stage: () => StagedWrites;
  readonly nowMs: () => number;
}

interface Planned<Job> {
  readonly batch: CommitBatch;
  readonly jobs: Job[];
  readonly writes: StagedWrites;
}

/** A batch takes jobs until it has this much. More would hold up the acks of small ones. */
const batchCharsMax = 1024 * 1024;
/**
 * While nothing is being written, a first part goes off at once, and what else has arrived is planned meanwhile. That costs
 * one more sync, so the part is at least as much as can be planned in the time of a sync: on a fast disk half of 256
 * messages that come together, on a slow one all of them.
 */
const firstCharsMin = 32 * 1024;
/** About: planning and LevelDB's own work each take 15 ns a character. */
const charsPerMs = 64 * 1024;
/** Weight of the last write in what is known of the disk. Taken for slow until it has shown that it is not: who is once split stays so under load. */
const lastWriteWeight = 0.25;
const syncMsAtFirst = 10;
/** Waiting jobs beyond these fail at once: the disk does not keep up, and callers retry with back-off. */
export const waitingCharsMax = 32 * 1024 * 1024;
export const waitingJobsMax = 20_000;
/** Places of planned jobs that are kept before the list is made anew. */
const keptPlannedMax = 1_000;

export class CommitQueue<Job extends CommitJob> {
  readonly #deps: CommitQueueDeps<Job>;
  #arrived: Job[] = [];
  /** Looked up, in order; those before `#next` are planned. */
  #ready: Job[] = [];
  #next = 0;
  #planned: Planned<Job> | undefined;
  #writing: Planned<Job> | undefined;
  #waitingChars = 0;
  #waitingJobs = 0;
  #isLookingUp = false;
  /** A job is planning with reads; the queue goes on when it is done. */
  #isReading = false;
  /** What a write takes beside the work for its characters, smoothed. */
  #syncMs = syncMsAtFirst;
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
    const reading = job.readAhead?.();
    if (reading === undefined) this.#arrive(job);
    else void reading.then(() => this.#arrive(job));
  }

  /** Resolves when nothing waits and nothing is being written. */
  async whenIdle(): Promise<void> {
    if (this.#waitingJobs === 0) return;
    await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  #arrive(job: Job): void {
    this.#arrived.push(job);
    if (!this.#isLookingUp) void this.#lookUpArrived();
  }

  async #lookUpArrived(): Promise<void> {
    this.#isLookingUp = true;
    // One turn of the promise queue, so that all who were answered together come in together.
    await Promise.resolve();
    while (this.#arrived.length > 0) {
      const jobs = this.#arrived;
      this.#arrived = [];
      try {
        const reading = this.#deps.lookUp(jobs);
        if (reading !== undefined) await reading;
        for (const job of jobs) this.#ready.push(job);
      } catch (cause) {
        this.#settle(jobs, (job) => job.failed(cause));
      }
      this.#advance();
    }
    this.#isLookingUp = false;
  }

  /** Plans what can be planned now, and writes when nothing else is being written. */
  #advance(): void {
    while (!this.#isReading && this.#next < this.#ready.length) {
      const job = this.#ready[this.#next] as Job;
      if (this.#planned && this.#planned.batch.chars + job.chars > batchCharsMax) break;
      if (this.#writing && job.readsStore()) break;
      this.#next += 1;
      this.#plan(job);
      if (!this.#writing && !this.#isReading && this.#planned && this.#planned.batch.chars >= this.#firstCharsMax())
        this.#write(this.#planned);
    }
    if (this.#next === this.#ready.length || this.#next >= keptPlannedMax) {
      this.#ready = this.#ready.slice(this.#next);
      this.#next = 0;
    }
    if (this.#planned && !this.#writing && !this.#isReading) this.#write(this.#planned);
  }

  #firstCharsMax(): number {
    return Math.max(firstCharsMin, this.#syncMs * charsPerMs);
  }

  #plan(job: Job): void {
    this.#planned ??= { batch: new CommitBatch(), jobs: [], writes: this.#deps.stage() };
    const planned = this.#planned;
    const { mark } = planned.batch;
    const done = (): void => {
      planned.batch.handOver(mark, planned.writes);
      planned.jobs.push(job);
    };
    const fail = (cause: unknown): void => {
      planned.batch.cutTo(mark);
      this.#settle([job], () => job.failed(cause));
    };
    try {
      const reading = job.plan(planned.batch);
      if (reading === undefined) return done();
      this.#isReading = true;
      void reading.then(done, fail).then(() => {
        this.#isReading = false;
        this.#advance();
      });
    } catch (cause) {
      fail(cause);
    }
  }

  #write(planned: Planned<Job>): void {
    this.#planned = undefined;
    this.#writing = planned;
    const startMs = this.#deps.nowMs();
    const writing = planned.batch.isEmpty ? Promise.resolve(planned.writes.discard()) : planned.writes.write();
    writing.then(
      () => this.#written(planned, this.#deps.nowMs() - startMs),
      (cause: unknown) => this.#unwritten(planned, cause),
    );
  }

  #written(done: Planned<Job>, tookMs: number): void {
    this.#writing = undefined;
    const syncMs = Math.max(0, tookMs - done.batch.chars / charsPerMs);
    if (!done.batch.isEmpty) this.#syncMs += (syncMs - this.#syncMs) * lastWriteWeight;
    // The disk first: those who are told next will take their time.
    if (this.#planned && this.#ready.length === 0) this.#write(this.#planned);
    this.#settle(done.jobs, (job) => job.committed());
    this.#advance();
  }

  #unwritten(failed: Planned<Job>, cause: unknown): void {
    const behind = this.#planned;
    this.#writing = undefined;
    this.#planned = undefined;
    behind?.writes.discard();
    this.#settle([...failed.jobs, ...(behind?.jobs ?? [])], (job) => job.failed(cause));
    this.#advance();
  }

  #settle(jobs: readonly Job[], tell: (job: Job) => void): void {
    for (const job of jobs) {
      this.#waitingJobs -= 1;
      this.#waitingChars -= job.chars;
      tell(job);
    }
    if (this.#waitingJobs === 0) for (const resolve of this.#idle.splice(0)) resolve();
  }
}
