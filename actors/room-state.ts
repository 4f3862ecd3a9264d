/**
 * RoomState: the append and delivery protocol of one room on one node. Pure:
 * no I/O, no clock, no randomness; inputs come in with the time, effects come out to be carried out in their order.
 *
 * Guarantees: at most one append in flight; a command is acknowledged only from its own append's success or from a
 * committed read; the append head moves only by those two; attached readers get entries in order of seq, each once.
 * Does not: order between rooms, encode, or know a socket. Losing the whole state loses nothing acknowledged.
 *
 * The file has two halves that meet in `learn`: the writer (pending -> append -> answer) and the reader side, in
 * `room-delivery.ts` (committed entries and events -> one ordered stream -> readers with cursors). Beside them: `room-queue-state.ts`
 * (what waits), `room-memory-state.ts` (what needs no read) and `room-fold.ts` (who may do what).
 */
import { type Entry, emptyHead, type Head, headAfter, isMessage } from '../system/store/entry.ts';
import { RoomBatch } from './room-batch-state.ts';
import type { DeliveryContext } from './room-cursors-state.ts';
import { RoomDelivery } from './room-delivery.ts';
import { type EntryDraft, RoomFold, type WriteCommand } from './room-fold.ts';
import { RoomForward, storedThere, type UnderWay } from './room-forward-state.ts';
import { keyOf, RoomMemory, sameContent } from './room-memory-state.ts';
import {
  type AnsweredOutcome,
  type ForwardResult,
  newRoomCounters,
  type Pipeline,
  type ResolveReason,
  type RoomCounters,
  type RoomEffect,
  type RoomInput,
  type RoomSettings,
  type Time,
  type WaitingCommand,
} from './room-protocol.ts';
import { RoomQueue } from './room-queue-state.ts';
import { isReceived, RoomReceived } from './room-received-state.ts';

const restMinMs = 50;
const restMaxMs = 1000;
/** A winner that is not yet committed: look again after this, doubled up to the maximum. */
const conflictRestMinMs = 2;
const conflictRestMaxMs = 50;
/** After so many looks at an uncommitted winner, append again: it may have rolled back, and the store decides anyway. */
const conflictLooksMax = 6;

export class RoomState {
  readonly fold = new RoomFold();
  readonly counters: RoomCounters;
  private readonly settings: RoomSettings;
  private readonly delivery: RoomDelivery;
  private phase: 'new' | 'loading' | 'ready' = 'new';
  /** Append head: moved by own acks and committed reads only. */
  private head: Head = emptyHead;
  private readonly pending: RoomQueue;
  private readonly received: RoomReceived;
  private readonly forward: RoomForward;
  /** Commands whose forward came to nothing: looked for in the log before anything else is done. */
  private returned: WaitingCommand[] = [];
  private pipeline: Pipeline = { step: 'idle' };
  private readonly memory = new RoomMemory();
  private unknownsInARow = 0;
  private appendStartedMs = 0;
  private roundTripMs = 0;
  private loadRetryMs: number | undefined;
  /** The highest seq heard of for which a committed read was made before appending. */
  private lookedForSeq = 0;
  private out: RoomEffect[] = [];

  /** `counters`: those of the node, where they are added up. */
  constructor(settings: RoomSettings, counters: RoomCounters = newRoomCounters()) {
    this.settings = settings;
    this.pending = new RoomQueue(settings);
    this.received = new RoomReceived(settings);
    this.forward = new RoomForward(settings);
    this.counters = counters;
    this.delivery = new RoomDelivery(settings, this.counters);
  }

  get headSeq(): number {
    return Math.max(this.head.seq, this.delivery.delivered);
  }

  /** Count of messages up to `headSeq`. */
  get headN(): number {
    return Math.max(this.head.n, this.delivery.deliveredN);
  }

  /** Nothing waits, nothing is in flight, nobody reads: the actor may go. */
  get isIdle(): boolean {
    const isWriting = this.pipeline.step !== 'idle' || this.pendingCount > 0 || this.forward.isUnderWay || this.returned.length > 0;
    return this.phase === 'ready' && !isWriting && this.delivery.isIdle;
  }

  /** Before, it knows no member, and so judges nobody. */
  get isLoaded(): boolean {
    return this.phase === 'ready';
  }

