/**
 * ClusterLimits on Redis: a token bucket for each user and address, a hash of each one's connections by node; settled behind, in batches.
 *
 * Guarantees: nothing on a command's way asks Redis. A report without an answer is not made again. While Redis does not answer this node
 * knows nothing of the others and goes by its own limits, from the first failed report on. A dead node's connections count no more
 * `aliveMs` after its last sign.
 * Bounds: `sharedKeysMax` users, and as many addresses, of each kind; `batchMax` keys in a call.
 */
import type { Clock } from '../clock.ts';
import {
  type ClusterLimits,
  type RateKind,
  type RateLimits,
  type SeatKind,
  type SharedRate,
  type SharedSeats,
  sharedKeysMax,
} from './cluster-limits.ts';
import { ClusterRateState, type Report, settleTimes } from './cluster-rate-state.ts';
import { ClusterSeatState } from './cluster-seat-state.ts';
import { type RedisConnection, redisScript } from './redis-connection.ts';
import type { RedisKeys } from './redis-keys.ts';

const batchMax = 200;
const debtBursts = 16;
const signEveryMs = 1_000;
/** A node without a sign for so long is dead, as far as its connections are concerned. */
const aliveMs = 4_000;
/** All seats are told anew so often, and forgotten by Redis after thrice that. */
const seatsEveryMs = 20_000;

/**
 * Settles what passed at one node, for several keys. Not to be repeated: each time counts.
 * KEYS: buckets. ARGV 1: rate a second, 2: burst, then what passed for each key. Answers what is left for each, as text, negative for a debt
 * of at most `debtBursts` bursts: of as many nodes that let one pass at once. By Redis' time. A bucket of another type or of odd content is a full one.
 */
const settleScript = redisScript(`
local rate, burst = tonumber(ARGV[1]), tonumber(ARGV[2])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local left = {}
for i, key in ipairs(KEYS) do
  local kind = redis.call('TYPE', key).ok
  if kind ~= 'hash' and kind ~= 'none' then redis.call('DEL', key) end
  local found = redis.call('HMGET', key, 't', 'a')
  local tokens, at = tonumber(found[1] or ''), tonumber(found[2] or '')
  if not tokens or tokens ~= tokens then tokens = burst end
  if not at or at > now or at < 0 then at = now end
  tokens = math.min(burst, math.max(-${debtBursts} * burst, tokens) + (now - at) * rate / 1000)
  tokens = math.max(-${debtBursts} * burst, tokens - tonumber(ARGV[i + 2]))
  redis.call('HSET', key, 't', string.format('%.3f', tokens), 'a', now)
  redis.call('PEXPIRE', key, math.ceil((burst - tokens) * 1000 / rate) + 1000)
  left[i] = string.format('%.3f', tokens)
end
return left
`);

/**
 * Says how many seats this node has of several keys, and that it lives. May be repeated.
 * KEYS 1: signs of life; the others: seats. ARGV 1: this node's life, 2: how long its sign is good (ms), 3: how long seats are kept (ms), then
 * its number for each key. Answers how many the other living nodes have of each.
 */
const seatScript = redisScript(`
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if redis.call('TYPE', KEYS[1]).ok ~= 'zset' then redis.call('DEL', KEYS[1]) end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[2] * 10)
local others = {}
for i = 2, #KEYS do
  local key, own = KEYS[i], tonumber(ARGV[i + 2])
  local kind = redis.call('TYPE', key).ok
  if kind ~= 'hash' and kind ~= 'none' then redis.call('DEL', key) end
  local sum = 0
  local rows = redis.call('HGETALL', key)
  for row = 1, math.min(#rows, 1024), 2 do
    local count = tonumber(rows[row + 1])
    if rows[row] ~= ARGV[1] then
      if redis.call('ZSCORE', KEYS[1], rows[row]) then sum = sum + math.max(0, count or 0) end
    end
  end
  if own > 0 then
    redis.call('HSET', key, ARGV[1], own)
    redis.call('PEXPIRE', key, ARGV[3])
  else
    redis.call('HDEL', key, ARGV[1])
  end
  others[i - 1] = math.min(sum, 1000000)
end
return others
`);

export interface RedisClusterLimitsOptions {
  readonly redis: RedisConnection;
  readonly keys: RedisKeys;
  readonly clock: Clock;
  readonly incarnation: string;
}

export function createRedisClusterLimits(options: RedisClusterLimitsOptions): ClusterLimits {
  return new RedisClusterLimits(options);
}

