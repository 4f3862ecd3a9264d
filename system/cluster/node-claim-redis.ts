/**
 * NodeClaim: this node's hold on its id, in Redis, renewed every few seconds and given back at the end.
 *
 * Guarantees: while Redis answers, two nodes of one id do not both go on for longer than some seconds (node-claim-state says which one
 * does). While it does not, nothing is decided and the node serves: chat does not need Redis, and what a double id harms is
 * presence and the names in logs, not messages.
 * Does not: end the process; whoever started it does.
 */
import { z } from 'zod';
import type { Clock } from '../clock.ts';
import { Fault } from '../errors.ts';
import type { Logger } from '../logger.ts';
import { type Claim, NodeClaimState } from './node-claim-state.ts';
import { type RedisConnection, redisScript } from './redis-connection.ts';
import type { RedisKeys } from './redis-keys.ts';
import type { SignedText } from './signed-text.ts';

export interface ClaimTimes {
  /** A claim that is not renewed is over after this, by Redis' time. */
  readonly goodMs: number;
  readonly renewEveryMs: number;
  /** While another's is looked at. */
  readonly lookEveryMs: number;
  /** A start waits so long for Redis, then goes on without. */
  readonly reachMs: number;
}

const usualTimes: ClaimTimes = { goodMs: 10_000, renewEveryMs: 3_000, lookEveryMs: 500, reachMs: 1_500 };
/** Beyond the time a claim is good: then it would be gone, were it a living node's. */
const slackMs = 2_000;

const claimShape = z.object({
  inc: z.string().min(1).max(128),
  host: z.string().max(256),
  sinceMs: z.number().int().min(0),
  beat: z.number().int().min(0),
});

/**
 * Puts a claim in the place of the one that is expected there; twice does no harm.
 * KEYS 1: the claim. ARGV 1: the new one, 2: the one expected, or '', 3: how long it is good (ms). Answers '' when it stands there now, else
 * the claim that does. A key of another type counts as none.
 */
const putScript = redisScript(`
if redis.call('TYPE', KEYS[1]).ok ~= 'string' then redis.call('DEL', KEYS[1]) end
local found = redis.call('GET', KEYS[1])
if found and found ~= ARGV[2] and found ~= ARGV[1] then return found end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[3])
return ''
`);

/** Takes the own claim away. KEYS 1: the claim. ARGV 1: the own one. */
const releaseScript = redisScript(`
if redis.call('TYPE', KEYS[1]).ok == 'string' and redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
`);

export interface NodeClaimOptions {
  readonly redis: RedisConnection;
  readonly keys: RedisKeys;
  readonly signed: SignedText;
  readonly clock: Clock;
  readonly log: Logger;
  readonly node: string;
  readonly incarnation: string;
  readonly host: string;
  /** Another node of this id was started earlier and lives: this one is to stop. In words that complete "the node stops: …". */
  readonly onLost: (reason: string) => void;
  readonly times?: Partial<ClaimTimes>;
}

export interface NodeClaim {
  health(): 'up' | { readonly degraded: string };
  /** Gives the id back, at once for the next node of it. Never rejects. Idempotent. */
  release(): Promise<void>;
}

/**
 * Resolves when the id is this node's, or when Redis cannot be reached: then it is claimed later. Rejects with NODE_ID_TAKEN when another
 * living node holds it. Waits at most as long as a dead node's claim is good.
 */
export async function claimNode(options: NodeClaimOptions): Promise<NodeClaim> {
  const claim = new RedisNodeClaim(options);
  await claim.start();
  return claim;
}

type Looked = { readonly step: 'held' } | { readonly step: 'wait' | 'lose'; readonly holder: Claim } | { readonly step: 'unknown' };

class RedisNodeClaim implements NodeClaim {
  readonly #options: NodeClaimOptions;
  readonly #times: ClaimTimes;
  readonly #state: NodeClaimState;
  readonly #sinceMs: number;
  #isServing = false;
  #beat = 0;
  /** As it stands in Redis, as far as this node knows; '' before there is one. */
  #text = '';
  #heldUntilMs = Number.NEGATIVE_INFINITY;
  #isReleased = false;
  #cancel: () => void = () => {};

  constructor(options: NodeClaimOptions) {
    this.#options = options;
    this.#times = { ...usualTimes, ...options.times };
    this.#sinceMs = options.clock.wallMs();
    this.#state = new NodeClaimState({ inc: options.incarnation, sinceMs: this.#sinceMs }, this.#times.goodMs + slackMs);
  }

