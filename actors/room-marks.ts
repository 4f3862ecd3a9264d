/**
 * RoomMarks: read marks of one room, from being asked to being kept and shown.
 *
 * Owns: what each user marked since the last write, and who waits for the answer.
 * Guarantees: one write at a time, at most one each `gatherMs`, however many users mark how often; of several marks of one
 * user the highest is written. Each ask is answered once, at its deadline at the latest, and with `ok` only when the mark is
 * durable; nothing is shown that is not. Outlives a crash of the room.
 * Does not: judge who may mark what (`room-delivery` does).
 */
import { type ActorRef, tell } from '../system/actor.ts';
import { LogCorrupt, type Refusal, refuse } from '../system/errors.ts';
import type { RoomId, UserId } from '../system/ids.ts';
import type { RoomLog } from '../system/store/room-log.ts';
import type { ReadMark, StandingMark, UserRooms } from '../system/store/user-rooms.ts';
import type { Answer } from './client-command.ts';
import type { FrameEncoder } from './client-sink.ts';
import type { RoomNotices } from './room-notices.ts';
import type { ReaderId } from './room-protocol.ts';
import type { RoomReaders } from './room-readers.ts';

/** Between two writes of a room that somebody waits for; the first after a pause goes at once. */
const gatherMs = 200;
/** A mark that a message implies waits so long for others: nobody waits for it, and people write in bursts. */
const impliedGatherMs = 1_000;
/** Asks of one room that wait; more are answered BUSY. */
export const marksWaitingMax = 1_000;

/** A mark whose count of messages may still have to be read. */
export interface WantedMark {
  readonly user: UserId;
  readonly seq: number;
  readonly n: number | undefined;
}

export interface MarkAsk {
  readonly replyTo: ActorRef<Answer>;
  /** The session that asks. */
  readonly from: ReaderId;
  readonly deadlineMs: number;
}

export interface RoomMarksDeps {
  readonly log: RoomLog;
  readonly userRooms: UserRooms;
  readonly encoder: FrameEncoder;
  readonly notices: RoomNotices;
}

/** A mark that became durable, and was not so far before. */
export interface RaisedMark {
  readonly mark: ReadMark;
  /** By a message, which shows it in the room. */
  readonly isImplied: boolean;
}

interface Waiting {
  mark: WantedMark;
  /** None: implied by a message alone. */
  readonly asks: MarkAsk[];
}

export class RoomMarks {
  private readonly room: RoomId;
  private readonly deps: RoomMarksDeps;
  private waiting = new Map<UserId, Waiting>();
  private writing: Map<UserId, Waiting> | undefined;
  /** Asked and not answered, by age. */
  private readonly owed = new Set<MarkAsk>();
  private lastWriteMs = Number.NEGATIVE_INFINITY;
  private impliedSinceMs = Number.POSITIVE_INFINITY;
  private readonly newestShown = new NewestMarks();

  constructor(room: RoomId, deps: RoomMarksDeps) {
    this.room = room;
    this.deps = deps;
  }

  /** Nobody waits and nothing is being written. What messages implied may wait: `end` takes care of it. */
  get isIdle(): boolean {
    return this.owed.size === 0 && this.writing === undefined;
  }

  // ---- coming in ----

  ask(mark: WantedMark, ask: MarkAsk): void {
    if (this.owed.size >= marksWaitingMax) {
      tell(ask.replyTo, { ok: false, refusal: refuse('BUSY', 'too many read marks wait in this room', 250) });
      return;
    }
    this.owed.add(ask);
    this.want(mark).asks.push(ask);
  }

  /** What somebody wrote, they have read. */
  imply(mark: ReadMark, nowMs: number): void {
    this.want(mark);
    this.impliedSinceMs = Math.min(this.impliedSinceMs, nowMs);
  }

  private want(mark: WantedMark): Waiting {
    const known = this.waiting.get(mark.user);
    if (!known) {
      const wanted = { mark, asks: [] };
      this.waiting.set(mark.user, wanted);
      return wanted;
    }
    if (mark.seq > known.mark.seq) known.mark = mark;
    return known;
  }

  // ---- the store ----

  /** When the next write may begin; undefined: nothing waits, or one is under way. */
  writeAtMs(): number | undefined {
    if (this.writing || this.waiting.size === 0) return undefined;
    const pacedMs = this.lastWriteMs + gatherMs;
    return this.owed.size > 0 ? pacedMs : Math.max(pacedMs, this.impliedSinceMs + impliedGatherMs);
  }

  /** When something is due: a write, or the answer to whoever waited for too long. */
  dueMs(): number | undefined {
    const writeAtMs = this.writeAtMs();
    if (this.owed.size === 0) return writeAtMs;
    const [oldest] = this.owed;
    return Math.min(writeAtMs ?? Number.POSITIVE_INFINITY, (oldest as MarkAsk).deadlineMs);
  }

  /** Writes what waits. `wrote` or `failed` is to follow with the result. */
  write(nowMs: number): Promise<readonly StandingMark[]> {
    this.writing = this.waiting;
    this.waiting = new Map();
    this.lastWriteMs = nowMs;
    this.impliedSinceMs = Number.POSITIVE_INFINITY;
    return this.store([...this.writing.values()].map(({ mark }) => mark));
  }