  get pendingCount(): number {
    return this.pending.length + this.received.queue.length;
  }

  /** Commands of this node are under way to the last winner. */
  get isForwarding(): boolean {
    return this.forward.isUnderWay;
  }

  /** Of events that came too early. */
  get earlyBytes(): number {
    return this.delivery.earlyBytes;
  }

  /** When `tick` is due at the latest; undefined: nothing waits for time. */
  wakeAtMs(): number | undefined {
    const times = [this.loadRetryMs, this.delivery.wakeAtMs(), this.forward.dueAtMs];
    for (const queue of this.queues) times.push(queue.first?.deadlineMs);
    if (this.pipeline.step === 'resting') times.push(this.pipeline.untilMs);
    for (const waiting of this.commandsInDoubt()) if (!waiting.answered) times.push(waiting.deadlineMs);
    const due = times.filter((time) => time !== undefined);
    return due.length === 0 ? undefined : Math.min(...due);
  }

  /** Takes the inputs of one turn, in order, and returns the effects, to be carried out in their order. */
  handle(inputs: RoomInput | readonly RoomInput[], time: Time): RoomEffect[] {
    this.out = [];
    if ('type' in inputs) this.take(inputs, time);
    else for (const input of inputs) this.take(input, time);
    this.pump(time);
    const effects = this.out;
    this.out = [];
    return effects;
  }

  private take(input: RoomInput, time: Time): void {
    switch (input.type) {
      case 'start':
        this.phase = 'loading';
        this.out.push({ type: 'load' });
        return;
      case 'loaded':
        for (const entry of input.controls) this.fold.apply(entry);
        this.head = input.head;
        this.phase = 'ready';
        this.delivery.begin(input.head);
        return;
      case 'loadFailed':
        this.unknownsInARow += 1;
        this.loadRetryMs = time.nowMs + this.restMs();
        return;
      case 'command':
        return this.enqueue(input.key, input.command, time);
      case 'forwarded':
        this.counters.received += input.commands.length;
        return this.received.take(input, time.nowMs, this.out);
      case 'forwardDone':
        return this.onForwardDone(input, time);
      case 'appendDone':
        return this.onAppendDone(input.outcome, time);
      case 'resolved':
        return this.onResolved(input.entries, input.found, time);
      case 'resolveFailed':
        return this.onResolveFailed(time);
      case 'factsRead':
        return this.onFactsRead(input.facts);
      case 'factsFailed':
        if (this.pipeline.step === 'facts') this.rest([], 'again', 'look', 0, this.restMs(), time);
        return;
      case 'tick':
        return this.onTick(time);
      case 'event':
        this.forward.heard(input.entries, time.nowMs);
        this.delivery.offer(input.entries, time.nowMs, this.out);
        return;
      case 'caughtUp':
        this.learn(input.entries, time);
        this.delivery.caughtUp(input.entries.length, time.nowMs, this.head.seq, this.out);
        return;
      case 'rangeRead':
        this.learn(input.entries, time);
        this.delivery.rangeRead(input.reader, input.entries, time.nowMs, this.fold.epoch, this.out);
        return;
      default:
        return this.delivery.take(input, time.nowMs, this.context, this.out);
    }
  }

  /** After the inputs of a turn: whatever has become possible. Commands that came together leave as one batch. */
  private pump(time: Time): void {
    if (this.phase !== 'ready') return;
    this.appendNext(time);
    this.delivery.pump(time.nowMs, this.context, this.head.seq, this.out);
  }

  private get context(): DeliveryContext {
    return { fold: this.fold, headSeq: this.headSeq };
  }

  // ---- writer ----

  private enqueue(key: number, command: WriteCommand, time: Time): void {
    const full = this.pending.fullFor(command.by);
    if (full) {
      const whose = full === 'sender' ? 'your commands' : 'commands';
      this.answer(key, { type: 'refused', code: 'BUSY', message: `too many of ${whose} wait in this room`, retryAfterMs: 250 });
      return;
    }
    this.pending.add({
      key,
      command,
      deadlineMs: time.nowMs + this.settings.ackDeadlineMs,
      answered: false,
      looked: false,
      tried: false,
      inDoubt: false,
      mustAppend: false,
    });
  }

  private get queues(): readonly RoomQueue[] {
    return [this.received.queue, this.pending];
  }

