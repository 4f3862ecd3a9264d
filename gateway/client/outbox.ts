/**
 * Outbox: what the user wrote and the server has not acknowledged yet.
 *
 * Guarantees: per room in the order of `add`, one in flight, so nothing overtakes; the same cid on every try; what was
 * unacknowledged when a connection was lost goes first on the next one. A refusal that cannot succeed later rejects
 * its caller and makes way. Bounded: beyond `commandsMax`, `add` rejects with OUTBOX_FULL and keeps nothing.
 * Does not: survive the process; know sockets.
 */
import type { CommandPayloads, WireStored } from '../client-protocol.ts';
import { ChatError } from './chat-error.ts';
import { backoffMs, type Timing } from './timing.ts';

type StoringEvent = 'message:send' | 'message:modify' | 'message:delete' | 'message:react';
export type StoringCommand = { [Event in StoringEvent]: { readonly event: Event; readonly payload: CommandPayloads[Event] } }[StoringEvent];

/** One try. Rejects with ChatError; OFFLINE, CONNECTION_LOST and TIMEOUT are retryable like the server's own codes. */
export type Transmit = (command: StoringCommand) => Promise<WireStored>;

export interface OutboxOptions {
  readonly transmit: Transmit;
  readonly isOnline: () => boolean;
  readonly timing: Timing;
  readonly commandsMax?: number;
}

export const outboxCommandsMax = 10_000;

interface Item {
  readonly command: StoringCommand;
  readonly resolve: (stored: WireStored) => void;
  readonly reject: (error: ChatError) => void;
  tries: number;
}
interface Lane {
  readonly items: Item[];
  isBusy: boolean;
  cancelRetry: (() => void) | undefined;
}

export class Outbox {
  private readonly options: OutboxOptions;
  private readonly lanes = new Map<string, Lane>();
  private count = 0;

  constructor(options: OutboxOptions) {
    this.options = options;
  }

  /** Commands not acknowledged yet. */
  get size(): number {
    return this.count;
  }

  sizeOf(room: string): number {
    return this.lanes.get(room)?.items.length ?? 0;
  }

  /** Resolves with the server's acknowledgement, however long that takes; rejects when it is refused for good. */
  add(command: StoringCommand): Promise<WireStored> {
    const most = this.options.commandsMax ?? outboxCommandsMax;
    if (this.count >= most) {
      return Promise.reject(new ChatError('OUTBOX_FULL', `${most} messages wait to be sent; this one was not kept`, true));
    }
    const { room } = command.payload;
    const lane = this.lanes.get(room) ?? { items: [], isBusy: false, cancelRetry: undefined };
    this.lanes.set(room, lane);
    this.count += 1;
    return new Promise((resolve, reject) => {
      lane.items.push({ command, resolve, reject, tries: 0 });
      this.pump(room, lane);
    });
  }

  /** The connection is back: every lane begins with its oldest unacknowledged command. */
  resume(): void {
    for (const [room, lane] of this.lanes) {
      lane.cancelRetry?.();
      lane.cancelRetry = undefined;
      this.pump(room, lane);
    }
  }

  /** Rejects everything that waits. */
  clear(error: ChatError): void {
    const lanes = [...this.lanes.values()];
    this.lanes.clear();
    this.count = 0;
    for (const lane of lanes) {
      lane.cancelRetry?.();
      for (const item of lane.items.splice(0)) item.reject(error);
    }
  }

  private pump(room: string, lane: Lane): void {
    const item = lane.items[0];
    if (!item) {
      if (!lane.isBusy) this.lanes.delete(room);
      return;
    }
    if (lane.isBusy || lane.cancelRetry || !this.options.isOnline()) return;
    lane.isBusy = true;
    item.tries += 1;
    this.options.transmit(item.command).then(
      (stored) => this.settle(room, lane, item, () => item.resolve(stored)),
      (error: unknown) => this.failed(room, lane, item, error),
    );
  }

  private failed(room: string, lane: Lane, item: Item, cause: unknown): void {
    const error = cause instanceof ChatError ? cause : new ChatError('INTERNAL', String(cause), false);
    if (!error.retryable) return this.settle(room, lane, item, () => item.reject(error));
    lane.isBusy = false;
    if (lane.items[0] !== item) return;
    if (this.options.isOnline() && error.code !== 'CONNECTION_LOST') {
      const { timing } = this.options;
      lane.cancelRetry = timing.after((error.retryAfterMs ?? 0) + backoffMs(item.tries - 1, timing), () => {
        lane.cancelRetry = undefined;
        this.pump(room, lane);
      });
    } else this.pump(room, lane); // Offline: does nothing until resume. Already back on another connection: at once.
  }

  private settle(room: string, lane: Lane, item: Item, tell: () => void): void {
    lane.isBusy = false;
    if (lane.items[0] !== item) return; // Cleared meanwhile.
    lane.items.shift();
    this.count -= 1;
    tell();
    this.pump(room, lane);
  }
}
