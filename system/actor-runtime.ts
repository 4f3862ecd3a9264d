/**
 * ActorRuntime: what all actors of one system share: clock, logs, counters, and nact.
 *
 * Owns: the counters, the names of actors, and where their nact actors hang. Only this file imports nact.
 * Guarantees: nact never sees an exception, a name it refuses, or a parent that gets messages.
 * Does not: hold the tree. Parents and children are known to the cells (actor-cell.ts), because nact's own stop leaves orphans.
 */
import { AsyncResource } from 'node:async_hooks';
import { createHash } from 'node:crypto';
import { dispatch, type Ref as NactRef, spawn, start, stop } from 'nact';
import type { Clock } from './clock.ts';
import type { Logger } from './logger.ts';
import type { Supervision, SupervisionReport } from './supervision.ts';

/** Longer names are hashed: a path is logged and indexed, so it stays short. */
const nameCharsMax = 128;
const plainName = /^[A-Za-z0-9_.$+-]{1,128}$/;

/** A path segment of any string: as it is when plain, else `!` and base64url, else (long) `!!` and a hash. No two forms overlap. */
export function actorName(name: string): string {
  if (plainName.test(name)) return name;
  if (name.length > nameCharsMax) return `!!${createHash('sha256').update(name).digest('base64url')}`;
  return `!${Buffer.from(name).toString('base64url')}`;
}

/**
 * Messages are handled in no AsyncLocalStorage context at all. nact would run a message in the context of whoever woke the
 * actor, so one user's context would leak into another's message. Made at load: outside every request.
 */
const noContext = new AsyncResource('playhouse.actors');

/** Never needed, since a cell lets nothing out; one for all actors. */
const resumeOnCrash = { onCrash: (_msg: unknown, _error: unknown, ctx: { readonly resume: symbol }) => ctx.resume } as object;

export interface Where {
  readonly path: string;
  readonly kind: string;
}

export class ActorRuntime {
  readonly clock: Clock;
  readonly log: Logger;
  readonly supervision: Supervision;
  readonly counts = { accepted: 0, handled: 0, refused: 0, deadLetters: 0, crashes: 0, restarts: 0, stopped: 0, callbackCrashes: 0 };
  readonly actorsByKind = new Map<string, number>();
  /** The actor whose code runs now, for "who tells?" while a parent drains. */
  current: Where | undefined;
  #serial = 0;
  /**
   * All nact actors hang directly under the nact system: nact copies a parent's child table for every message the parent handles,
   * but the system handles none. Silent shards of 64 measured the same (1.2 to 1.5 us a turn with 10,000 actors), so there are none.
   */
  readonly #nact = start();

  constructor(clock: Clock, log: Logger, supervision: Supervision) {
    this.clock = clock;
    this.log = log;
    this.supervision = supervision;
  }

  serial(): number {
    this.#serial += 1;
    return this.#serial;
  }

  /** The nact actor of one lane: its only message is "take a turn". The serial keeps a re-used name from meeting its last life. */
  spawnNact(segment: string, turn: () => void): NactRef<'turn'> {
    return spawn(this.#nact, turn, `${this.serial().toString(36)}.${segment}`, resumeOnCrash);
  }

  wake(actor: NactRef<'turn'>): void {
    dispatch(actor, 'turn');
  }

  stopNact(actor: NactRef<'turn'>): void {
    stop(actor);
  }

  stopAll(): void {
    stop(this.#nact);
  }

  outsideContext<T>(task: () => T): T {
    return noContext.runInAsyncScope(task);
  }

  alive(kind: string, change: 1 | -1): void {
    const now = (this.actorsByKind.get(kind) ?? 0) + change;
    if (now === 0) this.actorsByKind.delete(kind);
    else this.actorsByKind.set(kind, now);
  }

  /** Counts and reports messages that nobody will handle. `why` is the line's decision. */
  deadLetter(where: Where, why: string, msgType: string, extra?: { readonly count?: number; readonly cause?: unknown }): void {
    const count = extra?.count ?? 1;
    this.counts.deadLetters += count;
    const line: SupervisionReport = { ev: 'deadletter', path: where.path, kind: where.kind, decision: why, msgType, count };
    this.supervision.emit(extra?.cause === undefined ? line : { ...line, cause: extra.cause });
  }
}

/** The longest delay a clock takes; Node fires longer ones at once. */
const delayMsMax = 2 ** 31 - 1;

/** `clock.after` for any length: a token that lives 30 days is past 2^31-1 ms. */
export function afterAnyLength(clock: Clock, delayMs: number, task: () => void): () => void {
  if (Number.isNaN(delayMs)) throw new TypeError('a delay must be a number of milliseconds, not NaN');
  if (delayMs <= delayMsMax) return clock.after(Math.max(0, delayMs), task);
  let cancel = clock.after(delayMsMax, () => {
    cancel = afterAnyLength(clock, delayMs - delayMsMax, task);
  });
  return () => cancel();
}

export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';
}