  /** Group commit: everything that waits and can be judged goes as one batch, in order of arrival. */
  private appendNext(time: Time): void {
    if (this.pipeline.step !== 'idle') return;
    if (this.returned.length > 0) return this.resolve(this.returned.splice(0), 'look', 0);
    if (this.forwardNext(time)) return;
    const queues = this.forward.isUnderWay ? [this.received.queue] : this.queues;
    if (queues.every((queue) => queue.length === 0)) return;
    if (this.delivery.seenSeq > Math.max(this.head.seq, this.lookedForSeq)) {
      this.lookedForSeq = this.delivery.seenSeq; // Once for each hint: a false one must not stop the room.
      return this.resolve([], 'look', 0);
    }
    const batch = new RoomBatch(this.settings);
    for (const queue of queues) if (!this.gather(queue, batch, false)) break;
    if (batch.size > 0) this.append(batch.commands, batch.drafts, time);
  }

  /** Gives the own commands to the last winner, where there is one who can be reached. true: a read is due first. */
  private forwardNext(time: Time): boolean {
    if (this.pending.length === 0 || this.forward.isUnderWay || this.pending.first?.mustAppend) return false;
    const to = this.forward.target(time.nowMs);
    if (to === undefined) return false;
    const { controlSeq } = this.forward;
    if (controlSeq > Math.max(this.fold.controlSeq, this.lookedForSeq)) {
      this.lookedForSeq = controlSeq;
      this.resolve([], 'look', 0);
      return true;
    }
    const batch = new RoomBatch(this.settings);
    const isRead = !this.gather(this.pending, batch, true) && this.pipeline.step !== 'idle';
    if (batch.size === 0) return isRead;
    const { id } = this.forward.begin(to, batch.commands, batch.drafts, time.nowMs);
    this.counters.forwarded += batch.size;
    const commands = batch.commands.map(({ command }) => command);
    this.out.push({ type: 'forward', id, to, commands, controlSeq: this.fold.controlSeq });
    return false;
  }

  /** Moves what may be stored from the queue to the batch, and answers what is decided already. false: the batch ends here. */
  private gather(queue: RoomQueue, batch: RoomBatch, isForward: boolean): boolean {
    let taken = 0;
    let then: 'on' | 'end' | 'facts' | 'look' = 'on';
    for (const waiting of queue) {
      then = this.judge(waiting, batch, isForward);
      if (then !== 'on') break;
      taken += 1;
      if (batch.isClosed) {
        then = 'end';
        break;
      }
    }
    queue.drop(taken);
    if (batch.size > 0 || then === 'on' || then === 'end') return then === 'on';
    if (then === 'facts') this.readFacts();
    else this.resolve(queue.drop(1), 'look', 0);
    return false;
  }

  /** on: it is in the batch, or answered. Else it stays where it is, for a later batch or until the read is made. */
  private judge(waiting: WaitingCommand, batch: RoomBatch, isForward: boolean): 'on' | 'end' | 'facts' | 'look' {
    const { command, received } = waiting;
    if (isForward && waiting.mustAppend) return 'end';
    const key = keyOf(command.by, command.cid);
    const stored = this.memory.stored(key);
    if (stored) {
      this.counters.dedupeHit += 1;
      this.settle(waiting, stored, !waiting.inDoubt);
      return 'on';
    }
    if (batch.has(key)) return 'end'; // Its twin goes first; then this one is a retry of something stored.
    if (received && this.received.isStale(received, this.fold.controlSeq)) {
      this.handBack(waiting);
      return 'on';
    }
    const judgement = this.fold.judge(command, (seq) => this.memory.fact(seq));
    if (judgement.type === 'needs') return 'facts';
    if (judgement.type === 'append') return batch.add(waiting, key, judgement.draft) ? 'on' : 'end';
    if (received) {
      this.handBack(waiting);
      return 'on';
    }
    if (judgement.type === 'done') {
      this.conclude(waiting, { type: 'done' });
      return 'on';
    }
    if (!waiting.looked && this.mayHaveBeenStored(command)) return 'look';
    if (waiting.tried) this.counters.revalidationRefusal += 1;
    this.conclude(waiting, { type: 'refused', code: judgement.code, message: judgement.message });
    return 'on';
  }

  // ---- forwards ----

