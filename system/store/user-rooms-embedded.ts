/**
 * UserRooms on the embedded database: rows under `u!user!room`, written through the same commit queue as the logs.
 */
import type { RoomId, UserId } from '../ids.ts';
import type { EmbeddedDatabase } from './embedded-database.ts';
import { keysUnder, userRoomKey } from './embedded-keys.ts';
import { PlannedRows, type RowChange, RowsJob } from './rows-job-embedded.ts';
import { markRow, openRow, pendRow, settleRow, standingMark, toUserRoom, type UserRoomRow } from './user-room-row.ts';
import type { MembershipRow, ReadMark, StandingMark, UserRoom, UserRooms } from './user-rooms.ts';

/** Rows read at once by `list`. Rows of rooms that were left are kept, so more than `limit` may be looked at. */
const listPageRows = 1_000;

export class EmbeddedUserRooms implements UserRooms {
  readonly #database: EmbeddedDatabase;
  readonly #submit: (job: RowsJob) => void;
  readonly #planned = new PlannedRows();

  constructor(database: EmbeddedDatabase, submit: (job: RowsJob) => void) {
    this.#database = database;
    this.#submit = submit;
  }

  async pend(room: RoomId, users: readonly UserId[]): Promise<void> {
    await this.#change([...new Set(users)].map((user) => ({ key: userRoomKey(user, room), apply: pendRow })));
  }

  async settle(rows: readonly MembershipRow[]): Promise<void> {
    await this.#change(rows.map((says) => ({ key: userRoomKey(says.user, says.room), apply: (row) => settleRow(row, says) })));
  }

  async mark(room: RoomId, marks: readonly ReadMark[]): Promise<readonly StandingMark[]> {
    const standing: StandingMark[] = [];
    const apply = (mark: ReadMark) => (before: UserRoomRow | undefined) => {
      const after = markRow(before, mark);
      standing.push(standingMark(mark, before, after));
      return after;
    };
    await this.#change(marks.map((mark) => ({ key: userRoomKey(mark.user, room), apply: apply(mark) })));
    return standing;
  }

  async list(user: UserId, limit: number): Promise<readonly UserRoom[]> {
    this.#database.assertServing();
    const prefix = `u!${user}!`;
    return this.#database.read(async (level) => {
      const found: UserRoom[] = [];
      const iterator = level.iterator(keysUnder(prefix));
      try {
        for (
          let rows = await iterator.nextv(listPageRows);
          rows.length > 0 && found.length < limit;
          rows = await iterator.nextv(listPageRows)
        ) {
          for (const [key, value] of rows) {
            const row = openRow(key, value);
            const shown = row && toUserRoom(key.slice(prefix.length) as RoomId, row);
            if (shown && found.length < limit) found.push(shown);
          }
        }
      } finally {
        await iterator.close();
      }
      return found;
    });
  }

  async #change(changes: readonly RowChange[]): Promise<void> {
    const refusal = this.#database.refusal();
    if (refusal) throw refusal;
    if (changes.length === 0) return;
    await new Promise<void>((resolve, reject) => this.#submit(new RowsJob(this.#database, this.#planned, changes, { resolve, reject })));
  }
}
