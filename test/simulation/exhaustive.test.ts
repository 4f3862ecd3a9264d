/**
 * The append protocol in every interleaving of a small model: two writers, one cid through both, fail-overs, unknown
 * outcomes, late effects.
 */
import { describe, expect, it } from 'vitest';
import { explore, fewLooks, machineOf, scenarios } from './exhaustive.ts';
import { mutants } from './mutants.ts';

const timeoutMs = 110_000;
/** A mutant may make the space endless. */
const mutantStatesMax = 20_000;

describe('exhaustively', () => {
  it('no interleaving of two writers, one store and its fail-overs breaks an invariant', { timeout: timeoutMs }, async () => {
    const machine = await machineOf(fewLooks);
    let states = 0;
    for (const scenario of scenarios) {
      const found = explore(scenario, machine);
      states += found.states;
      expect(found.violation, `${scenario.name}\n${found.violation?.path.join('\n') ?? ''}`).toBeUndefined();
      expect(found.ends).toBeGreaterThan(1);
    }
    process.stdout.write(`exhaustive: ${states} states, each invariant held in all\n`);
    expect(states).toBeGreaterThan(40_000);
  });

  it.each([
    ['unknown taken as failed: told so', 'one command through both writers, unknown outcomes'],
    ['error taken as ok', 'one command through both writers, unknown outcomes'],
    ['ack before append', 'one command through both writers, two fail-overs'],
    ['no re-validation', 'and the author is removed meanwhile'],
  ])('"%s" is found', { timeout: timeoutMs }, async (name, scenarioName) => {
    const mutant = mutants.find((candidate) => candidate.name === name);
    const scenario = scenarios.find((candidate) => candidate.name === scenarioName);
    if (!mutant || !scenario) throw new Error(`no mutant "${name}" or no scenario "${scenarioName}"`);
    expect(explore(scenario, await machineOf(mutant), mutantStatesMax).violation).toBeDefined();
  });
});
