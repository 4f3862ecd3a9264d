/**
 * RedisConnection: the one place that knows ioredis. Everything else asks Redis through `call` and hears of others by `subscribe`.
 *
 * Guarantees: a call has an outcome within `commandMs`, whatever state the server is in: refused, frozen, half-open, restarted; at
 * most `inFlightMax` are under way, more are refused at once, and so are all while the server rests after failing (redis-breaker).
 * Nothing waits for a connection, and nothing is ever sent twice: a call that failed may have been carried out, so callers send
 * only what may be repeated. No error of the driver, no address and no password reaches a log or a caller.
 * Does not: deliver what was published while it was not connected; whoever subscribes reads when `onUp` says so.
 */
import { createHash } from 'node:crypto';
import type { Redis, RedisOptions } from 'ioredis';
import type { Clock } from '../clock.ts';
import { Fault } from '../errors.ts';
import { chance } from '../ids.ts';
import type { Logger } from '../logger.ts';
import { RedisBreaker } from './redis-breaker-state.ts';
import { RedisSubscriber } from './redis-subscriber.ts';
import { isReply, redisWords } from './redis-words.ts';

/** Calls under way. More: REDIS_BUSY. */
export const redisInFlightMax = 1_000;
const commandMs = 500;
const connectMs = 1_000;
/** A half-open connection gets no FIN back; so long it may take to be let go. */
const disconnectMs = 200;
const retryMinMs = 100;
const retryMaxMs = 1_000;
/** Without other calls the server is asked so often whether it lives. */
const pingEveryMs = 2_000;

/** What `call` may use. Only what may be carried out twice, or not at all, without harm. */
export type RedisCommands = Pick<
  Redis,
  'get' | 'set' | 'del' | 'unlink' | 'publish' | 'ping' | 'exists' | 'scan' | 'hscan' | 'hgetall' | 'smembers'
>;

/** A script and its name in Redis. Made once. */
export interface RedisScript {
  readonly text: string;
  readonly sha: string;
}
export const redisScript = (text: string): RedisScript => ({ text, sha: createHash('sha1').update(text).digest('hex') });

export interface RedisConnectionOptions {
  readonly url: string;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface RedisCounts {
  readonly inFlight: number;
  readonly ok: number;
  readonly failed: number;
  readonly refused: number;
}

export interface RedisConnection {
  /** Rejects with a Fault: REDIS_UNAVAILABLE (carried out or not), REDIS_BUSY (not carried out), REDIS_REFUSED (the server says no). */
  call<T>(command: (redis: RedisCommands) => Promise<T>): Promise<T>;
  /** Runs a script by its name, and gives it to the server where that does not know it. Rejects as `call` does. */
  script(script: RedisScript, keys: readonly string[], values: readonly (string | number)[]): Promise<unknown>;
  /** What is published there from when the server has heard of it. The listener must not throw. Returns the end of it. */
  subscribe(channel: string, listener: (message: string) => void): () => void;
  /** Called after each (re)connect of calls, and of what is subscribed: what happened meanwhile was not heard. */
  onUp(listener: () => void): () => void;
  /** Whether it is connected within so long. */
  ready(withinMs: number): Promise<boolean>;
  health(): 'up' | { readonly degraded: string };
  counts(): RedisCounts;
  /** Host and port. */
  readonly description: string;
  /** Ends both connections at once; calls under way are rejected. Idempotent. */
  close(): void;
}

/** Returns at once, connected or not: the driver is loaded, the rest goes on behind. */
export async function openRedis(options: RedisConnectionOptions): Promise<RedisConnection> {
  const driver = await import('ioredis');
  return new DriverConnection(options, (settings) => new driver.Redis(options.url, { ...settings, replyMapping: 'legacy' }));
}

export const redisSettings: RedisOptions = {
  lazyConnect: true,
  commandTimeout: commandMs,
  connectTimeout: connectMs,
  disconnectTimeout: disconnectMs,
  maxRetriesPerRequest: 1,
  enableOfflineQueue: false,
  autoResendUnfulfilledCommands: false,
  // The subscriber subscribes anew itself, and so knows from when on it hears.
  autoResubscribe: false,
  disableClientInfo: true,
  // For ever: what is not connected costs nothing.
  retryStrategy: (times) => Math.min(retryMaxMs, retryMinMs * 2 ** Math.min(times, 6)) * (0.5 + chance() / 2),
};

class DriverConnection implements RedisConnection {
  readonly description: string;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #redis: Redis;
  readonly #subscriber: RedisSubscriber;
  readonly #breaker = new RedisBreaker();
  readonly #upListeners = new Set<() => void>();
  readonly #counts = { inFlight: 0, ok: 0, failed: 0, refused: 0 };
  #isClosed = false;
  /** What is wrong, in words; undefined: nothing. */
  #trouble: string | undefined = 'was not reached yet';
  #hasToldTrouble = false;
  #cancelPing: () => void = () => {};

