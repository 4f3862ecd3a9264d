/**
 * Move: takes everything of one store into another: entries with their numbers and client ids, rows of rooms with read marks, revocations.
 *
 * Guarantees: nothing is written before every room was looked at on both sides; what is in the target already is compared, never
 * written again, so a move that was cut anywhere goes on where it was; at the end both sides are read again, room by room, and compared.
 * A room that stands in the target with other content, or has gone on there, is a refusal that names it.
 * Does not: change the source, know a database, or allow for nodes that write to either side meanwhile (the callers see to that).
 */
import { createHash } from 'node:crypto';
import { Fault, LogCorrupt } from '../errors.ts';
import type { RoomId, UserId } from '../ids.ts';
import type { Entry } from './entry.ts';
import { canonical, cut, firstDifference, isKept, usersOf } from './move-compare.ts';
import type { Revocation } from './revocations.ts';
import { pendRow, type UserRoomRow } from './user-room-row.ts';

export interface MovedRow {
  readonly user: UserId;
  readonly room: RoomId;
  readonly row: UserRoomRow;
}

export interface MoveSource {
  /** Every room that has an entry or a head, each once, with the seq of its head or its damage. */
  rooms(): Promise<ReadonlyMap<RoomId, number | LogCorrupt>>;
  /** Entries after+1 … up to `limit` of them, each verified. Rejects with LogCorrupt. */
  entries(room: RoomId, after: number, limit: number): Promise<readonly Entry[]>;
  /** All rows, in pages. One that does not verify is pending: the log will be asked. */
  rows(): AsyncIterable<readonly MovedRow[]>;
  rowsOf(room: RoomId, users: readonly UserId[]): Promise<readonly (UserRoomRow | undefined)[]>;
  /** Those that live. */
  revocations(): Promise<readonly Revocation[]>;
}

/** Every method may be called again with the same, and waits for a database that is away for a while. */
export interface MoveTarget {
  /** From now until `end` no node starts on this store. */
  begin(): Promise<void>;
  end(): Promise<void>;
  heads(rooms: readonly RoomId[]): Promise<readonly number[]>;
  entries(room: RoomId, after: number, limit: number): Promise<readonly Entry[]>;
  /** Writes entries after `after`, of which a prefix may be there. Resolves when all are durable; rejects with MOVE_CONFLICT when others are there. */
  insert(room: RoomId, after: number, entries: readonly Entry[]): Promise<void>;
  /** Writes those that are not there. */
  insertRows(rows: readonly MovedRow[]): Promise<void>;
  rows(rows: readonly MovedRow[]): Promise<readonly (UserRoomRow | undefined)[]>;
  addRevocation(revocation: Revocation): Promise<void>;
  revocations(): Promise<readonly Revocation[]>;
}

export type MovePhase = 'looking' | 'moving' | 'verifying';

export interface MoveProgress {
  readonly phase: MovePhase;
  readonly rooms: number;
  readonly roomsAll: number;
  readonly entries: number;
  readonly entriesAll: number;
}

export interface MoveOptions {
  readonly source: MoveSource;
  readonly target: MoveTarget;
  /** Leave damaged rooms where they are and move the others. */
  readonly skipDamaged: boolean;
  /** Look and tell, write nothing. */
  readonly dryRun: boolean;
  readonly onProgress: (progress: MoveProgress) => void;
  /** Asked between batches: true ends the move with MOVE_STOPPED. */
  readonly isStopped: () => boolean;
  /** What goes along, after the log and before a node may start. Not in a dry run. */
  readonly also?: () => Promise<void>;
}

export interface Moved {
  readonly rooms: number;
  readonly entries: number;
  /** That were in the target before. */
  readonly entriesBefore: number;
  readonly rows: number;
  readonly revocations: number;
  readonly damaged: readonly LogCorrupt[];
  /** Over all entries of all rooms, the same on both sides; '' after a dry run. */
  readonly checksum: string;
}

/** Entries that are read, written and compared together. */
const entriesPerBatch = 1_000;
/** Rooms at once. Measured: 4 keep MongoDB's journal busy, 8 gained nothing. */
const roomsAtOnce = 4;
const headsPerCall = 512;
/** Named in a refusal; of more their number is told. */
const namesMax = 10;

interface PlannedRoom {
  readonly room: RoomId;
  readonly seq: number;
  /** In the target before. */
  readonly before: number;
}

/** The whole way. Rejects with a Fault: MOVE_DAMAGED, MOVE_CONFLICT, MOVE_STOPPED, MOVE_DIFFERENT, or what a store says. */
export async function move(options: MoveOptions): Promise<Moved> {
  return new Move(options).run();
}

