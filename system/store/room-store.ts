/**
 * RoomStore: what a node opens at start: the logs and their projection, in one place, closed together.
 */
import type { RoomLog } from './room-log.ts';
import type { UserRooms } from './user-rooms.ts';

export interface RoomStore {
  readonly log: RoomLog;
  readonly userRooms: UserRooms;
  /** One line for the start banner: what it is and where it stores. */
  readonly description: string;
  /** Waits for appends in flight, then releases everything. Later calls reject with STORE_UNAVAILABLE. Idempotent. */
  close(): Promise<void>;
}
