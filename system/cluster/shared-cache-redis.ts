/**
 * SharedCache on Redis: one string for each key, with its lifetime; a cleared key holds a mark for its guard time.
 *
 * Guarantees: a value that others put there is given only as signed for that very key; what cannot be asked within half a second is not
 * known. Bounds: `asksMax` values read at once, `putBytesMax` bytes being written; beyond, nothing is known and nothing is kept.
 * Does not: bound what Redis holds; its lifetimes do, or Redis' own maxmemory, which may drop any of it.
 */
import { z } from 'zod';
import { type RedisConnection, redisScript } from './redis-connection.ts';
import type { RedisKeys } from './redis-keys.ts';
import { cacheKeyPattern, type SharedCache, valueBytesMax } from './shared-cache.ts';
import type { SignedText } from './signed-text.ts';

export const asksMax = 64;
export const putBytesMax = 32 * 1024 * 1024;
/** Shorter than any signed text. */
const clearedMark = '-';
const kept = z.object({ v: z.string() });
/** JSON may write one byte as six characters. */
const textCharsMax = 6 * valueBytesMax + 1_000;

/**
 * Keeps a value unless the key is cleared; once or several times comes to the same.
 * KEYS 1: the key. ARGV 1: the value, 2: how long (ms), 3: the mark of a cleared key. Answers 1: kept, 0: not.
 */
const putScript = redisScript(`
local kind = redis.call('TYPE', KEYS[1]).ok
if kind == 'string' and redis.call('STRLEN', KEYS[1]) == #ARGV[3] and redis.call('GET', KEYS[1]) == ARGV[3] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
`);

export interface RedisSharedCacheOptions {
  readonly redis: RedisConnection;
  readonly keys: RedisKeys;
  readonly signed: SignedText;
}

export function createRedisSharedCache(options: RedisSharedCacheOptions): SharedCache {
  return new RedisSharedCache(options);
}

class RedisSharedCache implements SharedCache {
  readonly isShared = true;
  readonly description: string;
  readonly #options: RedisSharedCacheOptions;
  readonly #listeners = new Set<(key: string) => void>();
  readonly #endListening: () => void;
  #asks = 0;
  #putBytes = 0;
  #isClosed = false;

  constructor(options: RedisSharedCacheOptions) {
    this.#options = options;
    const { redis, keys } = options;
    this.description = `in Redis at ${redis.description}`;
    this.#endListening = redis.subscribe(keys.cacheCleared, (key) => {
      if (cacheKeyPattern.test(key)) this.#tell(key);
    });
  }

  async get(key: string): Promise<string | undefined> {
    if (this.#isClosed || this.#asks >= asksMax) return undefined;
    const { redis, keys, signed } = this.#options;
    this.#asks += 1;
    try {
      const text = await redis.call((commands) => commands.get(keys.cache(key)));
      if (text === null || text === clearedMark) return undefined;
      return signed.open('cache', key, text, kept, textCharsMax)?.v;
    } catch {
      return undefined;
    } finally {
      this.#asks -= 1;
    }
  }

  async put(key: string, value: string, ttlMs: number): Promise<void> {
    const bytes = Buffer.byteLength(value);
    if (this.#isClosed || bytes > valueBytesMax || this.#putBytes + bytes > putBytesMax) return;
    const { redis, keys, signed } = this.#options;
    this.#putBytes += bytes;
    try {
      await redis.script(putScript, [keys.cache(key)], [signed.seal('cache', key, { v: value }), Math.ceil(ttlMs), clearedMark]);
    } catch {
      // Then it is looked up again.
    } finally {
      this.#putBytes -= bytes;
    }
  }

  async clear(key: string, guardMs: number): Promise<boolean> {
    if (this.#isClosed) return false;
    const { redis, keys } = this.#options;
    this.#tell(key);
    try {
      await redis.call((commands) => commands.set(keys.cache(key), clearedMark, 'PX', Math.ceil(guardMs)));
    } catch {
      return false;
    }
    // Lost: others give what they hold themselves for as long as they do anyway.
    await redis.call((commands) => commands.publish(keys.cacheCleared, key)).catch(() => {});
    return true;
  }

  onCleared(listener: (key: string) => void): () => void {
    const each = (key: string): void => listener(key);
    this.#listeners.add(each);
    return () => this.#listeners.delete(each);
  }

  health(): 'up' | { readonly degraded: string } {
    return this.#options.redis.health() === 'up' ? 'up' : { degraded: 'is not there: Redis is away, and lists are asked for again' };
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#endListening();
    this.#listeners.clear();
  }

  #tell(key: string): void {
    for (const listener of [...this.#listeners]) listener(key);
  }
}
