/**
 * RoomShare: what one room holds of what the node has for all rooms, and when that is much.
 *
 * Guarantees: the node's sums are told at the end of each turn, and nothing is left in them when the room stops.
 */
import type { Entry } from '../system/store/entry.ts';
import type { RoomInput } from './room-protocol.ts';
import { noLoad, type RoomLoad, type RoomTally } from './room-tally.ts';

/** Of the commands that may wait for their append: a line says so. */
const pendingHighRatio = 0.8;
/** Early events of all rooms of the node together. Above it an event is only a hint, and what it held is read from the log. */
export const nodeReorderBytesMax = 64 * 1024 * 1024;

export class RoomShare {
  private readonly tally: RoomTally;
  private readonly pendingMax: number;
  private load: RoomLoad = noLoad;
  private isHigh = false;

  constructor(tally: RoomTally, pendingMax: number) {
    this.tally = tally;
    this.pendingMax = pendingMax;
  }

  /** true: so many commands wait now that a line is due. Once for each time it gets there. */
  tell(load: RoomLoad): boolean {
    this.tally.move(this.load, load);
    this.load = load;
    const wasHigh = this.isHigh;
    this.isHigh = load.waiting >= this.pendingMax * pendingHighRatio;
    return this.isHigh && !wasHigh;
  }

  end(): void {
    this.tally.move(this.load, noLoad);
    this.load = noLoad;
  }

  inputOf(entries: readonly Entry[]): RoomInput {
    const last = entries.at(-1);
    return !last || this.tally.earlyBytes < nodeReorderBytesMax ? { type: 'event', entries } : { type: 'hint', seq: last.seq };
  }
}
