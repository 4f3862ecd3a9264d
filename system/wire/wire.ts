/**
 * Wire: how nodes tell each other what they appended. An accelerator: nothing depends on it for truth.
 *
 * Delivery: at most once, at least sometimes; any order, doubles allowed. An event can cause a delivery to local
 * readers and a read; never an ack, and it never moves an append head.
 */
import type { RoomId } from '../ids.ts';
import type { Entry } from '../store/entry.ts';

export interface Wire {
  /** Publishes committed entries of one room, ascending. Returns at once, never throws; drops when its queue is full (the head poll repairs). */
  publish(room: RoomId, entries: readonly Entry[]): void;
  /** Calls `onEntries` for entries published by other nodes; not for one's own. `wants` is asked first, so that rooms without local readers cost nothing. */
  subscribe(wants: (room: RoomId) => boolean, onEntries: (room: RoomId, entries: readonly Entry[]) => void): () => void;
  /** For /readyz. Never `down`: without a wire events come later, by the store. Quick; asks nobody. */
  health(): 'up' | { readonly degraded: string };
  readonly description: string;
  close(): Promise<void>;
}
