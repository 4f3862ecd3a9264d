/**
 * State rows: as many as one line to a node has room for. Pure.
 */
import { lineBytesMax, type StateRow } from './state-lines.ts';

/** Type, id, brackets and the end of the line. */
const envelopeBytes = 100;

/** Rows of the first users; these are taken out of the set. At least one: a row alone always fits. */
export function takeRows(users: Set<string>, rowOf: (user: string) => StateRow): StateRow[] {
  const rows: StateRow[] = [];
  let bytes = envelopeBytes;
  for (const user of users) {
    const row = rowOf(user);
    bytes += Buffer.byteLength(JSON.stringify(row)) + 1;
    if (bytes > lineBytesMax && rows.length > 0) break;
    users.delete(user);
    rows.push(row);
  }
  return rows;
}
