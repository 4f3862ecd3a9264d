/**
 * RoomWriter: the one append of a room that is under way, and what comes after it: wait -> batch -> append -> resolve -> answer. Pure.
 *
 * Guarantees: at most one append in flight; a command is acknowledged only from its own append's success or from a committed read;
 * what is in doubt is looked for before anything else is written. Does not: judge or answer commands (`room-intake-state.ts`).
 */
import { type Entry, isMessage } from '../system/store/entry.ts';
import { RoomBatch } from './room-batch-state.ts';
import type { EntryDraft } from './room-fold.ts';
import type { RoomForwarded } from './room-forwarded-state.ts';
import type { RoomIntake } from './room-intake-state.ts';
import type { RoomKnown } from './room-known-state.ts';
import { keyOf } from './room-memory-state.ts';
import type { Pipeline, ResolveReason, RoomInput, Time, WaitingCommand } from './room-protocol.ts';
import type { RoomQueue } from './room-queue-state.ts';

const restMinMs = 50;
const restMaxMs = 1000;
/** A winner that is not yet committed: look again after this, doubled up to the maximum. */
const conflictRestMinMs = 2;
const conflictRestMaxMs = 50;
const none: readonly WaitingCommand[] = [];
/** After so many looks at an uncommitted winner, append again: it may have rolled back, and the store decides anyway. */
const conflictLooksMax = 6;

export class RoomWriter {
  private readonly room: RoomKnown;
  private readonly intake: RoomIntake;
  private readonly forwarded: RoomForwarded;
  private pipeline: Pipeline = { step: 'idle' };
  private unknownsInARow = 0;
  private appendStartedMs = 0;
  private roundTripMs = 0;
  /** The highest seq heard of for which a committed read was made before appending. */
  private lookedForSeq = 0;

  constructor(room: RoomKnown, intake: RoomIntake, forwarded: RoomForwarded) {
    this.room = room;
    this.intake = intake;
    this.forwarded = forwarded;
  }

  /** Nothing is in flight or at rest; commands may wait. */
  get isIdle(): boolean {
    return this.pipeline.step === 'idle';
  }

  /** When `tick` is due at the latest; Infinity: nothing waits for time. Asked in every turn. */
  dueAtMs(): number {
    let dueMs = this.room.forward.dueAtMs ?? Number.POSITIVE_INFINITY;
    for (const queue of this.intake.queues) dueMs = Math.min(dueMs, queue.first?.deadlineMs ?? dueMs);
    if (this.pipeline.step === 'resting') dueMs = Math.min(dueMs, this.pipeline.untilMs);
    for (const waiting of this.commandsInDoubt()) if (!waiting.answered) dueMs = Math.min(dueMs, waiting.deadlineMs);
    return dueMs;
  }

  /** Group commit: everything that waits and can be judged goes as one batch, in order of arrival. */
  appendNext(time: Time): void {
    if (this.pipeline.step !== 'idle') return;
    if (this.forwarded.returned.length > 0) return this.resolve(this.forwarded.returned.splice(0), 'look', 0);
    if (this.forwardNext(time)) return;
    const queues = this.room.forward.isUnderWay ? [this.intake.received.queue] : this.intake.queues;
    if (queues.every(isEmpty)) return;
    if (this.room.delivery.seenSeq > Math.max(this.room.head.seq, this.lookedForSeq)) {
      this.lookedForSeq = this.room.delivery.seenSeq; // Once for each hint: a false one must not stop the room.
      return this.resolve([], 'look', 0);
    }
    const batch = new RoomBatch(this.room.settings);
    for (const queue of queues) if (!this.gather(queue, batch, false)) break;
    if (batch.size > 0) this.append(batch.commands, batch.drafts, time);
  }

