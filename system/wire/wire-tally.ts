/**
 * WireTally: what a wire counts, as plain numbers, for metrics and tests.
 */
import { type BadRecord, badRecords } from './event-record.ts';

export const received = ['entry', 'hint', 'signal', 'state', 'own', 'foreign'] as const;
export const dropped = ['full', 'refused', 'noTopic'] as const;

const zeros = <Name extends string>(names: readonly Name[]): Record<Name, number> =>
  Object.fromEntries(names.map((name) => [name, 0])) as Record<Name, number>;

export class WireTally {
  /** Records that the broker has. */
  sent = 0;
  /** own: published here. foreign: of rooms that have no actor here, dropped unread. */
  readonly received = zeros(received);
  /** Not to be believed, and ignored. */
  readonly bad = zeros<BadRecord>(badRecords);
  /** Not sent: the queue was full, the broker refused them, their topic is missing. */
  readonly dropped = zeros(dropped);
  /** Consumers and producers that were replaced because they failed or went silent. */
  rebuilt = 0;
  /** How many records wait to be sent. */
  waiting: () => number = () => 0;
}
