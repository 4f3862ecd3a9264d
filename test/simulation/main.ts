/**
 * Main: the simulation by hand.
 *
 *   npm run sim -- --seed 1 --seeds 10000           many seeds; a failing one is shrunk and shown
 *   npm run sim -- --seed 7 --trace                 one seed, every step
 *   npm run sim -- --mutant "head+1 on conflict"    break a rule on purpose and see it caught
 *   also: --nodes K, --kafka off, --tail off, --poll off, --workers K, --options '{"cut":0}' (any option of options.ts)
 */
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { counterTable } from './counters.ts';
import { Fleet } from './fleet.ts';
import { linesOf, minimise } from './minimise.ts';
import { buildMutant } from './mutant-build.ts';
import { mutants } from './mutants.ts';
import { drawOptions, type FixedOptions } from './options.ts';
import { type RunResult, runSimulation } from './run.ts';
import type { MachineClass } from './world.ts';

const traceLinesMax = 120;
const print = (text: string): void => void process.stdout.write(`${text}\n`);

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    seeds: { type: 'string' },
    nodes: { type: 'string' },
    kafka: { type: 'string' },
    tail: { type: 'string' },
    poll: { type: 'string' },
    workers: { type: 'string' },
    options: { type: 'string' },
    mutant: { type: 'string' },
    trace: { type: 'boolean', default: false },
  },
});

const wanted = mutants.find(({ name }) => name === values.mutant);
if (values.mutant !== undefined && !wanted) {
  print(`no mutant "${values.mutant}". There are:\n${mutants.map(({ name }) => `  ${name}`).join('\n')}`);
  process.exit(2);
}
const fixed: FixedOptions = {
  ...(wanted && { stateChecks: false }),
  ...wanted?.fixed,
  ...(values.nodes !== undefined && { nodes: Number(values.nodes) }),
  ...(values.kafka === 'off' && { wire: false }),
  ...(values.tail === 'off' && { tail: false }),
  ...(values.poll === 'off' && { poll: false }),
  ...(values.options !== undefined && (JSON.parse(values.options) as FixedOptions)),
};
const machinePath = wanted && (await buildMutant(wanted));
const machine =
  machinePath === undefined ? undefined : ((await import(pathToFileURL(machinePath).href)) as { RoomState: MachineClass }).RoomState;
const first = Number(values.seed);
const count = Number(values.seeds ?? (values.trace ? 1 : 1000));

if (count === 1) {
  const result = runSimulation(drawOptions(first, fixed), { isTracing: values.trace, ...(machine && { machine }) });
  if (values.trace) print(result.lines.map((line) => `${line.room} ${line.text}`).join('\n'));
  print(counterTable(result.counters));
  print(`seed ${first}: ${(result.virtualMs / 1000).toFixed(1)} s of virtual time, fingerprint ${result.hash.toString(16)}`);
  if (result.violation) fail(first, result.violation);
} else await runMany();

async function runMany(): Promise<void> {
  const fleet = new Fleet(values.workers === undefined ? undefined : Number(values.workers));
  const startedMs = performance.now();
  let saidMs = 0;
  const result = await fleet.run({ first, count, fixed, machinePath }, (done) => {
    const elapsedMs = performance.now() - startedMs;
    const line = `${done} of ${count} seeds, ${Math.round((1000 * done) / elapsedMs)} a second`;
    if (process.stdout.isTTY) process.stdout.write(`\r${line}   `);
    else if (elapsedMs - saidMs > 5000) {
      saidMs = elapsedMs;
      print(line);
    }
  });
  fleet.close();
  if (process.stdout.isTTY) process.stdout.write('\r\x1b[K');
  print(counterTable(result.counters));
  print(
    `${result.seeds} seeds from ${first} on in ${((performance.now() - startedMs) / 1000).toFixed(1)} s${result.failure ? '' : ': every invariant held'}`,
  );
  if (result.failure) fail(result.failure.seed, result.failure.violation);
}

function fail(seed: number, violation: NonNullable<RunResult['violation']>): void {
  process.exitCode = 1;
  print(`\nseed ${seed} broke ${violation.message}\n`);
  const shown = minimise(drawOptions(seed, fixed), violation.invariant, machine);
  const { seed: shownSeed, ...options } = shown.options;
  const lines = linesOf(shown);
  print(`The same in short (${lines.length} lines; < goes into a room's state, > comes out of it):\n`);
  if (lines.length > traceLinesMax) print(`... ${lines.length - traceLinesMax} lines before`);
  print(lines.slice(-traceLinesMax).join('\n'));
  print(`\n${shown.violation?.message ?? ''}\n`);
  const mutant = wanted ? ` --mutant '${wanted.name}'` : '';
  print(
    `again, as it was:  npm run sim -- --seed ${seed} --trace${mutant}\nagain, in short:   npm run sim -- --seed ${shownSeed} --trace${mutant} --options '${JSON.stringify(options)}'`,
  );
}
