/**
 * EmbeddedDatabase: the one LevelDB of a data folder, through its whole life: up, down after a failed write, up again.
 *
 * After any failed write LevelDB's log may end in half a record, and what it would append behind that is lost at the
 * next recovery. So the handle takes no write any more: reads go on, and as soon as the folder takes a probe file
 * again, the database is closed, its log checked, and opened anew.
 * Guarantees: a staged write resolves when it is on disk. While down, writes are refused at once.
 * Does not: know keys beyond the format version, or retry a write.
 */
import type { ClassicLevel } from 'classic-level';
import type { Clock } from '../clock.ts';
import { Fault, LogCorrupt } from '../errors.ts';
import type { RoomId } from '../ids.ts';
import type { Logger } from '../logger.ts';
import type { StagedWrites } from './commit-queue.ts';
import { claimFolder, isTableDamage, type OpenFolder, openFolder, probeFolder, repairTables } from './embedded-folder.ts';

export type Level = ClassicLevel<string, string>;

export interface EmbeddedDatabaseOptions {
  readonly dir: string;
  readonly clock: Clock;
  readonly log: Logger;
  /** Called once per change, with what an operator should know. */
  readonly onState?: ((state: 'up' | 'down', reason: string) => void) | undefined;
}

const reopenDelayMinMs = 250;
const reopenDelayMaxMs = 2_000;

export class EmbeddedDatabase {
  readonly #options: EmbeddedDatabaseOptions;
  /** undefined while the database is closed: between two lives, or for good. */
  #level: Level | undefined;
  readonly #release: () => void;
  #state: 'up' | 'down' | 'closed' = 'up';
  #isDraining = false;
  #downCause: unknown;
  #retryReason = '';
  #damaged: ReadonlyMap<string, LogCorrupt>;
  #readsInFlight = 0;
  #readsDone: (() => void) | undefined;
  /** Set while the database is being swapped: reads wait for it, some milliseconds. */
  #swap: Promise<void> | undefined;
  #cancelTimer: (() => void) | undefined;
  /** Called after a reopen, before the first write: what was cached may not be what is stored. */
  onReopen: () => void = () => {};

  static async open(options: EmbeddedDatabaseOptions): Promise<EmbeddedDatabase> {
    const release = claimFolder(options.dir);
    try {
      return new EmbeddedDatabase(options, await openFolder(options.dir, options.log), release);
    } catch (cause) {
      release();
      throw cause;
    }
  }

  private constructor(options: EmbeddedDatabaseOptions, folder: OpenFolder, release: () => void) {
    this.#options = options;
    this.#level = folder.level;
    this.#damaged = toDamages(folder);
    this.#release = release;
  }

  /** From now on new calls are refused; what was accepted before can still read and write. */
  drain(): void {
    this.#isDraining = true;
  }

