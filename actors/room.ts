/**
 * Room: this node's actor of one room. Carries out what `room-state` decides.
 *
 * Owns: the readers' sinks, the answers owed, the typing set, one timer.
 * Guarantees: what the pure state guarantees; after a crash its readers go on from where they were, or are told.
 * Does not: decide order (the log does), validate payloads (the gateway does), know a socket (a sink is one).
 */
import { type ActorRef, acceptedCount, type Ctx, report, spawn, tell } from '../system/actor.ts';
import type { Clock } from '../system/clock.ts';
import { LogCorrupt, refuse } from '../system/errors.ts';
import type { RoomId, UserId } from '../system/ids.ts';
import type { Entry } from '../system/store/entry.ts';
import type { AppendOutcome, Range, RoomLog } from '../system/store/room-log.ts';
import type { UserRooms } from '../system/store/user-rooms.ts';
import type { Wire } from '../system/wire/wire.ts';
import type { Answer, RoomView } from './client-command.ts';
import type { ClientSink, FrameEncoder } from './client-sink.ts';
import { appendWithMemberships } from './room-appender.ts';
import type { RoomFold, WriteCommand } from './room-fold.ts';
import { readFacts, readPage, readRoom } from './room-history.ts';
import type { AnsweredOutcome, ReaderId, RoomEffect, RoomInput, RoomSettings, Time } from './room-protocol.ts';
import { RoomState } from './room-state.ts';
import { TypingState } from './typing-state.ts';

// ---- protocol ----

export type RoomCommand =
  | { readonly type: 'room.write'; readonly command: WriteCommand; readonly replyTo: ActorRef<Answer> }
  | {
      readonly type: 'room.open';
      readonly reader: ReaderId;
      readonly user: UserId;
      readonly sink: ClientSink;
      readonly since?: number;
      readonly epoch?: string;
      readonly limit: number;
      readonly replyTo: ActorRef<Answer>;
    }
  | { readonly type: 'room.close'; readonly reader: ReaderId }
  | { readonly type: 'room.history'; readonly user: UserId; readonly range: Range; readonly replyTo: ActorRef<Answer> }
  | { readonly type: 'room.typing'; readonly user: UserId; readonly replyTo: ActorRef<Answer> }
  /** The reader's sink has room again. */
  | { readonly type: 'room.readerReady'; readonly reader: ReaderId }
  | { readonly type: 'room.event'; readonly entries: readonly Entry[] }
  | { readonly type: 'room.hint'; readonly seq: number }
  /** Say so to the owner when idle, without waiting for the idle time. */
  | { readonly type: 'room.yield' };
type RoomInternal =
  | { readonly type: 'room.stored'; readonly input: RoomInput }
  | { readonly type: 'room.corrupt'; readonly error: LogCorrupt }
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
  /** How long to gather entries between two deliveries; 0: deliver each turn. */
  readonly gatherMs: () => number;
  readonly owner: ActorRef<RoomIdle>;
}

/** Entries gathered at most; then they are delivered whatever the time. */
const gatheredEntriesMax = 256;
/** Bytes of text in one frame or answer; a longer range goes in several. */
const frameTextBytesMax = 256 * 1024;

// ---- state ----

interface Reader {
  readonly user: UserId;
  readonly sink: ClientSink;
  /** The last seq its sink took. */
  cursor: number;
  isAttached: boolean;
  /** Its sink refused; no effect reaches it until it is ready. */
  isBlocked: boolean;
}

interface Owed {
  readonly replyTo: ActorRef<Answer>;
  readonly user: UserId;
  readonly reader?: ReaderId;
  readonly kind: 'room' | 'write' | 'done' | 'open' | 'history';
}

/** What outlives a crash of the actor: who reads here, and who waits for an answer. */
interface Surviving {
  readonly readers: Map<ReaderId, Reader>;
  readonly owed: Map<number, Owed>;
  nextKey: number;
}

