/**
 * StateKeep: what the state server leaves for its next life, so that a restart takes nobody offline. Twins: memory, redis.
 *
 * An accelerator: nothing waits for it, it may be behind by a moment, and may have lost everything. What is loaded counts as long as a
 * lost node's sessions do: then the nodes have told their own again.
 * A session is known by (owner, id), as in StateSessions; voice is a place like others.
 */
import type { Session } from './state-sessions.ts';

export interface KeptSession extends Session {
  readonly owner: string;
  readonly id: string;
}

/** The state server, as it is now. Both are asked often: they must be quick. */
export interface KeptSource {
  owners(): Iterable<string>;
  of(owner: string): ReadonlyMap<string, Session>;
}

export interface StateKeep {
  /**
   * What an earlier life kept, if that lived within the last minute; else nothing. Takes at most some 3 s, never rejects: what cannot be
   * read in that time is not known. Of forged or damaged rows nothing is given. Before `follow`.
   */
  load(): Promise<readonly KeptSession[]>;
  /** From now on this life is the one that keeps; all that the source holds is written, then what changes. An earlier life that still runs stands back. */
  follow(source: KeptSource): void;
  /** This session has come, moved or gone. O(1), returns at once; what it is now is asked of the source when it is written. */
  changed(owner: string, id: string): void;
  /** Sessions that have changed and are not written yet. */
  waiting(): number;
  health(): 'up' | { readonly degraded: string };
  readonly description: string;
  /** Writes what waits, within a second. Idempotent. Never rejects. */
  close(): Promise<void>;
}

/** Changes that wait. More: they are forgotten, and everything is written anew. */
export const keptWaitingMax = 20_000;
/** That are loaded. More: the others are not known until their nodes tell them. */
export const keptSessionsMax = 500_000;
