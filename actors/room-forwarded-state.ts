/**
 * RoomForwarded: what becomes of the commands that went to the last winner: acknowledged, or back here. Pure.
 *
 * Guarantees: only what the other node says it stored is acknowledged; every other command comes back, in order, before later ones:
 * `returned` is looked for in the log first, since it may be there. Does not: choose the node, or wait (`room-forward-state.ts`).
 */
import type { EntryDraft } from './room-fold.ts';
import { storedThere, type UnderWay } from './room-forward-state.ts';
import type { RoomIntake } from './room-intake-state.ts';
import type { RoomKnown } from './room-known-state.ts';
import type { ForwardResult, RoomInput, Time, WaitingCommand } from './room-protocol.ts';

export class RoomForwarded {
  /** Commands whose forward came to nothing: looked for in the log before anything else is done. */
  returned: WaitingCommand[] = [];
  private readonly room: RoomKnown;
  private readonly intake: RoomIntake;

  constructor(room: RoomKnown, intake: RoomIntake) {
    this.room = room;
    this.intake = intake;
  }

  get isUnderWay(): boolean {
    return this.room.forward.isUnderWay || this.returned.length > 0;
  }

  get commands(): readonly WaitingCommand[] {
    return [...this.room.forward.batch, ...this.returned];
  }

  /** What the other node stored is in the log, committed: that is acknowledged. Whatever else it says is only a reason to look. */
  onForwardDone({ id, results }: Extract<RoomInput, { type: 'forwardDone' }>, time: Time): void {
    const ended = this.room.forward.end(id);
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
    this.room.counters.forwardReturned += left.length;
    this.giveUp(left);
  }

  private acknowledge({ to }: UnderWay, waiting: WaitingCommand, draft: EntryDraft, result: ForwardResult, time: Time): void {
    const entry = storedThere(waiting, draft, result, to);
    this.room.counters.forwardStored += 1;
    this.room.forward.heard([entry], time.nowMs);
    this.intake.conclude(waiting, { type: 'stored', entry, dup: result.dup });
    // What is acknowledged counts as seen. An earlier try's entry, and a deletion, are read: what is shown of them is not known here.
    if (result.dup || draft.kind === 'delete')
      this.room.delivery.take({ type: 'hint', seq: entry.seq }, time.nowMs, this.room.context, this.room.out);
    else this.room.delivery.offer([entry], time.nowMs, this.room.out);
  }

  expire(nowMs: number): void {
    const overdue = this.room.forward.expire(nowMs);
    if (!overdue) return;
    this.room.counters.forwardExpired += overdue.batch.length;
    this.giveUp(overdue.batch);
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
    this.intake.requeue(commands);
  }
}
