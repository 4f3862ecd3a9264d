/**
 * RoomReceived: commands that other nodes forwarded to this one. Pure.
 *
 * They wait in a queue of their own, since they go on while this node's own commands are forwarded elsewhere: two nodes that forward
 * to each other would wait for each other else. Guarantees: each forward is answered once, when all of its commands are decided; once
 * one of them is not stored, none after it is begun, so the order of a sender holds. They are never forwarded again.
 *
 * The fence: a forward names the last control entry its node knew. It is stored only while that is the last one here too. So a command
 * that its own node has refused since (somebody was removed) can never be stored by a copy that comes late: the entry that made
 * the refusal right is a control entry, or a deletion, which stays. It does not keep the order of a sender: what this node has read of a
 * target may be older than what the other one has, and then one command is handed back and the next could be stored.
 */
import type {
  AnsweredOutcome,
  ForwardResult,
  Received,
  ReceivedBatch,
  RoomEffect,
  RoomInput,
  RoomSettings,
  WaitingCommand,
} from './room-protocol.ts';
import { RoomQueue } from './room-queue-state.ts';

export class RoomReceived {
  readonly queue: RoomQueue;
  private readonly settings: RoomSettings;

  constructor(settings: RoomSettings) {
    this.settings = settings;
    this.queue = new RoomQueue(settings);
  }

  /** Takes what fits; the rest of the batch is handed back. */
  take({ key, commands, controlSeq }: Extract<RoomInput, { type: 'forwarded' }>, nowMs: number, out: RoomEffect[]): void {
    const batch: ReceivedBatch = {
      key,
      controlSeq,
      results: commands.map(() => undefined),
      undecided: commands.length,
      brokenAt: commands.length,
    };
    for (const [index, command] of commands.entries()) {
      if (index > batch.brokenAt || this.queue.fullFor(command.by)) {
        decide(batch, index, undefined, out);
        continue;
      }
      this.queue.add({
        key: 0,
        command,
        deadlineMs: nowMs + this.settings.ackDeadlineMs,
        answered: false,
        looked: false,
        tried: false,
        inDoubt: false,
        mustAppend: false,
        received: { batch, index },
      });
    }
  }

  /** Not to be stored by this copy, whatever the fold says. */
  isStale({ batch, index }: Received, controlSeq: number): boolean {
    return index > batch.brokenAt || batch.controlSeq !== controlSeq;
  }

  conclude({ batch, index }: Received, outcome: AnsweredOutcome | undefined, out: RoomEffect[]): void {
    if (outcome?.type !== 'stored') return decide(batch, index, undefined, out);
    const { seq, n, at } = outcome.entry;
    decide(batch, index, { seq, n, at, dup: outcome.dup }, out);
  }
}

function decide(batch: ReceivedBatch, index: number, result: ForwardResult | undefined, out: RoomEffect[]): void {
  batch.results[index] = result;
  if (!result) batch.brokenAt = Math.min(batch.brokenAt, index);
  batch.undecided -= 1;
  if (batch.undecided === 0) out.push({ type: 'forwardAnswer', key: batch.key, results: batch.results });
}

export const isReceived = (waiting: WaitingCommand): boolean => waiting.received !== undefined;
