/**
 * Connection: one socket between a client and a node, with the bounded sink of the node's side. First in, first out;
 * what was taken is lost when it is cut, and each side learns of the cut in its own time.
 */

import type { WriteCommand } from '../../actors/room-fold.ts';
import type { AnsweredOutcome, ReaderId } from '../../actors/room-protocol.ts';
import type { RoomId, UserId } from '../../system/ids.ts';
import type { Entry } from '../../system/store/entry.ts';
import type { Random } from './random.ts';
import type { World } from './world.ts';

export type Request =
  | { readonly type: 'open'; readonly room: RoomId; readonly since?: number; readonly epoch?: string; readonly limit: number }
  | { readonly type: 'close'; readonly room: RoomId }
  | { readonly type: 'command'; readonly room: RoomId; readonly command: WriteCommand }
  | { readonly type: 'history'; readonly room: RoomId };

export type Frame =
  | { readonly type: 'entries'; readonly room: RoomId; readonly entries: readonly Entry[] }
  | { readonly type: 'gone'; readonly room: RoomId; readonly reason: 'kicked' | 'left' | 'unavailable' }
  | {
      readonly type: 'answer';
      readonly room: RoomId;
      readonly request: number;
      readonly from: string;
      readonly outcome: AnsweredOutcome | { readonly type: 'page'; readonly upTo: number };
    };

export interface ClientSide {
  onFrame(connection: Connection, frame: Frame): void;
  onCut(connection: Connection): void;
}

export interface NodeSide {
  readonly name: string;
  onRequest(connection: Connection, id: number, request: Request): void;
  onCut(connection: Connection): void;
}

export class Connection {
  readonly id: ReaderId;
  readonly user: UserId;
  readonly node: NodeSide;
  isCut = false;
  /** The node side has closed it: nothing more is taken. */
  isClosed = false;
  private readonly world: World;
  private readonly random: Random;
  private readonly client: ClientSide;
  private queued = 0;
  private upAtMs = 0;
  private downAtMs = 0;
  private stalledUntilMs = 0;
  private readonly roomWaiters = new Set<() => void>();

  constructor(world: World, id: ReaderId, user: UserId, client: ClientSide, node: NodeSide) {
    this.world = world;
    this.random = world.random(`connection ${id}`);
    this.id = id;
    this.user = user;
    this.client = client;
    this.node = node;
  }

  // ---- client side ----

  request(id: number, request: Request): void {
    this.upAtMs = Math.max(this.upAtMs, this.world.nowMs) + this.random.next() * 3;
    this.world.after(this.upAtMs - this.world.nowMs, () => {
      if (!this.isCut) this.node.onRequest(this, id, request);
    });
  }

  /** The client does not read for a while. */
  stall(forMs: number): void {
    this.stalledUntilMs = this.world.nowMs + forMs;
  }

  // ---- node side ----

  /** false: over its bound, nothing was taken; `onRoom` is called once when there is room again. */
  send(frame: Frame, onRoom: () => void): boolean {
    if (this.isClosed) return false;
    if (this.queued >= this.world.options.sinkFramesMax) {
      this.roomWaiters.add(onRoom);
      return false;
    }
    this.carry(frame, true);
    return true;
  }

  /** Answers and goodbyes are few and are always taken. */
  tell(frame: Frame): void {
    if (!this.isClosed) this.carry(frame, false);
  }

  private carry(frame: Frame, isCounted: boolean): void {
    const { world } = this;
    if (isCounted) this.queued += 1;
    this.downAtMs = Math.max(this.downAtMs, world.nowMs, this.stalledUntilMs) + this.random.next() * 3;
    world.after(this.downAtMs - world.nowMs, () => {
      if (isCounted) this.queued -= 1;
      if (isCounted && this.queued * 2 <= world.options.sinkFramesMax) this.tellRoom();
      if (!this.isCut) this.client.onFrame(this, frame);
    });
  }

  private tellRoom(): void {
    if (this.isClosed) return;
    const waiters = [...this.roomWaiters];
    this.roomWaiters.clear();
    for (const waiter of waiters) waiter();
  }

  /** The cable is pulled. Frames under way are lost. */
  cut(): void {
    if (this.isCut) return;
    this.isCut = true;
    this.world.after(this.random.int(0, 500), () => this.client.onCut(this));
    this.world.after(this.random.int(0, 2000), () => this.node.onCut(this));
  }
}
