/**
 * Room: this node's actor of one room. Carries out what `room-state` decides.
 *
 * Owns: the readers (`room-readers`), the answers owed (`room-answers`), read marks (`room-marks`), the typing set, one timer.
 * Guarantees: what the pure state guarantees; after a crash its readers go on from where they were, or are told.
 * Does not: decide order (the log does), validate payloads (the gateway does), know a socket (a sink is one).
 */
import { type ActorRef, acceptedCount, type Ctx, report, spawn, tell } from '../system/actor.ts';
import type { Clock } from '../system/clock.ts';
import { LogCorrupt, refuse } from '../system/errors.ts';
import type { RoomId, UserId } from '../system/ids.ts';
import { type Entry, isMessage } from '../system/store/entry.ts';
import type { Range, RoomLog } from '../system/store/room-log.ts';
import type { StandingMark, UserRooms } from '../system/store/user-rooms.ts';
import type { Wire } from '../system/wire/wire.ts';
import type { Answer } from './client-command.ts';
import type { ClientSink, FrameEncoder } from './client-sink.ts';
import { formOf, RoomAnswers } from './room-answers.ts';
import type { WriteCommand } from './room-fold.ts';
import { readPage } from './room-history.ts';
import { RoomMarks } from './room-marks.ts';
import type { RoomNotices } from './room-notices.ts';
import type { AnsweredOutcome, ReaderId, RoomEffect, RoomInput, RoomSettings, StoreEffect, Time } from './room-protocol.ts';
import { type ReaderGone, RoomReaders } from './room-readers.ts';
import { RoomReads } from './room-reads.ts';
import { RoomState } from './room-state.ts';
import { callStore, isStoreEffect } from './room-store-effects.ts';
import { noLoad, type RoomLoad, type RoomTally } from './room-tally.ts';
import { RoomTyping, showsSignals } from './room-typing.ts';
import { WriteGather } from './write-gather.ts';

// ---- protocol ----

export type RoomCommand =
  | { readonly type: 'room.write'; readonly command: WriteCommand; readonly replyTo: ActorRef<Answer> }
  | {
      readonly type: 'room.open';
      readonly reader: ReaderId;
      readonly user: UserId;
      readonly sink: ClientSink;
      /** Told when the room is taken away from the reader. */
      readonly session: ActorRef<ReaderGone>;
      /** The session's own number of this opening; given back when the room closes itself to the reader. */
      readonly opening: number;
      readonly since?: number;
      readonly epoch?: string;
      readonly limit: number;
      readonly replyTo: ActorRef<Answer>;
    }
  | { readonly type: 'room.close'; readonly reader: ReaderId }
  | { readonly type: 'room.history'; readonly user: UserId; readonly range: Range; readonly replyTo: ActorRef<Answer> }
  | { readonly type: 'room.typing'; readonly user: UserId; readonly replyTo: ActorRef<Answer> }
  | { readonly type: 'room.mark'; readonly user: UserId; readonly seq: number; readonly from: ReaderId; readonly replyTo: ActorRef<Answer> }
  /** The reader's sink has room again. */
  | { readonly type: 'room.readerReady'; readonly reader: ReaderId }
  | { readonly type: 'room.event'; readonly entries: readonly Entry[] }
  | { readonly type: 'room.hint'; readonly seq: number }
  /** Say so to the owner when idle, without waiting for the idle time. */
  | { readonly type: 'room.yield' };
type RoomInternal =
  | { readonly type: 'room.stored'; readonly input: RoomInput }
  | { readonly type: 'room.corrupt'; readonly error: LogCorrupt }
  | { readonly type: 'room.gathered' }
  | { readonly type: 'room.marked'; readonly standing: readonly StandingMark[] }
  | { readonly type: 'room.unmarked'; readonly error: unknown }
  | { readonly type: 'room.wake' };
type RoomMessage = RoomCommand | RoomInternal;