  /** Gives the own commands to the last winner, where there is one who can be reached. true: a read is due first. */
  private forwardNext(time: Time): boolean {
    if (this.intake.pending.length === 0 || this.room.forward.isUnderWay || this.intake.pending.first?.mustAppend) return false;
    const to = this.room.forward.target(time.nowMs);
    if (to === undefined) return false;
    const { controlSeq } = this.room.forward;
    if (controlSeq > Math.max(this.room.fold.controlSeq, this.lookedForSeq)) {
      this.lookedForSeq = controlSeq;
      this.resolve([], 'look', 0);
      return true;
    }
    const batch = new RoomBatch(this.room.settings);
    const isRead = !this.gather(this.intake.pending, batch, true) && this.pipeline.step !== 'idle';
    if (batch.size === 0) return isRead;
    const { id } = this.room.forward.begin(to, batch.commands, batch.drafts, time.nowMs);
    this.room.counters.forwarded += batch.size;
    const commands = batch.commands.map(({ command }) => command);
    this.room.out.push({ type: 'forward', id, to, commands, controlSeq: this.room.fold.controlSeq });
    return false;
  }

  /** false: the batch ends here. */
  private gather(queue: RoomQueue, batch: RoomBatch, isForward: boolean): boolean {
    const then = this.intake.gather(queue, batch, isForward);
    if (batch.size > 0 || then === 'on' || then === 'end') return then === 'on';
    if (then === 'facts') this.readFacts();
    else this.resolve(queue.drop(1), 'look', 0);
    return false;
  }

  // ---- appends ----

  private append(batch: WaitingCommand[], drafts: EntryDraft[], time: Time): void {
    let { seq, n } = this.room.head;
    const entries = drafts.map((draft, index): Entry => {
      const { command } = batch[index] as WaitingCommand;
      seq += 1;
      if (isMessage(draft)) n += 1;
      const { by, name, cid } = command;
      const { writer } = this.room.settings;
      const content: Omit<EntryDraft, 'kind'> = draft;
      if (name === undefined) return { seq, n, kind: draft.kind, by, at: time.wallMs, cid, writer, ...content };
      return { seq, n, kind: draft.kind, by, name, at: time.wallMs, cid, writer, ...content };
    });
    for (const waiting of batch) waiting.tried = true;
    this.pipeline = { step: 'appending', batch, entries };
    this.appendStartedMs = time.nowMs;
    this.room.out.push({ type: 'append', after: this.room.head.seq, entries });
  }

