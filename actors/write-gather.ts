/**
 * WriteGather: commands of a room on a busy node, held for a moment so that more of them share an append.
 *
 * Fewer appends, and with each of them fewer and larger frames, whose first bytes are the senders' answers. The first command after a
 * pause is never held. Guarantees: order; a full batch is not held.
 */
import type { RoomInput } from './room-protocol.ts';

export class WriteGather {
  private held: RoomInput[] = [];
  private isHolding = false;

  add(write: RoomInput): void {
    this.held.push(write);
  }

  /** The commands to be taken now: none while they are held for fewer than `batchMax`. */
  take(batchMax: number): readonly RoomInput[] {
    if (this.held.length === 0 || (this.isHolding && this.held.length < batchMax)) return [];
    const taken = this.held;
    this.held = [];
    return taken;
  }

  /** What comes from now on is held until `release`. false: it is already. */
  hold(): boolean {
    const begins = !this.isHolding;
    this.isHolding = true;
    return begins;
  }

  release(): void {
    this.isHolding = false;
  }
}