  /** Throws when the store is closed to callers. */
  assertServing(): void {
    if (this.#isDraining) throw new Fault('STORE_UNAVAILABLE', 'the store is closed');
  }

  /** The reason why a caller's write is refused now; undefined when it will be tried. */
  refusal(): Fault | undefined {
    if (this.#state === 'up' && !this.#isDraining) return undefined;
    if (this.#isDraining) return new Fault('STORE_UNAVAILABLE', 'the store is closed');
    return new Fault('STORE_UNAVAILABLE', 'the data folder takes no writes; see store.down in the log', this.#downCause);
  }

  /** The damage of a room that was found when the folder was opened. */
  damageOf(room: RoomId): LogCorrupt | undefined {
    return this.#damaged.get(room);
  }

  /** Runs reads against the open database. Damage is passed on as LevelDB says it; everything else is a Fault. */
  async read<T>(task: (level: Level) => Promise<T>): Promise<T> {
    while (this.#swap !== undefined) await this.#swap.catch(() => {});
    const level = this.#level;
    if (!level) throw this.refusal() ?? new Fault('STORE_UNAVAILABLE', 'the store is not open');
    this.#readsInFlight += 1;
    try {
      return await task(level);
    } catch (cause) {
      if (cause instanceof Fault || isTableDamage(cause)) throw cause;
      throw new Fault('STORE_UNAVAILABLE', 'the data folder cannot be read', cause);
    } finally {
      this.#readsInFlight -= 1;
      if (this.#readsInFlight === 0) this.#readsDone?.();
    }
  }

  /**
   * Begins a write, to be filled while another one is on its way. It takes effect atomically, synced. `write` may be called
   * only while no other is; after a rejection nobody knows what is in, and whatever was begun before it must be discarded.
   */
  stage(): StagedWrites {
    const level = this.#level;
    const chained = this.#state === 'up' ? level?.batch() : undefined;
    return {
      put(key, value) {
        chained?.put(key, value);
      },
      write: async () => {
        if (this.#state !== 'up' || !chained || level !== this.#level) {
          throw this.refusal() ?? new Fault('STORE_UNAVAILABLE', 'the store is not open');
        }
        try {
          await chained.write({ sync: true });
        } catch (cause) {
          this.#fail(cause);
          throw this.refusal() ?? cause;
        }
      },
      discard: () => {
        // Frees memory only; a database that was closed meanwhile has done it.
        void chained?.close().catch(() => {});
      },
    };
  }

  async close(): Promise<void> {
    this.#state = 'closed';
    this.#cancelTimer?.();
    // A swap that fails has said so to whoever began it.
    while (this.#swap !== undefined) await this.#swap.catch(() => {});
    await this.#shut();
    this.#release();
  }

  #fail(cause: unknown): void {
    if (this.#state !== 'up') return;
    this.#state = 'down';
    this.#downCause = cause;
    this.#retryReason = '';
    const reason = cause instanceof Error ? cause.message : String(cause);
    this.#options.log.error(
      { ev: 'store.down', dir: this.#options.dir, err: reason },
      'the data folder cannot be written: nothing is acknowledged until it can. Free space or fix the disk; the store comes back by itself',
    );
    this.#options.onState?.('down', reason);
    this.#tryLater(reopenDelayMinMs);
  }

  #tryLater(delayMs: number): void {
    this.#cancelTimer = this.#options.clock.after(delayMs, () => {
      void this.#tryReopen(Math.min(delayMs * 2, reopenDelayMaxMs));
    });
  }

  async #tryReopen(nextDelayMs: number): Promise<void> {
    try {
      await probeFolder(this.#options.dir);
      if (this.#state !== 'down') return;
      this.#swap = this.#reopen().finally(() => {
        this.#swap = undefined;
      });
      await this.#swap;
    } catch (cause) {
      this.#tellRetry(cause);
      if (this.#state === 'down') this.#tryLater(nextDelayMs);
      return;
    }
    if (this.#state !== 'down') return;
    this.onReopen();
    this.#state = 'up';
    this.#options.log.info({ ev: 'store.up', dir: this.#options.dir }, 'the data folder takes writes again');
    this.#options.onState?.('up', 'the data folder takes writes again');
  }

  /** Each reason once: what keeps the store down may be another thing than what took it down. */
  #tellRetry(cause: unknown): void {
    const reason = cause instanceof Error ? cause.message : String(cause);
    if (reason === this.#retryReason) return;
    this.#retryReason = reason;
    this.#options.log.warn(
      { ev: 'store.retry', dir: this.#options.dir, err: reason },
      'the data folder cannot be taken back yet; trying on',
    );
  }

  async #reopen(): Promise<void> {
    await this.#shut();
    // A table that LevelDB cannot compact stops all writes for ever: it is rebuilt without the blocks that do not read.
    if (isTableDamage(this.#downCause)) await repairTables(this.#options.dir, this.#options.log);
    const folder = await openFolder(this.#options.dir, this.#options.log);
    this.#level = folder.level;
    this.#damaged = toDamages(folder);
  }

  async #shut(): Promise<void> {
    if (this.#readsInFlight > 0) {
      await new Promise<void>((resolve) => {
        this.#readsDone = resolve;
      });
      this.#readsDone = undefined;
    }
    const level = this.#level;
    this.#level = undefined;
    await level?.close();
  }
}

function toDamages({ damaged }: OpenFolder): ReadonlyMap<string, LogCorrupt> {
  return new Map(damaged.map(({ room, seq, reason }) => [room, new LogCorrupt(room, seq, reason)]));
}