  constructor({ url, clock, log }: RedisConnectionOptions, create: (settings: RedisOptions) => Redis) {
    this.#clock = clock;
    this.#log = log;
    this.description = new URL(url).host;
    this.#redis = create(redisSettings);
    this.#redis.on('error', (error: unknown) => this.#troubled(redisWords(error)));
    this.#redis.on('close', () => this.#troubled('is not connected'));
    this.#redis.on('ready', () => this.#ready());
    this.#redis.connect().catch(() => {}); // Told by 'error'; the driver goes on trying.
    this.#subscriber = new RedisSubscriber({ create: () => create(redisSettings), clock, onUp: () => this.#tellUp() });
    this.#ping();
  }

  async call<T>(command: (redis: RedisCommands) => Promise<T>): Promise<T> {
    const counts = this.#counts;
    if (counts.inFlight >= redisInFlightMax) {
      counts.refused += 1;
      throw new Fault('REDIS_BUSY', 'too many calls to Redis are under way');
    }
    if (this.#isClosed || this.#redis.status !== 'ready' || !this.#breaker.takes(this.#clock.nowMs())) {
      counts.refused += 1;
      throw new Fault('REDIS_UNAVAILABLE', `Redis ${this.#trouble ?? 'rests after failing'}`);
    }
    counts.inFlight += 1;
    try {
      const result = await command(this.#redis);
      this.#succeeded();
      counts.ok += 1;
      return result;
    } catch (error) {
      counts.failed += 1;
      const words = redisWords(error);
      // The server is there and has an opinion of this one call.
      if (isReply(error)) {
        this.#breaker.succeeded();
        throw new Fault('REDIS_REFUSED', `Redis ${words}`);
      }
      this.#failed(words);
      throw new Fault('REDIS_UNAVAILABLE', `Redis ${words}`);
    } finally {
      counts.inFlight -= 1;
    }
  }

  async script({ text, sha }: RedisScript, keys: readonly string[], values: readonly (string | number)[]): Promise<unknown> {
    const numbered = [keys.length, ...keys, ...values];
    return this.call(async () => {
      try {
        return await this.#redis.call('EVALSHA', sha, ...numbered);
      } catch (error) {
        // A server that was restarted or flushed; it has done nothing.
        if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error;
        return this.#redis.call('EVAL', text, ...numbered);
      }
    });
  }

  subscribe(channel: string, listener: (message: string) => void): () => void {
    return this.#subscriber.add(channel, listener);
  }

  onUp(listener: () => void): () => void {
    this.#upListeners.add(listener);
    return () => this.#upListeners.delete(listener);
  }

  ready(withinMs: number): Promise<boolean> {
    if (this.#redis.status === 'ready') return Promise.resolve(true);
    return new Promise((resolve) => {
      const end = (isReady: boolean): void => {
        cancel();
        this.#redis.off('ready', onReady);
        resolve(isReady);
      };
      const onReady = (): void => end(true);
      const cancel = this.#clock.after(withinMs, () => end(false));
      this.#redis.on('ready', onReady);
    });
  }

  health(): 'up' | { readonly degraded: string } {
    return this.#trouble === undefined ? 'up' : { degraded: `${this.#trouble}; chat goes on without it` };
  }

  counts(): RedisCounts {
    return this.#counts;
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#cancelPing();
    this.#subscriber.close();
    this.#redis.disconnect();
  }

  #ready(): void {
    this.#breaker.succeeded();
    this.#succeeded();
    this.#tellUp();
  }

  #tellUp(): void {
    if (this.#isClosed) return;
    for (const listener of [...this.#upListeners]) listener();
  }

  #succeeded(): void {
    this.#breaker.succeeded();
    if (this.#trouble === undefined) return;
    this.#trouble = undefined;
    this.#hasToldTrouble = false;
    this.#log.info({ ev: 'redis.up' }, 'Redis answers');
  }

  #failed(words: string): void {
    this.#troubled(words);
    // A frozen server leaves the driver with a list of calls that grows: a new connection begins with none.
    if (this.#breaker.failed(this.#clock.nowMs()) && this.#redis.status === 'ready') this.#redis.disconnect(true);
  }

  /** Once for each time of trouble; what comes later in it is only kept for /readyz. */
  #troubled(words: string): void {
    if (this.#isClosed) return;
    // That it is not connected says less than why.
    if (words !== 'is not connected' || this.#trouble === undefined) this.#trouble = words;
    if (this.#hasToldTrouble) return;
    this.#hasToldTrouble = true;
    this.#log.warn({ ev: 'redis.down', why: words }, `Redis ${words}; chat goes on without it`);
  }

  #ping(): void {
    if (this.#isClosed) return;
    this.#cancelPing = this.#clock.after(pingEveryMs, () => {
      this.call((redis) => redis.ping())
        .catch(() => {
          // Half-open: it counts as connected and does not answer.
          if (this.#redis.status === 'ready') this.#redis.disconnect(true);
        })
        .finally(() => this.#ping());
    });
  }
}
