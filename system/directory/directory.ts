/**
 * Directory: what a community service outside says of members and rooms. Twins: memory (the built-in one, which says nothing), http.
 *
 * It lets people in who are not in a room's log yet; it takes nobody out: who is a member is what the log says. So an answer may be
 * old, and none may be had at all. No method rejects. Never asked on the way of a message.
 */
import type { RoomId, UserId } from '../ids.ts';

/**
 * listed: these are the members. nothing: there is no such list, as far as the service knows. unavailable: it could not be asked
 * (slow, dead, or it answers what nobody understands); ask again later.
 */
export type Members = { readonly type: 'listed'; readonly members: ReadonlySet<UserId> } | { readonly type: 'nothing' | 'unavailable' };

/** A room as the service names it: `direct/1`, `group/7`, `community/3`. */
export interface OutsideRoom {
  readonly kind: 'direct' | 'group' | 'community';
  readonly id: string;
}

export type OutsideRooms =
  | { readonly type: 'listed'; readonly rooms: readonly OutsideRoom[] }
  | { readonly type: 'nothing' | 'unavailable' };

/** What an older caller names when it says that a list is no longer true. */
export type ListOf = 'community' | 'room';

export interface Directory {
  /** false: there is no service; every answer is `nothing`, at once. */
  readonly isOutside: boolean;
  communityMembers(community: string): Promise<Members>;
  roomMembers(room: RoomId): Promise<Members>;
  /** Not cached: asked once when somebody comes or goes. */
  roomsOf(user: UserId): Promise<OutsideRooms>;
  /** This list is no longer true: no node answers from what it kept. false: other nodes could not be told; they may do so for a minute. */
  forget(of: ListOf, id: string): Promise<boolean>;
  readonly description: string;
  /** For /readyz. Never `down`: without it nobody new gets into rooms that are not public, and chat goes on. */
  health(): 'up' | { readonly degraded: string };
  /** Ends what is under way: it is answered `unavailable`. Idempotent. */
  close(): Promise<void>;
}

/** Ids in one list. A longer one is answered `unavailable`. */
export const listIdsMax = 100_000;
/** Bytes of one answer of the service. */
export const listBytesMax = 4 * 1024 * 1024;
/** How long a list counts. */
export const listLifetimeMs = 14 * 24 * 60 * 60 * 1_000;
