/**
 * Rooms: owns the names of this node's room actors. Finds or starts one, lets idle ones go, rests those that keep failing.
 *
 * Guarantees: at most one room actor per name is told anything; a message is accepted by a living actor or refused with
 * the reason; an actor is let go only if nothing was accepted since it said it was idle.
 * Does not: see the messages' contents. The way of a message is a map lookup, not a hop through this actor.
 */
import {
  type ActorRef,
  acceptedCount,
  type Ctx,
  isEnding,
  isStopped,
  report,
  spawn,
  spawnBucket,
  stopActor,
  tell,
} from '../system/actor.ts';
import { assertNever, type Refusal, refuse } from '../system/errors.ts';
import type { RoomId } from '../system/ids.ts';
import type { Entry } from '../system/store/entry.ts';
import type { RoomSignal } from '../system/wire/wire.ts';
import { type Buckets, bucketOf, spawnBuckets } from './buckets.ts';
import { spawnRoom } from './room.ts';
import type { RoomCommand, RoomDeps, RoomIdle } from './room-commands.ts';

// ---- protocol ----

type RoomsMessage =
  | RoomIdle
  | { readonly type: 'rooms.ended'; readonly room: RoomId; readonly ref: ActorRef<RoomCommand> }
  | { readonly type: 'rooms.rested'; readonly room: RoomId };

/** What the rest of the node uses. */
export interface Rooms {
  /** Tells a room, starting its actor if need be. undefined: accepted, an answer will come; else why not. */
  send(room: RoomId, command: RoomCommand): Refusal | undefined;
  /** Tells a room only if its actor runs here. */
  sendIfActive(room: RoomId, command: RoomCommand): void;
  /** From the wire and the store's tail. */
  onEntries(room: RoomId, entries: readonly Entry[]): void;
  /** `isAlone`: what is new comes by no event, it has to be read. */
  onHead(room: RoomId, seq: number, isAlone?: boolean): void;
  onSignal(room: RoomId, signal: RoomSignal): void;
  isActive(room: RoomId): boolean;
  activeCount(): number;
  activeRooms(): readonly RoomId[];
  readonly ref: ActorRef<RoomIdle>;
}

// ---- what it needs ----

export interface RoomsDeps extends Omit<RoomDeps, 'owner'> {
  readonly roomsActiveMax: number;
}

const restMinMs = 5_000;
const restMaxMs = 60_000;
/** Rooms asked to go when the bound of active rooms is reached; the oldest first. */
const yieldsAtOnce = 64;
const passivationDeadlineMs = 5_000;

// ---- state ----

interface Rest {
  readonly untilMs: number;
  readonly lengthMs: number;
}

// ---- behaviour ----

class RoomsActor implements Rooms {
  readonly ref: ActorRef<RoomsMessage>;
  private readonly deps: RoomDeps;
  private readonly activeMax: number;
  private readonly active = new Map<RoomId, ActorRef<RoomCommand>>();
  /** Failed rooms: resting until a time, and how long the next rest would be. */
  private readonly rests = new Map<RoomId, Rest>();
  private readonly buckets: Buckets;
  private ctx: Ctx<RoomsMessage> | undefined;

  constructor(parent: ActorRef<never>, deps: RoomsDeps) {
    this.activeMax = deps.roomsActiveMax;
    const behaviour = { kind: 'rooms', start: this.start, receive: this.receive };
    // The buckets are beside this actor, not under it: a restart stops what is under an actor, and the rooms need not notice.
    const home = spawnBucket(parent, 'rooms');
    this.ref = spawn<RoomsActor, RoomsMessage>(home, behaviour, { name: 'owner', mailboxMax: roomsMailboxMax, restarts: roomsRestarts });
    this.buckets = spawnBuckets(home);
    this.deps = { ...deps, owner: this.ref };
  }

  private readonly start = (ctx: Ctx<RoomsMessage>): RoomsActor => {
    this.ctx = ctx;
    for (const [room, ref] of this.active) this.watch(room, ref);
    return this;
  };

  private readonly receive = (state: RoomsActor, msg: RoomsMessage, ctx: Ctx<RoomsMessage>): RoomsActor => {
    switch (msg.type) {
      case 'rooms.idle':
        this.onIdle(msg, ctx);
        return state;
      case 'rooms.ended':
        this.onEnded(msg.room, msg.ref, ctx);
        return state;
      case 'rooms.rested':
        this.onRested(msg.room, ctx.nowMs());
        return state;
      default:
        return assertNever(msg);
    }
  };

  // ---- the way in ----

