/**
 * MongoDocuments: the shapes of what MongoDB keeps beside entries (those are in `entry-mongo.ts`). Types only.
 */
import type { RoomId } from '../ids.ts';
import type { Revoked } from './revocations.ts';
import type { UserRoomRow } from './user-room-row.ts';

export interface UserRoomDocument extends UserRoomRow {
  /** `${user}!${room}`: ids hold no `!`, and rows of a user follow each other by room. */
  _id: string;
  room: RoomId;
  /** Counts changes. */
  version: number;
  /** Who made the last change. */
  change: string;
}

export interface RevocationDocument {
  _id: string;
  of?: Revoked;
  atMs?: number;
  endsAtMs?: number;
  added: number;
  /** Of the counter: what stands at the place it is at, or is to. */
  last?: PlacedRevocation;
}

export interface PlacedRevocation {
  of: Revoked;
  atMs: number;
  endsAtMs: number;
  added: number;
}

/** A move into this database that has not ended. */
export interface MoveDocument {
  _id: string;
  /** For people: the folder. */
  from: string;
  atMs: number;
}
