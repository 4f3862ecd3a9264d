/**
 * Exhaustive: every interleaving of the small model, depth first, each state once.
 *
 * By hand: `npx tsx test/simulation/exhaustive.ts`, or with `deep` for the larger budgets (minutes).
 */
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { WriteCommand } from '../../actors/room-fold.ts';
import type { Cid, UserId } from '../../system/ids.ts';
import { birthOf } from '../support/entries.ts';
import { deepCopy, fingerprint } from './deep-copy.ts';
import { type Budget, ExhaustiveModel } from './exhaustive-model.ts';
import { buildMutant } from './mutant-build.ts';
import type { Mutant } from './mutants.ts';
import { type MachineClass, Violation } from './world.ts';

export interface Scenario {
  readonly name: string;
  /** For each writer. */
  readonly commands: readonly (readonly WriteCommand[])[];
  readonly budget: Budget;
  readonly deep: Budget;
}

const [ann, bob] = ['ann', 'bob'] as unknown as [UserId, UserId];
const say = (by: UserId, cid: string): WriteCommand => ({ by, cid: cid as Cid, write: { type: 'send', text: cid } });
const birth = birthOf(ann, bob, 'before');
const kick: WriteCommand = { by: ann, cid: 'kick' as Cid, write: { type: 'kick', user: bob } };

export const scenarios: readonly Scenario[] = [
  {
    name: 'one command through both writers, two fail-overs',
    commands: [[say(bob, 'x')], [say(bob, 'x')]],
    budget: { failOvers: 2, unknowns: 0 },
    deep: { failOvers: 2, unknowns: 2 },
  },
  {
    name: 'one command through both writers, unknown outcomes',
    commands: [[say(bob, 'x')], [say(bob, 'x')]],
    budget: { failOvers: 1, unknowns: 1 },
    deep: { failOvers: 1, unknowns: 3 },
  },
  {
    name: 'and another beside it',
    commands: [[say(bob, 'x')], [say(ann, 'y'), say(bob, 'x')]],
    budget: { failOvers: 1, unknowns: 0 },
    deep: { failOvers: 1, unknowns: 1 },
  },
  {
    name: 'and the author is removed meanwhile',
    commands: [[say(bob, 'x')], [kick, say(bob, 'x')]],
    budget: { failOvers: 1, unknowns: 0 },
    deep: { failOvers: 2, unknowns: 1 },
  },
  {
    name: 'and the author is removed, with an unknown outcome',
    commands: [[say(bob, 'x')], [kick, say(bob, 'x')]],
    budget: { failOvers: 0, unknowns: 1 },
    deep: { failOvers: 0, unknowns: 2 },
  },
  {
    name: 'two in a batch',
    commands: [[say(bob, 'x'), say(ann, 'y')], [say(bob, 'x')]],
    budget: { failOvers: 1, unknowns: 0 },
    deep: { failOvers: 1, unknowns: 1 },
  },
];

/**
 * The real machine, but it looks at an uncommitted winner twice and not seven times before it tries again: the looks
 * differ in nothing, and each multiplies the states.
 */
export const fewLooks: Mutant = {
  name: 'few looks',
  patch: { file: 'room-writer-state.ts', find: 'const conflictLooksMax = 6;', replace: 'const conflictLooksMax = 1;' },
};

export async function machineOf(mutant: Mutant): Promise<MachineClass> {
  const path = await buildMutant(mutant);
  if (path === undefined) throw new Error(`${mutant.name} is no patch`);
  return ((await import(pathToFileURL(path).href)) as { RoomState: MachineClass }).RoomState;
}

export interface Exploration {
  readonly states: number;
  readonly ends: number;
  readonly violation: { readonly invariant: string; readonly message: string; readonly path: readonly string[] } | undefined;
}

export function explore(
  { commands, budget }: Pick<Scenario, 'commands' | 'budget'>,
  machine: MachineClass,
  statesMax = Number.POSITIVE_INFINITY,
): Exploration {
  const seen = new Set<string>();
  const path: string[] = [];
  let ends = 0;
  let violation: Exploration['violation'];

  const visit = (model: ExhaustiveModel): boolean => {
    const mark = fingerprint(model);
    if (seen.has(mark)) return true;
    if (seen.size >= statesMax) return false;
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
  const machine = await machineOf(fewLooks);
  for (const { name, commands, budget, deep } of scenarios) {
    const startedMs = performance.now();
    const { states, ends, violation } = explore({ commands, budget: process.argv[2] === 'deep' ? deep : budget }, machine);
    process.stdout.write(
      `${name}: ${states} states, ${ends} ends, ${Math.round(performance.now() - startedMs)} ms${violation ? `\n${violation.message}\n  ${violation.path.join('\n  ')}` : ''}\n`,
    );
    if (violation) process.exitCode = 1;
  }
}