  /** What the other node stored is in the log, committed: that is acknowledged. Whatever else it says is only a reason to look. */
  private onForwardDone({ id, results }: Extract<RoomInput, { type: 'forwardDone' }>, time: Time): void {
    const ended = this.forward.end(id);
    if (!ended) return;
    if (results === 'notSent') return this.takeOver(ended.batch);
    const left: WaitingCommand[] = [];
    for (const [index, waiting] of ended.batch.entries()) {
      const result = results?.[index];
      const draft = ended.drafts[index] as EntryDraft;
      // Who is in the room is known by reading: a change of it is acknowledged by the read below.
      if (!result || draft.member || draft.room) left.push(waiting);
      else this.acknowledge(ended, waiting, draft, result, time);
    }
    this.counters.forwardReturned += left.length;
    this.giveUp(left);
  }

  private acknowledge({ to }: UnderWay, waiting: WaitingCommand, draft: EntryDraft, result: ForwardResult, time: Time): void {
    const entry = storedThere(waiting, draft, result, to);
    this.counters.forwardStored += 1;
    this.forward.heard([entry], time.nowMs);
    this.conclude(waiting, { type: 'stored', entry, dup: result.dup });
    // What is acknowledged counts as seen. An earlier try's entry, and a deletion, are read: what is shown of them is not known here.
    if (result.dup || draft.kind === 'delete') this.delivery.take({ type: 'hint', seq: entry.seq }, time.nowMs, this.context, this.out);
    else this.delivery.offer([entry], time.nowMs, this.out);
  }

  /** Nothing is known of these: they may be in the log, or come there. They are looked for, then appended here, before what came later. */
  private giveUp(commands: readonly WaitingCommand[]): void {
    for (const waiting of commands) {
      waiting.inDoubt = true;
      waiting.mustAppend = true;
    }
    this.returned.push(...commands);
  }

  /** These never left: they go on here as if nothing had been. */
  private takeOver(commands: readonly WaitingCommand[]): void {
    for (const waiting of commands) waiting.mustAppend = true;
    this.requeue(commands);
  }

  /** To the node that forwarded it. */
  private handBack(waiting: WaitingCommand): void {
    this.counters.receivedReturned += 1;
    if (waiting.answered || !waiting.received) return;
    waiting.answered = true;
    this.received.conclude(waiting.received, undefined, this.out);
  }

  // ---- appends ----

  private append(batch: WaitingCommand[], drafts: EntryDraft[], time: Time): void {
    let { seq, n } = this.head;
    const entries = drafts.map((draft, index): Entry => {
      const { command } = batch[index] as WaitingCommand;
      seq += 1;
      if (isMessage(draft)) n += 1;
      const { kind, ...content } = draft;
      const name = command.name === undefined ? undefined : { name: command.name };
      return { seq, n, kind, by: command.by, ...name, at: time.wallMs, cid: command.cid, writer: this.settings.writer, ...content };
    });
    for (const waiting of batch) waiting.tried = true;
    this.pipeline = { step: 'appending', batch, entries };
    this.appendStartedMs = time.nowMs;
    this.out.push({ type: 'append', after: this.head.seq, entries });
  }

  private onAppendDone(outcome: Extract<RoomInput, { type: 'appendDone' }>['outcome'], time: Time): void {
    if (this.pipeline.step !== 'appending') return;
    const { batch, entries } = this.pipeline;
    switch (outcome) {
      case 'appended': {
        this.pipeline = { step: 'idle' };
        this.unknownsInARow = 0;
        this.roundTripMs = time.nowMs - this.appendStartedMs;
        this.counters.appended += entries.length;
        this.learn(entries, time, () => {
          for (const [index, waiting] of batch.entries()) this.settle(waiting, entries[index] as Entry, false);
        });
        this.out.push({ type: 'publish', entries });
        if (this.forward.mustYield(time.nowMs)) {
          this.rest([], 'again', 'look', 0, this.roundTripMs, time);
        }
        return;
      }
      case 'conflict':
        this.counters.conflict += 1;
        this.forward.metForeign(time.nowMs);
        for (const waiting of batch) waiting.mustAppend = false; // It lost: now, and not before, it may be forwarded again.
        this.out.push({ type: 'note', event: 'append.conflict', count: entries.length });
        return this.resolve(batch, 'conflict', 0);
      case 'unknown':
        this.counters.unknown += 1;
        this.unknownsInARow += 1;
        for (const waiting of batch) waiting.inDoubt = waiting.mustAppend = true;
        return this.resolve(batch, 'unknown', 0);
      default: {
        const [refused] = batch.splice(outcome.rejected, 1);
        if (refused) this.conclude(refused, { type: 'refused', code: 'PAYLOAD_TOO_LARGE', message: outcome.reason });
        return this.resolve(batch, 'look', 0);
      }
    }
  }

