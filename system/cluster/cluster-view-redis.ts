/**
 * ClusterView on Redis: one sorted set of announcements, each good until a Redis time; a channel says that it has changed.
 *
 * Guarantees: another node is seen within some milliseconds, or after `refreshMs` where the notice was lost; a dead one is gone after
 * `aliveMs`. While Redis is away the last view stays as it was, and after Redis was emptied it stays until all had time to tell
 * themselves again. Forged and malformed announcements are as if they were not there.
 * Bounds: `nodesMax` nodes; further ones are not seen.
 */
import { z } from 'zod';
import type { Clock } from '../clock.ts';
import type { Incarnation, NodeId } from '../ids.ts';
import type { Logger } from '../logger.ts';
import type { ClusterNode, ClusterView } from './cluster-view.ts';
import { type RedisConnection, redisScript } from './redis-connection.ts';
import type { RedisKeys } from './redis-keys.ts';
import type { SignedText } from './signed-text.ts';

const refreshMs = 2_000;
/** Longer than a node stands still while it is well, shorter than clients wait for a dead one. */
const aliveMs = 6_000;
/** After a notice: what several say at once is read once. */
const noticeMs = 20;
const closeMs = 1_000;
export const nodesMax = 256;

const announcement = z.object({
  node: z.string().regex(/^[A-Za-z0-9_-]{1,64}$/),
  inc: z.string().regex(/^[A-Za-z0-9_.-]{1,128}$/),
  address: z
    .string()
    .regex(/^[^\s/]{1,300}:\d{1,5}$/)
    .optional(),
  ready: z.boolean().optional(),
});

/**
 * Announces and reads. May be carried out any number of times.
 * KEYS 1: the sorted set. ARGV 1: own announcement, or ''; 2: how long it is good (ms); 3: at most so many are read; 4 and on: earlier ones
 * to be taken out. Answers: 1 where the own one was there before, 2 where an earlier one was, else 0; then the announcements that are good, the latest
 * first. A key of another type is
 * nobody's of ours: it is deleted.
 */
const announceScript = redisScript(`
if redis.call('TYPE', KEYS[1]).ok ~= 'zset' then redis.call('DEL', KEYS[1]) end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
local known = 0
for i = 4, #ARGV do if redis.call('ZREM', KEYS[1], ARGV[i]) == 1 then known = 2 end end
if ARGV[1] ~= '' then
  if redis.call('ZSCORE', KEYS[1], ARGV[1]) then known = 1 end
  redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])
  redis.call('PEXPIRE', KEYS[1], ARGV[2] * 10)
end
local read = redis.call('ZREVRANGE', KEYS[1], 0, ARGV[3] - 1)
table.insert(read, 1, known)
return read
`);

export interface RedisClusterViewOptions {
  readonly redis: RedisConnection;
  readonly keys: RedisKeys;
  readonly signed: SignedText;
  readonly clock: Clock;
  readonly log: Logger;
}

export function createRedisClusterView(options: RedisClusterViewOptions): ClusterView {
  return new RedisClusterView(options);
}

class RedisClusterView implements ClusterView {
  readonly description: string;
  readonly #options: RedisClusterViewOptions;
  readonly #listeners = new Set<() => void>();
  readonly #ends: (() => void)[] = [];
  #nodes = new Map<Incarnation, ClusterNode>();
  #self: ClusterNode | undefined;
  /** As it stands in Redis, or will. */
  #text = '';
  /** All that may stand there by now of this node. As many as it has addresses and states. */
  readonly #sent = new Set<string>();
  #wasRead = false;
  /** Redis has had a word of this node. */
  #wasThere = false;
  /** Redis had forgotten this node: perhaps it has forgotten others, which are kept until then. */
  #keepUntilMs = Number.NEGATIVE_INFINITY;
  #isReading = false;
  #isAgainDue = false;
  #hasToldFull = false;
  #isClosed = false;
  #cancel: () => void = () => {};