class Move {
  readonly #options: MoveOptions;
  readonly #damaged = new Map<RoomId, LogCorrupt>();
  readonly #conflicts: string[] = [];
  /** Rows that the log asks for and the source does not have: they are to be pending. */
  readonly #unlisted: MovedRow[] = [];
  #rows = 0;
  #progress: { -readonly [Key in keyof MoveProgress]: MoveProgress[Key] } = {
    phase: 'looking',
    rooms: 0,
    roomsAll: 0,
    entries: 0,
    entriesAll: 0,
  };

  constructor(options: MoveOptions) {
    this.#options = options;
  }

  async run(): Promise<Moved> {
    const { source, target, dryRun, also } = this.#options;
    const rooms = await this.#look();
    const revocations = await source.revocations();
    const told = {
      rooms: rooms.length,
      entries: sum(rooms, ({ seq }) => seq),
      entriesBefore: sum(rooms, ({ before }) => before),
      revocations: revocations.length,
    };
    if (dryRun) return { ...told, rows: this.#rows, damaged: [...this.#damaged.values()], checksum: '' };
    await target.begin();
    await this.#write(rooms, revocations);
    await also?.();
    const checksum = await this.#verify(rooms, revocations);
    await target.end();
    return { ...told, rows: this.#rows, damaged: [...this.#damaged.values()], checksum };
  }

  // ---- look ----

  async #look(): Promise<readonly PlannedRoom[]> {
    const { source, target, skipDamaged } = this.#options;
    const heads = await source.rooms();
    const sound: { readonly room: RoomId; readonly seq: number }[] = [];
    for (const [room, seq] of heads) {
      if (seq instanceof LogCorrupt) this.#damaged.set(room, seq);
      else sound.push({ room, seq });
    }
    for await (const page of source.rows()) {
      this.#goOn();
      this.#rows += page.length;
      for (const { room, row } of page) {
        const seq = heads.get(room) ?? 0;
        // A row is settled from a committed entry: a log that ends before it has lost its end.
        if (!(seq instanceof LogCorrupt) && row.seq > seq && !this.#damaged.has(room))
          this.#damaged.set(room, new LogCorrupt(room, seq + 1, `a member's row knows entry ${row.seq}, and the log ends here`));
      }
    }
    const plan: PlannedRoom[] = [];
    for (let from = 0; from < sound.length; from += headsPerCall) {
      const part = sound.slice(from, from + headsPerCall);
      const before = await target.heads(part.map(({ room }) => room));
      for (const [index, head] of part.entries()) plan.push({ ...head, before: before[index] ?? 0 });
    }
    this.#enter('looking', plan);
    await this.#each(plan, (room) => this.#lookAt(room));
    if (this.#conflicts.length > 0)
      throw new Fault('MOVE_CONFLICT', `nothing was written: in MongoDB ${named(this.#conflicts)}; give CHAT_MONGO_URL another database`);
    if (this.#damaged.size > 0 && !skipDamaged) {
      const words = [...this.#damaged.values()].map(({ message }) => message);
      throw new Fault(
        'MOVE_DAMAGED',
        `nothing was written: ${named(words)}; restore the folder from a copy, or leave such rooms behind with --skip-damaged`,
      );
    }
    return plan.filter(({ room }) => !this.#damaged.has(room));
  }

  /** Reads all of a room, and compares what the target has of it. */
  async #lookAt({ room, seq, before }: PlannedRoom): Promise<void> {
    if (before > seq) {
      this.#conflicts.push(`room ${room} has ${before} entries and here it has ${seq}: it was written to since`);
      return;
    }
    const users = new Set<UserId>();
    try {
      for await (const { after, entries } of this.#batches(room, seq)) {
        for (const entry of entries) for (const user of usersOf(entry)) users.add(user);
        if (after >= before) continue;
        const theirs = await this.#options.target.entries(room, after, Math.min(entries.length, before - after));
        const other = firstDifference(entries.slice(0, before - after), theirs);
        if (other !== undefined) {
          this.#conflicts.push(`room ${room} has another entry ${other}`);
          return;
        }
      }
      const asked = [...users];
      const rows = await this.#options.source.rowsOf(room, asked);
      for (const [index, user] of asked.entries())
        if (rows[index] === undefined) this.#unlisted.push({ user, room, row: pendRow(undefined) });
    } catch (cause) {
      if (!(cause instanceof LogCorrupt)) throw cause;
      this.#damaged.set(room, cause);
    }
  }

  // ---- write ----

  async #write(rooms: readonly PlannedRoom[], revocations: readonly Revocation[]): Promise<void> {
    const { source, target } = this.#options;
    this.#enter('moving', rooms);
    this.#progress.entries = sum(rooms, ({ before }) => before);
    await this.#each(rooms, async ({ room, seq, before }) => {
      for await (const { after, entries } of this.#batches(room, seq, before)) await target.insert(room, after, entries);
    });
    for await (const page of this.#movedRows(source)) await target.insertRows(page);
    for (const revocation of revocations) {
      this.#goOn();
      await target.addRevocation(revocation);
    }
  }

  /** Rows of rooms that are moved, in pages. */
  async *#movedRows(source: MoveSource): AsyncIterable<readonly MovedRow[]> {
    for await (const page of source.rows()) {
      this.#goOn();
      yield page.filter(({ room }) => !this.#damaged.has(room));
    }
    for (let from = 0; from < this.#unlisted.length; from += entriesPerBatch) yield this.#unlisted.slice(from, from + entriesPerBatch);
  }

  // ---- verify ----

  async #verify(rooms: readonly PlannedRoom[], revocations: readonly Revocation[]): Promise<string> {
    const { source, target } = this.#options;
    this.#enter('verifying', rooms);
    const differences: string[] = [];
    const sums: string[] = [];
    await this.#each(rooms, async ({ room, seq }) => {
      const ours = createHash('sha256');
      const theirs = createHash('sha256');
      let counted = 0;
      for await (const { after, entries } of this.#batches(room, seq)) {
        const there = await target.entries(room, after, entries.length);
        counted += there.length;
        for (const entry of entries) ours.update(canonical(entry));
        for (const entry of there) theirs.update(canonical(entry));
      }
      const beyond = await target.entries(room, seq, 1);
      const sum = ours.digest('hex');
      sums.push(`${room} ${sum}`);
      if (counted !== seq || beyond.length > 0)
        differences.push(`room ${room} has ${counted + beyond.length} entries or more instead of ${seq}`);
      else if (sum !== theirs.digest('hex')) differences.push(`room ${room} reads otherwise`);
    });
    for await (const page of this.#movedRows(source)) {
      const there = await target.rows(page);
      for (const [index, { user, room, row }] of page.entries())
        if (!isKept(row, there[index])) differences.push(`the row of ${user} in room ${room} reads otherwise`);
    }
    const there = new Map((await target.revocations()).map((revocation) => [JSON.stringify(revocation.of), revocation]));
    for (const { of, atMs, endsAtMs } of revocations) {
      const other = there.get(JSON.stringify(of));
      if (!other || other.atMs < atMs || other.endsAtMs < endsAtMs) differences.push('a revocation is missing');
    }
    if (differences.length > 0) throw new Fault('MOVE_DIFFERENT', `what was moved is not what is here: ${named(differences)}`);
    return createHash('sha256').update(sums.sort().join('\n')).digest('hex').slice(0, 16);
  }

  // ---- on the way ----

  async *#batches(room: RoomId, seq: number, from = 0): AsyncIterable<{ readonly after: number; readonly entries: readonly Entry[] }> {
    for (let after = from; after < seq; ) {
      this.#goOn();
      const entries = cut(await this.#options.source.entries(room, after, Math.min(entriesPerBatch, seq - after)));
      yield { after, entries };
      after += entries.length;
      this.#progress.entries += entries.length;
      this.#options.onProgress(this.#progress);
    }
  }

  async #each(rooms: readonly PlannedRoom[], task: (room: PlannedRoom) => Promise<void>): Promise<void> {
    const left = rooms.values();
    const work = async (): Promise<void> => {
      for (const room of left) {
        this.#goOn();
        await task(room);
        this.#progress.rooms += 1;
        this.#options.onProgress(this.#progress);
      }
    };
    // All of them end before the first failure is told: nothing writes on behind it.
    const ends = await Promise.allSettled(Array.from({ length: roomsAtOnce }, work));
    for (const end of ends) if (end.status === 'rejected') throw end.reason;
  }

  #enter(phase: MovePhase, rooms: readonly PlannedRoom[]): void {
    this.#progress = { phase, rooms: 0, roomsAll: rooms.length, entries: 0, entriesAll: sum(rooms, ({ seq }) => seq) };
  }

  #goOn(): void {
    if (this.#options.isStopped()) throw new Fault('MOVE_STOPPED', 'stopped; the same command goes on from here');
  }
}

const sum = <T>(values: readonly T[], of: (value: T) => number): number => values.reduce((all, value) => all + of(value), 0);

function named(words: readonly string[]): string {
  const more = words.length - namesMax;
  return `${words.slice(0, namesMax).join('; ')}${more > 0 ? `; and ${more} more` : ''}`;
}
