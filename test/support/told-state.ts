/**
 * ToldState: the state server's knowledge with nodes that speak to it, for tests. Time is an argument.
 */
import { expect } from 'vitest';
import type { NodeRequest, SessionRow } from '../../system/state/state-lines.ts';
import { type StateLimits, StateServerState } from '../../system/state/state-server-state.ts';
import { testLimits } from './state-limits.ts';

/** A node that speaks to the pure state; ids of requests count up. */
export class TestNode {
  readonly #server: StateServerState;
  readonly #node: string;
  readonly #inc: string;
  #id = 0;
  key = '';

  constructor(server: StateServerState, node: string, inc: string) {
    this.#server = server;
    this.#node = node;
    this.#inc = inc;
  }

  hello(nowMs = 0): string {
    const hello = this.#server.hello(this.#node, this.#inc, nowMs);
    if (!hello.ok) return hello.refused.code;
    this.key = hello.life;
    return 'ok';
  }

  say(line: Omit<NodeRequest, 'id'> & { readonly [field: string]: unknown }, nowMs = 0): string {
    this.#id += 1;
    const { line: answer } = this.#server.apply(this.key, { ...line, id: this.#id } as NodeRequest, nowMs);
    return answer.type === 'refused' ? answer.code : answer.type;
  }

  put(rows: readonly SessionRow[], nowMs = 0): string {
    return this.say({ type: 'sessions', put: rows, gone: [] }, nowMs);
  }

  gone(ids: readonly string[], nowMs = 0): string {
    return this.say({ type: 'sessions', put: [], gone: ids }, nowMs);
  }

  snapshot(rows: readonly SessionRow[], watch: readonly string[] = [], nowMs = 0, first = true, last = true): string {
    return this.say({ type: 'snapshot', first, last, sessions: rows, watch }, nowMs);
  }
}

export function toldState(limits: Partial<StateLimits> = {}) {
  const server = new StateServerState(testLimits(limits));
  const node = (name: string, inc = `${name}.1`): TestNode => new TestNode(server, name, inc);
  const up = (name: string, inc?: string, nowMs = 0): TestNode => {
    const made = node(name, inc);
    expect(made.hello(nowMs)).toBe('ok');
    return made;
  };
  const state = (user: string) => server.row(user)[1];
  /** What became of users since the last look, as text. */
  const news = () => server.takeChanges(0).news.map((each) => `${each.user} ${each.state}`);
  return { server, node, up, state, news };
}

export const alice: SessionRow = ['s-1', 'alice', 'home'];
export const alice2: SessionRow = ['s-2', 'alice', 'lobby'];
export const bob: SessionRow = ['s-3', 'bob', 'home'];