/** The passivation handshake: idle, having accepted so many messages. The owner removes it only if no more came since. */
export interface RoomIdle {
  readonly type: 'rooms.idle';
  readonly room: RoomId;
  readonly accepted: number;
}

// ---- what it needs ----

export interface RoomDeps {
  readonly log: RoomLog;
  readonly userRooms: UserRooms;
  readonly wire: Wire;
  readonly encoder: FrameEncoder;
  readonly clock: Clock;
  readonly settings: RoomSettings;
  readonly roomIdleMs: number;
  /** How long to gather commands before they are appended; 0: no longer than the turn. */
  readonly gatherMs: () => number;
  readonly tally: RoomTally;
  readonly notices: RoomNotices;
  readonly owner: ActorRef<RoomIdle>;
}

const notAvailable = refuse('ROOM_UNAVAILABLE', 'the room is not available on this node; send again with the same cid', 1_000);
/** Of the commands that may wait for their append: a line says so. */
const pendingHighRatio = 0.8;
/** Early events of all rooms of the node together. Above it an event is only a hint, and what it held is read from the log. */
export const nodeReorderBytesMax = 64 * 1024 * 1024;

// ---- state ----

interface RoomActorState {
  readonly machine: RoomState;
  readonly reads: RoomReads;
  readonly inputs: RoomInput[];
  readonly writes: WriteGather;
  /** Opens made for readers of the life before, by key. */
  readonly reopening: Map<number, ReaderId>;
  wakeAtMs: number;
  cancelWake: () => void;
  idleSinceMs: number | undefined;
  mustYield: boolean;
}

// ---- behaviour ----

class RoomActor {
  private readonly room: RoomId;
  private readonly deps: RoomDeps;
  private isFirstLife = true;
  /** These outlive a crash: who reads here, who waits for an answer, who has read what. */
  private readonly readers: RoomReaders;
  private readonly answers: RoomAnswers;
  private readonly marks: RoomMarks;
  private readonly typing: RoomTyping;
  private load: RoomLoad = noLoad;
  private isPendingHigh = false;

  constructor(room: RoomId, deps: RoomDeps) {
    this.room = room;
    this.deps = deps;
    this.readers = new RoomReaders(room, deps.encoder);
    this.answers = new RoomAnswers(room);
    this.marks = new RoomMarks(room, deps);
    this.typing = new RoomTyping(this.readers);
  }

  readonly start = (ctx: Ctx<RoomMessage>): RoomActorState => {
    // An append of the life before may still land: as if somebody else wrote to this log.
    const settings = this.isFirstLife ? this.deps.settings : { ...this.deps.settings, sharedLog: true };
    this.isFirstLife = false;
    const state: RoomActorState = {
      machine: new RoomState(settings, this.deps.tally.counters),
      reads: new RoomReads(this.deps.log, this.room, this.deps.clock),
      inputs: [{ type: 'start' }],
      writes: new WriteGather(),
      reopening: new Map(),
      wakeAtMs: Number.POSITIVE_INFINITY,
      cancelWake: () => {},
      idleSinceMs: undefined,
      mustYield: false,
    };
    this.recover(state);
    return this.turnEnd(state, ctx);
  };

