/**
 * RoomClients: those who read, ask and type in a room on this node, between the room's actor and its pure state.
 *
 * Owns: the readers (`room-readers`), the answers owed (`room-answers`), read marks (`room-marks`), the typing set.
 * Guarantees: all of it outlives a crash of the room: whoever waited is told to try again, whoever read goes on at its cursor, or is told.
 * Does not: decide who may (the state does), or call the store, but for history pages.
 */
import { tell } from '../system/actor.ts';
import { type Refusal, refuse } from '../system/errors.ts';
import type { RoomId } from '../system/ids.ts';
import type { Logger } from '../system/logger.ts';
import { type Entry, isMessage } from '../system/store/entry.ts';
import { formOf, RoomAnswers } from './room-answers.ts';
import type { RoomCommand, RoomDeps } from './room-commands.ts';
import type { WriteCommand } from './room-fold.ts';
import { RoomForeign } from './room-foreign.ts';
import { answerHistory } from './room-history.ts';
import { RoomMarks } from './room-marks.ts';
import { RoomOutside } from './room-outside.ts';
import type { AnsweredOutcome, ReaderId, RoomEffect, RoomInput } from './room-protocol.ts';
import { RoomReaders } from './room-readers.ts';
import type { RoomState } from './room-state.ts';
import { RoomTyping } from './room-typing.ts';

type Told<T extends RoomCommand['type']> = Extract<RoomCommand, { type: T }>;
type Effect<T extends RoomEffect['type']> = Extract<RoomEffect, { type: T }>;

export class RoomClients {
  readonly readers: RoomReaders;
  readonly answers: RoomAnswers;
  readonly marks: RoomMarks;
  readonly typing: RoomTyping;
  /** Those on other nodes. */
  readonly foreign: RoomForeign;
  readonly outside: RoomOutside;
  private readonly room: RoomId;
  private readonly deps: RoomDeps;
  /** Opens made for readers of the life before, by key. */
  private reopening = new Map<number, ReaderId>();

  constructor(room: RoomId, deps: RoomDeps) {
    this.room = room;
    this.deps = deps;
    this.readers = new RoomReaders(room, deps.encoder);
    this.answers = new RoomAnswers(room);
    this.marks = new RoomMarks(room, deps);
    this.typing = new RoomTyping(this.readers);
    this.foreign = new RoomForeign({ readers: this.readers, typing: this.typing, marks: this.marks });
    this.outside = new RoomOutside(room, deps);
  }

  // ---- lives of the room ----

  /** A life begins: after a crash whoever waited is told, whoever read is opened again at its own cursor. */
  recover(inputs: RoomInput[]): void {
    const refusal = refuse('INTERNAL', 'the room failed while it worked on this; send again with the same cid');
    this.answers.refuseAll(refusal);
    this.typing.restart(refusal);
    this.foreign.restart();
    this.marks.restart(refusal);
    this.reopening = new Map();
    for (const { id, user, cursor } of this.readers.restart()) {
      const key = this.answers.newKey();
      this.reopening.set(key, id);
      inputs.push({ type: 'open', key, reader: id, user, since: cursor, limit: 1 });
    }
  }

  /** The room ends. */
  end(refusal: Refusal, reason: 'stopped' | 'crashed'): void {
    this.answers.refuseAll(refusal);
    this.typing.restart(refusal);
    this.marks.end(refusal, this.deps.clock.nowMs());
    if (reason === 'crashed') this.readers.dismissAll();
  }

  // ---- what they ask ----

  write({ command, replyTo }: Pick<Told<'room.write'>, 'command' | 'replyTo'>): Extract<RoomInput, { type: 'command' }> {
    const join = command.write.type === 'join' ? { join: command } : undefined;
    const key = this.answers.owe({ replyTo, user: command.by, form: formOf(command), ...join });
    return { type: 'command', key, command };
  }

  /** The join that this refuses, if the outside directory has not been asked about it yet: then it is not answered. */
  refusedJoin({ key, outcome }: Effect<'answer'>): WriteCommand | undefined {
    const owed = outcome.type === 'refused' ? this.answers.find(key) : undefined;
    const join = owed?.join;
    if (!owed || !join || !this.outside.hasMore(join, outcome)) return undefined;
    owed.join = undefined; // Once: what is refused after that is refused.
    return join;
  }

  refuse(key: number, refusal: Refusal): void {
    const owed = this.answers.take(key);
    if (owed) tell(owed.replyTo, { ok: false, refusal });
  }