  constructor(options: RedisClusterViewOptions) {
    this.#options = options;
    const { redis, keys } = options;
    this.description = `Redis at ${redis.description}`;
    this.#ends.push(
      redis.subscribe(keys.nodesChanged, () => this.#readIn(noticeMs)),
      redis.onUp(() => this.#readIn(0)),
    );
    this.#readIn(0);
  }

  nodes(): readonly ClusterNode[] {
    return [...this.#nodes.values()];
  }

  find(incarnation: Incarnation): ClusterNode | undefined {
    return this.#nodes.get(incarnation);
  }

  onChange(listener: () => void): () => void {
    const each = (): void => listener();
    this.#listeners.add(each);
    return () => this.#listeners.delete(each);
  }

  announce(self: ClusterNode): void {
    if (this.#isClosed) return;
    const { signed, keys } = this.#options;
    const { node, incarnation: inc, address, isReady: ready } = self;
    const said = { node, inc, ...(address !== undefined && { address }), ...(ready !== undefined && { ready }) };
    const text = signed.seal('node', keys.nodes, said);
    if (text === this.#text) return;
    this.#text = text;
    this.#self = self;
    this.#show(new Map(this.#nodes).set(self.incarnation, self));
    this.#readIn(0);
  }

  health(): 'up' | { readonly degraded: string } {
    const state = this.#options.redis.health();
    if (state !== 'up') return { degraded: 'may be out of date: Redis is away' };
    return this.#wasRead ? 'up' : { degraded: 'was not read yet' };
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#cancel();
    for (const end of this.#ends.splice(0)) end();
    this.#listeners.clear();
    if (this.#text === '') return;
    const { redis, keys, clock } = this.#options;
    const gone = redis
      .script(announceScript, [keys.nodes], ['', aliveMs, 1, this.#text, ...this.#sent])
      .then(() => redis.call((commands) => commands.publish(keys.nodesChanged, '')))
      .catch(() => {}); // It ends by itself.
    await new Promise<void>((resolve) => {
      const cancel = clock.after(closeMs, resolve);
      void gone.then(() => {
        cancel();
        resolve();
      });
    });
  }

  #readIn(delayMs: number): void {
    if (this.#isClosed) return;
    if (this.#isReading) {
      this.#isAgainDue = true;
      return;
    }
    this.#cancel();
    this.#cancel = this.#options.clock.after(delayMs, () => void this.#read());
  }

  async #read(): Promise<void> {
    const { redis, keys } = this.#options;
    this.#isReading = true;
    this.#isAgainDue = false;
    const text = this.#text;
    const outdated = [...this.#sent].filter((sent) => sent !== text);
    if (text !== '') this.#sent.add(text);
    try {
      const answer = await redis.script(announceScript, [keys.nodes], [text, aliveMs, nodesMax + 1, ...outdated]);
      if (this.#isClosed) return;
      const [known, ...texts] = answer as [unknown, ...unknown[]];
      for (const old of outdated) this.#sent.delete(old);
      this.#take(texts, this.#wasThere && Number(known) === 0);
      if (text !== '') this.#wasThere = true;
      // Others need not wait for their next reading to find this one.
      if (text !== '' && Number(known) !== 1) await redis.call((commands) => commands.publish(keys.nodesChanged, ''));
    } catch {
      // The connection tells of it; the last view stays.
    } finally {
      this.#isReading = false;
      this.#readIn(this.#isAgainDue ? noticeMs : refreshMs);
    }
  }

  #take(texts: readonly unknown[], wasForgotten: boolean): void {
    const { clock, signed, keys, log } = this.#options;
    if (wasForgotten) this.#keepUntilMs = clock.nowMs() + aliveMs;
    this.#wasRead = true;
    if (texts.length > nodesMax && !this.#hasToldFull) {
      this.#hasToldFull = true;
      log.warn({ ev: 'cluster.full', bound: nodesMax }, `more than ${nodesMax} nodes are announced; the others are not seen from here`);
    }
    const isKept = clock.nowMs() < this.#keepUntilMs;
    const nodes = new Map<Incarnation, ClusterNode>(isKept ? this.#nodes : []);
    if (this.#self) nodes.set(this.#self.incarnation, this.#self);
    const seen = new Set<Incarnation>();
    for (const text of texts.slice(0, nodesMax)) {
      const read = signed.open('node', keys.nodes, text, announcement);
      const incarnation = read?.inc as Incarnation;
      // Of two words of one node the one that was said last counts.
      if (read === undefined || read.inc === this.#self?.incarnation || seen.has(incarnation)) continue;
      seen.add(incarnation);
      const { ready: isReady } = read;
      nodes.set(incarnation, { node: read.node as NodeId, incarnation, address: read.address, ...(isReady !== undefined && { isReady }) });
    }
    this.#show(nodes);
  }

  #show(nodes: Map<Incarnation, ClusterNode>): void {
    const isSame =
      nodes.size === this.#nodes.size &&
      [...nodes].every(([key, { address, isReady }]) => {
        const before = this.#nodes.get(key);
        return before !== undefined && before.address === address && before.isReady === isReady;
      });
    this.#nodes = nodes;
    if (isSame) return;
    for (const listener of [...this.#listeners]) listener();
  }
}
