/**
 * RoomPipes: what a room has under way past its turns: calls to the store, to other nodes and to the directory, read marks, and the wait of
 * a busy node. Each comes back as one message of the room to itself.
 *
 * Guarantees: nobody else in the room waits for any of it; whoever drains the room waits for all of it. What cannot be answered comes back
 * too; damage of this room's own log as a crash: the supervisor decides.
 * Does not: decide what is asked, or what an answer means.
 */
import type { Ctx } from '../system/actor.ts';
import { refuse } from '../system/errors.ts';
import type { RoomId } from '../system/ids.ts';
import type { StandingMark } from '../system/store/user-rooms.ts';
import type { RoomDeps } from './room-commands.ts';
import type { OutsideWord } from './room-outside.ts';
import type { RoomInput, StoreEffect } from './room-protocol.ts';
import type { RoomReads } from './room-reads.ts';
import { callStore } from './room-store-effects.ts';

/** Nobody but the room itself can send them: its ref takes commands only. */
export type RoomInternal =
  | { readonly type: 'room.stored'; readonly input: RoomInput }
  | { readonly type: 'room.corrupt'; readonly error: unknown }
  | { readonly type: 'room.gathered' }
  | { readonly type: 'room.outside'; readonly key: number; readonly word: OutsideWord }
  | { readonly type: 'room.marked'; readonly standing: readonly StandingMark[] }
  | { readonly type: 'room.unmarked'; readonly error: unknown };

export const notAvailable = refuse('ROOM_UNAVAILABLE', 'the room is not available on this node; send again with the same cid', 1_000);

type Pipes = Pick<Ctx<RoomInternal>, 'pipe' | 'log'>;

const stored = (input: RoomInput): RoomInternal => ({ type: 'room.stored', input });
const corrupt = (error: unknown): RoomInternal => ({ type: 'room.corrupt', error });
const gathered = (): RoomInternal => ({ type: 'room.gathered' });

export class RoomPipes {
  private readonly room: RoomId;
  private readonly deps: Pick<RoomDeps, 'log' | 'userRooms' | 'clock'>;

  constructor(room: RoomId, deps: Pick<RoomDeps, 'log' | 'userRooms' | 'clock'>) {
    this.room = room;
    this.deps = deps;
  }

  /** Its result is an input of the room's state. */
  store(effect: StoreEffect, reads: RoomReads, ctx: Pipes): void {
    const { log, userRooms } = this.deps;
    ctx.pipe(callStore(effect, { room: this.room, log, userRooms, reads, logger: ctx.log }), stored, corrupt);
  }

  /** What another node answers is an input as the store's answers are; what is known at once goes to `inputs`. */
  forwarded(done: RoomInput | Promise<RoomInput>, inputs: RoomInput[], ctx: Pipes): void {
    if (done instanceof Promise) ctx.pipe(done, stored, corrupt);
    else inputs.push(done);
  }

  /** What the directory says of a command that waits for it. */
  outside(key: number, word: Promise<OutsideWord>, ctx: Pipes): void {
    ctx.pipe(
      word,
      (said) => ({ type: 'room.outside', key, word: said }),
      () => ({ type: 'room.outside', key, word: { type: 'refused', refusal: notAvailable } }),
    );
  }

  marks(written: Promise<readonly StandingMark[]>, ctx: Pipes): void {
    ctx.pipe(
      written,
      (standing) => ({ type: 'room.marked', standing }),
      (error) => {
        ctx.log.warn({ ev: 'mark.failed', room: this.room, cause: String(error) }, 'read marks could not be kept');
        return { type: 'room.unmarked', error };
      },
    );
  }

  /** A pipe and not a timer, so that whoever drains the room waits for what is held. */
  gather(gatherMs: number, ctx: Pipes): void {
    ctx.pipe(new Promise<void>((resolve) => this.deps.clock.after(gatherMs, resolve)), gathered, gathered);
  }
}