  history({ user, range, replyTo }: Told<'room.history'>): RoomInput {
    return { type: 'history', key: this.answers.owe({ replyTo, user, form: 'read' }), user, range };
  }

  mark({ user, seq, from, replyTo }: Told<'room.mark'>): RoomInput {
    return { type: 'mark', key: this.answers.owe({ replyTo, user, from, form: 'read' }), user, seq };
  }

  open(msg: Told<'room.open'>): RoomInput {
    const { reader, user, since, epoch, limit, replyTo } = msg;
    this.readers.add(reader, user, msg, since ?? 0);
    const key = this.answers.owe({ replyTo, user, reader, form: 'read' });
    const position = { ...(since === undefined ? undefined : { since }), ...(epoch === undefined ? undefined : { epoch }) };
    return { type: 'open', key, reader, user, limit, ...position };
  }

  close(id: ReaderId, inputs: RoomInput[]): void {
    const removed = this.readers.remove(id);
    if (!removed) return;
    inputs.push({ type: 'close', reader: id });
    if (!removed.isElsewhere) this.typing.left(removed.user);
  }

  ready(id: ReaderId, inputs: RoomInput[]): void {
    if (this.readers.unblock(id)) inputs.push({ type: 'ready', reader: id });
  }

  // ---- what they are told ----

  answer({ key, outcome }: Effect<'answer'>, machine: RoomState, inputs: RoomInput[], nowMs: number): void {
    if (outcome.type === 'stored' && !outcome.dup && isMessage(outcome.entry)) {
      const { by: user, seq, n } = outcome.entry;
      this.marks.imply({ user, seq, n }, nowMs);
    }
    const reopened = this.reopening.get(key);
    if (reopened !== undefined) this.onReopened(reopened, outcome, inputs);
    const owed = this.answers.take(key);
    if (!owed) return;
    if (owed.reader !== undefined) this.readers.noteOpened(owed.reader, outcome);
    this.answers.answer(owed, outcome, machine);
  }

  /** A reader of the life before: it goes on at its cursor, or is told that it must open the room again. */
  private onReopened(id: ReaderId, outcome: AnsweredOutcome, inputs: RoomInput[]): void {
    if (outcome.type === 'opened' && outcome.verdict === 'replay') return this.emit(id, outcome.entries, inputs);
    this.readers.dismiss(id, 'unavailable');
    inputs.push({ type: 'close', reader: id });
  }

  answerHistory({ key, range, upTo }: Effect<'history'>, logger: Logger): void {
    const owed = this.answers.take(key);
    if (owed) void answerHistory(this.deps.log, this.room, range, upTo, logger).then((answer) => tell(owed.replyTo, answer));
  }

  /** A member's mark of an entry that exists. */
  keepMark({ key, user, seq }: Effect<'mark'>, machine: RoomState, nowMs: number): void {
    const owed = this.answers.take(key);
    if (owed?.from === undefined) return;
    const n = seq === machine.headSeq ? machine.headN : undefined;
    this.marks.ask({ user, seq, n }, { replyTo: owed.replyTo, from: owed.from, deadlineMs: nowMs + this.deps.settings.ackDeadlineMs });
  }

  /** What was gathered for the attached goes out. */
  deliver(inputs: RoomInput[]): void {
    if (!this.readers.hasGathered) return;
    const { clock, pace } = this.deps;
    const startMs = clock.nowMs();
    const { entries, refused } = this.readers.deliver();
    pace.gave(clock.nowMs() - startMs);
    inputs.push(...refused);
    this.typing.delivered(entries);
  }

  detach(id: ReaderId, inputs: RoomInput[]): void {
    this.readers.detach(id);
    forgetRefusal(id, inputs);
  }

  dismiss({ reader, reason }: Effect<'gone'>, inputs: RoomInput[]): void {
    this.readers.dismiss(reader, reason);
    forgetRefusal(reader, inputs);
  }

  emit(id: ReaderId, entries: readonly Entry[], inputs: RoomInput[]): void {
    const refused = this.readers.emit(id, entries);
    if (refused) inputs.push(refused);
  }
}

/** A refusal of an attachment that has ended says nothing about the next one of the same reader. */
function forgetRefusal(id: ReaderId, inputs: RoomInput[]): void {
  const kept = inputs.filter((input) => input.type !== 'refused' || input.reader !== id);
  inputs.splice(0, inputs.length, ...kept);
}
