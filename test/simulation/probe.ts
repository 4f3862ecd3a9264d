/**
 * Probe: looks into a room's state to check that nothing waits for ever. The only place that reads its private fields.
 */
import type { Machine } from './world.ts';

interface Inside {
  readonly phase: string;
  readonly waiting: {
    readonly pending: { readonly length: number };
    readonly received: { readonly queue: { readonly length: number } };
  };
  readonly forwards: { readonly returned: readonly unknown[] };
  readonly writer: { readonly pipeline: { readonly step: string } };
  readonly known: {
    readonly delivery: {
      readonly seenSeq: number;
      readonly delivered: number;
      readonly asks: readonly unknown[];
      readonly cursors: { readonly moving: ReadonlySet<unknown>; readonly readers: ReadonlyMap<string, { readonly mode: string }> };
      readonly stream: { readonly early: ReadonlyMap<number, unknown>; readonly recent: readonly unknown[] };
    };
  };
}

/** What waits in this state, in words; undefined: nothing does. */
export function waitingIn(machine: Machine): string | undefined {
  const inside = machine as unknown as Inside;
  const { pending, received } = inside.waiting;
  const { returned } = inside.forwards;
  const { pipeline } = inside.writer;
  const { delivery } = inside.known;
  if (inside.phase !== 'ready') return `phase ${inside.phase}`;
  if (pending.length > 0) return `${pending.length} commands`;
  if (received.queue.length > 0) return `${received.queue.length} commands of other nodes`;
  if (returned.length > 0) return `${returned.length} commands that came back`;
  if (machine.isForwarding) return 'a forward';
  if (pipeline.step !== 'idle') return `pipeline ${pipeline.step}`;
  if (delivery.asks.length > 0) return `${delivery.asks.length} asks`;
  if (delivery.cursors.moving.size > 0) return `${delivery.cursors.moving.size} readers behind`;
  for (const [id, reader] of delivery.cursors.readers)
    if (reader.mode === 'paging' || reader.mode === 'opening') return `reader ${id} ${reader.mode}`;
  if (delivery.cursors.readers.size > 0 && delivery.seenSeq > delivery.delivered) return `a gap ${delivery.delivered}..${delivery.seenSeq}`;
  return undefined;
}

/** Sizes of what must stay bounded. */
export function sizesOf(machine: Machine): {
  readonly pending: number;
  readonly early: number;
  readonly asks: number;
  readonly recent: number;
} {
  const { waiting, known } = machine as unknown as Inside;
  const { pending, received } = waiting;
  const { delivery } = known;
  const { early, recent } = delivery.stream;
  const most = Math.max(pending.length, received.queue.length);
  return { pending: most, early: early.size, asks: delivery.asks.length, recent: recent.length };
}
