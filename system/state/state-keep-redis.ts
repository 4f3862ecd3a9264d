/**
 * StateKeep on Redis: a hash of sessions for each owner, written behind; one key says whose they are and that they are fresh.
 *
 * Guarantees: what changed is written within some 100 ms while Redis answers, of each session the last state only; after an outage or an
 * emptied Redis everything is written anew. Only one state server writes: one that finds another's sign stands back and says so.
 * Bounds: `keptWaitingMax` changes wait; more are forgotten, and everything is written anew.
 */
import { z } from 'zod';
import type { Clock } from '../clock.ts';
import { type RedisConnection, redisScript } from '../cluster/redis-connection.ts';
import type { RedisKeys } from '../cluster/redis-keys.ts';
import type { SignedText } from '../cluster/signed-text.ts';
import { Fault } from '../errors.ts';
import { newId } from '../ids.ts';
import type { Logger } from '../logger.ts';
import { type KeptSession, type KeptSource, keptSessionsMax, keptWaitingMax, type StateKeep } from './state-keep.ts';

const writeEveryMs = 100;
/** The sign is renewed so often without changes; without it for `freshMs` what is kept is worth nothing. */
const signEveryMs = 5_000;
const freshMs = 60_000;
const retryMs = 1_000;
/** Hashes of a state server that never came back go by themselves; all is written anew before that. */
const hashTtlMs = 48 * 60 * 60 * 1_000;
const allEveryMs = 24 * 60 * 60 * 1_000;
/** Sessions of one call. */
const rowsMax = 500;
const loadMs = 3_000;
const ownersMax = 2_000;
const closeMs = 1_000;

const row = z.object({ u: z.string().min(1).max(256), p: z.string().max(256) });

/**
 * Writes sessions of one owner, if the sign is this server's. May be carried out any number of times.
 * KEYS 1: the sign, 2: the set of owners, 3: the owner's hash. ARGV 1: own sign, 2: how long it is good (ms), 3: how long the hash is kept
 * (ms), 4: the owner, then id and value of each; '' as value: it is gone. Answers 1: written, 0: there is no sign, -1: it is another's.
 */
const writeScript = redisScript(`
if redis.call('TYPE', KEYS[1]).ok ~= 'string' then redis.call('DEL', KEYS[1]) return 0 end
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return -1 end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
if #ARGV < 6 then return 1 end
if redis.call('TYPE', KEYS[2]).ok ~= 'set' then redis.call('DEL', KEYS[2]) end
if redis.call('TYPE', KEYS[3]).ok ~= 'hash' then redis.call('DEL', KEYS[3]) end
for i = 5, #ARGV, 2 do
  if ARGV[i + 1] == '' then redis.call('HDEL', KEYS[3], ARGV[i]) else redis.call('HSET', KEYS[3], ARGV[i], ARGV[i + 1]) end
end
redis.call('PEXPIRE', KEYS[3], ARGV[3])
redis.call('PEXPIRE', KEYS[2], ARGV[3])
if redis.call('EXISTS', KEYS[3]) == 1 then redis.call('SADD', KEYS[2], ARGV[4]) else redis.call('SREM', KEYS[2], ARGV[4]) end
return 1
`);

/**
 * Puts the own sign there, once or several times.
 * KEYS 1: the sign. ARGV 1: own sign, 2: how long it is good (ms), 3: '1' to take the place of another's. Answers 1, or -1: it is another's.
 */
const takeScript = redisScript(`
local isText = redis.call('TYPE', KEYS[1]).ok == 'string'
if ARGV[3] ~= '1' and isText and redis.call('GET', KEYS[1]) ~= ARGV[1] then return -1 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
`);

export interface RedisStateKeepOptions {
  readonly redis: RedisConnection;
  readonly keys: RedisKeys;
  readonly signed: SignedText;
  readonly clock: Clock;
  readonly log: Logger;
}

export function createRedisStateKeep(options: RedisStateKeepOptions): StateKeep {
  return new RedisStateKeep(options);
}

