/**
 * RoomTally: what all rooms of this node hold and have met, added up for the metrics and for bounds of the node.
 *
 * A room tells its share at the end of each turn and takes it back when it stops or crashes.
 */
import type { Metrics } from '../system/metrics.ts';
import { newRoomCounters, type RoomCounters } from './room-protocol.ts';

/** One room's share of the gauges. */
export interface RoomLoad {
  readonly readers: number;
  /** Commands waiting for their append. */
  readonly waiting: number;
  /** Events that came too early. */
  readonly earlyBytes: number;
}

export const noLoad: RoomLoad = { readers: 0, waiting: 0, earlyBytes: 0 };

export class RoomTally {
  readonly counters: RoomCounters = newRoomCounters();
  private readers = 0;
  private waiting = 0;
  private bytes = 0;
  /** Most commands that waited in one room since the last reading. */
  private waitingHighest = 0;

  get earlyBytes(): number {
    return this.bytes;
  }

  move(from: RoomLoad, to: RoomLoad): void {
    this.readers += to.readers - from.readers;
    this.waiting += to.waiting - from.waiting;
    this.bytes += to.earlyBytes - from.earlyBytes;
    if (to.waiting > this.waitingHighest) this.waitingHighest = to.waiting;
  }

  tell(metrics: Metrics, pendingMax: number): void {
    metrics.read('playhouse_readers', () => this.readers);
    metrics.read('playhouse_room_commands_waiting', () => this.waiting);
    metrics.read('playhouse_reorder_bytes', () => this.bytes);
    metrics.read('playhouse_room_events_total', () => ({ ...this.counters }));
    metrics.read('playhouse_room_fill_ratio', () => {
      const highest = this.waitingHighest;
      this.waitingHighest = 0;
      return highest / pendingMax;
    });
  }
}
