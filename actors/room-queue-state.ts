/**
 * RoomQueue: commands that wait for their append, in order of arrival, bounded for the room and for each sender. Pure.
 */
import type { UserId } from '../system/ids.ts';
import type { RoomSettings, WaitingCommand } from './room-protocol.ts';

export class RoomQueue implements Iterable<WaitingCommand> {
  private readonly settings: RoomSettings;
  private waiting: WaitingCommand[] = [];
  /** Of each sender, while more wait than one sender may have; below that nobody's bound can be reached. */
  private bySender: Map<UserId, number> | undefined;

  constructor(settings: RoomSettings) {
    this.settings = settings;
  }

  get length(): number {
    return this.waiting.length;
  }

  /** The one that waits longest, and so is due first. */
  get first(): WaitingCommand | undefined {
    return this.waiting[0];
  }

  [Symbol.iterator](): Iterator<WaitingCommand> {
    return this.waiting[Symbol.iterator]();
  }

  /** Whose bound another command of this sender would break. */
  fullFor(sender: UserId): 'sender' | 'room' | undefined {
    if ((this.bySender?.get(sender) ?? 0) >= this.settings.senderPendingMax) return 'sender';
    return this.waiting.length >= this.settings.pendingMax ? 'room' : undefined;
  }

  add(waiting: WaitingCommand): void {
    this.waiting.push(waiting);
    this.count([waiting], 1);
  }

  /** To the front, in their order; beyond the bounds, since they were counted before. */
  putBack(commands: readonly WaitingCommand[]): void {
    if (commands.length === 0) return;
    this.waiting = [...commands, ...this.waiting];
    this.count(commands, 1);
  }

  /** Removes the first ones. */
  drop(count: number): WaitingCommand[] {
    if (count === 0) return [];
    const isAll = count >= this.waiting.length;
    const dropped = isAll ? this.waiting : this.waiting.splice(0, count);
    if (isAll) this.waiting = [];
    this.count(dropped, -1);
    return dropped;
  }

  private count(commands: readonly WaitingCommand[], change: 1 | -1): void {
    if (this.waiting.length === 0) {
      this.bySender = undefined;
      return;
    }
    if (!this.bySender && this.waiting.length < this.settings.senderPendingMax) return;
    const isNew = !this.bySender;
    this.bySender ??= new Map();
    for (const { command } of isNew ? this.waiting : commands) {
      const left = (this.bySender.get(command.by) ?? 0) + (isNew ? 1 : change);
      if (left > 0) this.bySender.set(command.by, left);
      else this.bySender.delete(command.by);
    }
  }
}
