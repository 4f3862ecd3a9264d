/**
 * HeadPoll: asks the store for the heads of rooms that have readers or writers here, where others append to the same logs.
 *
 * The last entry of a quiet room has no successor that would reveal its loss: whatever came by no other way is found here.
 * Guarantees: while the store's tail is not live, each active room is asked about every second as long as there are no more than
 * `roundMax`; of more, those where people talk go first and the quiet ones share the rest. While it is live, each within 30 s.
 * Rooms that are only watched get what `watchedMax` leaves them, in turn. One poll at a time, so a slow store is asked less often, not
 * more. Does not: run where this node is the only writer.
 */
import { type ActorRef, type Ctx, spawn } from '../system/actor.ts';
import type { RoomId } from '../system/ids.ts';
import type { Head } from '../system/store/entry.ts';
import type { RoomLog } from '../system/store/room-log.ts';
import { HeadPollPlan } from './head-poll-state.ts';
import type { HeadWatch } from './head-watch.ts';
import type { Rooms } from './rooms.ts';

// ---- protocol ----

type HeadPollMessage =
  | { readonly type: 'headPoll.due' }
  | { readonly type: 'headPoll.polled'; readonly rooms: readonly RoomId[]; readonly heads: readonly Head[] };

// ---- what it needs ----

export interface HeadPollDeps {
  readonly log: Pick<RoomLog, 'heads' | 'isTailLive'>;
  readonly rooms: Pick<Rooms, 'activeRooms' | 'onHead'>;
  readonly heads: Pick<HeadWatch, 'nextWatched' | 'onPolled'>;
}

const pollMs = 1_000;
/** A live tail tells within milliseconds; this finds what a tail missed. */
const sweepMs = 30_000;
/** Rooms of one round. 64 heads take MongoDB 10 ms: this is a third of a second of its work, each second. */
const roundMax = 2_048;
/** Of rooms that are not active here but watched by somebody: of 10,000 each is asked about within 20 s, with a live tail within 160 s. */
const watchedMax = 512;
const watchedSweepMax = 64;
/** Rooms asked about at once. */
const roomsPerCall = 512;

// ---- state ----

interface HeadPollState {
  /** Still to be asked about in this round. */
  readonly left: readonly RoomId[];
}

// ---- behaviour ----

class HeadPoll {
  readonly kind = 'headPoll';
  private readonly deps: HeadPollDeps;
  private readonly plan = new HeadPollPlan();

  constructor(deps: HeadPollDeps) {
    this.deps = deps;
  }

  start(ctx: Ctx<HeadPollMessage>): HeadPollState {
    return this.rest(ctx);
  }

  receive(state: HeadPollState, msg: HeadPollMessage, ctx: Ctx<HeadPollMessage>): HeadPollState {
    switch (msg.type) {
      case 'headPoll.due':
        return this.ask(this.round(ctx.nowMs()), ctx);
      case 'headPoll.polled':
        for (const [index, room] of msg.rooms.entries()) {
          const head = msg.heads[index];
          if (!head) continue;
          this.plan.found(room, head.seq, ctx.nowMs());
          this.deps.rooms.onHead(room, head.seq, true);
          this.deps.heads.onPolled(room, head);
        }
        return this.ask(state.left, ctx);
    }
  }

  private round(nowMs: number): readonly RoomId[] {
    const { log, rooms, heads } = this.deps;
    const isLive = log.isTailLive;
    const active = rooms.activeRooms();
    // Ticks are a little early or late: what is due at the next one is due now.
    const everyMs = isLive ? sweepMs : pollMs / 2;
    const round = this.plan.next(active, { everyMs, roundMax }, nowMs);
    return [...round, ...heads.nextWatched(isLive ? watchedSweepMax : watchedMax)];
  }

  private ask(left: readonly RoomId[], ctx: Ctx<HeadPollMessage>): HeadPollState {
    const rooms = left.slice(0, roomsPerCall);
    if (rooms.length === 0) return this.rest(ctx);
    ctx.pipe(
      this.deps.log.heads(rooms),
      (heads): HeadPollMessage => ({ type: 'headPoll.polled', rooms, heads }),
      (): HeadPollMessage => ({ type: 'headPoll.polled', rooms: [], heads: [] }),
    );
    return { left: left.slice(roomsPerCall) };
  }

  private rest(ctx: Ctx<HeadPollMessage>): HeadPollState {
    ctx.after(pollMs, { type: 'headPoll.due' });
    return { left: [] };
  }
}

// ---- restarts and spawn ----

const headPollRestarts = { restartsMax: 5, windowMs: 10_000, backoffMs: 100, backoffMaxMs: 2_000 } as const;

export function spawnHeadPoll(parent: ActorRef<never>, deps: HeadPollDeps): ActorRef<never> {
  return spawn<HeadPollState, HeadPollMessage>(parent, new HeadPoll(deps), {
    name: 'head-poll',
    mailboxMax: 8,
    restarts: headPollRestarts,
  });
}
