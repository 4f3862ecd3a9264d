/**
 * StoreModel: the durable store as the protocol meets it: slow, losing requests and answers, failing over, committing
 * late. Appends answer appended | conflict | rejected | unknown; reads see committed entries only.
 *
 * Guarantees (the RoomLog contract): a prefix or all of a batch, in order; both indexes are unique; committed stays.
 * A batch is inserted one by one: others may come in between, and a fail-over may end it half-way.
 */

import type { RoomId } from '../../system/ids.ts';
import type { Entry } from '../../system/store/entry.ts';
import type { Random } from './random.ts';
import { type Doc, StoreLog } from './store-log.ts';
import { Violation, type World } from './world.ts';

export type AppendReply = 'appended' | 'conflict' | 'unknown' | { readonly rejected: number; readonly reason: string };

/** Who asks. An embedded store dies with its process: nothing of a dead caller takes effect later. */
export interface Caller {
  readonly isAlive: boolean;
}

interface Append {
  readonly room: RoomId;
  readonly entries: readonly Entry[];
  readonly caller: Caller;
  readonly rejectAt: number;
  done: (reply: AppendReply) => void;
}

export class StoreModel {
  private readonly world: World;
  private readonly random: Random;
  private readonly logs = new Map<RoomId, StoreLog>();
  private readonly onCommit: (room: RoomId, headSeq: number) => void;
  private readonly waiting = new Map<Doc, Append[]>();
  private term = 0;
  private downUntilMs = 0;

  constructor(world: World, onCommit: (room: RoomId, headSeq: number) => void) {
    this.world = world;
    this.random = world.random('store');
    this.onCommit = onCommit;
  }

  log(room: RoomId): StoreLog {
    let log = this.logs.get(room);
    if (!log) this.logs.set(room, (log = new StoreLog()));
    return log;
  }

  /** Puts an entry in without going through the protocol: how a room begins. */
  seed(room: RoomId, entry: Entry): void {
    const log = this.log(room);
    log.commit(log.insert(entry));
  }

  private delay(): number {
    return 0.2 + this.random.next() * this.world.options.storeDelayMaxMs;
  }

  append(room: RoomId, after: number, entries: readonly Entry[], caller: Caller, reply: (reply: AppendReply) => void): void {
    const { world, random } = this;
    const { options } = world;
    if (entries.some((entry, index) => entry.seq !== after + 1 + index)) throw new Violation('CRASH', room, 'append: misnumbered entries');
    let isAnswered = false;
    const done = (outcome: AppendReply): void => {
      if (isAnswered) return;
      isAnswered = true;
      reply(outcome);
    };
    // An embedded store never answers before the outcome is final; across a network time runs out.
    const isEmbedded = !options.sharedLog;
    const rejectAt = entries.findIndex((entry) => this.isRefused(entry));
    const request: Append = { room, entries, caller, rejectAt, done: (outcome) => world.after(this.delay(), () => done(outcome)) };
    const unknown = (): void => {
      if (isAnswered) return;
      world.count('store: unknown');
      done('unknown');
    };
    if (!isEmbedded) world.after(random.int(200, 1200), unknown);
    if (world.fault(random, options.appendLost)) {
      world.after(this.delay(), unknown);
    } else if (!isEmbedded && world.fault(random, options.appendLate)) {
      const lateMs = random.int(1, 600);
      world.after(this.delay(), unknown);
      world.after(lateMs, () => this.execute({ ...request, done: ignore }, 0, true));
    } else {
      if (world.fault(random, options.replyLost)) request.done = isEmbedded ? () => world.after(this.delay(), unknown) : ignore;
      world.after(this.delay(), () => this.execute(request, 0, false));
    }
  }

  /** Some entries the store will never take: the same ones each time they are tried. */
  private isRefused({ by, cid }: Entry): boolean {
    const { appendRejected } = this.world.options;
    return appendRejected > 0 && this.world.random(`rejected ${by} ${cid}`).chance(appendRejected);
  }