class RedisStateKeep implements StateKeep {
  readonly description: string;
  readonly #options: RedisStateKeepOptions;
  readonly #sign = newId();
  readonly #marks = new Map<string, Set<string>>();
  #waiting = 0;
  #source: KeptSource | undefined;
  #isAllDue = true;
  #allAtMs = 0;
  #signedAtMs = Number.NEGATIVE_INFINITY;
  #hasTaken = false;
  #isStoodBack = false;
  #isClosed = false;
  #writing: Promise<void> | undefined;
  #cancel: () => void = () => {};

  constructor(options: RedisStateKeepOptions) {
    this.#options = options;
    this.description = `kept in Redis at ${options.redis.description}`;
  }

  async load(): Promise<readonly KeptSession[]> {
    const { redis, keys, clock, log } = this.#options;
    const endMs = clock.nowMs() + loadMs;
    const loaded: KeptSession[] = [];
    if (!(await redis.ready(loadMs / 3))) return loaded;
    try {
      if ((await redis.call((commands) => commands.get(keys.keeper))) === null) return loaded;
      const owners = await redis.call((commands) => commands.smembers(keys.keptOwners));
      for (const owner of owners.slice(0, ownersMax)) await this.#loadOwner(owner, endMs, loaded);
    } catch (error) {
      log.warn(
        { ev: 'state.kept', count: loaded.length, why: error instanceof Error ? error.message : 'failed' },
        'not all kept sessions could be read; nodes tell them again',
      );
    }
    return loaded;
  }

  follow(source: KeptSource): void {
    this.#source = source;
    this.#isAllDue = true;
    this.#writeIn(0);
  }

