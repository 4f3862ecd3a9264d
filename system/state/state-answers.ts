/**
 * StateAnswers: what the state server's knowledge answers to a line of a node, and how it refuses one. Pure.
 */
import type { ServerLine } from './state-lines.ts';

export type Refused = Extract<ServerLine, { readonly type: 'refused' }>;
export type Hello = { readonly ok: true; readonly life: string } | { readonly ok: false; readonly refused: Refused };

export interface NodeAnswer {
  readonly line: ServerLine;
  /** Users whose rows follow the line. */
  readonly push?: ReadonlySet<string>;
  /** Communities whose voice channels are told after it. */
  readonly pushVoice?: ReadonlySet<string>;
}

export const ok = (id: number): NodeAnswer => ({ line: { type: 'ok', id } });
export const full = (message: string): Refused => ({ type: 'refused', code: 'FULL', message });
export const invalid = (message: string): Refused => ({ type: 'refused', code: 'INVALID', message });
export const superseded: Refused = {
  type: 'refused',
  code: 'SUPERSEDED',
  message: 'this life of the node is over, or a newer one is here',
};
