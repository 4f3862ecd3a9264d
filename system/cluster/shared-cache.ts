/**
 * SharedCache: small values that any node has looked up, for all of them. Twins: memory, redis.
 *
 * An accelerator: it may forget anything at any time, and what it gives may be as old as its lifetime. Whoever reads a value checks
 * it like one of a stranger. No method rejects: a cache that cannot be reached knows nothing.
 */

export interface SharedCache {
  /** undefined: there is none, it has run out, or the cache cannot be asked within its own time-out. */
  get(key: string): Promise<string | undefined>;
  /**
   * Keeps the value for so long, in the place of another, unless the key was cleared and its guard time is not over: so a value that was
   * looked up before a `clear` and arrives after it is not kept. Larger than `valueBytesMax`: not kept.
   */
  put(key: string, value: string, ttlMs: number): Promise<void>;
  /**
   * No node gets the value from now on, and for `guardMs` none is kept in its place. true: the cache has done so; false: it could not be
   * reached, ask again. Listeners of `onCleared` on every node that is connected are called soon after, at most once or twice.
   */
  clear(key: string, guardMs: number): Promise<boolean>;
  /** Calls for each key cleared by any node, this one included. Some are missed while the cache is away. Returns a function that ends it. */
  onCleared(listener: (key: string) => void): () => void;
  /** Whether other nodes see it too. */
  readonly isShared: boolean;
  readonly description: string;
  /** For /readyz. Never `down`. */
  health(): 'up' | { readonly degraded: string };
  /** Idempotent. Never rejects. */
  close(): Promise<void>;
}

export const valueBytesMax = 4 * 1024 * 1024;
/** Keys are `kind:id`, of this form; others are a mistake of the caller's. */
export const cacheKeyPattern = /^[a-z-]{1,32}:[A-Za-z0-9_-]{1,64}$/;
