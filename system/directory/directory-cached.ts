/**
 * DirectoryCached: member lists kept for 14 days, in this process for a moment and in the shared cache for all nodes.
 *
 * Guarantees: one question about a list is under way at a time, others wait for its answer; a list that was forgotten is given by no
 * node that heard of it, also not by a question that was under way then; while the service is away a list that ran out still
 * counts, for as long again. What the service does not know is remembered for 30 s, so that guessing costs it nothing.
 * Bounds: `listsKeptMax` lists and `idsKeptMax` ids here; the one used longest ago goes, and is read from the shared cache again.
 */

import type { Clock } from '../clock.ts';
import type { SharedCache } from '../cluster/shared-cache.ts';
import { cacheKeyPattern } from '../cluster/shared-cache.ts';
import type { Logger } from '../logger.ts';
import type { Directory, ListOf, Members } from './directory.ts';
import { decodeKept, encodeKept } from './directory-answers.ts';

export const listsKeptMax = 1_000;
export const idsKeptMax = 200_000;
/** A list in this process counts for so long; then the shared cache is asked. A node that missed a `forget` errs for no longer. */
export const lookAgainMs = 60_000;
export const nothingKeptMs = 30_000;
/** No list that was asked for before a `forget` arrives later than this. */
const guardMs = 60_000;

export interface CachedDirectoryOptions {
  readonly source: Directory;
  readonly cache: SharedCache;
  /** How long a list counts; beyond, for as long again, only while the service is away. */
  readonly lifetimeMs: number;
  readonly clock: Clock;
  readonly log: Logger;
}

interface Kept {
  readonly members: Members;
  /** Asked again after this. */
  readonly lookAgainAtMs: number;
  /** Wall-clock time at which the service said so. */
  readonly at: number;
}

interface Flight {
  readonly answer: Promise<Members>;
  /** The list was forgotten meanwhile: what comes is for those who asked before, and is not kept. */
  isVoid: boolean;
}

export function createCachedDirectory(options: CachedDirectoryOptions): Directory {
  return new CachedDirectory(options);
}

class CachedDirectory implements Directory {
  readonly isOutside: boolean;
  readonly description: string;
  private readonly options: CachedDirectoryOptions;
  /** In order of use. */
  private readonly kept = new Map<string, Kept>();
  private idsKept = 0;
  private readonly flights = new Map<string, Flight>();
  private readonly endListening: () => void;
  private isGarbageTold = false;

  constructor(options: CachedDirectoryOptions) {
    this.options = options;
    this.isOutside = options.source.isOutside;
    this.description = `${options.source.description}, lists kept ${options.cache.description}`;
    this.endListening = options.cache.onCleared((key) => this.forgetHere(key));
  }

  communityMembers(community: string): Promise<Members> {
    return this.members(`community:${community}`, () => this.options.source.communityMembers(community));
  }

  roomMembers(room: Parameters<Directory['roomMembers']>[0]): Promise<Members> {
    return this.members(`room:${room}`, () => this.options.source.roomMembers(room));
  }

  roomsOf(user: Parameters<Directory['roomsOf']>[0]): ReturnType<Directory['roomsOf']> {
    return this.options.source.roomsOf(user);
  }

  async forget(of: ListOf, id: string): Promise<boolean> {
    const key = `${of}:${id}`;
    if (!cacheKeyPattern.test(key)) return true;
    this.forgetHere(key);
    const isCleared = await this.options.cache.clear(key, guardMs);
    this.forgetHere(key); // A look at the cache that began before it was cleared.
    return isCleared;
  }

  health(): 'up' | { readonly degraded: string } {
    return this.options.source.health();
  }

  async close(): Promise<void> {
    this.endListening();
    await this.options.source.close();
  }

  // ---- one list ----

  private members(key: string, ask: () => Promise<Members>): Promise<Members> {
    if (!cacheKeyPattern.test(key)) return Promise.resolve({ type: 'nothing' });
    const kept = this.kept.get(key);
    if (kept && kept.lookAgainAtMs > this.options.clock.nowMs()) {
      this.kept.delete(key);
      this.kept.set(key, kept);
      return Promise.resolve(kept.members);
    }
    const under = this.flights.get(key);
    if (under) return under.answer;
    const flight: Flight = { isVoid: false, answer: Promise.resolve().then(() => this.look(key, flight, ask)) };
    this.flights.set(key, flight);
    return flight.answer;
  }

  private async look(key: string, flight: Flight, ask: () => Promise<Members>): Promise<Members> {
    const { cache, clock, lifetimeMs } = this.options;
    try {
      const shared = await this.readShared(key);
      const ageMs = shared && clock.wallMs() - shared.at;
      if (shared && ageMs !== undefined && ageMs < lifetimeMs) return this.keep(key, flight, shared.members, shared.at, lookAgainMs);
      const asked = await ask();
      if (asked.type === 'listed') {
        const at = clock.wallMs();
        if (!flight.isVoid) await cache.put(key, encodeKept([...asked.members], at), 2 * lifetimeMs);
        return this.keep(key, flight, asked, at, lookAgainMs);
      }
      if (asked.type === 'nothing') return this.keep(key, flight, asked, clock.wallMs(), nothingKeptMs);
      const old = shared ?? this.kept.get(key);
      if (old?.members.type !== 'listed' || flight.isVoid || clock.wallMs() - old.at >= 2 * lifetimeMs) return asked;
      return this.keep(key, flight, old.members, old.at, nothingKeptMs);
    } finally {
      if (this.flights.get(key) === flight) this.flights.delete(key);
    }
  }

  private async readShared(key: string): Promise<{ readonly members: Members; readonly at: number } | undefined> {
    const text = await this.options.cache.get(key);
    if (text === undefined) return undefined;
    const found = decodeKept(text);
    if (!found && !this.isGarbageTold) {
      this.isGarbageTold = true;
      this.options.log.warn({ ev: 'directory.garbage' }, 'the shared cache holds what is no member list; it is passed over');
    }
    return found;
  }

  private keep(key: string, flight: Flight, members: Members, at: number, forMs: number): Members {
    if (flight.isVoid) return members;
    this.forgetKept(key);
    this.kept.set(key, { members, at, lookAgainAtMs: this.options.clock.nowMs() + forMs });
    this.idsKept += sizeOf(members);
    for (const oldest of this.kept.keys()) {
      if (this.kept.size <= listsKeptMax && (this.idsKept <= idsKeptMax || this.kept.size === 1)) break;
      this.forgetKept(oldest);
    }
    return members;
  }

  private forgetHere(key: string): void {
    const flight = this.flights.get(key);
    if (flight) flight.isVoid = true;
    this.flights.delete(key);
    this.forgetKept(key);
  }

  private forgetKept(key: string): void {
    const kept = this.kept.get(key);
    if (!kept) return;
    this.kept.delete(key);
    this.idsKept -= sizeOf(kept.members);
  }
}

const sizeOf = (members: Members): number => (members.type === 'listed' ? members.members.size : 0);