  readonly receive = (state: RoomActorState, msg: RoomMessage, ctx: Ctx<RoomMessage>): RoomActorState => {
    switch (msg.type) {
      case 'room.write':
        this.onWrite(state, msg);
        return state;
      case 'room.open':
        this.onOpen(state, msg);
        return state;
      case 'room.close':
        this.onClose(state, msg.reader);
        return state;
      case 'room.history':
        this.onHistory(state, msg);
        return state;
      case 'room.typing':
        this.typing.take(msg, state.machine, ctx.nowMs());
        return state;
      case 'room.mark': {
        const { user, seq, from, replyTo } = msg;
        state.inputs.push({ type: 'mark', key: this.answers.owe({ replyTo, user, from, form: 'read' }), user, seq });
        return state;
      }
      case 'room.readerReady':
        if (this.readers.unblock(msg.reader)) state.inputs.push({ type: 'ready', reader: msg.reader });
        return state;
      case 'room.event':
        if (msg.entries.some(isDelete)) state.reads.forget();
        state.inputs.push(this.eventInput(msg.entries));
        return state;
      case 'room.hint':
        if (msg.seq > state.machine.headSeq) state.inputs.push({ type: 'hint', seq: msg.seq });
        return state;
      case 'room.yield':
        state.mustYield = true;
        return state;
      case 'room.stored':
        if ((msg.input.type === 'caughtUp' || msg.input.type === 'resolved') && msg.input.entries.some(isDelete)) state.reads.forget();
        state.inputs.push(msg.input);
        return state;
      case 'room.corrupt':
        throw msg.error;
      case 'room.gathered':
        state.writes.release();
        return state;
      case 'room.wake':
        state.wakeAtMs = Number.POSITIVE_INFINITY;
        state.inputs.push({ type: 'tick' });
        state.reads.expire(ctx.nowMs());
        this.marks.expire(ctx.nowMs());
        this.typing.expire(ctx.nowMs());
        return state;
      case 'room.marked':
        this.marks.wrote(msg.standing, state.machine.headN, this.readers, !showsSignals(state.machine));
        return state;
      case 'room.unmarked':
        this.marks.failed(msg.error);
        return state;
    }
  };

  /** The batching point: the turn's commands become one append, its entries one frame. */
  readonly turnEnd = (state: RoomActorState, ctx: Ctx<RoomMessage>): RoomActorState => {
    this.takeWrites(state, ctx);
    do {
      const inputs = state.inputs.splice(0);
      if (inputs.length > 0) this.carryOut(state, state.machine.handle(inputs, this.time(ctx)), ctx);
      this.deliver(state);
    } while (state.inputs.length > 0);
    if (ctx.nowMs() >= (this.marks.writeAtMs() ?? Number.POSITIVE_INFINITY)) this.writeMarks(ctx);
    this.typing.judgeWaiting(state.machine, ctx.nowMs());
    this.considerLeaving(state, ctx);
    this.arm(state, ctx);
    const { pendingCount, earlyBytes } = state.machine;
    this.tellLoad({ readers: this.readers.size, waiting: pendingCount, earlyBytes });
    this.warnIfHigh(pendingCount, ctx);
    return state;
  };

  /** It waited for a room that ended, or is what the room failed on. */
  readonly unhandled = (msg: RoomMessage): void => {
    if ('replyTo' in msg) tell(msg.replyTo, { ok: false, refusal: notAvailable });
  };

  readonly stopped = (_state: RoomActorState | undefined, reason: 'stopped' | 'crashed'): void => {
    const refusal = notAvailable;
    this.answers.refuseAll(refusal);
    this.typing.restart(refusal);
    this.marks.end(refusal, this.deps.clock.nowMs());
    if (reason === 'crashed') this.readers.dismissAll();
    this.tellLoad(noLoad);
  };

  readonly describe = (state: RoomActorState): Record<string, string | number> => ({
    room: this.room,
    head: state.machine.headSeq,
    pending: state.machine.pendingCount,
    readers: this.readers.size,
  });

  /** Once for each time it gets there. */
  private warnIfHigh(waiting: number, ctx: Ctx<RoomMessage>): void {
    const isHigh = waiting >= this.deps.settings.pendingMax * pendingHighRatio;
    if (isHigh && !this.isPendingHigh) report(ctx.self, { ev: 'mailbox.high', msgType: 'pending', mailbox: waiting });
    this.isPendingHigh = isHigh;
  }

  private tellLoad(load: RoomLoad): void {
    this.deps.tally.move(this.load, load);
    this.load = load;
  }

