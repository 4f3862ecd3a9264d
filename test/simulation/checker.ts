/**
 * Checker: what was invoked, answered and shown, against the log.
 *
 * I1 durable: what was acknowledged is in the log at its number. I2 no hole. I3 each (room, sender, cid) once. I4 no phantom.
 * I5 all answers to one command name one number. I6 what is shown is what is in the log. I7 shown in order, each once, no gap.
 * I8, I9 order in time and of one sender. I10 a fresh read knows what was acknowledged. I11 authority. I12 all settles.
 * I16 nobody forwards what was forwarded to them. I17 whoever asks a living room is answered by the deadline.
 *
 * What can be judged at once is judged at once, so that the trace ends at the fault; the rest when all is settled
 * (`final-check.ts`). It reads the store's committed log directly and nothing of the code under test.
 */
import type { WriteCommand } from '../../actors/room-fold.ts';
import type { AnsweredOutcome } from '../../actors/room-protocol.ts';
import type { RoomId, UserId } from '../../system/ids.ts';
import { type Entry, isMessage } from '../../system/store/entry.ts';
import { Authority } from './authority.ts';
import type { StoreModel } from './store-model.ts';
import { Violation, type World } from './world.ts';

export interface Witness {
  readonly name: string;
  readonly user: UserId;
}

export interface SendRecord {
  readonly witness: Witness;
  readonly room: RoomId;
  readonly command: WriteCommand;
  readonly invokedMs: number;
  /** Committed head when it was invoked. */
  readonly invokedHead: number;
  /** Of the connection it was first sent on. */
  readonly connection: string;
  attempts: number;
  ackedSeq: number | undefined;
  ackedMs: number;
  /** The room's actor that answered. */
  ackedFrom: string | undefined;
  refused: string | undefined;
  isDecided: boolean;
}

export interface Showing {
  readonly witness: Witness;
  readonly room: RoomId;
  readonly seq: number;
  readonly head: number;
}

export class Checker {
  readonly sends: SendRecord[] = [];
  readonly showings: Showing[] = [];
  private readonly world: World;
  private readonly store: StoreModel;
  private readonly opens = new Map<string, { readonly ms: number; readonly head: number }>();
  private readonly ackedBy = new Map<string, { readonly ms: number; readonly seq: number }[]>();
  private readonly isOpen = new Set<string>();
  /** The highest seq anybody was told of. */
  private readonly toldSeq = new Map<RoomId, number>();

  constructor(world: World, store: StoreModel) {
    this.world = world;
    this.store = store;
  }

  private fail(invariant: string, room: RoomId, detail: string): never {
    throw new Violation(invariant, room, detail);
  }

  /**
   * The head that an answer asked for now must know of: with a shared log it is read from the store; a node that is the
   * only writer need not know of its own append in flight.
   */
  private knownHead(room: RoomId): number {
    return this.world.options.sharedLog ? this.store.log(room).headSeq : (this.toldSeq.get(room) ?? 0);
  }

  private told(room: RoomId, seq: number): void {
    this.toldSeq.set(room, Math.max(seq, this.toldSeq.get(room) ?? 0));
  }

  // ---- sends ----

  invoked(witness: Witness, room: RoomId, command: WriteCommand, connection: string): SendRecord {
    const record: SendRecord = {
      witness,
      room,
      command,
      invokedMs: this.world.nowMs,
      invokedHead: this.knownHead(room),
      connection,
      attempts: 0,
      ackedSeq: undefined,
      ackedMs: 0,
      ackedFrom: undefined,
      refused: undefined,
      isDecided: false,
    };
    this.sends.push(record);
    this.world.count('sends');
    return record;
  }

  attempted(record: SendRecord): void {
    record.attempts += 1;
    if (record.attempts > 1) this.world.count('sends repeated');
  }

