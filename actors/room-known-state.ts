/**
 * RoomKnown: what a room knows of its committed log, and where its writer and its reader side meet. Pure.
 *
 * Guarantees: the append head moves only by committed entries that follow it; each of them goes to the fold, the memory, the writer that
 * waits for it and the readers, in this order. Does not: decide anything. The parts of `room-state.ts` share one of these.
 */
import { type Entry, emptyHead, type Head, headAfter } from '../system/store/entry.ts';
import type { DeliveryContext } from './room-cursors-state.ts';
import { RoomDelivery } from './room-delivery.ts';
import { RoomFold } from './room-fold.ts';
import { RoomForward } from './room-forward-state.ts';
import { RoomMemory } from './room-memory-state.ts';
import type { RoomCounters, RoomEffect, RoomSettings, Time } from './room-protocol.ts';

export class RoomKnown {
  readonly settings: RoomSettings;
  readonly counters: RoomCounters;
  readonly fold = new RoomFold();
  readonly memory = new RoomMemory();
  readonly forward: RoomForward;
  readonly delivery: RoomDelivery;
  /** Append head: moved by own acks and committed reads only. */
  head: Head = emptyHead;
  /** The effects of this turn, in order. */
  out: RoomEffect[] = [];

  constructor(settings: RoomSettings, counters: RoomCounters) {
    this.settings = settings;
    this.counters = counters;
    this.forward = new RoomForward(settings);
    this.delivery = new RoomDelivery(settings, counters);
  }

  get headSeq(): number {
    return Math.max(this.head.seq, this.delivery.delivered);
  }

  /** Count of messages up to `headSeq`. */
  get headN(): number {
    return Math.max(this.head.n, this.delivery.deliveredN);
  }

  get context(): DeliveryContext {
    return { fold: this.fold, headSeq: this.headSeq };
  }

  /** What the log holds when the room begins. */
  begin(head: Head, controls: readonly Entry[]): void {
    for (const entry of controls) this.fold.apply(entry);
    this.head = head;
    this.delivery.begin(head);
  }

  /**
   * Takes committed entries: folds those that follow the head, then lets `acknowledge` answer, then delivers.
   * Entries at or below the head were learned before; entries beyond a gap are only offered for delivery.
   */
  learn(entries: readonly Entry[], time: Time, acknowledge?: () => void): void {
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