  changed(owner: string, id: string): void {
    if (this.#isStoodBack || this.#isClosed || this.#isAllDue) return;
    const ids = this.#marks.get(owner) ?? new Set<string>();
    if (ids.has(id)) return;
    if (this.#waiting >= keptWaitingMax) return this.#allIsDue();
    ids.add(id);
    this.#marks.set(owner, ids);
    this.#waiting += 1;
  }

  waiting(): number {
    return Math.max(this.#waiting, this.#isAllDue && this.#source !== undefined ? 1 : 0);
  }

  health(): 'up' | { readonly degraded: string } {
    if (this.#isStoodBack) return { degraded: 'is kept by another state server' };
    return this.#options.redis.health() === 'up' ? 'up' : { degraded: 'is not kept: Redis is away' };
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#cancel();
    if (this.#source === undefined) return;
    await new Promise<void>((resolve) => {
      const cancel = this.#options.clock.after(closeMs, resolve);
      const last = this.#options.redis
        .ready(closeMs)
        .then(() => this.#writing)
        .then(() => this.#write());
      void last
        .catch(() => {})
        .then(() => {
          cancel();
          resolve();
        });
    });
  }

  async #loadOwner(owner: string, endMs: number, loaded: KeptSession[]): Promise<void> {
    const { redis, keys, clock } = this.#options;
    let cursor = '0';
    do {
      if (clock.nowMs() > endMs || loaded.length >= keptSessionsMax) return;
      try {
        const [next, fields] = await redis.call((commands) => commands.hscan(keys.kept(owner), cursor, 'COUNT', 1_000));
        this.#open(owner, fields, loaded);
        cursor = next;
      } catch (error) {
        // No hash: nobody's of ours.
        if (error instanceof Fault && error.code === 'REDIS_REFUSED') return;
        throw error;
      }
    } while (cursor !== '0');
  }

  #open(owner: string, fields: readonly string[], loaded: KeptSession[]): void {
    for (let index = 0; index + 1 < fields.length; index += 2) {
      const id = fields[index] as string;
      const read = this.#options.signed.open('session', `${owner}\n${id}`, fields[index + 1], row);
      if (read !== undefined) loaded.push({ owner, id, user: read.u, place: read.p });
    }
  }

  #allIsDue(): void {
    this.#isAllDue = true;
    this.#marks.clear();
    this.#waiting = 0;
  }

  #writeIn(delayMs: number): void {
    if (this.#isClosed || this.#isStoodBack) return;
    this.#cancel();
    this.#cancel = this.#options.clock.after(delayMs, () => {
      const writing = this.#write();
      this.#writing = writing.catch(() => {});
      writing.then(
        () => this.#writeIn(writeEveryMs),
        () => this.#writeIn(retryMs),
      );
    });
  }

  /** Rejects when Redis does not take it: then it is tried again, with what is so by then. */
  async #write(): Promise<void> {
    const { clock } = this.#options;
    if (this.#isStoodBack) return;
    if (clock.nowMs() - this.#allAtMs > allEveryMs) this.#allIsDue();
    if (this.#isAllDue) return this.#writeAll();
    if (this.#waiting === 0) {
      if (clock.nowMs() - this.#signedAtMs >= signEveryMs) await this.#send('', []);
      return;
    }
    const marks = [...this.#marks];
    this.#marks.clear();
    this.#waiting = 0;
    for (const [index, [owner, ids]] of marks.entries()) {
      try {
        await this.#sendAll(owner, [...ids]);
      } catch (error) {
        for (const [late, lateIds] of marks.slice(index)) for (const id of lateIds) this.changed(late, id);
        throw error;
      }
    }
  }

  async #writeAll(): Promise<void> {
    const { redis, keys, clock } = this.#options;
    const source = this.#source;
    if (source === undefined) return;
    // First: what changes from now on is marked.
    this.#isAllDue = false;
    try {
      // Only the first time it may be another's: later, that one is newer.
      const taken = await redis.script(takeScript, [keys.keeper], [this.#sign, freshMs, this.#hasTaken ? '0' : '1']);
      if (taken !== 1) return this.#standBack();
      this.#hasTaken = true;
      this.#signedAtMs = clock.nowMs();
      const owners = await redis.call((commands) => commands.smembers(keys.keptOwners)).catch(() => []);
      for (let from = 0; from < owners.length; from += rowsMax)
        await redis.call((commands) => commands.unlink(...owners.slice(from, from + rowsMax).map(keys.kept)));
      await redis.call((commands) => commands.unlink(keys.keptOwners));
      for (const owner of [...source.owners()]) await this.#sendAll(owner, [...source.of(owner).keys()]);
      this.#allAtMs = clock.nowMs();
    } catch (error) {
      this.#allIsDue();
      throw error;
    }
  }

  async #sendAll(owner: string, ids: readonly string[]): Promise<void> {
    for (let from = 0; from < ids.length; from += rowsMax) {
      // A sign that was lost meanwhile means that all is written anew.
      if (this.#isAllDue || this.#isStoodBack) return;
      await this.#send(owner, ids.slice(from, from + rowsMax));
    }
  }

  async #send(owner: string, ids: readonly string[]): Promise<void> {
    const { redis, keys, signed, clock } = this.#options;
    const sessions = this.#source?.of(owner);
    const rows = ids.flatMap((id) => {
      const session = sessions?.get(id);
      return [id, session === undefined ? '' : signed.seal('session', `${owner}\n${id}`, { u: session.user, p: session.place })];
    });
    const answer = await redis.script(
      writeScript,
      [keys.keeper, keys.keptOwners, keys.kept(owner)],
      [this.#sign, freshMs, hashTtlMs, owner, ...rows],
    );
    if (answer === 1) {
      this.#signedAtMs = clock.nowMs();
      return;
    }
    if (answer === -1) this.#standBack();
    else this.#allIsDue();
  }

  #standBack(): void {
    this.#allIsDue();
    this.#isStoodBack = true;
    this.#options.log.error(
      { ev: 'state.keeper' },
      'another state server keeps its sessions under the same CHAT_REDIS_KEY_PREFIX; this one keeps none from now on',
    );
  }
}