  /** Reads, committed, what came after the head and what is stored under the batch's ids. The only way out of doubt. */
  private resolve(batch: WaitingCommand[], reason: ResolveReason, attempt: number): void {
    this.pipeline = { step: 'resolving', batch, reason, attempt, learned: 0 };
    this.pushResolve(batch);
  }

  private pushResolve(batch: readonly WaitingCommand[]): void {
    const ids = batch.map(({ command }) => ({ by: command.by, cid: command.cid }));
    this.out.push({ type: 'resolve', after: this.head.seq, limit: this.settings.readEntriesMax, ids });
  }

  private onResolved(entries: readonly Entry[], found: readonly Entry[], time: Time): void {
    if (this.pipeline.step !== 'resolving') return;
    const { reason, attempt } = this.pipeline;
    const stored = new Map<string, Entry>();
    for (const entry of [...entries, ...found]) stored.set(keyOf(entry.by, entry.cid), entry);
    const left: WaitingCommand[] = [];
    this.learn(entries, time, () => {
      for (const waiting of (this.pipeline as { batch: WaitingCommand[] }).batch) {
        const entry = stored.get(keyOf(waiting.command.by, waiting.command.cid));
        if (!entry) {
          left.push(waiting);
          continue;
        }
        if (reason === 'unknown') this.counters.unknownFoundIn += 1;
        else this.counters.dedupeHit += 1;
        this.settle(waiting, entry, !waiting.inDoubt);
      }
    });
    this.delivery.offer(found, time.nowMs, this.out); // What is acknowledged counts as seen, even beyond what was read.
    const learned = this.pipeline.learned + entries.length + found.length;
    if (entries.length >= this.settings.readEntriesMax) {
      this.pipeline = { step: 'resolving', batch: left, reason, attempt, learned };
      this.pushResolve(left);
      return;
    }
    for (const waiting of left) waiting.looked = true;
    if (reason === 'unknown' && left.length > 0) this.counters.unknownFoundOut += 1;
    if (reason === 'unknown' && left.length > 0) return this.rest(left, 'again', reason, attempt, this.restMs(), time);
    if (reason === 'conflict' && left.length > 0 && learned === 0 && attempt < conflictLooksMax) {
      // The winner is not committed yet and may still roll back: its number is not ours to skip.
      const delayMs = Math.min(conflictRestMinMs * 2 ** attempt, conflictRestMaxMs);
      return this.rest(left, 'resolve', reason, attempt + 1, delayMs, time);
    }
    this.pipeline = { step: 'idle' };
    this.requeue(left);
  }

  private onResolveFailed(time: Time): void {
    if (this.pipeline.step !== 'resolving') return;
    this.unknownsInARow += 1;
    const { batch, reason, attempt } = this.pipeline;
    this.rest(batch, 'resolve', reason, attempt + 1, this.restMs(), time);
  }

  private rest(
    batch: WaitingCommand[],
    then: 'again' | 'resolve',
    reason: ResolveReason,
    attempt: number,
    delayMs: number,
    time: Time,
  ): void {
    this.pipeline = { step: 'resting', untilMs: time.nowMs + delayMs, batch, then, reason, attempt };
  }

  private restMs(): number {
    return Math.min(restMinMs * 2 ** Math.min(this.unknownsInARow, 10), restMaxMs);
  }

  /** Commands whose outcome is decided as "not stored" go back to the front, in their order, to be judged anew. */
  private requeue(commands: readonly WaitingCommand[]): void {
    const again = commands.filter((waiting) => !waiting.answered);
    this.received.queue.putBack(again.filter(isReceived));
    this.pending.putBack(again.filter((waiting) => !isReceived(waiting)));
  }

