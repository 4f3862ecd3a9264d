/**
 * The room's append and delivery protocol under 10,000 seeds of faults. A failing seed is replayed with
 * `npm run sim -- --seed N --trace`.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { counterTable, neverHappened } from './counters.ts';
import { Fleet } from './fleet.ts';
import { drawOptions } from './options.ts';
import { runSimulation } from './run.ts';

const seedsCi = Number(process.env['SIM_SEEDS'] ?? 10_000);
const firstSeed = Number(process.env['SIM_SEED'] ?? 1);
const timeoutMs = Math.max(240_000, seedsCi * 24);

describe('the simulation', () => {
  let fleet: Fleet;
  beforeAll(() => {
    fleet = new Fleet();
  });
  afterAll(() => fleet.close());

  it('keeps every invariant, and meets every rare case', { timeout: timeoutMs }, async () => {
    const startedMs = performance.now();
    const { seeds, counters, failure } = await fleet.run({ first: firstSeed, count: seedsCi });
    expect(
      failure,
      failure && `seed ${failure.seed} broke ${failure.violation.message}: npm run sim -- --seed ${failure.seed}`,
    ).toBeUndefined();
    process.stdout.write(
      `simulation: ${seeds} seeds in ${((performance.now() - startedMs) / 1000).toFixed(1)} s\n${counterTable(counters)}\n`,
    );
    expect(seeds).toBe(seedsCi);
    expect(neverHappened(counters)).toEqual([]);
    expect(counters['acked']).toBeGreaterThan(10_000);
  });

  it.each([
    ['no wire', { nodes: 3, wire: false }],
    ['no tail', { nodes: 3, tail: false }],
    ['neither: the head poll alone', { nodes: 3, wire: false, tail: false }],
  ])('loses nothing with %s', { timeout: timeoutMs }, async (_name, fixed) => {
    const { failure } = await fleet.run({ first: firstSeed, count: 300, fixed });
    expect(failure).toBeUndefined();
  });

  it('is the same run each time for the same seed', () => {
    for (let seed = 1; seed <= 25; seed += 1) {
      const [first, second] = [0, 1].map(() => runSimulation(drawOptions(seed), { isTracing: true }));
      expect(second?.hash).toBe(first?.hash);
      expect(second?.lines).toEqual(first?.lines);
    }
  });
});