interface RoomActorState {
  readonly machine: RoomState;
  readonly typing: TypingState;
  readonly inputs: RoomInput[];
  /** Opens made for readers of the life before, by key. */
  readonly reopening: Map<number, ReaderId>;
  /** Entries for attached readers that wait for the next delivery, contiguous. */
  undelivered: Entry[];
  /** Not before this, unless somebody's attachment changes. */
  deliverAtMs: number;
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
  private readonly surviving: Surviving = { readers: new Map(), owed: new Map(), nextKey: 0 };

  constructor(room: RoomId, deps: RoomDeps) {
    this.room = room;
    this.deps = deps;
  }

  readonly start = (ctx: Ctx<RoomMessage>): RoomActorState => {
    // An append of the life before may still land: as if somebody else wrote to this log.
    const settings = this.isFirstLife ? this.deps.settings : { ...this.deps.settings, sharedLog: true };
    this.isFirstLife = false;
    const state: RoomActorState = {
      machine: new RoomState(settings),
      typing: new TypingState(),
      inputs: [{ type: 'start' }],
      reopening: new Map(),
      undelivered: [],
      deliverAtMs: Number.NEGATIVE_INFINITY,
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
        state.inputs.push({ type: 'command', key: this.owe(msg.replyTo, msg.command.by, answerKind(msg.command)), command: msg.command });
        return state;
      case 'room.open':
        this.onOpen(state, msg);
        return state;
      case 'room.close':
        this.onClose(state, msg.reader);
        return state;
      case 'room.history':
        state.inputs.push({ type: 'history', key: this.owe(msg.replyTo, msg.user, 'history'), user: msg.user, range: msg.range });
        return state;
      case 'room.typing':
        this.onTyping(state, msg, ctx.nowMs());
        return state;
      case 'room.readerReady': {
        const reader = this.surviving.readers.get(msg.reader);
        if (!reader?.isBlocked) return state;
        reader.isBlocked = false;
        state.inputs.push({ type: 'ready', reader: msg.reader });
        return state;
      }
      case 'room.event':
        state.inputs.push({ type: 'event', entries: msg.entries });
        return state;
      case 'room.hint':
        if (msg.seq > state.machine.headSeq) state.inputs.push({ type: 'hint', seq: msg.seq });
        return state;
      case 'room.yield':
        state.mustYield = true;
        return state;
      case 'room.stored':
        state.inputs.push(msg.input);
        return state;
      case 'room.corrupt':
        throw msg.error;
      case 'room.wake':
        state.wakeAtMs = Number.POSITIVE_INFINITY;
        state.inputs.push({ type: 'tick' });
        if (state.typing.expire(ctx.nowMs())) this.relayTyping(state);
        return state;
    }
  };

  /** The batching point: the turn's commands become one append, its entries one frame. */
  readonly turnEnd = (state: RoomActorState, ctx: Ctx<RoomMessage>): RoomActorState => {
    do {
      const inputs = state.inputs.splice(0);
      if (inputs.length > 0) this.carryOut(state, state.machine.handle(inputs, this.time(ctx)), ctx);
      const isDue = ctx.nowMs() >= state.deliverAtMs || state.undelivered.length >= gatheredEntriesMax;
      if (isDue) this.deliver(state, ctx);
    } while (state.inputs.length > 0);
    this.considerLeaving(state, ctx);
    this.arm(state, ctx);
    return state;
  };

  readonly stopped = (_state: RoomActorState | undefined, reason: 'stopped' | 'crashed'): void => {
    const refusal = refuse('ROOM_UNAVAILABLE', 'the room is not available on this node; send again with the same cid', 1000);
    for (const { replyTo } of this.surviving.owed.values()) tell(replyTo, { ok: false, refusal });
    this.surviving.owed.clear();
    if (reason === 'crashed') for (const id of [...this.surviving.readers.keys()]) this.dismiss(id, 'unavailable');
  };

