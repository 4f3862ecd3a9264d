/**
 * RoomAppender: one append of a room, with the projection of memberships around it.
 *
 * Guarantees: rows of the users concerned are pending before a membership entry can be in the log, and are settled only
 * from what was appended. A crash or failure anywhere leaves a pending row, which readers check against the log.
 */

import type { RoomId, UserId } from '../system/ids.ts';
import type { Logger } from '../system/logger.ts';
import { type Entry, isControl } from '../system/store/entry.ts';
import type { AppendOutcome, RoomLog } from '../system/store/room-log.ts';
import type { MembershipRow, UserRooms } from '../system/store/user-rooms.ts';

export interface AppenderDeps {
  readonly log: RoomLog;
  readonly userRooms: UserRooms;
  readonly logger: Logger;
}

export function appendWithMemberships(deps: AppenderDeps, room: RoomId, after: number, entries: readonly Entry[]): Promise<AppendOutcome> {
  return entries.some(isControl) ? appendControls(deps, room, after, entries) : deps.log.append(room, after, entries);
}

async function appendControls(
  { log, userRooms, logger }: AppenderDeps,
  room: RoomId,
  after: number,
  entries: readonly Entry[],
): Promise<AppendOutcome> {
  const rows = membershipRows(room, entries);
  try {
    await userRooms.pend(room, [...new Set(rows.map((row) => row.user))]);
  } catch (cause) {
    return { type: 'unknown', cause };
  }
  const outcome = await log.append(room, after, entries);
  if (outcome.type === 'appended') {
    userRooms.settle(rows).catch((error: unknown) => {
      logger.warn({ ev: 'projection.unsettled', room, cause: String(error) }, 'membership rows stay pending; the next reader settles them');
    });
  }
  return outcome;
}

function membershipRows(room: RoomId, entries: readonly Entry[]): MembershipRow[] {
  return entries.filter(isControl).flatMap((entry) => {
    const row = (user: UserId, member: boolean): MembershipRow => ({
      user,
      room,
      member,
      seq: entry.seq,
      joinedSeq: entry.seq,
      joinedN: entry.n,
    });
    const created = entry.room?.members.map(({ user }) => row(user, true)) ?? [];
    if (!entry.member) return created;
    const isIn = entry.member.change === 'joined' || entry.member.change === 'invited';
    return [...created, row(entry.member.user, isIn)];
  });
}
