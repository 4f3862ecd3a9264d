/**
 * Room: this node's actor of one room. Carries out what `room-state` decides.
 *
 * Owns: those who read, ask and type here (`room-clients`), the calls to the store, one timer.
 * Guarantees: what the pure state guarantees; after a crash its readers go on from where they were, or are told.
 * Does not: decide order (the log does), validate payloads (the gateway does), know a socket (a sink is one).
 */
import { type ActorRef, acceptedCount, type Ctx, report, spawn, tell } from '../system/actor.ts';
import type { RoomId } from '../system/ids.ts';
import type { Entry } from '../system/store/entry.ts';
import type { StandingMark } from '../system/store/user-rooms.ts';
import type { RoomSignal } from '../system/wire/wire.ts';
import { RoomClients } from './room-clients.ts';
import type { RoomCommand, RoomDeps } from './room-commands.ts';
import { RoomForwarding } from './room-forwarding.ts';
import { RoomLeave } from './room-leave.ts';
import { notAvailable, type RoomInternal, RoomPipes } from './room-pipes.ts';
import type { RoomEffect, RoomInput } from './room-protocol.ts';
import { RoomReads } from './room-reads.ts';
import { RoomShare } from './room-share.ts';
import { RoomState } from './room-state.ts';
import { isStoreEffect } from './room-store-effects.ts';
import { showsSignals } from './room-typing.ts';
import { WriteGather } from './write-gather.ts';

// ---- protocol ----

type RoomMessage = RoomCommand | RoomInternal | { readonly type: 'room.wake' };

// ---- state ----

interface RoomActorState {
  readonly machine: RoomState;
  readonly reads: RoomReads;
  inputs: RoomInput[];
  readonly writes: WriteGather;
  wakeAtMs: number;
  cancelWake: () => void;
  readonly leave: RoomLeave;
}

// ---- behaviour ----

class RoomActor {
  private readonly room: RoomId;
  private readonly deps: RoomDeps;
  private isFirstLife = true;
  private readonly clients: RoomClients;
  private readonly share: RoomShare;
  private readonly forwarding: RoomForwarding;
  private readonly pipes: RoomPipes;

