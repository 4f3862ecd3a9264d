/**
 * RoomReaders: the connections that have a room open here, and what they were given.
 *
 * Owns: sinks, the cursor of each, entries gathered for the next delivery. Readers and cursors outlive a crash of the room.
 * Guarantees: a reader is given frames in order; one whose sink refused is given nothing until it is ready.
 * Does not: decide who gets what (the state does), or encode twice.
 */
import { type ActorRef, tell } from '../system/actor.ts';
import type { RoomId, UserId } from '../system/ids.ts';
import type { Entry } from '../system/store/entry.ts';
import type { ReadMark } from '../system/store/user-rooms.ts';
import { isOpen } from './client-command.ts';
import type { ClientSink, Frame, FrameEncoder } from './client-sink.ts';
import { catchUpFrameBytesMax, framesOf } from './frame-state.ts';
import type { AnsweredOutcome, DeliveryInput, ReaderId } from './room-protocol.ts';

/** To the reader's session: it does not have the room open any more, though it did not close it. */
export interface ReaderGone {
  readonly type: 'session.readerGone';
  readonly room: RoomId;
  /** Which of its openings; a later one is not meant. */
  readonly opening: number;
}

interface Reader {
  readonly user: UserId;
  readonly sink: ClientSink;
  readonly session: ActorRef<ReaderGone>;
  /** The session's number of this opening. */
  opening: number;
  /** The last seq its sink took. */
  cursor: number;
  isAttached: boolean;
  /** Its sink refused; no effect reaches it until it is ready. */
  isBlocked: boolean;
}

export type Refused = Extract<DeliveryInput, { type: 'refused' }>;

export class RoomReaders {
  private readonly room: RoomId;
  private readonly encoder: FrameEncoder;
  private readonly readers = new Map<ReaderId, Reader>();
  /** For attached readers, contiguous. */
  private gathered: Entry[] = [];

  constructor(room: RoomId, encoder: FrameEncoder) {
    this.room = room;
    this.encoder = encoder;
  }

  get size(): number {
    return this.readers.size;
  }

  /** Something is to be delivered. */
  get hasGathered(): boolean {
    return this.gathered.length > 0;
  }

  // ---- coming and going ----

  add(id: ReaderId, user: UserId, { sink, session, opening }: Pick<Reader, 'sink' | 'session' | 'opening'>, since: number): void {
    const known = this.readers.get(id);
    if (known) known.opening = opening;
    else this.readers.set(id, { user, sink, session, opening, cursor: since, isAttached: false, isBlocked: false });
  }

  /** Forgets a reader. Returns its user, and whether that user reads through another connection too. */
  remove(id: ReaderId): { readonly user: UserId; readonly isElsewhere: boolean } | undefined {
    const reader = this.readers.get(id);
    if (!reader) return undefined;
    this.readers.delete(id);
    return { user: reader.user, isElsewhere: [...this.readers.values()].some((other) => other.user === reader.user) };
  }

  /** Tells a reader that the room is closed to it. Whoever cannot even be told is cut: it finds out when it resumes. */
  dismiss(id: ReaderId, reason: 'kicked' | 'left' | 'unavailable'): void {
    const reader = this.readers.get(id);
    if (!reader) return;
    this.readers.delete(id);
    const { session, opening } = reader;
    const isTold = tell(session, { type: 'session.readerGone', room: this.room, opening }) === 'accepted';
    if (!isTold || !reader.sink.send(this.encoder.roomGone(this.room, reason))) reader.sink.close('SLOW_CONSUMER');
  }

  dismissAll(): void {
    for (const id of [...this.readers.keys()]) this.dismiss(id, 'unavailable');
  }

  /** After a crash of the room: nothing is gathered, nobody attached. Returns where each reader goes on. */
  restart(): readonly { readonly id: ReaderId; readonly user: UserId; readonly cursor: number }[] {
    this.gathered = [];
    return [...this.readers].map(([id, reader]) => {
      reader.isAttached = false;
      reader.isBlocked = false;
      return { id, user: reader.user, cursor: reader.cursor };
    });
  }

  /** The answer to an open leaves: from here on the reader is at its `upTo`, or it is none. */
  noteOpened(id: ReaderId, outcome: AnsweredOutcome): void {
    const reader = this.readers.get(id);
    if (!reader) return;
    if (outcome.type === 'opened' && isOpen(outcome)) reader.cursor = outcome.upTo;
    else if (!reader.isAttached) this.readers.delete(id);
  }

  attach(id: ReaderId): void {
    const reader = this.readers.get(id);
    if (reader) reader.isAttached = !reader.isBlocked;
  }

  detach(id: ReaderId): void {
    const reader = this.readers.get(id);
    if (!reader) return;
    reader.isAttached = false;
    reader.isBlocked = false;
  }

  /** Its sink has room again. Returns whether it had refused. */
  unblock(id: ReaderId): boolean {
    const reader = this.readers.get(id);
    if (!reader?.isBlocked) return false;
    reader.isBlocked = false;
    return true;
  }

  // ---- giving ----

  gather(entries: readonly Entry[]): void {
    for (const entry of entries) this.gathered.push(entry);
  }

  /** Gives what the turn brought to every attached reader, as one frame. */
  deliver(): { readonly entries: readonly Entry[]; readonly refused: readonly Refused[] } {
    const entries = this.gathered;
    const refused: Refused[] = [];
    this.gathered = [];
    for (const part of framesOf(entries)) {
      const frame = this.encoder.entries(this.room, part);
      const after = (part[0] as Entry).seq - 1;
      for (const [id, reader] of this.readers) {
        if (!reader.isAttached || reader.isBlocked) continue;
        if (reader.sink.send(frame)) reader.cursor = after + part.length;
        else refused.push(this.block(id, reader, after));
      }
    }
    return { entries, refused };
  }

  /** Gives entries to one reader that is catching up. */
  emit(id: ReaderId, entries: readonly Entry[]): Refused | undefined {
    const reader = this.readers.get(id);
    if (!reader || reader.isBlocked) return undefined;
    for (const part of framesOf(entries, catchUpFrameBytesMax)) {
      const after = (part[0] as Entry).seq - 1;
      if (!reader.sink.send(this.encoder.entriesAgain(this.room, part))) return this.block(id, reader, after);
      reader.cursor = after + part.length;
    }
    return undefined;
  }

  /** May be dropped for those who are busy. */
  showTyping(users: readonly UserId[]): void {
    this.showVolatile(this.encoder.typing(this.room, users));
  }

  /** May be dropped for those who are busy. */
  showRead(marks: readonly ReadMark[]): void {
    this.showVolatile(this.encoder.read(this.room, marks));
  }

  private showVolatile(frame: Frame): void {
    for (const reader of this.readers.values()) if (reader.isAttached) reader.sink.sendVolatile(frame);
  }

  private block(id: ReaderId, reader: Reader, after: number): Refused {
    reader.isBlocked = true;
    reader.isAttached = false;
    return { type: 'refused', reader: id, after };
  }
}
