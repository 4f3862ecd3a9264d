/**
 * Fields: what an actor's supervision lines say of it beside the event. Pure.
 */
import { typeOfMessage } from './actor-ref.ts';
import type { RestartPolicy, SupervisionReport } from './supervision.ts';

export type LineFields = Omit<SupervisionReport, 'ev'>;

/** `describe` is the actor's own code and its state may be what a crash is about: when it throws, the line goes without. */
export function lineFields(
  path: string,
  kind: string,
  restarts: RestartPolicy | 'never',
  describe: () => Record<string, string | number>,
): LineFields {
  const base = { path, kind, ...(restarts === 'never' ? {} : { windowMs: restarts.windowMs }) };
  try {
    const { room, session, trace, ...about } = describe();
    const known = Object.entries({ room, session, trace }).filter(([, value]) => value !== undefined);
    const fields = { ...base, ...Object.fromEntries(known.map(([name, value]) => [name, String(value)])) };
    return Object.keys(about).length === 0 ? fields : { ...fields, about };
  } catch {
    return base;
  }
}

export function countByType(messages: readonly unknown[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const msg of messages) counts.set(typeOfMessage(msg), (counts.get(typeOfMessage(msg)) ?? 0) + 1);
  return counts;
}