  send(room: RoomId, command: RoomCommand): Refusal | undefined {
    const ref = this.active.get(room);
    if (ref && tell(ref, command) === 'accepted') return undefined;
    if (ref && !isStopped(ref)) return refuse('BUSY', 'this room has too much to do; send again with the same cid', 250);
    const restMs = this.restLeftMs(room);
    if (restMs > 0)
      return refuse('ROOM_UNAVAILABLE', 'this room failed repeatedly and rests; send again with the same cid', Math.ceil(restMs));
    if (this.active.size >= this.activeMax) {
      this.makeSpace();
      return refuse('BUSY', 'too many rooms are active on this node; send again with the same cid', 1_000);
    }
    // Other nodes go on telling it things while this one stops.
    if (isEnding(bucketOf(this.buckets, room)))
      return refuse('ROOM_UNAVAILABLE', 'this node stops; send again with the same cid', restMinMs);
    const started = this.startRoom(room);
    if (tell(started, command) === 'accepted') return undefined;
    return refuse('ROOM_UNAVAILABLE', 'this room could not be started; send again with the same cid', restMinMs);
  }

  sendIfActive(room: RoomId, command: RoomCommand): void {
    const ref = this.active.get(room);
    if (ref) tell(ref, command);
  }

  onEntries(room: RoomId, entries: readonly Entry[]): void {
    this.sendIfActive(room, { type: 'room.event', entries });
  }

  onHead(room: RoomId, seq: number, isAlone = false): void {
    this.sendIfActive(room, { type: 'room.hint', seq, isAlone });
  }

  /** A read mark wakes the room: its user is connected here, perhaps without the room open, and only the room knows its members. */
  onSignal(room: RoomId, signal: RoomSignal): void {
    if (signal.type === 'read') this.send(room, { type: 'room.signal', signal });
    else this.sendIfActive(room, { type: 'room.signal', signal });
  }

  isActive(room: RoomId): boolean {
    return this.active.has(room);
  }

  activeRooms(): readonly RoomId[] {
    return [...this.active.keys()];
  }

  activeCount(): number {
    return this.active.size;
  }

  private startRoom(room: RoomId): ActorRef<RoomCommand> {
    const ref = spawnRoom(bucketOf(this.buckets, room), room, this.deps);
    this.active.set(room, ref);
    this.watch(room, ref);
    return ref;
  }

  private watch(room: RoomId, ref: ActorRef<RoomCommand>): void {
    this.ctx?.watch(ref, () => ({ type: 'rooms.ended', room, ref }));
  }

  // ---- handlers ----

  private onIdle({ room, accepted }: RoomIdle, ctx: Ctx<RoomsMessage>): void {
    const ref = this.active.get(room);
    if (!ref || acceptedCount(ref) !== accepted) return; // Something came meanwhile: it stays.
    this.active.delete(room);
    stopActor(ref, { drain: true, deadlineMs: passivationDeadlineMs }).catch((error: unknown) => {
      ctx.log.error({ ev: 'room.passivate', room, cause: String(error) }, 'a room could not be stopped');
    });
  }

  /** Stopped, but not by us: its restarts are used up. */
  private onEnded(room: RoomId, ref: ActorRef<RoomCommand>, ctx: Ctx<RoomsMessage>): void {
    if (this.active.get(room) !== ref) return;
    this.active.delete(room);
    const lengthMs = Math.min(restMaxMs, (this.rests.get(room)?.lengthMs ?? restMinMs / 2) * 2);
    this.rests.set(room, { untilMs: ctx.nowMs() + lengthMs, lengthMs });
    // Remembered for one more full rest: a room that fails again soon rests longer.
    ctx.after(2 * lengthMs + restMaxMs, { type: 'rooms.rested', room });
    report(ctx.self, { ev: 'actor.quarantine', room, decision: 'quarantine', delayMs: lengthMs });
  }

  private onRested(room: RoomId, nowMs: number): void {
    const rest = this.rests.get(room);
    if (rest && rest.untilMs + rest.lengthMs <= nowMs) this.rests.delete(room);
  }

  private restLeftMs(room: RoomId): number {
    const rest = this.rests.get(room);
    return rest ? Math.max(0, rest.untilMs - this.deps.clock.nowMs()) : 0;
  }

  private makeSpace(): void {
    let asked = 0;
    for (const ref of this.active.values()) {
      tell(ref, { type: 'room.yield' });
      asked += 1;
      if (asked === yieldsAtOnce) return;
    }
  }
}

// ---- restarts and spawn ----

const roomsRestarts = { restartsMax: 5, windowMs: 10_000, backoffMs: 10, backoffMaxMs: 1_000 } as const;
const roomsMailboxMax = 100_000;

export function spawnRooms(parent: ActorRef<never>, deps: RoomsDeps): Rooms {
  return new RoomsActor(parent, deps);
}