  constructor(room: RoomId, deps: RoomDeps) {
    this.room = room;
    this.deps = deps;
    this.clients = new RoomClients(room, deps);
    this.share = new RoomShare(deps.tally, deps.settings.pendingMax);
    this.forwarding = new RoomForwarding(room, deps);
    this.pipes = new RoomPipes(room, deps);
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
      wakeAtMs: Number.POSITIVE_INFINITY,
      cancelWake: () => {},
      leave: new RoomLeave(this.deps.roomIdleMs),
    };
    this.clients.recover(state.inputs);
    this.forwarding.endAll();
    return this.turnEnd(state, ctx);
  };

  readonly receive = (state: RoomActorState, msg: RoomMessage, ctx: Ctx<RoomMessage>): RoomActorState => {
    switch (msg.type) {
      case 'room.write':
        this.onWrite(state, msg, ctx);
        return state;
      case 'room.open':
        state.inputs.push(this.clients.open(msg));
        return state;
      case 'room.close':
        this.clients.close(msg.reader, state.inputs);
        return state;
      case 'room.history':
        state.inputs.push(this.clients.history(msg));
        return state;
      case 'room.typing':
        this.clients.typing.take(msg, state.machine, ctx.nowMs());
        return state;
      case 'room.mark':
        state.inputs.push(this.clients.mark(msg));
        return state;
      case 'room.readerReady':
        this.clients.ready(msg.reader, state.inputs);
        return state;
      case 'room.event':
        if (msg.entries.some(isDelete)) state.reads.forget();
        state.inputs.push(this.share.inputOf(msg.entries));
        return state;
      case 'room.hint':
        if (msg.seq > state.machine.headSeq) state.inputs.push({ type: 'hint', seq: msg.seq, isAlone: msg.isAlone === true });
        return state;
      case 'room.signal':
        this.clients.foreign.take(msg.signal, state.machine, ctx.nowMs());
        return state;
      case 'room.forwarded':
        state.inputs.push(this.forwarding.take(msg));
        return state;
      case 'room.yield':
        state.leave.ask();
        return state;
      case 'room.stored':
        if ((msg.input.type === 'caughtUp' || msg.input.type === 'resolved') && msg.input.entries.some(isDelete)) state.reads.forget();
        state.inputs.push(msg.input);
        return state;
      case 'room.corrupt':
        throw msg.error;
      case 'room.outside':
        if (msg.word.type === 'refused') this.clients.refuse(msg.key, msg.word.refusal);
        else state.writes.add({ type: 'command', key: msg.key, command: msg.word.command });
        return state;
      case 'room.gathered':
        state.writes.release();
        return state;
      case 'room.wake':
        state.wakeAtMs = Number.POSITIVE_INFINITY;
        state.inputs.push({ type: 'tick' });
        state.reads.expire(ctx.nowMs());
        this.clients.marks.expire(ctx.nowMs());
        this.clients.typing.expire(ctx.nowMs());
        return state;
      case 'room.marked':
        this.onMarked(state.machine, msg.standing);
        return state;
      case 'room.unmarked':
        this.clients.marks.failed(msg.error);
        return state;
    }
  };

  /** The batching point: the turn's commands become one append, its entries one frame. */
  readonly turnEnd = (state: RoomActorState, ctx: Ctx<RoomMessage>): RoomActorState => {
    this.takeWrites(state, ctx);
    const nowMs = ctx.nowMs();
    do {
      const { inputs } = state;
      state.inputs = [];
      if (inputs.length > 0) this.carryOut(state, state.machine.handle(inputs, { nowMs, wallMs: this.deps.clock.wallMs() }), ctx);
      this.clients.deliver(state.inputs);
    } while (state.inputs.length > 0);
    if (nowMs >= (this.clients.marks.writeAtMs() ?? Number.POSITIVE_INFINITY)) this.pipes.marks(this.clients.marks.write(nowMs), ctx);
    this.clients.typing.judgeWaiting(state.machine, nowMs);
    this.clients.foreign.judgeWaiting(state.machine, nowMs);
    for (const signal of this.clients.typing.toTell()) this.signal(state.machine, signal);
    this.considerLeaving(state, nowMs, ctx);
    this.arm(state, nowMs, ctx);
    const { pendingCount, earlyBytes } = state.machine;
    const isHigh = this.share.tell({ readers: this.clients.readers.size, waiting: pendingCount, earlyBytes });
    if (isHigh) report(ctx.self, { ev: 'mailbox.high', msgType: 'pending', mailbox: pendingCount });
    return state;
  };

  /** It waited for a room that ended, or is what the room failed on. */
  readonly unhandled = (msg: RoomMessage): void => {
    if ('replyTo' in msg) tell(msg.replyTo, { ok: false, refusal: notAvailable });
    else if (msg.type === 'room.forwarded') msg.reply(undefined);
  };

  readonly stopped = (_state: RoomActorState | undefined, reason: 'stopped' | 'crashed'): void => {
    this.clients.end(notAvailable, reason);
    this.share.end();
    this.forwarding.endAll();
  };

  readonly describe = (state: RoomActorState): Record<string, string | number> => ({
    room: this.room,
    head: state.machine.headSeq,
    pending: state.machine.pendingCount,
    readers: this.clients.readers.size,
  });

  // ---- handlers ----

  private takeWrites({ inputs, writes }: RoomActorState, ctx: Ctx<RoomMessage>): void {
    const taken = writes.take(this.deps.settings.batchEntriesMax);
    if (taken.length === 0) return;
    inputs.push(...taken);
    const gatherMs = this.deps.pace.gatherMs();
    if (gatherMs >= 1 && writes.hold()) this.pipes.gather(gatherMs, ctx);
  }

  private onMarked(machine: RoomState, standing: readonly StandingMark[]): void {
    const { marks, readers } = this.clients;
    const raised = marks.wrote(standing, machine.headN, readers, !showsSignals(machine));
    for (const { mark, isImplied } of raised) this.signal(machine, { type: 'read', mark, isImplied });
  }

  private onWrite(state: RoomActorState, msg: Extract<RoomCommand, { type: 'room.write' }>, ctx: Ctx<RoomMessage>): void {
    const input = this.clients.write(msg);
    const { outside } = this.clients;
    if (outside.mustAsk(msg.command, msg.isIdChosen === true)) this.pipes.outside(input.key, outside.create(msg.command), ctx);
    else state.writes.add(input);
  }

  private onAnswer(state: RoomActorState, effect: Extract<RoomEffect, { type: 'answer' }>, ctx: Ctx<RoomMessage>): void {
    const join = this.clients.refusedJoin(effect);
    if (join) this.pipes.outside(effect.key, this.clients.outside.join(join, state.machine.fold.facts?.community), ctx);
    else this.clients.answer(effect, state.machine, state.inputs, ctx.nowMs());
  }

  // ---- effects ----

  private carryOut(state: RoomActorState, effects: readonly RoomEffect[], ctx: Ctx<RoomMessage>): void {
    const { room } = this;
    for (const effect of effects) {
      if (isStoreEffect(effect)) {
        this.pipes.store(effect, state.reads, ctx);
        continue;
      }
      switch (effect.type) {
        case 'history':
          this.clients.answerHistory(effect, ctx.log);
          break;
        case 'answer':
          this.onAnswer(state, effect, ctx);
          break;
        case 'mark':
          this.clients.keepMark(effect, state.machine, ctx.nowMs());
          break;
        case 'deliver':
          this.clients.readers.gather(effect.entries);
          break;
        case 'emit':
          this.clients.deliver(state.inputs);
          this.clients.emit(effect.reader, effect.entries, state.inputs);
          break;
        case 'attach':
          this.clients.deliver(state.inputs); // What was gathered is for those who were attached before.
          this.clients.readers.attach(effect.reader);
          break;
        case 'detach':
          this.clients.deliver(state.inputs);
          this.clients.detach(effect.reader, state.inputs);
          break;
        case 'gone':
          this.clients.deliver(state.inputs); // Up to the entry that removed them.
          this.clients.dismiss(effect, state.inputs);
          break;
        case 'membership':
          this.deps.notices.membership(room, effect.entries);
          break;
        case 'forward':
          this.pipes.forwarded(this.forwarding.send(effect), state.inputs, ctx);
          break;
        case 'forwardAnswer':
          this.forwarding.answer(effect);
          break;
        case 'publish':
          if (effect.entries.some(isDelete)) state.reads.forget();
          this.publish(state.machine, effect.entries);
          this.deps.notices.appended(room, effect.entries, state.machine.fold);
          break;
        case 'note':
          report(ctx.self, { ev: effect.event, room, count: effect.count });
          break;
      }
    }
  }

  /** Other nodes hear of it, as far as the wire goes. What kind of room it is, its first entry says. */
  private publish({ fold }: RoomState, entries: readonly Entry[]): void {
    const kind = fold.facts?.kind ?? entries[0]?.room?.kind;
    if (kind) this.deps.wire.publish(this.room, kind, entries);
  }

  private signal({ fold }: RoomState, signal: RoomSignal): void {
    if (fold.facts) this.deps.wire.signal(this.room, fold.facts.kind, signal);
  }

  // ---- time ----

  private considerLeaving({ machine, leave }: RoomActorState, nowMs: number, ctx: Ctx<RoomMessage>): void {
    const isIdle = machine.isIdle && this.clients.answers.size === 0 && this.clients.marks.isIdle;
    if (!leave.isDue(isIdle, machine.headSeq > 0, nowMs)) return;
    tell(this.deps.owner, { type: 'rooms.idle', room: this.room, accepted: acceptedCount(ctx.self) });
  }

  /** One timer for everything that waits. It is moved only when something is due earlier; firing early costs a turn. */
  private arm(state: RoomActorState, nowMs: number, ctx: Ctx<RoomMessage>): void {
    const { machine, reads, leave } = state;
    const never = Number.POSITIVE_INFINITY;
    const wakeAtMs = Math.min(
      machine.wakeAtMs() ?? never,
      this.clients.typing.nextEndMs() ?? never,
      leave.dueMs() ?? never,
      reads.nextEndMs() ?? never,
      this.clients.marks.dueMs() ?? never,
    );
    if (wakeAtMs >= state.wakeAtMs) return;
    state.cancelWake();
    state.wakeAtMs = wakeAtMs;
    state.cancelWake = ctx.after(Math.max(1, wakeAtMs - nowMs), { type: 'room.wake' });
  }
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