  onAppendDone(outcome: Extract<RoomInput, { type: 'appendDone' }>['outcome'], time: Time): void {
    if (this.pipeline.step !== 'appending') return;
    const { batch, entries } = this.pipeline;
    switch (outcome) {
      case 'appended': {
        this.pipeline = { step: 'idle' };
        this.unknownsInARow = 0;
        this.roundTripMs = time.nowMs - this.appendStartedMs;
        this.room.counters.appended += entries.length;
        this.room.learn(entries, time, () => {
          for (const [index, waiting] of batch.entries()) this.intake.settle(waiting, entries[index] as Entry, false);
        });
        this.room.out.push({ type: 'publish', entries });
        if (this.room.forward.mustYield(time.nowMs)) {
          this.rest([], 'again', 'look', 0, this.roundTripMs, time);
        }
        return;
      }
      case 'conflict':
        this.room.counters.conflict += 1;
        this.room.forward.metForeign(time.nowMs);
        for (const waiting of batch) waiting.mustAppend = false; // It lost: now, and not before, it may be forwarded again.
        this.room.out.push({ type: 'note', event: 'append.conflict', count: entries.length });
        return this.resolve(batch, 'conflict', 0);
      case 'unknown':
        this.room.counters.unknown += 1;
        this.unknownsInARow += 1;
        for (const waiting of batch) waiting.inDoubt = waiting.mustAppend = true;
        return this.resolve(batch, 'unknown', 0);
      default: {
        const [refused] = batch.splice(outcome.rejected, 1);
        if (refused) this.intake.conclude(refused, { type: 'refused', code: 'PAYLOAD_TOO_LARGE', message: outcome.reason });
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
    this.room.out.push({ type: 'resolve', after: this.room.head.seq, limit: this.room.settings.readEntriesMax, ids });
  }

  onResolved(entries: readonly Entry[], found: readonly Entry[], time: Time): void {
    if (this.pipeline.step !== 'resolving') return;
    const { reason, attempt } = this.pipeline;
    const stored = new Map<string, Entry>();
    for (const entry of [...entries, ...found]) stored.set(keyOf(entry.by, entry.cid), entry);
    const left: WaitingCommand[] = [];
    this.room.learn(entries, time, () => {
      for (const waiting of (this.pipeline as { batch: WaitingCommand[] }).batch) {
        const entry = stored.get(keyOf(waiting.command.by, waiting.command.cid));
        if (!entry) {
          left.push(waiting);
          continue;
        }
        if (reason === 'unknown') this.room.counters.unknownFoundIn += 1;
        else this.room.counters.dedupeHit += 1;
        this.intake.found(waiting, entry);
      }
    });
    this.room.delivery.offer(found, time.nowMs, this.room.out); // What is acknowledged counts as seen, even beyond what was read.
    const learned = this.pipeline.learned + entries.length + found.length;
    if (entries.length >= this.room.settings.readEntriesMax) {
      this.pipeline = { step: 'resolving', batch: left, reason, attempt, learned };
      this.pushResolve(left);
      return;
    }
    for (const waiting of left) waiting.looked = true;
    if (reason === 'unknown' && left.length > 0) this.room.counters.unknownFoundOut += 1;
    if (reason === 'unknown' && left.length > 0) return this.rest(left, 'again', reason, attempt, this.restMs(), time);
    if (reason === 'conflict' && left.length > 0 && learned === 0 && attempt < conflictLooksMax) {
      // The winner is not committed yet and may still roll back: its number is not ours to skip.
      const delayMs = Math.min(conflictRestMinMs * 2 ** attempt, conflictRestMaxMs);
      return this.rest(left, 'resolve', reason, attempt + 1, delayMs, time);
    }
    this.pipeline = { step: 'idle' };
    this.intake.requeue(left);
  }

  onResolveFailed(time: Time): void {
    if (this.pipeline.step !== 'resolving') return;
    this.unknownsInARow += 1;
    const { batch, reason, attempt } = this.pipeline;
    this.rest(batch, 'resolve', reason, attempt + 1, this.restMs(), time);
  }

  private readFacts(): void {
    const targets = this.intake.unknownTargets();
    this.room.memory.beginRead();
    this.pipeline = { step: 'facts' };
    this.room.out.push({ type: 'readFacts', targets });
  }

  onFactsRead(facts: Extract<RoomInput, { type: 'factsRead' }>['facts']): void {
    if (this.pipeline.step !== 'facts') return;
    this.pipeline = { step: 'idle' };
    this.room.memory.tookRead(facts);
  }

  factsFailed(time: Time): void {
    if (this.pipeline.step === 'facts') this.rest([], 'again', 'look', 0, this.restMs(), time);
  }

  tick(time: Time): void {
    for (const waiting of this.commandsInDoubt()) {
      if (time.nowMs >= waiting.deadlineMs) this.intake.missDeadline(waiting);
    }
    this.intake.missDeadlines(time.nowMs);
    this.forwarded.expire(time.nowMs);
    if (this.pipeline.step === 'resting' && time.nowMs >= this.pipeline.untilMs) {
      const { batch, then, reason, attempt } = this.pipeline;
      this.pipeline = { step: 'idle' };
      if (then === 'resolve') this.resolve(batch, reason, attempt);
      else this.intake.requeue(batch);
    }
  }

  private commandsInDoubt(): readonly WaitingCommand[] {
    const inPipeline = 'batch' in this.pipeline ? this.pipeline.batch : none;
    return this.forwarded.isUnderWay ? [...inPipeline, ...this.forwarded.commands] : inPipeline;
  }

  /** The store did not say: until when the room leaves it in peace. */
  restUntilMs(nowMs: number): number {
    this.unknownsInARow += 1;
    return nowMs + this.restMs();
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
}

const isEmpty = (queue: RoomQueue): boolean => queue.length === 0;
