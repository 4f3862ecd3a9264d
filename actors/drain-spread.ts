/**
 * DrainSpread: when the clients of a node that stops, or has lost its store, are to come back. One rule for all who tell them.
 */

/** Spread evenly over this, so that clients do not come back as a crowd; an even spread needs no dice. */
export const drainSpreadMs = 3_000;

/** For the client at `index` of `count`: 0 to `drainSpreadMs`. */
export function reconnectInMs(index: number, count: number): number {
  return Math.round((drainSpreadMs * index) / Math.max(1, count));
}
