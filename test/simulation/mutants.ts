/**
 * Mutants: bugs put in on purpose, to show that the checker can fail. Each must be caught within 1,000 seeds.
 *
 * Bugs of the store are options of its model. Bugs of the protocol are patches of its source: the exact text of today
 * and what to put there. A text that is not found exactly once fails loudly, so no mutant rots in silence.
 */
import type { FixedOptions } from './options.ts';

export interface Mutant {
  readonly name: string;
  readonly patch?: {
    readonly file:
      | 'room-writer-state.ts'
      | 'room-intake-state.ts'
      | 'room-forwarded-state.ts'
      | 'room-delivery.ts'
      | 'room-stream-state.ts'
      | 'room-cursors-state.ts'
      | 'room-fold.ts'
      | 'room-forward-state.ts'
      | 'room-received-state.ts';
    readonly find: string;
    readonly replace: string;
  };
  /** What the mutant needs to show itself, where other means of repair would hide it. The true code passes with these too, but for `isOption`. */
  readonly fixed?: FixedOptions;
  /** The option itself is the bug. */
  readonly isOption?: true;
}

const writer = (find: string, replace: string): Mutant['patch'] => ({ file: 'room-writer-state.ts', find, replace });
const intake = (find: string, replace: string): Mutant['patch'] => ({ file: 'room-intake-state.ts', find, replace });
const forwarded = (find: string, replace: string): Mutant['patch'] => ({ file: 'room-forwarded-state.ts', find, replace });
const delivery = (find: string, replace: string): Mutant['patch'] => ({ file: 'room-delivery.ts', find, replace });
const stream = (find: string, replace: string): Mutant['patch'] => ({ file: 'room-stream-state.ts', find, replace });
const cursors = (find: string, replace: string): Mutant['patch'] => ({ file: 'room-cursors-state.ts', find, replace });
const forward = (find: string, replace: string): Mutant['patch'] => ({ file: 'room-forward-state.ts', find, replace });
const received = (find: string, replace: string): Mutant['patch'] => ({ file: 'room-received-state.ts', find, replace });
const patch = (name: string, change: Mutant['patch'], fixed?: FixedOptions): Mutant => ({
  name,
  ...(change && { patch: change }),
  ...(fixed && { fixed }),
});

const onConflict = "        return this.resolve(batch, 'conflict', 0);";
const onUnknown =
  "        for (const waiting of batch) waiting.inDoubt = waiting.mustAppend = true;\n        return this.resolve(batch, 'unknown', 0);";
const judge =
  "    const judgement = this.room.fold.judge(command, (seq) => this.room.memory.fact(seq));\n    if (judgement.type === 'needs') return 'facts';";
const cursorOfOpen = '      cursor: canReplay ? since : this.stream.delivered,';

/** Nothing is lost on the wire, nothing else tells heads. */
const wireAlone: FixedOptions = {
  nodes: 2,
  clients: 4,
  opsPerClient: 3,
  cut: 0,
  slow: 0,
  reopen: 0,
  wire: true,
  wireDrop: 0,
  wireDouble: 0,
  wireDelayMaxMs: 400,
  tail: false,
  poll: false,
  appendLost: 0,
  replyLost: 0,
  appendLate: 0,
  appendRejected: 0,
  failOvers: 0,
  nodeCrash: 0,
  roomCrash: 0,
  pauses: 0,
  commitStall: 0,
  zombies: false,
  settings: { reorderEntriesMax: 1 },
};

const onReturned = '    this.returned.push(...commands);';
const onForward = '    const commands = batch.commands.map(({ command }) => command);\n';
const onAppend = "    this.room.out.push({ type: 'append', after: this.room.head.seq, entries });";

/** Nodes that write to one room and forward. */
const linked: FixedOptions = { nodes: 3, rooms: 1, clients: 4, link: true, hurry: 0.8, opsPerClient: 14, zombies: false };
/** And have not heard of each other's entries. */
const chasing: FixedOptions = { ...linked, appendLate: 0.25, replyLost: 0.25 };

