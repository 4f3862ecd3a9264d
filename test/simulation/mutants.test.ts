/**
 * The mutation test of the checker: each bug put in on purpose is caught within 1,000 seeds, by what somebody outside
 * can notice; and the true code passes where a mutant needs special options.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Fleet } from './fleet.ts';
import { buildMutant } from './mutant-build.ts';
import { mutants } from './mutants.ts';

const seedsMax = 1_000;
const timeoutMs = 120_000;

describe('the checker', () => {
  let fleet: Fleet;
  const caught: string[] = [];
  beforeAll(() => {
    fleet = new Fleet();
  });
  afterAll(() => {
    fleet.close();
    process.stdout.write(`mutants, caught after how many seeds, by which invariant:\n${caught.join('\n')}\n`);
  });

  it.each(mutants)('catches "$name"', { timeout: timeoutMs }, async (mutant) => {
    const machinePath = await buildMutant(mutant);
    const { failure } = await fleet.run({ first: 1, count: seedsMax, fixed: { stateChecks: false, ...mutant.fixed }, machinePath });
    caught.push(`  ${mutant.name.padEnd(42)} ${String(failure?.seed ?? '-').padStart(4)}  ${failure?.violation.invariant ?? 'NOT CAUGHT'}`);
    expect(failure).toBeDefined();
  });

  it.each(mutants.filter((mutant) => mutant.fixed && !mutant.isOption))(
    'finds nothing in the true code with the options of "$name"',
    { timeout: timeoutMs },
    async ({ fixed }) => {
      const { failure } = await fleet.run({ first: 1, count: 500, fixed: fixed ?? {} });
      expect(failure).toBeUndefined();
    },
  );
});
