/**
 * HeadPoll: asks the store for the heads of rooms that have readers or writers here, where others append to the same logs.
 *
 * The last entry of a quiet room has no successor that would reveal its loss: whatever came by no other way is found here.
 * Guarantees: while the store's tail is not live, every active room is asked about within a second or two; while it is, within 30 s.
 * One poll at a time, so a slow store is asked less often, not more. Does not: run where this node is the only writer.
 */
import { type ActorRef, type Ctx, spawn } from '../system/actor.ts';
import type { RoomId } from '../system/ids.ts';
import type { Head } from '../system/store/entry.ts';
import type { RoomLog } from '../system/store/room-log.ts';
import type { Rooms } from './rooms.ts';

// ---- protocol ----

type HeadPollMessage =
  | { readonly type: 'headPoll.due' }
  | { readonly type: 'headPoll.polled'; readonly rooms: readonly RoomId[]; readonly heads: readonly Head[] };

// ---- what it needs ----

export interface HeadPollDeps {
  readonly log: Pick<RoomLog, 'heads' | 'isTailLive'>;
  readonly rooms: Pick<Rooms, 'activeRooms' | 'onHead'>;
}

const pollMs = 1_000;
/** With a live tail, which tells within milliseconds; this finds what a tail missed. */
const sweepMs = 30_000;
/** Rooms asked about at once. */
const roomsPerCall = 512;

// ---- state ----

interface HeadPollState {
  /** Still to be asked about in this round. */
  readonly left: readonly RoomId[];
  readonly sweptMs: number;
}

// ---- behaviour ----

class HeadPoll {
  readonly kind = 'headPoll';
  private readonly deps: HeadPollDeps;

  constructor(deps: HeadPollDeps) {
    this.deps = deps;
  }

  start(ctx: Ctx<HeadPollMessage>): HeadPollState {
    ctx.after(pollMs, { type: 'headPoll.due' });
    return { left: [], sweptMs: ctx.nowMs() };
  }

  receive(state: HeadPollState, msg: HeadPollMessage, ctx: Ctx<HeadPollMessage>): HeadPollState {
    switch (msg.type) {
      case 'headPoll.due': {
        const isDue = !this.deps.log.isTailLive || ctx.nowMs() - state.sweptMs >= sweepMs;
        return isDue ? this.ask({ left: this.deps.rooms.activeRooms(), sweptMs: ctx.nowMs() }, ctx) : this.rest(state, ctx);
      }
      case 'headPoll.polled':
        for (const [index, room] of msg.rooms.entries()) {
          const head = msg.heads[index];
          if (head) this.deps.rooms.onHead(room, head.seq, true);
        }
        return this.ask(state, ctx);
    }
  }

  private ask(state: HeadPollState, ctx: Ctx<HeadPollMessage>): HeadPollState {
    const rooms = state.left.slice(0, roomsPerCall);
    if (rooms.length === 0) return this.rest(state, ctx);
    ctx.pipe(
      this.deps.log.heads(rooms),
      (heads): HeadPollMessage => ({ type: 'headPoll.polled', rooms, heads }),
      (): HeadPollMessage => ({ type: 'headPoll.polled', rooms: [], heads: [] }),
    );
    return { ...state, left: state.left.slice(roomsPerCall) };
  }

  private rest(state: HeadPollState, ctx: Ctx<HeadPollMessage>): HeadPollState {
    ctx.after(pollMs, { type: 'headPoll.due' });
    return { ...state, left: [] };
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