  // ---- handlers ----

  private eventInput(entries: readonly Entry[]): RoomInput {
    const last = entries.at(-1);
    if (!last || this.deps.tally.earlyBytes < nodeReorderBytesMax) return { type: 'event', entries };
    return { type: 'hint', seq: last.seq };
  }

  /** After a crash: whoever waited is told to try again, whoever read is opened again at its own cursor. */
  private recover(state: RoomActorState): void {
    const refusal = refuse('INTERNAL', 'the room failed while it worked on this; send again with the same cid');
    this.answers.refuseAll(refusal);
    this.typing.restart(refusal);
    this.marks.restart(refusal);
    for (const { id, user, cursor } of this.readers.restart()) {
      const key = this.answers.newKey();
      state.reopening.set(key, id);
      state.inputs.push({ type: 'open', key, reader: id, user, since: cursor, limit: 1 });
    }
  }

  /** A reader of the life before: it goes on at its cursor, or is told that it must open the room again. */
  private onReopened(state: RoomActorState, id: ReaderId, outcome: AnsweredOutcome): void {
    if (outcome.type === 'opened' && outcome.verdict === 'replay') return this.emit(state, id, outcome.entries);
    this.readers.dismiss(id, 'unavailable');
    state.inputs.push({ type: 'close', reader: id });
  }

  /** The wait of a busy node is a pipe and not a timer, so that whoever drains this actor waits for what is held. */
  private takeWrites({ inputs, writes }: RoomActorState, ctx: Ctx<RoomMessage>): void {
    const taken = writes.take(this.deps.settings.batchEntriesMax);
    if (taken.length === 0) return;
    inputs.push(...taken);
    const gatherMs = this.deps.gatherMs();
    if (gatherMs < 1 || !writes.hold()) return;
    const released = new Promise<void>((resolve) => this.deps.clock.after(gatherMs, resolve));
    const gathered = (): RoomMessage => ({ type: 'room.gathered' });
    ctx.pipe(released, gathered, gathered);
  }

  private onWrite(state: RoomActorState, { command, replyTo }: Extract<RoomCommand, { type: 'room.write' }>): void {
    const key = this.answers.owe({ replyTo, user: command.by, form: formOf(command) });
    state.writes.add({ type: 'command', key, command });
  }

  private onHistory(state: RoomActorState, { user, range, replyTo }: Extract<RoomCommand, { type: 'room.history' }>): void {
    state.inputs.push({ type: 'history', key: this.answers.owe({ replyTo, user, form: 'read' }), user, range });
  }

  private onOpen(state: RoomActorState, msg: Extract<RoomCommand, { type: 'room.open' }>): void {
    const { reader, user, since, epoch, limit, replyTo } = msg;
    this.readers.add(reader, user, msg, since ?? 0);
    const key = this.answers.owe({ replyTo, user, reader, form: 'read' });
    const position = { ...(since === undefined ? undefined : { since }), ...(epoch === undefined ? undefined : { epoch }) };
    state.inputs.push({ type: 'open', key, reader, user, limit, ...position });
  }

  private onClose(state: RoomActorState, id: ReaderId): void {
    const removed = this.readers.remove(id);
    if (!removed) return;
    state.inputs.push({ type: 'close', reader: id });
    if (!removed.isElsewhere) this.typing.left(removed.user);
  }

  /** A member's mark of an entry that exists. */
  private keepMark({ machine }: RoomActorState, { key, user, seq }: Extract<RoomEffect, { type: 'mark' }>, ctx: Ctx<RoomMessage>): void {
    const owed = this.answers.take(key);
    if (owed?.from === undefined) return;
    const n = seq === machine.headSeq ? machine.headN : undefined;
    const deadlineMs = ctx.nowMs() + this.deps.settings.ackDeadlineMs;
    this.marks.ask({ user, seq, n }, { replyTo: owed.replyTo, from: owed.from, deadlineMs });
  }

