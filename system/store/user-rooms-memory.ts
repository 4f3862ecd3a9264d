/**
 * UserRooms in memory: the twin for tests.
 */
import type { RoomId, UserId } from '../ids.ts';
import { closedFault } from './room-log-memory.ts';
import { markRow, pendRow, settleRow, standingMark, toUserRoom, type UserRoomRow } from './user-room-row.ts';
import type { MembershipRow, ReadMark, StandingMark, UserRoom, UserRooms } from './user-rooms.ts';

export class MemoryUserRooms implements UserRooms {
  #closed = false;
  readonly #users = new Map<UserId, Map<RoomId, UserRoomRow>>();

  async pend(room: RoomId, users: readonly UserId[]): Promise<void> {
    for (const user of users) {
      const rows = this.#rows(user);
      rows.set(room, pendRow(rows.get(room)));
    }
  }

  async settle(settled: readonly MembershipRow[]): Promise<void> {
    for (const says of settled) {
      const rows = this.#rows(says.user);
      const row = settleRow(rows.get(says.room), says);
      if (row) rows.set(says.room, row);
    }
  }

  async mark(room: RoomId, marks: readonly ReadMark[]): Promise<readonly StandingMark[]> {
    return marks.map((mark) => {
      const rows = this.#rows(mark.user);
      const before = rows.get(room);
      const after = markRow(before, mark);
      if (after) rows.set(room, after);
      return standingMark(mark, before, after);
    });
  }

  async list(user: UserId, limit: number): Promise<readonly UserRoom[]> {
    const sorted = [...this.#rows(user)].sort(([a], [b]) => (a < b ? -1 : 1));
    return sorted
      .map(([room, row]) => toUserRoom(room, row))
      .filter((row) => row !== undefined)
      .slice(0, Math.max(limit, 0));
  }

  close(): void {
    this.#closed = true;
  }

  #rows(user: UserId): Map<RoomId, UserRoomRow> {
    if (this.#closed) throw closedFault();
    const rows = this.#users.get(user) ?? new Map<RoomId, UserRoomRow>();
    this.#users.set(user, rows);
    return rows;
  }
}
