/**
 * State rows: as many as one line to a node has room for; and everybody in the voice channels of a community, in as many lines. Pure.
 */
import { lineBytesMax, type ServerLine, type StateRow } from './state-lines.ts';

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

/** Type, names of the longest kind, flags, brackets and the end of the line. */
const voiceEnvelopeBytes = 1_024;

export type VoicesLine = Extract<ServerLine, { readonly type: 'voices' }>;

/** All of them in one line where there is room. */
export function voiceLines(
  community: string,
  whole: boolean,
  occupied: Iterable<readonly [channel: string, users: Iterable<string>]>,
): readonly VoicesLine[] {
  const lines: (readonly [string, string[]])[][] = [[]];
  let bytes = voiceEnvelopeBytes;
  for (const [channel, users] of occupied) {
    let row: readonly [string, string[]] | undefined;
    for (const user of users) {
      const size = Buffer.byteLength(JSON.stringify(user)) + 1 + (row ? 0 : Buffer.byteLength(JSON.stringify(channel)) + 6);
      if (bytes + size > lineBytesMax) {
        lines.push([]);
        bytes = voiceEnvelopeBytes + Buffer.byteLength(JSON.stringify(channel)) + 6;
        row = undefined;
      }
      if (!row) {
        row = [channel, []];
        lines.at(-1)?.push(row);
      }
      row[1].push(user);
      bytes += size;
    }
  }
  return lines.map((channels, at) => ({ type: 'voices', community, first: at === 0, last: at === lines.length - 1, whole, channels }));
}