  private writeMarks(ctx: Ctx<RoomMessage>): void {
    ctx.pipe(
      this.marks.write(ctx.nowMs()),
      (standing) => ({ type: 'room.marked', standing }),
      (error) => {
        ctx.log.warn({ ev: 'mark.failed', room: this.room, cause: String(error) }, 'read marks could not be kept');
        return { type: 'room.unmarked', error };
      },
    );
  }

  // ---- effects ----

  private carryOut(state: RoomActorState, effects: readonly RoomEffect[], ctx: Ctx<RoomMessage>): void {
    const { room } = this;
    for (const effect of effects) {
      if (isStoreEffect(effect)) {
        this.callStore(state, effect, ctx);
        continue;
      }
      switch (effect.type) {
        case 'history':
          this.answerHistory(effect, ctx);
          break;
        case 'answer':
          this.answer(state, effect.key, effect.outcome, ctx);
          break;
        case 'mark':
          this.keepMark(state, effect, ctx);
          break;
        case 'deliver':
          this.readers.gather(effect.entries);
          break;
        case 'emit':
          this.deliver(state);
          this.emit(state, effect.reader, effect.entries);
          break;
        case 'attach':
          this.deliver(state); // What was gathered is for those who were attached before.
          this.readers.attach(effect.reader);
          break;
        case 'detach':
          this.deliver(state);
          this.readers.detach(effect.reader);
          forgetRefusal(state, effect.reader);
          break;
        case 'gone':
          this.deliver(state); // Up to the entry that removed them.
          this.readers.dismiss(effect.reader, effect.reason);
          forgetRefusal(state, effect.reader);
          break;
        case 'membership':
          this.deps.notices.membership(room, effect.entries);
          break;
        case 'publish':
          if (effect.entries.some(isDelete)) state.reads.forget();
          this.deps.wire.publish(room, effect.entries);
          break;
        case 'note':
          report(ctx.self, { ev: effect.event, room, count: effect.count });
          break;
      }
    }
  }

  /** Store results come back as inputs. Damage of this room's log is a crash: the supervisor decides. */
  private callStore(state: RoomActorState, effect: StoreEffect, ctx: Ctx<RoomMessage>): void {
    const { log, userRooms } = this.deps;
    const { result, failed } = callStore(effect, { room: this.room, log, userRooms, reads: state.reads, logger: ctx.log });
    ctx.pipe(
      result,
      (input) => ({ type: 'room.stored', input }),
      (error) => {
        if (error instanceof LogCorrupt) return { type: 'room.corrupt', error };
        ctx.log.warn({ ev: 'store.failed', room: this.room, cause: String(error) }, 'the store did not answer; the room tries again');
        return { type: 'room.stored', input: failed };
      },
    );
  }

  private answerHistory({ key, range, upTo }: Extract<RoomEffect, { type: 'history' }>, ctx: Ctx<RoomMessage>): void {
    const owed = this.answers.take(key);
    if (!owed) return;
    readPage(this.deps.log, this.room, range, upTo).then(
      (page) => tell(owed.replyTo, { ok: true, result: { type: 'history', ...page } }),
      (error: unknown) => {
        ctx.log.warn({ ev: 'history.failed', room: this.room, cause: String(error) }, 'a history page could not be read');
        const code = error instanceof LogCorrupt ? 'ROOM_UNAVAILABLE' : 'STORE_UNAVAILABLE';
        tell(owed.replyTo, { ok: false, refusal: refuse(code, 'the page could not be read; ask again', 1000) });
      },
    );
  }

