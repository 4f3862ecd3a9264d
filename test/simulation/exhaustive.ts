/**
 * Exhaustive: every interleaving of the small model, depth first, each state once. Run by hand: prints the states.
 */
import { fileURLToPath } from 'node:url';
import type { WriteCommand } from '../../actors/room-fold.ts';
import { RoomState } from '../../actors/room-state.ts';
import type { Entry } from '../../system/store/entry.ts';
import type { Cid, UserId } from '../../system/ids.ts';
import { deepCopy, fingerprint } from './deep-copy.ts';
import { type Budget, ExhaustiveModel } from './exhaustive-model.ts';
import { type MachineClass, Violation } from './world.ts';

export interface Scenario {
  readonly name: string;
  /** For each writer. */
  readonly commands: readonly (readonly WriteCommand[])[];
  readonly budget: Budget;
}

const [ann, bob] = ['ann', 'bob'] as unknown as [UserId, UserId];
const say = (by: UserId, cid: string): WriteCommand => ({ by, cid: cid as Cid, write: { type: 'send', text: cid } });
const birth: Entry = {
  seq: 1, n: 0, kind: 'room', by: ann, at: 0, cid: 'birth' as Cid, writer: 'before',
  room: { kind: 'group', public: false, members: [{ user: ann, role: 'owner' }, { user: bob, role: 'member' }] },
};
const kick: WriteCommand = { by: ann, cid: 'kick' as Cid, write: { type: 'kick', user: bob } };

export const scenarios: readonly Scenario[] = [
  { name: 'one command through both writers', commands: [[say(bob, 'x')], [say(bob, 'x')]], budget: { failOvers: 2, unknowns: 2 } },
  { name: 'and another beside it', commands: [[say(bob, 'x')], [say(ann, 'y'), say(bob, 'x')]], budget: { failOvers: 1, unknowns: 1 } },
  { name: 'and the author is removed meanwhile', commands: [[say(bob, 'x')], [kick, say(bob, 'x')]], budget: { failOvers: 1, unknowns: 1 } },
  { name: 'two each, in batches', commands: [[say(bob, 'x'), say(ann, 'y')], [say(bob, 'x')]], budget: { failOvers: 1, unknowns: 1 } },
];

export interface Exploration {
  readonly states: number;
  readonly ends: number;
  readonly violation: { readonly invariant: string; readonly message: string; readonly path: readonly string[] } | undefined;
}

export function explore({ commands, budget }: Scenario, machine: MachineClass = RoomState): Exploration {
  const seen = new Set<string>();
  const path: string[] = [];
  let ends = 0;
  let violation: Exploration['violation'];

  const visit = (model: ExhaustiveModel): boolean => {
    const mark = fingerprint(model);
    if (seen.has(mark)) return true;
    seen.add(mark);
    const steps = model.steps();
    try {
      if (steps.every((step) => step.startsWith('event') || step.startsWith('fail-over'))) {
        ends += 1;
        deepCopy(model).checkEnd();
      }
      for (const step of steps) {
        path.push(step);
        const next = deepCopy(model);
        next.take(step);
        if (!visit(next)) return false;
        path.pop();
      }
      return true;
    } catch (error) {
      if (!(error instanceof Violation)) throw error;
      violation = { invariant: error.invariant, message: error.message, path: [...path] };
      return false;
    }
  };
  visit(new ExhaustiveModel(machine, birth, commands, budget));
  return { states: seen.size, ends, violation };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const scenario of scenarios) {
    const startedMs = performance.now();
    const { states, ends, violation } = explore(scenario);
    process.stdout.write(`${scenario.name}: ${states} states, ${ends} ends, ${Math.round(performance.now() - startedMs)} ms${violation ? `\n${violation.message}\n  ${violation.path.join('\n  ')}` : ''}\n`);
    if (violation) process.exitCode = 1;
  }
}
