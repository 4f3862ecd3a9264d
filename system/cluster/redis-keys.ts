/**
 * Redis keys: the names of everything this program keeps in Redis, and the only place that makes them.
 *
 * Guarantees: whatever an id holds (colons, spaces, line breaks, stars), two things never share a key, and no key is longer than some
 * 200 characters. All begin with CHAT_REDIS_KEY_PREFIX. Each is used by single-key scripts or lies beside keys of one Redis: a Redis
 * Cluster, which would want them in one slot, is not supported.
 */
import { createHash } from 'node:crypto';

export interface RedisKeys {
  /** Sorted set: announcements of nodes, each until the Redis time of its score. */
  readonly nodes: string;
  /** Channel: the set above has changed. */
  readonly nodesChanged: string;
  /** String: which life of a node holds its id. */
  claim(node: string): string;
  /** Channel: revocations as they are made. */
  readonly revocations: string;
  /** Hash: a token bucket. `kind` says what is counted, `key` for whom. */
  bucket(kind: string, key: string): string;
  /** Hash: how many of something each node has. */
  seats(kind: string, key: string): string;
  /** Sorted set: nodes whose seats count, each until the Redis time of its score. */
  readonly seated: string;
  /** String: one cached value. */
  cache(key: string): string;
  /** Channel: keys of cached values that were cleared. */
  readonly cacheCleared: string;
  /** String: whose the kept sessions are; without it they are worth nothing. */
  readonly keeper: string;
  /** Set: owners of kept sessions. */
  readonly keptOwners: string;
  /** Hash: the sessions of one owner. */
  kept(owner: string): string;
}

const plainCharsMax = 128;

/** Readable where it is short, a digest where it is not. A digest's first sign is none that encodeURIComponent leaves. */
function part(text: string): string {
  const encoded = encodedOrNothing(text);
  if (encoded !== undefined && encoded.length <= plainCharsMax) return encoded;
  return `#${createHash('sha256').update(Buffer.from(text, 'utf16le')).digest('base64url')}`;
}

/** undefined: it holds half of a surrogate pair. */
function encodedOrNothing(text: string): string | undefined {
  try {
    return encodeURIComponent(text);
  } catch {
    return undefined;
  }
}

export function redisKeys(prefix: string): RedisKeys {
  return {
    nodes: `${prefix}:nodes`,
    nodesChanged: `${prefix}:nodes:changed`,
    claim: (node) => `${prefix}:claim:${part(node)}`,
    revocations: `${prefix}:revocations`,
    bucket: (kind, key) => `${prefix}:bucket:${part(kind)}:${part(key)}`,
    seats: (kind, key) => `${prefix}:seats:${part(kind)}:${part(key)}`,
    seated: `${prefix}:seated`,
    cache: (key) => `${prefix}:cache:${part(key)}`,
    cacheCleared: `${prefix}:cleared`,
    keeper: `${prefix}:state:keeper`,
    keptOwners: `${prefix}:state:owners`,
    kept: (owner) => `${prefix}:state:sessions:${part(owner)}`,
  };
}
