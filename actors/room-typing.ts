/**
 * RoomTyping: who types in a room, here and on other nodes, and who is shown it.
 *
 * Guarantees: ends by time, by a message of theirs, with their membership, or with their last connection. Whoever types before the room
 * is loaded waits to be judged. Not shown in rooms of many members: it would outnumber what is said.
 * Does not: survive a crash of the room, but for telling those who waited.
 */
import { type ActorRef, tell } from '../system/actor.ts';
import { type Refusal, refuse } from '../system/errors.ts';
import type { UserId } from '../system/ids.ts';
import type { Entry } from '../system/store/entry.ts';
import type { RoomSignal } from '../system/wire/wire.ts';
import type { Answer } from './client-command.ts';
import type { RoomReaders } from './room-readers.ts';
import type { RoomState } from './room-state.ts';
import { TypingState } from './typing-state.ts';

type TypingSignal = Extract<RoomSignal, { type: 'typing' }>;

export interface Typist {
  readonly user: UserId;
  readonly replyTo: ActorRef<Answer>;
}

/** Who may wait to be judged while the room is loaded. More: BUSY. */
export const typistsWaitingMax = 256;
/** Members of a room up to which it shows who types and who has read what; beyond, that would outnumber what is said. */
const signalsMembersMax = 100;

export const showsSignals = ({ fold }: RoomState): boolean => fold.size <= signalsMembersMax;

export class RoomTyping {
  private readonly readers: RoomReaders;
  private typing = new TypingState();
  private waiting: Typist[] = [];
  /** For other nodes. */
  private told: TypingSignal[] = [];

  constructor(readers: RoomReaders) {
    this.readers = readers;
  }

  /** Another life of the room begins, or none. */
  restart(refusal: Refusal): void {
    this.typing = new TypingState();
    this.told = [];
    for (const { replyTo } of this.waiting.splice(0)) tell(replyTo, { ok: false, refusal });
  }

  take(typist: Typist, room: RoomState, nowMs: number): void {
    // Nobody is known yet: whoever is judged now is told what a stranger is told.
    if (!room.isLoaded && this.waiting.length < typistsWaitingMax) this.waiting.push(typist);
    else if (!room.isLoaded) tell(typist.replyTo, { ok: false, refusal: refuse('BUSY', 'too many wait for the room to wake up', 250) });
    else this.judge(typist, room, nowMs);
  }

  judgeWaiting(room: RoomState, nowMs: number): void {
    if (this.waiting.length === 0 || !room.isLoaded) return;
    for (const typist of this.waiting.splice(0)) this.judge(typist, room, nowMs);
  }

  /** The user's last connection here has closed the room. */
  left(user: UserId): void {
    if (!this.typing.end(user, 'here')) return;
    this.told.push({ type: 'typing', user, isTyping: false });
    this.show();
  }

  /** Another node's user types there, or stopped. */
  elsewhere({ user, isTyping }: TypingSignal, room: RoomState, nowMs: number): void {
    if (!isTyping) {
      if (this.typing.end(user, 'elsewhere')) this.show();
    } else if (room.fold.isMember(user) && showsSignals(room) && this.typing.begin(user, nowMs, 'elsewhere')) this.show();
  }

  /** What other nodes are to be told since the last time. They end it by themselves as we do, by time or by a message. */
  toTell(): readonly TypingSignal[] {
    return this.told.length === 0 ? this.told : this.told.splice(0);
  }

  delivered(entries: readonly Entry[]): void {
    let hasChanged = false;
    for (const { by, member } of entries) {
      const ended = [by, ...(member?.change === 'kicked' ? [member.user] : [])].filter((user) => this.typing.end(user));
      if (ended.length > 0) hasChanged = true;
    }
    if (hasChanged) this.show();
  }

  expire(nowMs: number): void {
    if (this.typing.expire(nowMs)) this.show();
  }

  nextEndMs(): number | undefined {
    return this.typing.nextEndMs();
  }

  private judge({ user, replyTo }: Typist, room: RoomState, nowMs: number): void {
    if (!room.fold.isMember(user)) {
      const isPublic = room.fold.facts?.public;
      const refusal = isPublic ? refuse('FORBIDDEN', 'join the room first') : refuse('NOT_FOUND', 'no such room');
      tell(replyTo, { ok: false, refusal });
      return;
    }
    if (showsSignals(room)) {
      if (this.typing.begin(user, nowMs, 'here')) this.show();
      if (this.typing.isToTell(user, nowMs)) this.told.push({ type: 'typing', user, isTyping: true });
    }
    tell(replyTo, { ok: true, result: { type: 'done' } });
  }

  private show(): void {
    this.readers.showTyping(this.typing.users());
  }
}
