/**
 * Counters: what the runs of one batch of seeds have met. A rare case that was never met proves nothing (I15), so the
 * list of those that must be met is part of the test.
 */
export type Counters = Record<string, number>;

/** Counter and what it means. Each must be above zero over the seeds of CI. */
export const mustHappen: Readonly<Record<string, string>> = {
  'room: conflict': 'an append lost its number',
  'room: unknownFoundIn': 'unknown outcome, found to have taken effect',
  'room: unknownFoundOut': 'unknown outcome, found not to have taken effect',
  'store: late effect': 'unknown outcome, took effect after the look',
  'room: gapRead': 'a gap in the stream was read',
  'room: pollRepair': 'a hint or the head poll revealed a loss',
  'room: resume': 'a reader resumed by since',
  'room: dedupeHit': 'a retry was recognised',
  'room: revalidationRefusal': 'refused at re-validation after an append that came to nothing',
  'crash between append and ack': 'committed, but the acknowledgement died',
  'acked as duplicate': 'a duplicate acknowledged (the checker demands: only when committed)',
  'store: conflict with an uncommitted winner': 'lost against an entry not committed yet',
  'store: roll-back of an uncommitted winner': 'and that entry was rolled back',
  'room: readerPaused': 'a reader was paused: its sink was full',
  'paused reader resumed': 'and went on from its cursor',
  'room: reorderDropped': 'events dropped from a full reorder buffer',
  'snapshot jump': 'a client too far behind was told so',
  'kicked reader cut off': 'a reader kicked while reading (the checker demands: nothing after)',
  'two instances on one node': 'two actors of one room on one node',
  'node crash': 'a node killed',
  'node pause': 'a node frozen for a while',
  'store: fail-over': 'the store lost its primary',
  'refused STORE_UNAVAILABLE': 'a deadline was missed and said so',
  'room: forwardStored': 'acknowledged from the answer of the last winner',
  'room: forwardReturned': 'handed back by the node it was forwarded to',
  'room: forwardExpired': 'a forward was not answered in time, and taken over',
  'room: receivedReturned': 'a forward was not stored by the node that got it',
  'link: chase': 'two nodes forwarded to each other at the same time',
  'link: behind a forward': 'commands waited behind a forward',
  'link: not sent': 'a link took nothing',
  'link: forward lost': 'a forward was lost',
  'link: forward doubled': 'a forward came twice',
  'link: late': 'a forward or its answer came late',
  'link: answer lost': 'the answer to a forward was lost',
  'link: forward to a dead node': 'forwarded to a node that was dead',
  'link: forward to a frozen node': 'forwarded to a node that stood still',
  'link: answer of a dead node': 'the node that answered was dead when the answer came',
  'refused BUSY': 'a bound was reached and said so',
};

export function addCounters(sum: Counters, more: Counters): void {
  for (const [name, value] of Object.entries(more)) sum[name] = (sum[name] ?? 0) + value;
}

export function neverHappened(counters: Counters): string[] {
  return Object.keys(mustHappen).filter((name) => (counters[name] ?? 0) === 0);
}

export function counterTable(counters: Counters): string {
  const rows = Object.entries(counters).sort(([a], [b]) => (a < b ? -1 : 1));
  return rows
    .map(([name, value]) => `  ${String(value).padStart(9)}  ${name}${mustHappen[name] ? `: ${mustHappen[name]}` : ''}`)
    .join('\n');
}