  answered(record: SendRecord, from: string, outcome: AnsweredOutcome): void {
    const { room, command, witness } = record;
    if (outcome.type === 'opened') this.fail('CRASH', room, `${witness.name}: a command answered as an open`);
    if (outcome.type === 'stored') return this.acked(record, from, outcome.entry, outcome.dup);
    if (outcome.type === 'done') {
      record.isDecided = true;
      return;
    }
    const { code } = outcome;
    this.world.count(`refused ${code}`);
    if (code === 'BUSY' || code === 'STORE_UNAVAILABLE') return;
    record.isDecided = true;
    record.refused = code;
    if (code === 'CONFLICT') this.fail('I5 one ack', room, `${witness.name} ${command.cid}: the retry of one command is taken for another`);
    if (code !== 'PAYLOAD_TOO_LARGE' && !this.isRefusable(record, this.store.log(room).headSeq)) {
      this.fail(
        'I11 authority',
        room,
        `${witness.name} ${command.cid} refused with ${code}, but at every head from ${record.invokedHead} on it was allowed`,
      );
    }
  }

  private acked(record: SendRecord, from: string, entry: Entry, dup: boolean): void {
    const { room, command, witness } = record;
    const what = `${witness.name} ${command.cid}`;
    const stored = this.store.log(room).at(entry.seq);
    if (!stored || stored.cid !== command.cid || stored.by !== command.by) {
      this.fail(
        'I1 durable',
        room,
        `${what} acknowledged as ${entry.seq}, where the committed log has ${stored ? `${stored.by}/${stored.cid}` : 'nothing'}`,
      );
    }
    if (record.ackedSeq !== undefined && record.ackedSeq !== entry.seq)
      this.fail('I5 one ack', room, `${what} acknowledged as ${record.ackedSeq} and as ${entry.seq}`);
    this.world.count(dup ? 'acked as duplicate' : 'acked');
    this.told(room, entry.seq);
    record.ackedSeq = entry.seq;
    record.ackedMs = this.world.nowMs;
    record.ackedFrom = from;
    record.isDecided = true;
    const acks = this.ackedBy.get(from) ?? [];
    acks.push({ ms: this.world.nowMs, seq: entry.seq });
    this.ackedBy.set(from, acks);
  }

  /** Whether at some head between the invocation and `upTo` the command was not allowed (or had nothing to do). */
  isRefusable({ room, command, invokedHead }: SendRecord, upTo: number): boolean {
    const authority = new Authority();
    const log = this.store.log(room);
    for (let seq = 0; seq <= upTo; seq += 1) {
      const entry = log.at(seq);
      if (entry) authority.apply(entry);
      if (seq >= invokedHead && authority.objection(command.by, command.write) !== undefined) return true;
    }
    return false;
  }

  // ---- deliveries ----

  private key(witness: Witness, room: RoomId): string {
    return `${witness.name} ${room}`;
  }

  opening(witness: Witness, room: RoomId, request: number, since: number | undefined): void {
    if (this.world.isTracing) this.world.say(room, `${witness.name} ${witness.user} opens since ${since}`);
    this.asking(witness, room, request);
    this.closed(witness, room);
  }

  asking(witness: Witness, room: RoomId, request: number): void {
    this.opens.set(`${witness.name} ${request}`, { ms: this.world.nowMs, head: this.knownHead(room) });
  }

  closed(witness: Witness, room: RoomId): void {
    this.isOpen.delete(this.key(witness, room));
  }

  gone(witness: Witness, room: RoomId): void {
    this.closed(witness, room);
  }

  shown(witness: Witness, room: RoomId, entry: Entry, last: number | undefined): void {
    const { seq } = entry;
    if (!this.isOpen.has(this.key(witness, room))) this.fail('I7 order', room, `${witness.name} is shown ${seq} without an open`);
    if (seq !== (last ?? -1) + 1) this.fail('I7 order', room, `${witness.name} is shown ${seq} after ${last}`);
    this.agrees(witness, room, entry);
  }

