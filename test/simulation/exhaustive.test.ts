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

  it.each(['unknown taken as failed: told so', 'error taken as ok', 'ack before append', 'no re-validation'])('"%s" is found', { timeout: timeoutMs }, async (name) => {
    const mutant = mutants.find((candidate) => candidate.name === name);
    if (!mutant) throw new Error(`no mutant "${name}"`);
    const machine = await machineOf(mutant);
    const caught = scenarios.some((scenario) => explore(scenario, machine, mutantStatesMax).violation !== undefined);
    expect(caught).toBe(true);
  });
});
