/**
 * RoomQueue: commands that wait for their append, in order of arrival, bounded for the room and for each sender. Pure.
 */
import type { UserId } from '../system/ids.ts';
import type { RoomSettings, WaitingCommand } from './room-protocol.ts';

export class RoomQueue implements Iterable<WaitingCommand> {
  private readonly settings: RoomSettings;
  private waiting: WaitingCommand[] = [];
  private readonly bySender = new Map<UserId, number>();

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
    if (this.fromSender(sender) >= this.settings.senderPendingMax) return 'sender';
    return this.waiting.length >= this.settings.pendingMax ? 'room' : undefined;
  }

  add(waiting: WaitingCommand): void {
    this.bySender.set(waiting.command.by, this.fromSender(waiting.command.by) + 1);
    this.waiting.push(waiting);
  }

  /** To the front, in their order; beyond the bounds, since they were counted before. */
  putBack(commands: readonly WaitingCommand[]): void {
    for (const { command } of commands) this.bySender.set(command.by, this.fromSender(command.by) + 1);
    this.waiting = [...commands, ...this.waiting];
  }

  /** Removes the first ones. */
  drop(count: number): WaitingCommand[] {
    const dropped = this.waiting.splice(0, count);
    for (const { command } of dropped) {
      const left = this.fromSender(command.by) - 1;
      if (left > 0) this.bySender.set(command.by, left);
      else this.bySender.delete(command.by);
    }
    return dropped;
  }

  private fromSender(sender: UserId): number {
    return this.bySender.get(sender) ?? 0;
  }
}