  /** Inserts from entry `index` on, in the order of the batch. */
  private execute(request: Append, index: number, isLate: boolean, term = this.term): void {
    const { world, random } = this;
    if (!world.options.sharedLog && !request.caller.isAlive) return;
    if (this.world.nowMs < this.downUntilMs) {
      // The driver's own retry: once the new primary is there.
      if (index === 0 && random.chance(0.5))
        world.after(this.downUntilMs - world.nowMs + this.delay(), () => this.execute(request, 0, isLate));
      else request.done('unknown');
      return;
    }
    if (term !== this.term) return request.done('unknown');
    const log = this.log(request.room);
    let conflicts = 0;
    let last: Doc | undefined;
    for (let at = index; at < request.entries.length; at += 1) {
      const entry = request.entries[at] as Entry;
      if (at === request.rejectAt) return request.done({ rejected: at, reason: 'entry too large for the store' });
      const holder = log.holder(entry, world.options.storeBug !== 'no-id-index');
      if (holder) {
        if (!holder.isCommitted) {
          holder.isWinner = true;
          world.count('store: conflict with an uncommitted winner');
        }
        conflicts += 1;
        if (world.options.storeBug === 'unordered') continue;
        return request.done('conflict');
      }
      last = log.insert(entry);
      world.mark('insert', entry.seq);
      if (isLate) world.count('store: late effect');
      if (world.isTracing)
        world.say(
          request.room,
          `store     inserts ${entry.seq} ${entry.kind} ${entry.by}/${entry.cid} by ${entry.writer}${isLate ? ' (late)' : ''}`,
        );
      this.commitSoon(request.room, last);
      if (at + 1 < request.entries.length && random.chance(0.2)) {
        world.after(this.delay(), () => this.execute(request, at + 1, isLate, term));
        return;
      }
    }
    if (conflicts > 0) return request.done('conflict');
    if (!last || last.isCommitted || world.options.storeBug === 'w1') return request.done('appended');
    this.waiting.set(last, [...(this.waiting.get(last) ?? []), request]);
  }

  private commitSoon(room: RoomId, doc: Doc): void {
    const { world, random } = this;
    const isStalled = world.fault(random, world.options.commitStall);
    const lagMs = isStalled ? random.int(100, 900) : random.next() * world.options.commitLagMaxMs;
    world.after(lagMs, () => {
      if (!doc.isTruncated) this.commit(room, doc);
    });
  }

  private commit(room: RoomId, upTo: Doc): void {
    const log = this.log(room);
    const fresh = log.commit(upTo);
    if (fresh.length === 0) return;
    this.world.mark('commit', log.headSeq);
    if (this.world.isTracing) this.world.say(room, `store     commits up to ${log.headSeq}`);
    for (const doc of fresh) {
      for (const request of this.waiting.get(doc) ?? []) request.done('appended');
      this.waiting.delete(doc);
    }
    this.onCommit(room, log.headSeq);
  }

  /** The primary is lost; a random part of what was not committed goes with it. */
  failOver(): void {
    const { world, random } = this;
    this.term += 1;
    this.downUntilMs = world.nowMs + random.int(5, 1500);
    world.count('store: fail-over');
    for (const [room, log] of this.logs) {
      const lost = log.truncate(random.int(log.commitCount, log.docs.length));
      for (const doc of lost) {
        if (doc.isWinner) world.count('store: roll-back of an uncommitted winner');
        world.count('store: rolled back');
      }
      if (world.isTracing)
        world.say(
          room,
          `store     FAIL-OVER until ${this.downUntilMs.toFixed(1)}; lost ${lost.map((doc) => doc.entry.seq).join(' ') || 'nothing'}`,
        );
    }
    for (const requests of this.waiting.values()) for (const request of requests) request.done('unknown');
    this.waiting.clear();
  }

  /** What committed reads say at some moment of the request, or that they failed. */
  read<T>(caller: Caller, at: () => T, reply: (result: T) => void, failed: () => void): void {
    const { world, random } = this;
    const isLost = world.fault(random, world.options.readFail);
    world.after(this.delay(), () => {
      if (!caller.isAlive) return;
      if (isLost || world.nowMs < this.downUntilMs) {
        world.after(random.int(1, 300), failed);
        return;
      }
      const result = at();
      world.after(this.delay(), () => reply(result));
    });
  }
}

function ignore(): void {}
