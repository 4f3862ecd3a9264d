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
    readonly file: 'room-state.ts' | 'room-delivery.ts' | 'room-stream-state.ts' | 'room-cursors-state.ts' | 'room-fold.ts';
    readonly find: string;
    readonly replace: string;
  };
  /** What the mutant needs to show itself, where other means of repair would hide it. The true code passes with these too, but for `isOption`. */
  readonly fixed?: FixedOptions;
  /** The option itself is the bug. */
  readonly isOption?: true;
}

const state = (find: string, replace: string): Mutant['patch'] => ({ file: 'room-state.ts', find, replace });
const delivery = (find: string, replace: string): Mutant['patch'] => ({ file: 'room-delivery.ts', find, replace });
const stream = (find: string, replace: string): Mutant['patch'] => ({ file: 'room-stream-state.ts', find, replace });
const cursors = (find: string, replace: string): Mutant['patch'] => ({ file: 'room-cursors-state.ts', find, replace });
const patch = (name: string, change: Mutant['patch'], fixed?: FixedOptions): Mutant => ({
  name,
  ...(change && { patch: change }),
  ...(fixed && { fixed }),
});

const onConflict = "        return this.resolve(batch, 'conflict', 0);";
const onUnknown = "        for (const waiting of batch) waiting.inDoubt = true;\n        return this.resolve(batch, 'unknown', 0);";
const judge = "      const judgement = this.fold.judge(command, (seq) => this.memory.fact(seq));\n      if (judgement.type === 'needs') {";
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

export const mutants: readonly Mutant[] = [
  { name: 'w:1', fixed: { storeBug: 'w1' }, isOption: true },
  { name: 'unordered insert', fixed: { storeBug: 'unordered' }, isOption: true },
  { name: 'no id index', fixed: { storeBug: 'no-id-index' }, isOption: true },
  patch(
    'head+1 on conflict',
    state(
      onConflict,
      "        this.head = { ...this.head, seq: this.head.seq + 1 };\n        this.pipeline = { step: 'idle' };\n        return this.requeue(batch);",
    ),
  ),
  patch(
    'ack on duplicate at once',
    state(
      onConflict,
      `        for (const [index, waiting] of batch.entries()) if (waiting.inDoubt) this.settle(waiting, entries[index] as Entry, false);\n${onConflict}`,
    ),
  ),
  patch('no gap read', delivery('    if (isGapDue) this.catchUp(nowMs, appendHeadSeq, out);\n', '')),
  { name: 'no head poll', fixed: { poll: false, tail: false }, isOption: true },
  patch(
    'two batches in flight',
    state(
      "    if (this.pipeline.step !== 'idle' || this.pending.length === 0) return;",
      "    if ((this.pipeline.step !== 'idle' && this.pipeline.step !== 'appending') || this.pending.length === 0) return;",
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
    state(
      "    this.out.push({ type: 'append', after: this.head.seq, entries });",
      "    for (const [index, waiting] of batch.entries()) this.settle(waiting, entries[index] as Entry, false);\n    this.out.push({ type: 'append', after: this.head.seq, entries });",
    ),
  ),
  patch(
    'error taken as ok',
    state(
      "    switch (outcome) {\n      case 'appended': {",
      "    switch (outcome === 'unknown' ? 'appended' : outcome) {\n      case 'appended': {",
    ),
  ),
  patch(
    'unknown taken as failed: told so',
    state(
      onUnknown,
      "        for (const waiting of batch) this.conclude(waiting, { type: 'refused', code: 'FORBIDDEN', message: 'failed' });\n        this.pipeline = { step: 'idle' };\n        return;",
    ),
  ),
  patch(
    'unknown taken as failed: new id',
    state(
      onUnknown,
      "        this.pipeline = { step: 'idle' };\n        return this.requeue(batch.map((waiting) => ({ ...waiting, command: { ...waiting.command, cid: (waiting.command.cid + '-2') as Cid } })));",
    ),
  ),
  patch(
    'no re-validation',
    state(
      judge,
      '      const kept = waiting as typeof waiting & { verdict?: ReturnType<RoomFold["judge"]> };\n      const judgement = kept.verdict ?? this.fold.judge(command, (seq) => this.memory.fact(seq));\n      if (judgement.type === "append") kept.verdict = judgement;\n      if (judgement.type === "needs") {',
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
    cursors('    if (reader.ask.key === openKey) return reader;', '    if (openKey !== -1) return reader;'),
    { reopen: 0.4, fresh: 0.5, storeDelayMaxMs: 40 },
  ),
  patch('acknowledged, but not seen', state('    this.delivery.offer(found, time.nowMs, this.out);', ''), {
    nodes: 2,
    reopen: 0.4,
    storeDelayMaxMs: 40,
    replyLost: 0.25,
    opsPerClient: 14,
    settings: { readEntriesMax: 1 },
  }),
  patch('a retry time that has passed', delivery('    this.catchUpRetryMs = undefined;\n    for (const', '    for (const'), {
    stateChecks: true,
  }),
];
