/**
 * RoomIntake: commands that are to be written: taken in, judged, answered. Pure; `room-writer-state.ts` says when.
 *
 * Owns: the queue of this node's commands and that of other nodes' ones. Guarantees: bounded, else BUSY; each command is answered
 * once: by the entry it became, by a judgement that no earlier try can make false, or at its deadline. One of another node is
 * either stored or handed back, never refused.
 */
import type { Entry } from '../system/store/entry.ts';
import type { RoomBatch } from './room-batch-state.ts';
import type { WriteCommand } from './room-fold.ts';
import type { RoomKnown } from './room-known-state.ts';
import { keyOf, sameContent } from './room-memory-state.ts';
import type { AnsweredOutcome, RoomInput, Time, WaitingCommand } from './room-protocol.ts';
import { RoomQueue } from './room-queue-state.ts';
import { isReceived, RoomReceived } from './room-received-state.ts';

export class RoomIntake {
  readonly pending: RoomQueue;
  readonly received: RoomReceived;
  readonly queues: readonly RoomQueue[];
  private readonly room: RoomKnown;

  constructor(room: RoomKnown) {
    this.room = room;
    this.pending = new RoomQueue(room.settings);
    this.received = new RoomReceived(room.settings);
    this.queues = [this.received.queue, this.pending];
  }

  get pendingCount(): number {
    return this.pending.length + this.received.queue.length;
  }

  enqueue(key: number, command: WriteCommand, time: Time): void {
    const full = this.pending.fullFor(command.by);
    if (full) {
      const whose = full === 'sender' ? 'your commands' : 'commands';
      this.answer(key, { type: 'refused', code: 'BUSY', message: `too many of ${whose} wait in this room`, retryAfterMs: 250 });
      return;
    }
    this.pending.add({
      key,
      command,
      deadlineMs: time.nowMs + this.room.settings.ackDeadlineMs,
      answered: false,
      looked: false,
      tried: false,
      inDoubt: false,
      mustAppend: false,
    });
  }

  /** Another node's. */
  takeReceived(input: Extract<RoomInput, { type: 'forwarded' }>, time: Time): void {
    this.room.counters.received += input.commands.length;
    this.received.take(input, time.nowMs, this.room.out);
  }

  /** Moves what may be stored from the queue to the batch, and answers what is decided already. on: all of it. */
  gather(queue: RoomQueue, batch: RoomBatch, isForward: boolean): 'on' | 'end' | 'facts' | 'look' {
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
    return then;
  }

  /** on: it is in the batch, or answered. Else it stays where it is, for a later batch or until the read is made. */
  private judge(waiting: WaitingCommand, batch: RoomBatch, isForward: boolean): 'on' | 'end' | 'facts' | 'look' {
    const { command, received } = waiting;
    if (isForward && waiting.mustAppend) return 'end';
    const key = keyOf(command.by, command.cid);
    const stored = this.room.memory.stored(key);
    if (stored) {
      this.room.counters.dedupeHit += 1;
      this.found(waiting, stored);
      return 'on';
    }
    if (batch.has(key)) return 'end'; // Its twin goes first; then this one is a retry of something stored.
    if (received && this.received.isStale(received, this.room.fold.controlSeq)) {
      this.handBack(waiting);
      return 'on';
    }
    const judgement = this.room.fold.judge(command, (seq) => this.room.memory.fact(seq));
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
    if (waiting.tried) this.room.counters.revalidationRefusal += 1;
    this.conclude(waiting, { type: 'refused', code: judgement.code, message: judgement.message });
    return 'on';
  }

  /**
   * A refusal is final only when no earlier try of the same command was stored: its retry gets the first answer. Where
   * this node is the log's only writer, somebody who never was a member cannot have stored anything.
   */
  private mayHaveBeenStored(command: WriteCommand): boolean {
    return this.room.settings.sharedLog || this.room.fold.membership(command.by) !== undefined;
  }

  /** Entries that must be known before the commands that wait can be judged. */
  unknownTargets(): number[] {
    const targets = new Set<number>();
    for (const { command } of [...this.received.queue, ...this.pending]) {
      if (targets.size >= this.room.settings.batchEntriesMax) break;
      const judgement = this.room.fold.judge(command, (seq) => this.room.memory.fact(seq));
      if (judgement.type === 'needs') targets.add(judgement.target);
    }
    return [...targets];
  }

  /** Commands whose outcome is decided as "not stored" go back to the front, in their order, to be judged anew. */
  requeue(commands: readonly WaitingCommand[]): void {
    const again = commands.filter((waiting) => !waiting.answered);
    this.received.queue.putBack(again.filter(isReceived));
    this.pending.putBack(again.filter((waiting) => !isReceived(waiting)));
  }

  missDeadlines(nowMs: number): void {
    for (const queue of this.queues) {
      while (queue.first && nowMs >= queue.first.deadlineMs) for (const waiting of queue.drop(1)) this.missDeadline(waiting);
    }
  }

  missDeadline(waiting: WaitingCommand): void {
    if (waiting.answered) return;
    this.room.counters.deadlineMissed += 1;
    this.conclude(waiting, {
      type: 'refused',
      code: 'STORE_UNAVAILABLE',
      message: 'not stored in time; send again with the same cid',
      retryAfterMs: 1000,
    });
  }

  /** The command was found in the log. When an append of it here had ended unknown and it was that one, others are told of it now. */
  found(waiting: WaitingCommand, entry: Entry): void {
    this.settle(waiting, entry, !waiting.inDoubt);
    if (waiting.inDoubt && entry.writer === this.room.settings.writer) this.room.out.push({ type: 'publish', entries: [entry] });
  }

  /** The command is in the log as `entry`: the answer of its first try, also to a retry. */
  settle(waiting: WaitingCommand, entry: Entry, dup: boolean): void {
    if (!sameContent(waiting.command, entry)) {
      this.conclude(waiting, { type: 'refused', code: 'CONFLICT', message: 'this cid was used before with other content' });
      return;
    }
    this.conclude(waiting, { type: 'stored', entry, dup });
  }

  conclude(waiting: WaitingCommand, outcome: AnsweredOutcome): void {
    if (waiting.answered) return;
    if (waiting.received && outcome.type !== 'stored') return this.handBack(waiting);
    waiting.answered = true;
    if (waiting.received) this.received.conclude(waiting.received, outcome, this.room.out);
    else this.answer(waiting.key, outcome);
  }

  /** To the node that forwarded it. */
  private handBack(waiting: WaitingCommand): void {
    this.room.counters.receivedReturned += 1;
    if (waiting.answered || !waiting.received) return;
    waiting.answered = true;
    this.received.conclude(waiting.received, undefined, this.room.out);
  }

  private answer(key: number, outcome: AnsweredOutcome): void {
    this.room.out.push({ type: 'answer', key, outcome });
  }
}
