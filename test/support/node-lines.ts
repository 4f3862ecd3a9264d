/**
 * Lines of nodes, as tests say and read them.
 */
import type { NodeLine, SessionRow, StateRow } from '../../system/state/state-lines.ts';

export const hello = (node: string, inc = `${node}.1`): NodeLine => ({ type: 'hello', v: 1, node, inc });
export const put = (id: number, ...rows: readonly SessionRow[]): NodeLine => ({ type: 'sessions', id, put: rows, gone: [] });
export const gone = (id: number, ...sessions: readonly string[]): NodeLine => ({ type: 'sessions', id, put: [], gone: sessions });
export const watch = (id: number, ...on: readonly string[]): NodeLine => ({ type: 'watch', id, on, off: [] });
export const snapshot = (id: number, sessions: readonly SessionRow[], watched: readonly string[] = []): NodeLine => ({
  type: 'snapshot',
  id,
  first: true,
  last: true,
  sessions,
  watch: watched,
});
export const online = (user: string, ...places: readonly string[]): StateRow => [user, 'online', places];
export const offline = (user: string): StateRow => [user, 'offline', []];
/** The code of a line that refuses. */
export const refusal = (line: string): unknown => (JSON.parse(line) as { code?: string }).code;
export const alice: SessionRow = ['s-1', 'alice', 'home'];
