/**
 * StopSteps: the order in which a node stops. The lifecycle runs it; a node is not ready from before the first step.
 *
 * Clients are told before anything they depend on is gone; whoever asked gets an answer before the sockets close; the store,
 * on which everything else may still write, is last. The deadlines add up to more than the whole may take: the process has the
 * last word (main).
 */
import type { StopStep } from './lifecycle.ts';

type Task = () => unknown;

/** What stops, in the words of those who give it. */
export interface StopParts {
  readonly server: { stopAccepting(): void; close(deadlineMs: number): Promise<void> };
  readonly gateway: { drain(): void };
  /** Waits for what is being stored. */
  readonly actors: { stop(deadlineMs: number): Promise<void> };
  /** Services outside: what they were not told yet. */
  readonly outside: { drain(deadlineMs: number): Promise<void> };
  readonly wire: { close(): Promise<void> };
  /** Links to other nodes. */
  readonly cluster: { close(): Promise<void> };
  readonly presence: { drain(deadlineMs: number): Promise<unknown> };
  /** What other nodes see of this one. */
  readonly shared: { close(): Promise<void> };
  readonly measuring: readonly { stop: Task }[];
  readonly revocations: { stop: Task };
  readonly store: { close(): Promise<void> };
}

export function stopSteps(parts: StopParts, deadlineMs: number): readonly StopStep[] {
  const { server, gateway, actors, outside, wire, cluster, presence, shared, measuring, revocations, store } = parts;
  const actorsMs = deadlineMs / 2;
  const socketsMs = deadlineMs / 4;
  return [
    { name: 'stop accepting', deadlineMs: 1_000, run: () => server.stopAccepting() },
    { name: 'tell clients', deadlineMs: 1_000, run: () => gateway.drain() },
    { name: 'finish rooms', deadlineMs: actorsMs, run: () => actors.stop(actorsMs - 100) },
    { name: 'close sockets', deadlineMs: socketsMs, run: () => server.close(socketsMs - 100) },
    { name: 'part from other nodes', deadlineMs: 1_500, run: () => cluster.close() },
    { name: 'tell services outside', deadlineMs: 1_500, run: () => outside.drain(1_000) },
    // Before the wire: an own state server tells other services by it who has gone with this node.
    { name: 'presence says goodbye', deadlineMs: 1_500, run: () => presence.drain(1_000) },
    { name: 'flush wire', deadlineMs: 2_000, run: () => wire.close() },
    { name: 'leave the cluster', deadlineMs: 2_500, run: () => shared.close() },
    {
      name: 'stop measuring',
      deadlineMs: 100,
      run() {
        for (const part of measuring) part.stop();
      },
    },
    {
      name: 'stop reading revocations',
      deadlineMs: 100,
      run() {
        revocations.stop();
      },
    },
    { name: 'close store', deadlineMs: deadlineMs / 4, run: () => store.close() },
  ];
}