interface Rate {
  readonly kind: RateKind;
  readonly limits: RateLimits;
  readonly state: ClusterRateState;
}

class RedisClusterLimits implements ClusterLimits {
  readonly #options: RedisClusterLimitsOptions;
  readonly #rates: Rate[] = [];
  readonly #seats = new Map<SeatKind, ClusterSeatState>();
  /** The last report failed: each node by itself. */
  #isAlone = true;
  #signedAtMs = Number.NEGATIVE_INFINITY;
  #toldAllAtMs = Number.NEGATIVE_INFINITY;
  #isClosed = false;
  #cancel: () => void = () => {};

  constructor(options: RedisClusterLimitsOptions) {
    this.#options = options;
    this.#settleLater();
  }

  rate(kind: RateKind, limits: RateLimits): SharedRate {
    const state = new ClusterRateState(limits, sharedKeysMax);
    this.#rates.push({ kind, limits, state });
    return { take: (key) => (this.#isAlone ? undefined : state.take(key, this.#options.clock.nowMs())) };
  }

  seats(kind: SeatKind): SharedSeats {
    const state = new ClusterSeatState(sharedKeysMax);
    this.#seats.set(kind, state);
    return {
      others: (key) => (this.#isAlone ? 0 : state.others(key)),
      have: (key, count) => state.have(key, count),
      askAgain: (key) => state.askAgain(key),
    };
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#cancel();
    // Its seats count for nobody without its sign.
    const { redis, keys, incarnation } = this.#options;
    await redis.script(forgetScript, [keys.seated], [incarnation]).catch(() => {});
  }

  #settleLater(): void {
    if (this.#isClosed) return;
    this.#cancel = this.#options.clock.after(settleTimes.soonMs, () => {
      this.#settle()
        .then(
          () => {
            this.#isAlone = false;
          },
          () => this.#goAlone(),
        )
        .finally(() => this.#settleLater());
    });
  }

  #goAlone(): void {
    this.#isAlone = true;
    for (const { state } of this.#rates) state.forget();
    for (const state of this.#seats.values()) state.askAll();
  }

  /** Rejects when Redis did not take it. */
  async #settle(): Promise<void> {
    const { clock } = this.#options;
    const nowMs = clock.nowMs();
    for (const rate of this.#rates) {
      const reports = rate.state.due(nowMs);
      for (let from = 0; from < reports.length; from += batchMax) await this.#report(rate, reports.slice(from, from + batchMax));
    }
    if (nowMs - this.#toldAllAtMs >= seatsEveryMs) {
      for (const state of this.#seats.values()) state.askAll();
      this.#toldAllAtMs = nowMs;
    }
    for (const [kind, state] of this.#seats) {
      const due = state.due();
      for (let from = 0; from < due.length; from += batchMax) await this.#tellSeats(kind, state, due.slice(from, from + batchMax));
    }
    if (clock.nowMs() - this.#signedAtMs >= signEveryMs) await this.#tellSeats('user-connections', undefined, []);
  }

  async #report({ kind, limits, state }: Rate, reports: readonly Report[]): Promise<void> {
    const { redis, keys, clock } = this.#options;
    try {
      const left = (await redis.script(
        settleScript,
        reports.map(({ key }) => keys.bucket(kind, key)),
        [limits.perSecondMax, limits.burstMax, ...reports.map(({ used }) => used)],
      )) as readonly unknown[];
      for (const [index, { key }] of reports.entries()) state.settled(key, Number(left[index]), clock.nowMs());
    } catch (error) {
      for (const { key } of reports) state.lost(key);
      throw error;
    }
  }

  async #tellSeats(
    kind: SeatKind,
    state: ClusterSeatState | undefined,
    told: readonly (readonly [key: string, count: number])[],
  ): Promise<void> {
    const { redis, keys, clock, incarnation } = this.#options;
    const others = (await redis.script(
      seatScript,
      [keys.seated, ...told.map(([key]) => keys.seats(kind, key))],
      [incarnation, aliveMs, 3 * seatsEveryMs, ...told.map(([, count]) => count)],
    )) as readonly unknown[];
    this.#signedAtMs = clock.nowMs();
    for (const [index, [key]] of told.entries()) state?.answered(key, Number(others[index]));
  }
}

/** Takes a node's sign of life away. KEYS 1: the signs. ARGV 1: the node's life. */
const forgetScript = redisScript(`
if redis.call('TYPE', KEYS[1]).ok == 'zset' then return redis.call('ZREM', KEYS[1], ARGV[1]) end
return 0
`);
