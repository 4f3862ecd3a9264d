/**
 * Minimise: a failing run made small enough to be read: faults switched off, clients, commands and time taken away,
 * as long as the same invariant still breaks.
 */
import type { SimOptions } from './options.ts';
import { type RunResult, runSimulation } from './run.ts';
import type { MachineClass } from './world.ts';

type Change = Partial<SimOptions>;

/** From the most taken away to the least; none ever gives back. Each is tried on what the earlier ones left. */
const changes: readonly ((options: SimOptions) => Change)[] = [
  () => ({ rooms: 1 }),
  () => ({
    wireDrop: 0,
    wireDouble: 0,
    tailDrop: 0,
    appendRejected: 0,
    readFail: 0,
    slow: 0,
    passivate: 0,
    pauses: 0,
    reopen: 0,
    fresh: 0,
    cut: 0,
  }),
  () => ({ failOvers: 0 }),
  () => ({ nodeCrash: 0 }),
  () => ({ roomCrash: 0 }),
  () => ({ pauses: 0 }),
  () => ({ zombies: false }),
  () => ({ appendLost: 0 }),
  () => ({ replyLost: 0 }),
  () => ({ appendLate: 0 }),
  () => ({ appendRejected: 0 }),
  () => ({ readFail: 0 }),
  () => ({ commitStall: 0 }),
  () => ({ link: false }),
  () => ({ linkFull: 0 }),
  () => ({ forwardLost: 0 }),
  () => ({ forwardDouble: 0 }),
  () => ({ forwardLate: 0 }),
  () => ({ answerLost: 0 }),
  () => ({ hurry: 0 }),
  () => ({ wireDrop: 0 }),
  () => ({ wireDouble: 0 }),
  ({ poll }) => (poll ? { tail: false } : {}),
  () => ({ wire: false }),
  () => ({ tailDrop: 0 }),
  () => ({ slow: 0 }),
  () => ({ passivate: 0 }),
  () => ({ reopen: 0 }),
  () => ({ fresh: 0 }),
  () => ({ cut: 0 }),
  () => ({ nodes: 1 }),
  ({ nodes }) => ({ nodes: Math.max(1, nodes - 1) }),
  ({ clients }) => ({ clients: Math.max(2, clients - 1) }),
  ({ clients }) => ({ clients: Math.max(2, clients - 1) }),
  ({ opsPerClient }) => ({ opsPerClient: Math.min(opsPerClient, 1) }),
  ({ opsPerClient }) => ({ opsPerClient: Math.min(opsPerClient, 2) }),
  ({ opsPerClient }) => ({ opsPerClient: Math.ceil(opsPerClient / 2) }),
  ({ opsPerClient }) => ({ opsPerClient: Math.max(1, opsPerClient - 1) }),
  ({ faultsMs }) => ({ faultsMs: Math.min(faultsMs, 1000) }),
  ({ faultsMs }) => ({ faultsMs: Math.min(faultsMs, 2000) }),
  ({ faultsMs }) => ({ faultsMs: Math.ceil(faultsMs / 2) }),
  ({ faultsMs }) => ({ faultsMs: Math.ceil(faultsMs * 0.8) }),
];

/** Other seeds tried with the options that are left: one of them fails sooner, as a rule. */
const otherSeeds = 200;

export function minimise(failing: SimOptions, invariant: string, machine: MachineClass | undefined): RunResult {
  const with_ = machine ? { machine } : {};
  const fails = (options: SimOptions): boolean => runSimulation(options, with_).violation?.invariant === invariant;
  const withShared = (options: SimOptions): SimOptions => ({ ...options, sharedLog: options.nodes > 1 || options.zombies });
  let options = failing;
  for (let isShrinking = true; isShrinking; ) {
    isShrinking = false;
    for (const change of changes) {
      const smaller = withShared({ ...options, ...change(options) });
      if (JSON.stringify(smaller) === JSON.stringify(options) || !fails(smaller)) continue;
      options = smaller;
      isShrinking = true;
    }
  }
  let best = runSimulation(options, { ...with_, isTracing: true });
  for (let seed = 1; seed <= otherSeeds; seed += 1) {
    if (!fails({ ...options, seed })) continue;
    const other = runSimulation({ ...options, seed }, { ...with_, isTracing: true });
    if (linesOf(other).length < linesOf(best).length) best = other;
  }
  return best;
}

/** The lines of the room that is concerned. */
export function linesOf({ lines, violation }: RunResult): string[] {
  const room = violation?.room;
  return lines.filter((line) => !room || line.room === room).map((line) => line.text);
}
