/**
 * OpenRooms: the rooms a client has open, each with its cursor, opened again whenever the connection comes back.
 *
 * Guarantees: a refused or unanswered opening is tried again with back-off, unless it can never succeed; after a
 * violation the room is opened anew from the last good seq.
 * Does not: judge what arrives (room-cursor.ts), or own the connection.
 */
import type { CommandPayloads, WireEntry, WireOpened } from '../client-protocol.ts';
import { ChatError } from './chat-error.ts';
import type { Answered } from './connection.ts';
import type { Emitter } from './emitter.ts';
import {
  type CursorAction,
  type CursorStart,
  type GoneReason,
  type Opened,
  RoomCursor,
  type Snapshot,
  type Violation,
} from './room-cursor.ts';
import { backoffMs, type Timing } from './timing.ts';

export interface RoomEvents {
  /** The room is live, at first or again after a lost connection. Comes before the entries or the snapshot of the answer. */
  opened: Opened;
  /** The next entries of a room: raw, in order, each once. */
  entries: { readonly room: string; readonly entries: readonly WireEntry[] };
  /** The room's last page instead of a replay: at first open without `since`, or too far behind. */
  snapshot: Snapshot;
  /** No more entries of this room: removed, left, or not yours to see. */
  gone: { readonly room: string; readonly reason: GoneReason };
  typing: { readonly room: string; readonly users: readonly string[] };
  /** The server broke the order it promises. Nothing wrong was shown; the room is opened anew. Report it. */
  violation: Violation;
}

export interface OpenRoomsDeps {
  /** Calls `done` before any event behind the answer is looked at. */
  readonly askOpen: (payload: CommandPayloads['room:open'], done: Answered<WireOpened>) => void;
  readonly isOnline: () => boolean;
  readonly timing: Timing;
  readonly emitter: Pick<Emitter<RoomEvents>, 'emit'>;
}

interface OpenRoom {
  readonly cursor: RoomCursor;
  /** The application's `open`, until its first answer. */
  first: { readonly resolve: (opened: Opened) => void; readonly reject: (error: ChatError) => void } | undefined;
  failures: number;
}

/** A room that rests on the server after failures is asked for again after this. */
const unavailableRetryMs = 1_000;

export class OpenRooms {
  private readonly deps: OpenRoomsDeps;
  private readonly rooms = new Map<string, OpenRoom>();

  constructor(deps: OpenRoomsDeps) {
    this.deps = deps;
  }

  open(name: string, start: CursorStart): Promise<Opened> {
    const known = this.rooms.get(name);
    if (known) this.forget(known, new ChatError('CONFLICT', 'the room was opened anew', false));
    return new Promise((resolve, reject) => {
      const room: OpenRoom = { cursor: new RoomCursor(name, start), first: { resolve, reject }, failures: 0 };
      this.rooms.set(name, room);
      if (this.deps.isOnline()) this.ask(room);
    });
  }

  close(name: string): void {
    const room = this.rooms.get(name);
    if (room) this.forget(room, new ChatError('CONFLICT', 'the room was closed', false));
  }

  end(error: ChatError): void {
    for (const room of [...this.rooms.values()]) this.forget(room, error);
  }

  position(name: string): { readonly seq: number; readonly epoch: string } | undefined {
    const { lastSeq: seq, epoch } = this.rooms.get(name)?.cursor ?? {};
    return seq === undefined || epoch === undefined ? undefined : { seq, epoch };
  }

  /** The connection is gone. */
  rest(): void {
    for (const { cursor } of this.rooms.values()) cursor.rest();
  }

  /** The connection is back. */
  resume(): void {
    for (const room of this.rooms.values()) this.ask(room);
  }

  onEvent(event: string, payload: unknown): void {
    if (typeof payload !== 'object' || payload === null) return;
    const { room: name, entries, users, reason } = payload as { room?: unknown; entries?: unknown; users?: unknown; reason?: unknown };
    const room = typeof name === 'string' ? this.rooms.get(name) : undefined;
    if (!room) return;
    const { cursor } = room;
    if (event === 'entries' && Array.isArray(entries)) this.perform(room, cursor.arrived(entries as WireEntry[]));
    else if (event === 'typing' && Array.isArray(users)) this.deps.emitter.emit('typing', { room: cursor.room, users: users.map(String) });
    else if (event === 'room:gone' && (reason === 'kicked' || reason === 'left')) this.perform(room, [{ type: 'gone', reason }]);
    else if (event === 'room:gone') {
      cursor.rest(); // The room failed on its node and rests.
      this.perform(room, [{ type: 'reopen', delayMs: unavailableRetryMs }]);
    }
  }

  private ask(room: OpenRoom): void {
    const { cursor } = room;
    const { opening, payload } = cursor.begin();
    this.deps.askOpen(payload, (error, answer) => {
      if (!this.isCurrent(room) || !cursor.isCurrent(opening)) return;
      if (error) return this.failed(room, error);
      room.failures = 0;
      this.perform(room, cursor.answered(opening, answer));
    });
  }

  private failed(room: OpenRoom, error: ChatError): void {
    const { cursor } = room;
    cursor.rest();
    // CONFLICT: the server saw this opening overtaken by another one of ours.
    if (error.retryable || error.code === 'CONFLICT') {
      const delayMs = (error.retryAfterMs ?? 0) + backoffMs(room.failures, this.deps.timing);
      room.failures += 1;
      return this.perform(room, [{ type: 'reopen', delayMs }]);
    }
    const isFirst = room.first !== undefined;
    this.forget(room, error);
    if (!isFirst) this.deps.emitter.emit('gone', { room: cursor.room, reason: error.code === 'NOT_FOUND' ? 'gone' : 'denied' });
  }

  private perform(room: OpenRoom, actions: readonly CursorAction[]): void {
    const { emitter, timing, isOnline } = this.deps;
    const name = room.cursor.room;
    for (const action of actions) {
      if (!this.isCurrent(room)) return; // The application closed it meanwhile.
      switch (action.type) {
        case 'opened':
          room.first?.resolve(action.opened);
          room.first = undefined;
          emitter.emit('opened', action.opened);
          break;
        case 'entries':
          emitter.emit('entries', { room: name, entries: action.entries });
          break;
        case 'snapshot':
          emitter.emit('snapshot', action.snapshot);
          break;
        case 'violation':
          emitter.emit('violation', action.violation);
          break;
        case 'gone':
          this.forget(
            room,
            new ChatError(action.reason === 'gone' ? 'NOT_FOUND' : 'FORBIDDEN', `no access to the room: ${action.reason}`, false),
          );
          emitter.emit('gone', { room: name, reason: action.reason });
          break;
        case 'reopen':
          timing.after(action.delayMs, () => {
            if (this.isCurrent(room) && isOnline() && room.cursor.isResting) this.ask(room);
          });
      }
    }
  }

  private isCurrent(room: OpenRoom): boolean {
    return this.rooms.get(room.cursor.room) === room;
  }

  private forget(room: OpenRoom, error: ChatError): void {
    if (this.isCurrent(room)) this.rooms.delete(room.cursor.room);
    room.cursor.rest();
    room.first?.reject(error);
    room.first = undefined;
  }
}