  readonly describe = (state: RoomActorState): Record<string, string | number> => ({
    room: this.room,
    head: state.machine.headSeq,
    pending: state.machine.pendingCount,
    readers: this.surviving.readers.size,
  });

  // ---- handlers ----

  /** After a crash: whoever waited is told to try again, whoever read is opened again at its own cursor. */
  private recover(state: RoomActorState): void {
    const refusal = refuse('INTERNAL', 'the room failed while it worked on this; send again with the same cid');
    for (const { replyTo } of this.surviving.owed.values()) tell(replyTo, { ok: false, refusal });
    this.surviving.owed.clear();
    for (const [id, reader] of this.surviving.readers) {
      reader.isAttached = false;
      reader.isBlocked = false;
      const key = this.newKey();
      state.reopening.set(key, id);
      state.inputs.push({ type: 'open', key, reader: id, user: reader.user, since: reader.cursor, limit: 1 });
    }
  }

  /** A reader of the life before: it goes on at its cursor, or is told that it must open the room again. */
  private onReopened(state: RoomActorState, id: ReaderId, outcome: AnsweredOutcome): void {
    if (outcome.type === 'opened' && outcome.verdict === 'replay') {
      if (outcome.entries.length > 0) this.emit(state, id, outcome.entries);
      return;
    }
    this.dismiss(id, 'unavailable');
    state.inputs.push({ type: 'close', reader: id });
  }

  /** Tells a reader that the room is closed to it. Whoever cannot even be told is cut: it finds out when it resumes. */
  private dismiss(id: ReaderId, reason: 'kicked' | 'left' | 'unavailable'): void {
    const reader = this.surviving.readers.get(id);
    this.surviving.readers.delete(id);
    if (reader && !reader.sink.send(this.deps.encoder.roomGone(this.room, reason))) reader.sink.close('SLOW_CONSUMER');
  }

  private onOpen(state: RoomActorState, msg: Extract<RoomCommand, { type: 'room.open' }>): void {
    const { reader, user, sink, since, epoch, limit, replyTo } = msg;
    const known = this.surviving.readers.get(reader);
    if (!known) this.surviving.readers.set(reader, { user, sink, cursor: since ?? 0, isAttached: false, isBlocked: false });
    const key = this.owe(replyTo, user, 'open', reader);
    const position = { ...(since === undefined ? undefined : { since }), ...(epoch === undefined ? undefined : { epoch }) };
    state.inputs.push({ type: 'open', key, reader, user, limit, ...position });
  }

  private onClose(state: RoomActorState, id: ReaderId): void {
    const reader = this.surviving.readers.get(id);
    if (!reader) return;
    state.inputs.push({ type: 'close', reader: id });
    this.surviving.readers.delete(id);
    const isElsewhere = [...this.surviving.readers.values()].some((other) => other.user === reader.user);
    if (!isElsewhere && state.typing.end(reader.user)) this.relayTyping(state);
  }

  private onTyping(state: RoomActorState, msg: Extract<RoomCommand, { type: 'room.typing' }>, nowMs: number): void {
    const { fold } = state.machine;
    if (!fold.isMember(msg.user)) {
      const code = fold.facts?.public ? 'FORBIDDEN' : 'NOT_FOUND';
      tell(msg.replyTo, { ok: false, refusal: refuse(code, code === 'FORBIDDEN' ? 'join the room first' : 'no such room') });
      return;
    }
    if (state.typing.begin(msg.user, nowMs)) this.relayTyping(state);
    tell(msg.replyTo, { ok: true, result: { type: 'done' } });
  }

  private relayTyping(state: RoomActorState): void {
    const frame = this.deps.encoder.typing(this.room, state.typing.users());
    for (const reader of this.surviving.readers.values()) if (reader.isAttached) reader.sink.sendVolatile(frame);
  }

  private owe(replyTo: ActorRef<Answer>, user: UserId, kind: Owed['kind'], reader?: ReaderId): number {
    const key = this.newKey();
    this.surviving.owed.set(key, reader === undefined ? { replyTo, user, kind } : { replyTo, user, kind, reader });
    return key;
  }