  private async store(marks: readonly WantedMark[]): Promise<readonly StandingMark[]> {
    const { log, userRooms } = this.deps;
    const uncounted = marks.filter((mark) => mark.n === undefined);
    const found = uncounted.length === 0 ? [] : await log.at(uncounted.map(({ seq }) => ({ room: this.room, seq })));
    const counts = new Map(uncounted.map((mark, index) => [mark, found[index]?.n]));
    const known = marks.flatMap((mark): ReadMark[] => {
      const n = mark.n ?? counts.get(mark);
      return n === undefined ? [] : [{ user: mark.user, seq: mark.seq, n }];
    });
    return userRooms.mark(this.room, known);
  }

  /**
   * Answers those whose mark is durable now, and shows what was raised: to the user's other devices, and to those who read the
   * room unless it is `quiet`. A message shows by itself how far its author has read.
   * Returns what was raised, for other nodes.
   */
  wrote(standing: readonly StandingMark[], headN: number, readers: RoomReaders, isQuiet: boolean): readonly RaisedMark[] {
    const written = this.writing ?? new Map<UserId, Waiting>();
    this.writing = undefined;
    const shown: ReadMark[] = [];
    const raised: RaisedMark[] = [];
    for (const mark of standing) {
      const asks = written.get(mark.user)?.asks ?? [];
      const answer: Answer = { ok: true, result: { type: 'marked', seq: mark.seq, unread: Math.max(0, headN - mark.n) } };
      for (const ask of asks) this.answer(ask, answer);
      if (!mark.hasMoved) continue;
      this.newestShown.isNewer(mark);
      const [first, ...others] = asks;
      const from = others.some((ask) => ask.from !== first?.from) ? undefined : first?.from;
      if (first && !isQuiet) shown.push(mark);
      const frame = this.deps.encoder.read(this.room, [mark]);
      this.deps.notices.read(mark.user, { room: this.room, frame, from, isShownInRoom: !(first && isQuiet) });
      raised.push({ mark: { user: mark.user, seq: mark.seq, n: mark.n }, isImplied: first === undefined });
    }
    this.refuseAll(written, notKept); // Nobody, unless an entry could not be found.
    if (shown.length > 0) readers.showRead(shown);
    return raised;
  }

  /** A mark that another node has kept: shown as if it had been kept here, unless a newer one was shown already. */
  raisedElsewhere({ mark, isImplied }: RaisedMark, readers: RoomReaders, isQuiet: boolean): void {
    if (!this.newestShown.isNewer(mark)) return;
    const frame = this.deps.encoder.read(this.room, [mark]);
    this.deps.notices.read(mark.user, { room: this.room, frame, from: undefined, isShownInRoom: isImplied || !isQuiet });
    if (!isImplied && !isQuiet) readers.showRead([mark]);
  }

  /** The write failed: whoever asked is told, an implied mark is lost. */
  failed(error: unknown): void {
    const failed = this.writing ?? new Map<UserId, Waiting>();
    this.writing = undefined;
    this.refuseAll(failed, error instanceof LogCorrupt ? unreadable : notKept);
  }

  // ---- answers ----

  /** Answers those who have waited for too long. Their marks may still be kept. */
  expire(nowMs: number): void {
    for (const ask of this.owed) {
      if (ask.deadlineMs > nowMs) return;
      this.answer(ask, { ok: false, refusal: notKept });
    }
  }

  /** The room crashed: nobody waits any more. What was not being written is still to be. */
  restart(refusal: Refusal): void {
    this.writing = undefined;
    for (const ask of this.owed) this.answer(ask, { ok: false, refusal });
  }

  /** The room ends. What messages implied is given to the store, which takes it before it closes; nobody waits for it. */
  end(refusal: Refusal, nowMs: number): void {
    this.restart(refusal);
    if (this.waiting.size > 0) this.write(nowMs).catch(() => {});
  }

  private refuseAll(marks: ReadonlyMap<UserId, Waiting>, refusal: Refusal): void {
    for (const { asks } of marks.values()) for (const ask of asks) this.answer(ask, { ok: false, refusal });
  }

  private answer(ask: MarkAsk, answer: Answer): void {
    if (this.owed.delete(ask)) tell(ask.replyTo, answer);
  }
}

/** Users whose newest shown mark is remembered. Beyond, the oldest is forgotten: an older mark of theirs may be shown once more. */
const usersRememberedMax = 1_000;

/** How far each user was shown to have read: marks of several nodes arrive in any order, and are shown rising. */
class NewestMarks {
  private readonly seqs = new Map<UserId, number>();

  /** Remembers it if so. */
  isNewer({ user, seq }: ReadMark): boolean {
    if (seq <= (this.seqs.get(user) ?? 0)) return false;
    this.seqs.delete(user);
    this.seqs.set(user, seq);
    const [oldest] = this.seqs.keys();
    if (this.seqs.size > usersRememberedMax && oldest !== undefined) this.seqs.delete(oldest);
    return true;
  }
}

const notKept = refuse('STORE_UNAVAILABLE', 'the mark could not be kept; mark again', 1_000);
const unreadable = refuse('ROOM_UNAVAILABLE', 'the entry cannot be read; mark a later one', 1_000);
