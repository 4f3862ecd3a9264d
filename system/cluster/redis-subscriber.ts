/**
 * RedisSubscriber: the connection that hears what is published, besides the one of calls.
 *
 * Guarantees: after each reconnect it subscribes anew and then says so, since what was published meanwhile is lost; a connection that
 * does not answer its ping is replaced. Messages over `messageCharsMax` are not passed on.
 * Does not: keep anything for anybody.
 */
import type { Redis } from 'ioredis';
import type { Clock } from '../clock.ts';

const pingEveryMs = 2_000;
const messageCharsMax = 65_536;

export interface RedisSubscriberDeps {
  readonly create: () => Redis;
  readonly clock: Clock;
  /** All channels are listened to again. */
  readonly onUp: () => void;
}

export class RedisSubscriber {
  readonly #deps: RedisSubscriberDeps;
  readonly #listeners = new Map<string, Set<(message: string) => void>>();
  /** Made with the first channel. */
  #redis: Redis | undefined;
  #isClosed = false;
  #cancelPing: () => void = () => {};

  constructor(deps: RedisSubscriberDeps) {
    this.#deps = deps;
  }

  add(channel: string, listener: (message: string) => void): () => void {
    if (this.#isClosed) return () => {};
    const known = this.#listeners.get(channel);
    if (known) known.add(listener);
    else {
      this.#listeners.set(channel, new Set([listener]));
      if (this.#redis === undefined) this.#redis = this.#connect();
      else if (this.#redis.status === 'ready') this.#subscribe(this.#redis, [channel]);
    }
    return () => {
      const listeners = this.#listeners.get(channel);
      listeners?.delete(listener);
      if (listeners?.size !== 0) return;
      this.#listeners.delete(channel);
      if (this.#redis?.status === 'ready') this.#redis.unsubscribe(channel).catch(() => {});
    };
  }

  close(): void {
    this.#isClosed = true;
    this.#cancelPing();
    this.#listeners.clear();
    this.#redis?.disconnect();
  }

  #connect(): Redis {
    const redis = this.#deps.create();
    redis.on('error', () => {}); // The connection of calls says how the server is.
    redis.on('ready', () => this.#subscribe(redis, [...this.#listeners.keys()]));
    redis.on('message', (channel: string, message: string) => {
      if (message.length > messageCharsMax) return;
      for (const listener of [...(this.#listeners.get(channel) ?? [])]) listener(message);
    });
    redis.connect().catch(() => {});
    this.#ping(redis);
    return redis;
  }

  #subscribe(redis: Redis, channels: readonly string[]): void {
    if (channels.length === 0) return;
    redis.subscribe(...channels).then(
      () => {
        if (!this.#isClosed) this.#deps.onUp();
      },
      () => this.#replace(redis),
    );
  }

  #ping(redis: Redis): void {
    if (this.#isClosed) return;
    this.#cancelPing = this.#deps.clock.after(pingEveryMs, () => {
      const answer = redis.status === 'ready' ? redis.ping() : Promise.resolve('');
      answer.catch(() => this.#replace(redis)).finally(() => this.#ping(redis));
    });
  }

  #replace(redis: Redis): void {
    if (!this.#isClosed && redis.status === 'ready') redis.disconnect(true);
  }
}