  private agrees(witness: Witness, room: RoomId, entry: Entry): void {
    const log = this.store.log(room);
    const stored = log.at(entry.seq);
    const isSame = stored && stored.by === entry.by && stored.cid === entry.cid && stored.kind === entry.kind && stored.n === entry.n;
    if (!isSame)
      this.fail(
        'I6 agreement',
        room,
        `${witness.name} is shown ${entry.seq} as ${entry.by}/${entry.cid}, the committed log has ${stored ? `${stored.by}/${stored.cid}` : 'nothing'}`,
      );
    if (!stored.scrubbed && !entry.scrubbed && stored.text !== entry.text)
      this.fail('I6 agreement', room, `${witness.name} is shown another text of ${entry.seq}`);
    this.told(room, entry.seq);
    this.showings.push({ witness, room, seq: entry.seq, head: log.headSeq });
    this.world.count('shown');
  }

  opened(witness: Witness, room: RoomId, request: number, from: string, since: number | undefined, outcome: AnsweredOutcome): void {
    const asked = this.opens.get(`${witness.name} ${request}`);
    const log = this.store.log(room);
    if (!asked) return;
    const isDenied =
      outcome.type === 'refused'
        ? outcome.code === 'NOT_FOUND' || outcome.code === 'FORBIDDEN'
        : outcome.type === 'opened' && (outcome.verdict === 'denied' || outcome.verdict === 'gone');
    if (isDenied) {
      if (!this.wasOutside(room, witness.user, asked.head, log.headSeq))
        this.fail('I11 authority', room, `${witness.name} may not open, but is a member since before it asked`);
      this.world.count('open denied');
    }
    if (outcome.type !== 'opened' || isDenied) return;
    const { verdict, upTo, head, entries } = outcome;
    this.recent(witness, room, asked.ms, from, head);
    if (upTo > head) this.fail('I10 recency', room, `${witness.name} opened up to ${upTo} of ${head}`);
    this.isOpen.add(this.key(witness, room));
    if (verdict === 'replay') {
      const first = entries[0]?.seq ?? (since ?? -1) + 1;
      const last = entries.at(-1)?.seq ?? since;
      if (first !== (since ?? -1) + 1 || last !== upTo)
        this.fail('I7 order', room, `${witness.name} resumes since ${since}, gets ${first}..${last}, told up to ${upTo}`);
      return;
    }
    if (since !== undefined && (upTo < since || head - since <= this.world.options.settings.resumeEntriesMax)) {
      this.fail('I7 order', room, `${witness.name} is put from ${since} to ${upTo} by a snapshot, head ${head}`);
    }
    this.pageIsExact(witness, room, entries, upTo);
  }

  private pageIsExact(witness: Witness, room: RoomId, entries: readonly Entry[], upTo: number): void {
    const messages = this.store
      .log(room)
      .committed()
      .filter((entry) => isMessage(entry) && entry.seq <= upTo);
    const wanted = messages
      .slice(messages.length - entries.length)
      .map((entry) => entry.seq)
      .join(' ');
    const shown = entries.map((entry) => entry.seq).join(' ');
    if (wanted !== shown || (entries.length === 0 && messages.length > 0))
      this.fail('I7 order', room, `${witness.name} opens up to ${upTo} with messages ${shown || 'none'} instead of ${wanted || 'some'}`);
    for (const entry of entries) this.agrees(witness, room, entry);
  }

  page(witness: Witness, room: RoomId, request: number, from: string, upTo: number): void {
    const asked = this.opens.get(`${witness.name} ${request}`);
    if (asked) this.recent(witness, room, asked.ms, from, upTo);
  }

  /** Whoever acknowledged a command shows it from then on. */
  private recent(witness: Witness, room: RoomId, askedMs: number, from: string, head: number): void {
    const known = Math.max(0, ...(this.ackedBy.get(`${from}`) ?? []).filter(({ ms }) => ms <= askedMs).map(({ seq }) => seq));
    if (head < known) this.fail('I10 recency', room, `${witness.name} is told head ${head} by ${from}, which had acknowledged ${known}`);
  }

  private wasOutside(room: RoomId, user: UserId, fromHead: number, toHead: number): boolean {
    const authority = new Authority();
    for (let seq = 0; seq <= toHead; seq += 1) {
      const entry = this.store.log(room).at(seq);
      if (entry) authority.apply(entry);
      if (seq >= fromHead && !authority.isMember(user)) return true;
    }
    return false;
  }
}
