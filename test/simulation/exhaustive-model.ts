/**
 * ExhaustiveModel: the smallest cluster that shows every race of the append protocol: two writers, one store, three
 * commands (one cid goes through both writers), fail-overs and unknown outcomes from a small budget. It names every
 * step that could come next; `exhaustive.ts` takes all of them.
 *
 * Checks on the way: an acknowledgement and a delivery only of what is committed, deliveries in order, each once.
 */

import type { WriteCommand } from '../../actors/room-fold.ts';
import type { RoomEffect, RoomInput, RoomSettings } from '../../actors/room-protocol.ts';
import type { RoomId } from '../../system/ids.ts';
import type { Entry } from '../../system/store/entry.ts';
import { deepCopy } from './deep-copy.ts';
import { type Doc, StoreLog } from './store-log.ts';
import { type Machine, type MachineClass, Violation } from './world.ts';

const room = 'r1' as RoomId;
const settings: RoomSettings = {
  writer: '',
  sharedLog: true,
  pendingMax: 9,
  senderPendingMax: 9,
  ackDeadlineMs: 1e9,
  batchEntriesMax: 9,
  batchBytesMax: 1e6,
  readEntriesMax: 100,
  resumeEntriesMax: 100,
  reorderEntriesMax: 9,
  reorderBytesMax: 1_000_000,
  gapMs: 50,
  recentEntriesMax: 9,
};

/** An append under way. orphan: its caller was told `unknown`, its effect may still come. */
interface Request {
  readonly entries: readonly Entry[];
  next: number;
  begunInTerm: number | undefined;
  last: Doc | undefined;
  readonly writer: number;
  isOrphan: boolean;
}

interface Writer {
  /** Replaced at each step that feeds it: other states of the search share the old one. */
  machine: Machine;
  readonly commands: WriteCommand[];
  /** Reads asked for, then their results; results of appends. */
  reads: RoomEffect[];
  results: RoomInput[];
  events: Entry[][];
  last: number;
}

export interface Budget {
  failOvers: number;
  unknowns: number;
}

export class ExhaustiveModel {
  readonly store = new StoreLog();
  readonly writers: Writer[] = [];
  readonly answers: { readonly writer: number; readonly cid: string; readonly seq: number | 'refused' }[] = [];
  private requests: Request[] = [];
  private term = 0;
  private readonly budget: Budget;
  private readonly asked: { readonly key: number; readonly cid: string }[][] = [[], []];

  constructor(machine: MachineClass, birth: Entry, commands: readonly (readonly WriteCommand[])[], budget: Budget) {
    this.budget = { ...budget };
    this.store.commit(this.store.insert(birth));
    for (const [index, own] of commands.entries()) {
      const writer: Writer = {
        machine: new machine({ ...settings, writer: `w${index + 1}` }),
        commands: [...own],
        reads: [],
        results: [],
        events: [],
        last: birth.seq,
      };
      this.writers.push(writer);
      writer.machine.handle({ type: 'start' }, { nowMs: 0, wallMs: 0 });
      writer.machine.handle(
        { type: 'loaded', head: { seq: birth.seq, n: birth.n, writer: birth.writer }, controls: [birth] },
        { nowMs: 0, wallMs: 0 },
      );
      const reader: RoomInput = { type: 'open', key: 0, reader: `reader${index}`, user: birth.by, since: birth.seq, limit: 9 };
      writer.machine.handle(reader, { nowMs: 0, wallMs: 0 });
    }
  }

  private fail(invariant: string, detail: string): never {
    throw new Violation(invariant, room, detail);
  }