  /**
   * A refusal is final only when no earlier try of the same command was stored: its retry gets the first answer. Where
   * this node is the log's only writer, somebody who never was a member cannot have stored anything.
   */
  private mayHaveBeenStored(command: WriteCommand): boolean {
    return this.settings.sharedLog || this.fold.membership(command.by) !== undefined;
  }

  private readFacts(): void {
    const targets = new Set<number>();
    for (const { command } of [...this.received.queue, ...this.pending]) {
      if (targets.size >= this.settings.batchEntriesMax) break;
      const judgement = this.fold.judge(command, (seq) => this.memory.fact(seq));
      if (judgement.type === 'needs') targets.add(judgement.target);
    }
    this.memory.beginRead();
    this.pipeline = { step: 'facts' };
    this.out.push({ type: 'readFacts', targets: [...targets] });
  }

  private onFactsRead(facts: Extract<RoomInput, { type: 'factsRead' }>['facts']): void {
    if (this.pipeline.step !== 'facts') return;
    this.pipeline = { step: 'idle' };
    this.memory.tookRead(facts);
  }

  private onTick(time: Time): void {
    if (this.loadRetryMs !== undefined && time.nowMs >= this.loadRetryMs) {
      this.loadRetryMs = undefined;
      this.out.push({ type: 'load' });
    }
    for (const waiting of this.commandsInDoubt()) {
      if (time.nowMs >= waiting.deadlineMs) this.missDeadline(waiting);
    }
    for (const queue of this.queues) {
      while (queue.first && time.nowMs >= queue.first.deadlineMs) for (const waiting of queue.drop(1)) this.missDeadline(waiting);
    }
    const overdue = this.forward.expire(time.nowMs);
    if (overdue) {
      this.counters.forwardExpired += overdue.batch.length;
      this.giveUp(overdue.batch);
    }
    if (this.pipeline.step === 'resting' && time.nowMs >= this.pipeline.untilMs) {
      const { batch, then, reason, attempt } = this.pipeline;
      this.pipeline = { step: 'idle' };
      if (then === 'resolve') this.resolve(batch, reason, attempt);
      else this.requeue(batch);
    }
    this.delivery.tick(time.nowMs, this.out);
  }

  private missDeadline(waiting: WaitingCommand): void {
    if (waiting.answered) return;
    this.counters.deadlineMissed += 1;
    this.conclude(waiting, {
      type: 'refused',
      code: 'STORE_UNAVAILABLE',
      message: 'not stored in time; send again with the same cid',
      retryAfterMs: 1000,
    });
  }

  private commandsInDoubt(): readonly WaitingCommand[] {
    const inPipeline = 'batch' in this.pipeline ? this.pipeline.batch : [];
    return this.forward.isUnderWay || this.returned.length > 0 ? [...inPipeline, ...this.forward.batch, ...this.returned] : inPipeline;
  }

  /** The command is in the log as `entry`: the answer of its first try, also to a retry. */
  private settle(waiting: WaitingCommand, entry: Entry, dup: boolean): void {
    if (!sameContent(waiting.command, entry)) {
      this.conclude(waiting, { type: 'refused', code: 'CONFLICT', message: 'this cid was used before with other content' });
      return;
    }
    this.conclude(waiting, { type: 'stored', entry, dup });
  }

  private conclude(waiting: WaitingCommand, outcome: AnsweredOutcome): void {
    if (waiting.answered) return;
    if (waiting.received && outcome.type !== 'stored') return this.handBack(waiting);
    waiting.answered = true;
    if (waiting.received) this.received.conclude(waiting.received, outcome, this.out);
    else this.answer(waiting.key, outcome);
  }

  private answer(key: number, outcome: AnsweredOutcome): void {
    this.out.push({ type: 'answer', key, outcome });
  }

  // ---- where writer and reader meet ----

  /**
   * Takes committed entries: folds those that follow the head, then lets `acknowledge` answer, then delivers.
   * Entries at or below the head were learned before; entries beyond a gap are only offered for delivery.
   */
  private learn(entries: readonly Entry[], time: Time, acknowledge?: () => void): void {
    for (const entry of entries) {
      if (entry.seq !== this.head.seq + 1) continue;
      this.head = headAfter(entry);
      this.fold.apply(entry);
      this.memory.learn(entry);
    }
    this.forward.heard(entries, time.nowMs);
    acknowledge?.();
    this.delivery.offer(entries, time.nowMs, this.out);
  }
}
