/**
 * UploadQuota: how many bytes of files one user may leave on this node within a day.
 *
 * Guarantees: within any 24 hours no more than `bytesMax` are granted, however many uploads are under way at once: what may come is set
 * aside before a byte is taken, and what did not come is given back. Counted by the hour, so bytes count for 24 to 25 hours.
 * Memory is bounded: 25 numbers a user, `usersMax` users; beyond, who uploaded longest ago is forgotten and begins anew.
 * Does not: outlive the process, or know of other nodes: n nodes together grant up to n times as much.
 */
import type { Clock } from '../system/clock.ts';
import { type Refusal, refuse } from '../system/errors.ts';

export interface UploadQuotaOptions {
  readonly bytesMax: number;
  /** Those with an upload under way are never forgotten. */
  readonly usersMax: number;
  readonly clock: Pick<Clock, 'nowMs'>;
}

/** What one upload may take. */
export interface Allowance {
  /** So many are kept for good. */
  kept(bytes: number): void;
  /** The upload is over: the rest is given back. Once; later calls do nothing. */
  end(): void;
}

interface Use {
  /** Hour → bytes kept in it. */
  readonly hours: Map<number, number>;
  /** Set aside for uploads under way. */
  asideBytes: number;
  underWay: number;
}

const hourMs = 60 * 60 * 1_000;
/** The hour under way is one more. */
const hours = 24;
/** Nothing is known of when uploads under way give back what they do not need. */
const asideRetryAfterMs = 1_000;

export class UploadQuota {
  readonly #options: UploadQuotaOptions;
  /** Seen last comes last. */
  readonly #uses = new Map<string, Use>();
  #refused = 0;

  constructor(options: UploadQuotaOptions) {
    this.#options = options;
  }

  get refused(): number {
    return this.#refused;
  }

  get users(): number {
    return this.#uses.size;
  }

  /** `bytes`: the most that may come, as far as it is known; RATE_LIMITED when that is more than is left. */
  take(user: string, bytes: number): Allowance | Refusal {
    const { bytesMax } = this.#options;
    const use = this.#useOf(user);
    const left = bytesMax - keptBytes(use) - use.asideBytes;
    if (bytes > left) {
      this.#refused += 1;
      this.#forgetUnused(user, use);
      return refuse('RATE_LIMITED', `at most ${bytesMax} bytes of files of yours in 24 hours`, this.#retryAfterMs(use, bytes));
    }
    use.asideBytes += bytes;
    use.underWay += 1;
    this.#forgetOldest();
    let isOver = false;
    return {
      kept: (count) => {
        const hour = this.#hour();
        use.hours.set(hour, (use.hours.get(hour) ?? 0) + count);
      },
      end: () => {
        if (isOver) return;
        isOver = true;
        use.asideBytes -= bytes;
        use.underWay -= 1;
        this.#forgetUnused(user, use);
      },
    };
  }

  #hour(): number {
    return Math.floor(this.#options.clock.nowMs() / hourMs);
  }

  #useOf(user: string): Use {
    const use = this.#uses.get(user) ?? { hours: new Map(), asideBytes: 0, underWay: 0 };
    this.#uses.delete(user);
    this.#uses.set(user, use);
    const oldest = this.#hour() - hours;
    for (const hour of use.hours.keys()) if (hour < oldest) use.hours.delete(hour);
    return use;
  }

  /** When so much is no longer counted that these bytes fit. */
  #retryAfterMs(use: Use, bytes: number): number {
    let missing = bytes + keptBytes(use) - this.#options.bytesMax;
    if (missing <= 0) return asideRetryAfterMs;
    for (const [hour, count] of use.hours) {
      missing -= count;
      if (missing <= 0) return (hour + hours + 1) * hourMs - this.#options.clock.nowMs();
    }
    return hours * hourMs; // More than would fit on any day: the settings do not allow such a file.
  }

  #forgetUnused(user: string, use: Use): void {
    if (use.underWay === 0 && use.hours.size === 0 && this.#uses.get(user) === use) this.#uses.delete(user);
  }

  #forgetOldest(): void {
    if (this.#uses.size <= this.#options.usersMax) return;
    for (const [user, { underWay }] of this.#uses) {
      if (underWay > 0) continue;
      this.#uses.delete(user);
      return;
    }
  }
}

function keptBytes({ hours: counted }: Use): number {
  let sum = 0;
  for (const bytes of counted.values()) sum += bytes;
  return sum;
}