  private newKey(): number {
    this.surviving.nextKey += 1;
    return this.surviving.nextKey;
  }

  // ---- effects ----

  private carryOut(state: RoomActorState, effects: readonly RoomEffect[], ctx: Ctx<RoomMessage>): void {
    const { log, wire } = this.deps;
    const { room } = this;
    for (const effect of effects) {
      switch (effect.type) {
        case 'load':
          this.ask(ctx, readRoom(log, room), (read) => ({ type: 'loaded', ...read }), { type: 'loadFailed' });
          break;
        case 'append': {
          const appended = appendWithMemberships(
            { log, userRooms: this.deps.userRooms, logger: ctx.log },
            room,
            effect.after,
            effect.entries,
          );
          this.ask(ctx, appended, (outcome) => ({ type: 'appendDone', outcome: this.outcomeOf(outcome, ctx) }), {
            type: 'appendDone',
            outcome: 'unknown',
          });
          break;
        }
        case 'resolve': {
          const reads = Promise.all([log.read(room, { after: effect.after, limit: effect.limit }), log.byCid(room, effect.ids)]);
          this.ask(ctx, reads, ([entries, found]) => ({ type: 'resolved', entries, found }), { type: 'resolveFailed' });
          break;
        }
        case 'readFacts':
          this.ask(ctx, readFacts(log, room, effect.targets), (facts) => ({ type: 'factsRead', facts }), { type: 'factsFailed' });
          break;
        case 'catchUp': {
          const read = log.read(room, { after: effect.after, limit: effect.limit });
          this.ask(ctx, read, (entries) => ({ type: 'caughtUp', entries }), { type: 'catchUpFailed' });
          break;
        }
        case 'range': {
          const { reader } = effect;
          const read = log.read(room, { after: effect.after, limit: effect.limit });
          this.ask(ctx, read, (entries) => ({ type: 'rangeRead', reader, entries: firstFrame(entries) }), { type: 'rangeFailed', reader });
          break;
        }
        case 'page': {
          const { reader, upTo, limit } = effect;
          const page = readPage(log, room, { before: upTo + 1, limit }, upTo);
          this.ask(ctx, page, ({ entries, hasBefore }) => ({ type: 'pageRead', reader, entries, more: hasBefore }), {
            type: 'pageFailed',
            reader,
          });
          break;
        }
        case 'history':
          this.answerHistory(effect, ctx);
          break;
        case 'answer':
          this.answer(state, effect.key, effect.outcome);
          break;
        case 'deliver':
          state.undelivered.push(...effect.entries);
          break;
        case 'emit':
          this.deliver(state, ctx);
          this.emit(state, effect.reader, effect.entries);
          break;
        case 'attach': {
          this.deliver(state, ctx); // What was gathered is for those who were attached before.
          const reader = this.surviving.readers.get(effect.reader);
          if (reader) reader.isAttached = !reader.isBlocked;
          break;
        }
        case 'detach': {
          this.deliver(state, ctx);
          const reader = this.surviving.readers.get(effect.reader);
          if (reader) {
            reader.isAttached = false;
            reader.isBlocked = false;
          }
          this.forgetRefusal(state, effect.reader);
          break;
        }
        case 'gone':
          this.deliver(state, ctx); // Up to the entry that removed them.
          this.dismiss(effect.reader, effect.reason);
          this.forgetRefusal(state, effect.reader);
          break;
        case 'publish':
          wire.publish(room, effect.entries);
          break;
        case 'note':
          report(ctx.self, { ev: effect.event, room, count: effect.count });
          break;
      }
    }
  }