  /** Names of the steps possible now. Events that are never delivered are lost ones, so a state with only those left is an end. */
  steps(): string[] {
    const steps: string[] = [];
    for (const [index, writer] of this.writers.entries()) {
      if (writer.commands.length > 0) steps.push(`command ${index}`);
      if (writer.reads.length > 0) steps.push(`read ${index}`);
      if (writer.results.length > 0) steps.push(`result ${index}`);
      if (writer.events.length > 0) steps.push(`event ${index}`);
      const wakeAtMs = writer.machine.wakeAtMs();
      if (wakeAtMs !== undefined && wakeAtMs < 1e8) steps.push(`tick ${index}`);
    }
    for (const [index, request] of this.requests.entries()) {
      const isStale = request.begunInTerm !== undefined && request.begunInTerm !== this.term;
      if (request.next < request.entries.length || isStale || request.last?.isCommitted) steps.push(`store ${index}`);
      if (!request.isOrphan && this.budget.unknowns > 0) steps.push(`unknown ${index}`);
      if (request.begunInTerm === undefined && (request.isOrphan || this.budget.unknowns > 0)) steps.push(`lose ${index}`);
    }
    const loose = this.store.docs.length - this.store.commitCount;
    if (loose > 0) steps.push('commit 0');
    if (this.budget.failOvers > 0) for (let keep = 0; keep <= loose; keep += 1) steps.push(`fail-over ${keep}`);
    return steps;
  }

  take(step: string): void {
    const [what, which] = step.split(' ') as [string, string];
    const index = Number(which);
    const writer = this.writers[index] as Writer;
    switch (what) {
      case 'command': {
        const command = writer.commands.shift() as WriteCommand;
        const asked = this.asked[index] as { key: number; cid: string }[];
        asked.push({ key: asked.length + 1, cid: command.cid });
        return this.feed(index, { type: 'command', key: asked.length, command });
      }
      case 'read':
        writer.results.push(this.read(writer.reads.shift() as RoomEffect));
        return;
      case 'result':
        return this.feed(index, writer.results.shift() as RoomInput);
      case 'event':
        return this.feed(index, { type: 'event', entries: writer.events.shift() as Entry[] });
      case 'tick':
        return this.feed(index, { type: 'tick' }, writer.machine.wakeAtMs());
      case 'store':
        return this.execute(this.requests[index] as Request);
      case 'unknown': {
        const request = this.requests[index] as Request;
        this.budget.unknowns -= 1;
        this.reply(request, 'unknown');
        request.isOrphan = true;
        return;
      }
      case 'lose': {
        const request = this.requests[index] as Request;
        if (!request.isOrphan) {
          this.budget.unknowns -= 1;
          this.reply(request, 'unknown');
        }
        return this.end(request);
      }
      case 'commit':
        this.store.commit(this.store.docs[this.store.commitCount] as Doc);
        return;
      case 'fail-over':
        this.budget.failOvers -= 1;
        this.term += 1;
        this.store.truncate(this.store.commitCount + index);
    }
  }

  /** The store's side of an append: one insert, or the outcome. */
  private execute(request: Request): void {
    if (request.begunInTerm !== undefined && request.begunInTerm !== this.term) {
      this.reply(request, 'unknown');
      return this.end(request);
    }
    request.begunInTerm = this.term;
    const entry = request.entries[request.next];
    if (!entry) {
      this.reply(request, 'appended');
      return this.end(request);
    }
    if (this.store.holder(entry, true)) {
      this.reply(request, 'conflict');
      return this.end(request);
    }
    request.last = this.store.insert(entry);
    request.next += 1;
  }

  private reply(request: Request, outcome: 'appended' | 'conflict' | 'unknown'): void {
    if (!request.isOrphan) (this.writers[request.writer] as Writer).results.push({ type: 'appendDone', outcome });
  }

  private end(request: Request): void {
    this.requests = this.requests.filter((other) => other !== request);
  }

  private read(effect: RoomEffect): RoomInput {
    if (effect.type === 'catchUp') return { type: 'caughtUp', entries: this.store.after(effect.after, effect.limit) };
    if (effect.type !== 'resolve') return this.fail('CRASH', `unexpected ${effect.type}`);
    const found = effect.ids.flatMap(({ by, cid }) => this.store.stored(by, cid) ?? []);
    return { type: 'resolved', entries: this.store.after(effect.after, effect.limit), found };
  }