export const mutants: readonly Mutant[] = [
  { name: 'w:1', fixed: { storeBug: 'w1' }, isOption: true },
  { name: 'unordered insert', fixed: { storeBug: 'unordered' }, isOption: true },
  { name: 'no id index', fixed: { storeBug: 'no-id-index' }, isOption: true },
  patch(
    'head+1 on conflict',
    writer(
      onConflict,
      "        this.room.head = { ...this.room.head, seq: this.room.head.seq + 1 };\n        this.pipeline = { step: 'idle' };\n        return this.intake.requeue(batch);",
    ),
  ),
  patch(
    'ack on duplicate at once',
    writer(
      onConflict,
      `        for (const [index, waiting] of batch.entries()) if (waiting.inDoubt) this.intake.settle(waiting, entries[index] as Entry, false);\n${onConflict}`,
    ),
  ),
  patch('no gap read', delivery('    if (isGapDue) this.catchUp(nowMs, appendHeadSeq, out);\n', '')),
  { name: 'no head poll', fixed: { poll: false, tail: false }, isOption: true },
  patch(
    'two batches in flight',
    writer(
      "    if (this.pipeline.step !== 'idle') return;\n    if (this.forwarded.returned",
      "    if (this.pipeline.step !== 'idle' && this.pipeline.step !== 'appending') return;\n    if (this.forwarded.returned",
    ),
  ),
  patch('deliver in wire order', stream('        this.hold(entry);\n', '        fresh.push(entry);\n')),
  patch(
    'resume one too late',
    cursors(cursorOfOpen, '      cursor: canReplay ? Math.min(since + 1, this.stream.delivered) : this.stream.delivered,'),
  ),
  patch('resume one too early', cursors(cursorOfOpen, '      cursor: canReplay ? Math.max(since - 1, 0) : this.stream.delivered,')),
  patch(
    'ack before append',
    writer(
      "    this.room.out.push({ type: 'append', after: this.room.head.seq, entries });",
      "    for (const [index, waiting] of batch.entries()) this.intake.settle(waiting, entries[index] as Entry, false);\n    this.room.out.push({ type: 'append', after: this.room.head.seq, entries });",
    ),
  ),
  patch(
    'error taken as ok',
    writer(
      "    switch (outcome) {\n      case 'appended': {",
      "    switch (outcome === 'unknown' ? 'appended' : outcome) {\n      case 'appended': {",
    ),
  ),
  patch(
    'unknown taken as failed: told so',
    writer(
      onUnknown,
      "        for (const waiting of batch) this.intake.conclude(waiting, { type: 'refused', code: 'FORBIDDEN', message: 'failed' });\n        this.pipeline = { step: 'idle' };\n        return;",
    ),
  ),
  patch(
    'unknown taken as failed: new id',
    writer(
      onUnknown,
      "        this.pipeline = { step: 'idle' };\n        return this.intake.requeue(batch.map((waiting) => ({ ...waiting, command: { ...waiting.command, cid: (waiting.command.cid + '-2') as Cid } })));",
    ),
  ),
  patch(
    'no re-validation',
    intake(
      judge,
      '    const kept = waiting as typeof waiting & { verdict?: ReturnType<RoomFold["judge"]> };\n    const judgement = kept.verdict ?? this.room.fold.judge(command, (seq) => this.room.memory.fact(seq));\n    if (judgement.type === "append") kept.verdict = judgement;\n    if (judgement.type === "needs") return "facts";',
    ),
  ),
  patch(
    'cursor moved before the emit',
    cursors('    reader.cursor = after;\n', '    reader.cursor = Math.max(after, this.stream.delivered);\n'),
  ),
  patch(
    'reorder buffer dropped without re-reading',
    stream(
      '      this.early.clear(); // seenSeq',
      '      this.early.clear();\n      this.seenSeq = this.delivered;\n      return; // seenSeq',
    ),
    wireAlone,
  ),
  // Bugs the simulation found in the protocol, kept as mutants.
  patch(
    'kicked, but the fold does not know yet',
    delivery('      if ((mayBeBehind && !waiting.looked) || appendHeadSeq < this.memberSeq)', '      if (mayBeBehind && !waiting.looked)'),
  ),
  patch(
    'a page given to a later open',
    cursors('    if (reader.asked.ask.key === openKey) return reader;', '    if (openKey !== -1) return reader;'),
    { reopen: 0.4, fresh: 0.5, storeDelayMaxMs: 40 },
  ),
  patch('acknowledged, but not seen', writer('    this.room.delivery.offer(found, time.nowMs, this.room.out);', ''), {
    nodes: 2,
    reopen: 0.4,
    storeDelayMaxMs: 40,
    replyLost: 0.25,
    opsPerClient: 14,
    settings: { readEntriesMax: 1 },
  }),
  // Forwards.
  patch(
    'forwarded again',
    writer(
      'this.gather(this.intake.pending, batch, true)',
      'this.gather(this.intake.received.queue.length > 0 ? this.intake.received.queue : this.intake.pending, batch, true)',
    ),
    chasing,
  ),
  patch(
    'take-over appends later ones first',
    forwarded(onReturned, '    for (const waiting of commands) this.intake.pending.add(waiting);'),
    linked,
  ),
  patch(
    'acknowledged when forwarded',
    writer(
      onForward,
      `    for (const waiting of batch.commands) this.intake.settle(waiting, { ...(batch.drafts[0] as EntryDraft), seq: this.room.headSeq + 1, n: 0, by: waiting.command.by, at: 0, cid: waiting.command.cid, writer: to }, false);\n${onForward}`,
    ),
    linked,
  ),
  patch(
    'an answer that is not committed',
    writer(
      onAppend,
      `    for (const [index, waiting] of batch.entries()) if (waiting.received) this.intake.settle(waiting, entries[index] as Entry, false);\n${onAppend}`,
    ),
    linked,
  ),
  patch(
    'a refusal of the other node is trusted',
    forwarded(
      onReturned,
      `    for (const waiting of commands) this.intake.conclude(waiting, { type: 'refused', code: 'FORBIDDEN', message: 'refused there' });\n${onReturned}`,
    ),
    linked,
  ),
  patch('forgotten when it is not answered in time', forwarded('    this.giveUp(overdue.batch);\n', ''), linked),
  patch('an answer to another forward', forward('    if (this.underWay?.id !== id) return undefined;\n', ''), linked),
  patch('a late copy stored after its refusal', received(' || batch.controlSeq !== controlSeq', ''), {
    ...linked,
    forwardDouble: 0.8,
    forwardLate: 0.5,
    opsPerClient: 14,
  }),
  patch(
    'later ones overtake a forward',
    writer('this.room.forward.isUnderWay ? [this.intake.received.queue] : this.intake.queues', 'this.intake.queues'),
    linked,
  ),
  patch(
    'acknowledged by an answer, but not seen',
    forwarded('    else this.room.delivery.offer([entry], time.nowMs, this.room.out);\n', ''),
    {
      ...linked,
      reopen: 0.4,
      wire: false,
      tail: false,
    },
  ),
  patch('a retry time that has passed', delivery('    this.catchUpRetryMs = undefined;\n    for (const', '    for (const'), {
    stateChecks: true,
  }),
];