  /** Store results come back as inputs. Damage of this room's log is a crash: the supervisor decides. */
  private ask<T>(ctx: Ctx<RoomMessage>, result: Promise<T>, toInput: (value: T) => RoomInput, failed: RoomInput): void {
    ctx.pipe(
      result,
      (value) => ({ type: 'room.stored', input: toInput(value) }),
      (error) => {
        if (error instanceof LogCorrupt) return { type: 'room.corrupt', error };
        ctx.log.warn({ ev: 'store.failed', room: this.room, cause: String(error) }, 'the store did not answer; the room tries again');
        return { type: 'room.stored', input: failed };
      },
    );
  }

  private outcomeOf(outcome: AppendOutcome, ctx: Ctx<RoomMessage>): Extract<RoomInput, { type: 'appendDone' }>['outcome'] {
    if (outcome.type === 'rejected') return { rejected: outcome.index, reason: outcome.reason };
    if (outcome.type !== 'unknown') return outcome.type;
    if (outcome.cause instanceof LogCorrupt) throw outcome.cause;
    ctx.log.warn(
      { ev: 'append.unknown', room: this.room, cause: String(outcome.cause) },
      'outcome unknown; the room looks for it in the log',
    );
    return 'unknown';
  }

  private answerHistory({ key, range, upTo }: Extract<RoomEffect, { type: 'history' }>, ctx: Ctx<RoomMessage>): void {
    const owed = this.surviving.owed.get(key);
    this.surviving.owed.delete(key);
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

  private answer(state: RoomActorState, key: number, outcome: AnsweredOutcome): void {
    const reopened = state.reopening.get(key);
    if (reopened !== undefined) this.onReopened(state, reopened, outcome);
    const owed = this.surviving.owed.get(key);
    if (!owed) return;
    this.surviving.owed.delete(key);
    if (owed.reader !== undefined) this.noteOpened(owed.reader, outcome);
    if (outcome.type === 'refused') {
      tell(owed.replyTo, { ok: false, refusal: refuse(outcome.code, outcome.message, outcome.retryAfterMs) });
    } else if (outcome.type === 'opened') {
      tell(owed.replyTo, { ok: true, result: outcome });
    } else if (owed.kind === 'room') {
      tell(owed.replyTo, { ok: true, result: { type: 'room', room: viewOf(this.room, state.machine, owed.user) } });
    } else if (outcome.type === 'stored' && owed.kind === 'write') {
      tell(owed.replyTo, { ok: true, result: { type: 'stored', seq: outcome.entry.seq, at: outcome.entry.at, dup: outcome.dup } });
    } else {
      tell(owed.replyTo, { ok: true, result: { type: 'done' } });
    }
  }

  private noteOpened(id: ReaderId, outcome: AnsweredOutcome): void {
    const reader = this.surviving.readers.get(id);
    if (!reader) return;
    const isOpen = outcome.type === 'opened' && (outcome.verdict === 'replay' || outcome.verdict === 'snapshot');
    if (isOpen) reader.cursor = outcome.upTo;
    else if (!reader.isAttached) this.surviving.readers.delete(id);
  }

  /** Gives what was gathered to every attached reader, as one frame. */
  private deliver(state: RoomActorState, ctx: Ctx<RoomMessage>): void {
    const entries = state.undelivered;
    if (entries.length === 0) return;
    state.undelivered = [];
    state.deliverAtMs = ctx.nowMs() + this.deps.gatherMs();
    const frame = this.deps.encoder.entries(this.room, entries);
    const after = (entries[0]?.seq ?? 1) - 1;
    const last = entries.at(-1)?.seq ?? after;
    for (const [id, reader] of this.surviving.readers) {
      if (!reader.isAttached || reader.isBlocked) continue;
      if (reader.sink.send(frame)) reader.cursor = last;
      else this.block(state, id, reader, after);
    }
    let hasChanged = false;
    for (const entry of entries) if (state.typing.end(entry.by)) hasChanged = true;
    if (hasChanged) this.relayTyping(state);
  }

  private emit(state: RoomActorState, id: ReaderId, entries: readonly Entry[]): void {
    const reader = this.surviving.readers.get(id);
    if (!reader || reader.isBlocked) return;
    const after = (entries[0]?.seq ?? 1) - 1;
    if (reader.sink.send(this.deps.encoder.entries(this.room, entries))) reader.cursor = entries.at(-1)?.seq ?? after;
    else this.block(state, id, reader, after);
  }

  private block(state: RoomActorState, id: ReaderId, reader: Reader, after: number): void {
    reader.isBlocked = true;
    reader.isAttached = false;
    state.inputs.push({ type: 'refused', reader: id, after });
  }

  /** A refusal of an attachment that has ended says nothing about the next one of the same reader. */
  private forgetRefusal(state: RoomActorState, id: ReaderId): void {
    const kept = state.inputs.filter((input) => input.type !== 'refused' || input.reader !== id);
    state.inputs.splice(0, state.inputs.length, ...kept);
  }

  // ---- time ----

  private time(ctx: Ctx<RoomMessage>): Time {
    return { nowMs: ctx.nowMs(), wallMs: this.deps.clock.wallMs() };
  }

  /** Idle for long enough (at once for a room that does not exist): the owner is asked to let go. */
  private considerLeaving(state: RoomActorState, ctx: Ctx<RoomMessage>): void {
    const isIdle = state.machine.isIdle && this.surviving.owed.size === 0;
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
    const deliverAtMs = state.undelivered.length === 0 ? undefined : state.deliverAtMs;
    const due = [state.machine.wakeAtMs(), state.typing.nextEndMs(), idleAtMs, deliverAtMs].filter((time) => time !== undefined);
    const wakeAtMs = Math.min(...due, Number.POSITIVE_INFINITY);
    if (wakeAtMs >= state.wakeAtMs) return;
    state.cancelWake();
    state.wakeAtMs = wakeAtMs;
    state.cancelWake = ctx.after(Math.max(1, wakeAtMs - ctx.nowMs()), { type: 'room.wake' });
  }
}

function answerKind({ write }: WriteCommand): Owed['kind'] {
  if (write.type === 'create' || write.type === 'join') return 'room';
  return write.type === 'leave' || write.type === 'invite' || write.type === 'kick' ? 'done' : 'write';
}

function viewOf(id: RoomId, machine: { readonly fold: RoomFold; readonly headSeq: number }, user: UserId): RoomView {
  const { facts, epoch, size } = machine.fold;
  return {
    id,
    kind: facts?.kind ?? 'group',
    ...(facts?.name === undefined ? undefined : { name: facts.name }),
    public: facts?.public ?? false,
    ...(facts?.community === undefined ? undefined : { community: facts.community }),
    role: machine.fold.membership(user)?.role ?? 'member',
    head: machine.headSeq,
    epoch,
    members: size,
  };
}

/** The longest prefix whose texts fit into one frame, at least one entry. */
function firstFrame(entries: readonly Entry[]): readonly Entry[] {
  let bytes = 0;
  for (const [index, entry] of entries.entries()) {
    bytes += 3 * (entry.text?.length ?? 0);
    if (bytes > frameTextBytesMax && index > 0) return entries.slice(0, index);
  }
  return entries;
}

// ---- restarts and spawn ----

/** The next crash within the window stops it: its owner quarantines the room. */
export const roomRestarts = { restartsMax: 3, windowMs: 10_000, backoffMs: 50, backoffMaxMs: 1_000 } as const;
/** Messages waiting for one room; more are answered BUSY. */
export const roomMailboxMax = 10_000;

export function spawnRoom(parent: ActorRef<never>, room: RoomId, deps: RoomDeps): ActorRef<RoomCommand> {
  const { start, receive, turnEnd, stopped, describe } = new RoomActor(room, deps);
  const behaviour = { kind: 'room', start, receive, turnEnd, stopped, describe };
  return spawn<RoomActorState, RoomMessage>(parent, behaviour, { name: room, mailboxMax: roomMailboxMax, restarts: roomRestarts });
}