  async start(): Promise<void> {
    const { redis, clock, log, node } = this.#options;
    const { reachMs, lookEveryMs } = this.#times;
    let hasTold = false;
    if (await redis.ready(reachMs)) {
      for (;;) {
        const looked = await this.#look();
        if (looked.step === 'lose') throw new Fault('NODE_ID_TAKEN', takenBy(node, looked.holder));
        // Redis went away meanwhile: as if it had not been there.
        if (looked.step !== 'wait') break;
        if (!hasTold)
          log.warn(
            { ev: 'claim.wait', node, holder: looked.holder.inc, host: looked.holder.host },
            `the id ${node} is claimed by ${looked.holder.inc} on ${looked.holder.host}; waiting up to ${Math.ceil((this.#times.goodMs + slackMs) / 1_000)} s to see whether it lives`,
          );
        hasTold = true;
        await new Promise<void>((resolve) => void clock.after(lookEveryMs, resolve));
      }
    }
    this.#isServing = true;
    if (!this.#isHeld)
      log.warn({ ev: 'claim.later', node }, `the id ${node} is not claimed yet: Redis is away; another node could have it too`);
    this.#lookLater(this.#isHeld ? this.#times.renewEveryMs : lookEveryMs);
  }

  health(): 'up' | { readonly degraded: string } {
    return this.#isHeld ? 'up' : { degraded: 'of the node id is open: Redis is away; another node could have the id too' };
  }

  async release(): Promise<void> {
    if (this.#isReleased) return;
    this.#isReleased = true;
    this.#cancel();
    const { redis, keys, node } = this.#options;
    if (this.#text !== '') await redis.script(releaseScript, [keys.claim(node)], [this.#text]).catch(() => {});
  }

  get #isHeld(): boolean {
    return this.#options.clock.nowMs() < this.#heldUntilMs;
  }

  #lookLater(delayMs: number): void {
    if (this.#isReleased) return;
    this.#cancel = this.#options.clock.after(delayMs, () => {
      const wasHeld = this.#isHeld;
      void this.#look().then((looked) => this.#after(looked, wasHeld));
    });
  }

  #after(looked: Looked, wasHeld: boolean): void {
    if (this.#isReleased) return;
    const { log, node, onLost } = this.#options;
    const { renewEveryMs, lookEveryMs } = this.#times;
    if (looked.step === 'lose') {
      const reason = takenBy(node, looked.holder);
      log.error(
        { ev: 'claim.lost', node, holder: looked.holder.inc, host: looked.holder.host },
        `${reason}; it was started earlier, so this one stops`,
      );
      onLost(reason);
      return;
    }
    if (looked.step === 'held' && !wasHeld) log.info({ ev: 'claim.held', node }, `the id ${node} is claimed`);
    this.#lookLater(looked.step === 'held' ? renewEveryMs : lookEveryMs);
  }

  /** Puts the claim there, as often as what is found there says so. */
  async #look(): Promise<Looked> {
    const { redis, keys, clock, signed, node } = this.#options;
    let expected = this.#text;
    try {
      // Twice: once to learn what is there, once in its place. A third time only while somebody else is quicker.
      for (let round = 0; round < 3; round += 1) {
        const text = this.#nextText();
        const askedMs = clock.nowMs();
        const found = await redis.script(putScript, [keys.claim(node)], [text, expected, this.#times.goodMs]);
        if (found === '') {
          this.#text = text;
          this.#heldUntilMs = askedMs + this.#times.goodMs;
          return { step: 'held' };
        }
        const holder = signed.open('claim', node, found, claimShape);
        const step = this.#state.see(holder, this.#isServing, clock.nowMs());
        if (step !== 'take' && holder !== undefined) {
          if (holder.inc !== this.#options.incarnation) this.#heldUntilMs = Number.NEGATIVE_INFINITY;
          return { step, holder };
        }
        if (holder !== undefined && holder.inc !== this.#options.incarnation)
          this.#options.log.warn(
            { ev: 'claim.take', node, holder: holder.inc, host: holder.host },
            this.#isServing
              ? `the id ${node} was claimed by ${holder.inc} on ${holder.host}, which was started later: it has to stop`
              : `the id ${node} was claimed by ${holder.inc} on ${holder.host}, which does not live`,
          );
        expected = String(found);
      }
    } catch {
      // The connection tells of it.
    }
    return { step: 'unknown' };
  }

  #nextText(): string {
    this.#beat += 1;
    const { incarnation: inc, host, signed, node } = this.#options;
    return signed.seal('claim', node, { inc, host, sinceMs: this.#sinceMs, beat: this.#beat });
  }
}

const takenBy = (node: string, { inc, host, sinceMs }: Claim): string =>
  `another node has the id ${node}: ${inc} on ${host}, since ${new Date(sinceMs).toISOString()}; give each node its own CHAT_NODE_ID`;