  private answer(state: RoomActorState, key: number, outcome: AnsweredOutcome, ctx: Ctx<RoomMessage>): void {
    if (outcome.type === 'stored' && !outcome.dup && isMessage(outcome.entry)) {
      const { by: user, seq, n } = outcome.entry;
      this.marks.imply({ user, seq, n }, ctx.nowMs());
    }
    const reopened = state.reopening.get(key);
    if (reopened !== undefined) this.onReopened(state, reopened, outcome);
    const owed = this.answers.take(key);
    if (!owed) return;
    if (owed.reader !== undefined) this.readers.noteOpened(owed.reader, outcome);
    this.answers.answer(owed, outcome, state.machine);
  }

  private deliver(state: RoomActorState): void {
    const { entries, refused } = this.readers.deliver();
    state.inputs.push(...refused);
    this.typing.delivered(entries);
  }

  private emit(state: RoomActorState, id: ReaderId, entries: readonly Entry[]): void {
    const refused = this.readers.emit(id, entries);
    if (refused) state.inputs.push(refused);
  }

  // ---- time ----

  private time(ctx: Ctx<RoomMessage>): Time {
    return { nowMs: ctx.nowMs(), wallMs: this.deps.clock.wallMs() };
  }

  /** Idle for long enough (at once for a room that does not exist): the owner is asked to let go. */
  private considerLeaving(state: RoomActorState, ctx: Ctx<RoomMessage>): void {
    const isIdle = state.machine.isIdle && this.answers.size === 0 && this.marks.isIdle;
    if (!isIdle) {
      state.idleSinceMs = undefined;
      return;
    }
    state.idleSinceMs ??= ctx.nowMs();
    const isDue = state.mustYield || state.machine.headSeq === 0 || ctx.nowMs() - state.idleSinceMs >= this.deps.roomIdleMs;
    state.mustYield = false;
    if (!isDue) return;
    state.idleSinceMs = ctx.nowMs();
    tell(this.deps.owner, { type: 'rooms.idle', room: this.room, accepted: acceptedCount(ctx.self) });
  }

  /** One timer for everything that waits. It is moved only when something is due earlier; firing early costs a turn. */
  private arm(state: RoomActorState, ctx: Ctx<RoomMessage>): void {
    const idleAtMs = state.idleSinceMs === undefined ? undefined : state.idleSinceMs + this.deps.roomIdleMs;
    const { machine, reads } = state;
    const times = [machine.wakeAtMs(), this.typing.nextEndMs(), idleAtMs, reads.nextEndMs(), this.marks.dueMs()];
    const due = times.filter((time) => time !== undefined);
    const wakeAtMs = Math.min(...due, Number.POSITIVE_INFINITY);
    if (wakeAtMs >= state.wakeAtMs) return;
    state.cancelWake();
    state.wakeAtMs = wakeAtMs;
    state.cancelWake = ctx.after(Math.max(1, wakeAtMs - ctx.nowMs()), { type: 'room.wake' });
  }
}

/** A refusal of an attachment that has ended says nothing about the next one of the same reader. */
function forgetRefusal(state: RoomActorState, id: ReaderId): void {
  const kept = state.inputs.filter((input) => input.type !== 'refused' || input.reader !== id);
  state.inputs.splice(0, state.inputs.length, ...kept);
}

const isDelete = (entry: Entry): boolean => entry.kind === 'delete';

// ---- restarts and spawn ----

/** The next crash within the window stops it: its owner quarantines the room. */
export const roomRestarts = { restartsMax: 3, windowMs: 10_000, backoffMs: 50, backoffMaxMs: 1_000 } as const;
/** Messages waiting for one room; more are answered BUSY. */
export const roomMailboxMax = 10_000;

export function spawnRoom(parent: ActorRef<never>, room: RoomId, deps: RoomDeps): ActorRef<RoomCommand> {
  const { start, receive, turnEnd, unhandled, stopped, describe } = new RoomActor(room, deps);
  const behaviour = { kind: 'room', start, receive, turnEnd, unhandled, stopped, describe };
  return spawn<RoomActorState, RoomMessage>(parent, behaviour, { name: room, mailboxMax: roomMailboxMax, restarts: roomRestarts });
}
