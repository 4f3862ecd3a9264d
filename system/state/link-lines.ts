/**
 * Link lines: from what waits in the ledgers to the next line for the state server. Pure.
 *
 * Guarantees: a line is at most `lineBytesMax` long, and takes as much of what waits as fits.
 */
import type { SessionId, UserId } from '../ids.ts';
import type { Ledger } from './link-ledger-state.ts';
import { lineBytesMax, type NodeLine, type SessionRow } from './state-lines.ts';
import type { LiveSession } from './state-link.ts';

export type Sessions = Ledger<SessionId, LiveSession>;
export type Watched = Ledger<UserId, true>;
/** Communities. */
export type Voices = Ledger<string, true>;

/** What is around the rows of a line, CRLF included; the longest is some 90 bytes. */
const envelopeBytes = 256;

/** The sessions told in the snapshot so far are those taken before; it is the last line when none is left. */
export function snapshotLine(id: number, first: boolean, sessions: Sessions): NodeLine & { readonly type: 'snapshot' } {
  const fits = budget();
  const rows: SessionRow[] = [];
  sessions.takeQueued((_, live) => fits(rowOf(live)) && rows.push(rowOf(live)) > 0);
  // Watches are told afterwards, in lines of their own: their answers are the states.
  return { type: 'snapshot', id, first, last: !sessions.hasQueued, sessions: rows, watch: [] };
}

export function sessionsLine(id: number, sessions: Sessions): NodeLine & { readonly type: 'sessions' } {
  const fits = budget();
  const put: SessionRow[] = [];
  const gone: string[] = [];
  sessions.takeChanges((session, live) => {
    if (!fits(live ? rowOf(live) : session)) return false;
    if (live) put.push(rowOf(live));
    else gone.push(session);
    return true;
  });
  return { type: 'sessions', id, put, gone };
}

export function watchLine(id: number, watched: Watched): NodeLine & { readonly type: 'watch' } {
  const fits = budget();
  const on: UserId[] = [];
  const off: UserId[] = [];
  watched.takeQueued((user) => fits(user) && on.push(user) > 0);
  watched.takeChanges((user, isWatched) => fits(user) && (isWatched ? on : off).push(user) > 0);
  return { type: 'watch', id, on, off };
}

export function voiceLine(id: number, voices: Voices): NodeLine & { readonly type: 'voice' } {
  const fits = budget();
  const on: string[] = [];
  const off: string[] = [];
  voices.takeQueued((community) => fits(community) && on.push(community) > 0);
  voices.takeChanges((community, isWatched) => fits(community) && (isWatched ? on : off).push(community) > 0);
  return { type: 'voice', id, on, off };
}

const rowOf = ({ session, user, place }: LiveSession): SessionRow => [session, user, place];

function budget(): (row: unknown) => boolean {
  let left = lineBytesMax - envelopeBytes;
  return (row) => {
    const bytes = Buffer.byteLength(JSON.stringify(row)) + 1;
    if (bytes > left) return false;
    left -= bytes;
    return true;
  };
}
