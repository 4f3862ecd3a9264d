/**
 * RoomStore: what a node opens at start: the logs, their projection and what was revoked, in one place, closed together.
 */
import type { Revocations } from './revocations.ts';
import type { RoomLog } from './room-log.ts';
import type { UserRooms } from './user-rooms.ts';

export interface RoomStore {
  readonly log: RoomLog;
  readonly userRooms: UserRooms;
  readonly revocations: Revocations;
  /** One line for the start banner: what it is and where it stores. */
  readonly description: string;
  /** Waits for appends in flight, then releases everything. Later calls reject with STORE_UNAVAILABLE. Idempotent. */
  close(): Promise<void>;
}
