/**
 * RoomForeign: what other nodes tell a room besides its entries: who types there, who has read what.
 *
 * Guarantees: nothing of somebody who is no member by this node's own fold is shown; marks wait until the room is loaded, typing
 * does not: it would be over.
 * Does not: believe numbers: entries come by the log, and marks only ever rise.
 */
import type { RoomSignal } from '../system/wire/wire.ts';
import type { RoomMarks } from './room-marks.ts';
import type { RoomReaders } from './room-readers.ts';
import type { RoomState } from './room-state.ts';
import { type RoomTyping, showsSignals } from './room-typing.ts';

/** Marks that may wait while the room is loaded. More are dropped: the lists of those users say it. */
export const foreignMarksWaitingMax = 256;

type ReadSignal = Extract<RoomSignal, { type: 'read' }>;

export interface RoomForeignParts {
  readonly readers: RoomReaders;
  readonly typing: RoomTyping;
  readonly marks: RoomMarks;
}

export class RoomForeign {
  private readonly parts: RoomForeignParts;
  private waiting: ReadSignal[] = [];

  constructor(parts: RoomForeignParts) {
    this.parts = parts;
  }

  restart(): void {
    this.waiting = [];
  }

  take(signal: RoomSignal, room: RoomState, nowMs: number): void {
    if (room.isLoaded) this.judge(signal, room, nowMs);
    else if (signal.type === 'read' && this.waiting.length < foreignMarksWaitingMax) this.waiting.push(signal);
  }

  judgeWaiting(room: RoomState, nowMs: number): void {
    if (this.waiting.length === 0 || !room.isLoaded) return;
    for (const signal of this.waiting.splice(0)) this.judge(signal, room, nowMs);
  }

  private judge(signal: RoomSignal, room: RoomState, nowMs: number): void {
    const { readers, typing, marks } = this.parts;
    if (signal.type === 'typing') typing.elsewhere(signal, room, nowMs);
    else if (room.fold.isMember(signal.mark.user)) marks.raisedElsewhere(signal, readers, !showsSignals(room));
  }
}