  /** Time stands still but for ticks, which come when they are due: so there are few states, and none is left out by it. */
  private feed(index: number, input: RoomInput, nowMs = 0): void {
    const writer = this.writers[index] as Writer;
    writer.machine = deepCopy(writer.machine);
    for (const effect of writer.machine.handle(input, { nowMs, wallMs: 0 })) this.perform(index, writer, effect);
  }

  private perform(index: number, writer: Writer, effect: RoomEffect): void {
    switch (effect.type) {
      case 'append':
        if (this.requests.some((request) => request.writer === index && !request.isOrphan))
          this.fail('CRASH', `w${index + 1} has two appends in flight`);
        this.requests.push({ entries: effect.entries, next: 0, begunInTerm: undefined, last: undefined, writer: index, isOrphan: false });
        return;
      case 'answer':
        return this.answered(index, effect);
      case 'deliver':
        for (const { seq, cid } of effect.entries) {
          if (seq !== writer.last + 1) this.fail('I7 order', `reader at w${index + 1} is shown ${seq} after ${writer.last}`);
          if (this.store.at(seq)?.cid !== cid)
            this.fail('I6 agreement', `reader at w${index + 1} is shown ${seq} ${cid}, which is not committed`);
          writer.last = seq;
        }
        return;
      case 'publish':
        (this.writers[1 - index] as Writer).events.push([...effect.entries]);
        return;
      case 'resolve':
      case 'catchUp':
        writer.reads.push(effect);
        return;
      default: // load, attach and note ask for nothing; other reads do not come up in this model, and would be missed at the end.
    }
  }

  private answered(index: number, { key, outcome }: Extract<RoomEffect, { type: 'answer' }>): void {
    const cid = this.asked[index]?.find((asked) => asked.key === key)?.cid;
    if (cid === undefined || this.answers.filter((answer) => answer.writer === index && answer.cid === cid).length > 0)
      this.fail('CRASH', `w${index + 1} answers ${key} twice or unasked`);
    if (outcome.type === 'stored' && this.store.at(outcome.entry.seq)?.cid !== cid)
      this.fail('I1 durable', `w${index + 1} acknowledges ${cid} as ${outcome.entry.seq}, which is not committed`);
    this.answers.push({ writer: index, cid, seq: outcome.type === 'stored' ? outcome.entry.seq : 'refused' });
  }

  /** Of an end state: the log, the answers, and whether a hint of the head is enough for every reader. */
  checkEnd(): void {
    const entries = this.store.committed();
    for (const [index, entry] of entries.entries())
      if (entry.seq !== index + 1) this.fail('I2 hole-free', `log: ${entries.map(({ seq }) => seq).join(' ')}`);
    if (new Set(entries.map(({ by, cid }) => `${by}/${cid}`)).size < entries.length)
      this.fail('I3 unique', `log: ${entries.map(({ cid }) => cid).join(' ')}`);
    const asked = this.asked.flat().length;
    if (this.answers.length < asked) this.fail('I12 converge', `${asked - this.answers.length} commands are never answered`);
    for (const { cid, seq } of this.answers) {
      const stored = entries.find((entry) => entry.cid === cid)?.seq ?? 'refused';
      if (stored !== seq)
        this.fail(seq === 'refused' ? 'I4 no phantom' : 'I5 one ack', `${cid} answered ${seq}, in the log it is ${stored}`);
    }
    for (const [index, writer] of this.writers.entries()) {
      writer.events.length = 0;
      this.feed(index, { type: 'hint', seq: this.store.headSeq });
      for (let step = this.steps()[0]; step; step = this.steps()[0]) this.take(step);
      if (writer.last !== this.store.headSeq)
        this.fail('I12 converge', `the reader at w${index + 1} stays at ${writer.last} of ${this.store.headSeq}`);
    }
  }
}
