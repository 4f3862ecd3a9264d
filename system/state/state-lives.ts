/**
 * StateLives: the lives of nodes, when each was last heard, which one of a node counts, and the snapshot each is telling. Pure.
 *
 * A life is (node, incarnation). A life that says hello for the first time is newer than those of its node that are known; from
 * then on these are superseded: they are not let in again while the newer one lives, so a late line never touches it.
 * A superseded life's sessions end like those of a lost one: when its grace is over.
 */
import type { Session } from './state-sessions.ts';

/** What a node has told of its snapshot so far. */
export interface Staging {
  readonly sessions: Map<string, Session>;
  readonly watch: Set<string>;
}

export interface Life {
  readonly key: string;
  readonly node: string;
  readonly inc: string;
  heardAtMs: number;
  staging: Staging | undefined;
  /** It was given up before and has not told since what it has. */
  isBack: boolean;
  /** Incarnations of this node that came before; the latest ones. */
  readonly superseded: readonly string[];
}

export interface LivesLimits {
  /** Lives at once, those in their grace included. */
  readonly livesMax: number;
  /** From the last line heard of a life until its sessions end. */
  readonly graceMs: number;
}

export type Greeting = { readonly ok: true; readonly life: Life } | { readonly ok: false; readonly why: 'superseded' | 'full' };

/** More lives of one node within one grace than a crash loop makes. */
const supersededMax = 16;

export class StateLives {
  readonly #limits: LivesLimits;
  readonly #byKey = new Map<string, Life>();
  /** node → the life that counts. */
  readonly #current = new Map<string, Life>();
  /** Keys of lives that were given up; as many as may live, the latest. */
  readonly #givenUp = new Set<string>();

  constructor(limits: LivesLimits) {
    this.#limits = limits;
  }

  get count(): number {
    return this.#byKey.size;
  }

  keys(): string[] {
    return [...this.#byKey.keys()];
  }

  /** Sessions in snapshots that are being told. */
  get staged(): number {
    let staged = 0;
    for (const life of this.#byKey.values()) staged += life.staging?.sessions.size ?? 0;
    return staged;
  }

  /** The life of the key, unless it has ended or is superseded. */
  current(key: string): Life | undefined {
    const life = this.#byKey.get(key);
    return life !== undefined && this.#current.get(life.node) === life ? life : undefined;
  }

  hello(node: string, inc: string, nowMs: number): Greeting {
    const current = this.#current.get(node);
    if (current?.superseded.includes(inc)) return { ok: false, why: 'superseded' };
    if (current?.inc === inc) {
      current.heardAtMs = nowMs;
      current.staging = undefined;
      return { ok: true, life: current };
    }
    if (this.#byKey.size >= this.#limits.livesMax) return { ok: false, why: 'full' };
    const superseded = current === undefined ? [] : [...current.superseded, current.inc].slice(-supersededMax);
    if (current !== undefined) current.staging = undefined;
    return { ok: true, life: this.#begin(node, inc, superseded, nowMs) };
  }

  /** A life that an earlier server knew: as if it was heard just now. False: there is no room for it, or the key is none. */
  restore(key: string, nowMs: number): boolean {
    const [node, inc, ...rest] = key.split('\n');
    if (this.#byKey.has(key)) return true;
    if (!node || !inc || rest.length > 0 || this.#byKey.size >= this.#limits.livesMax) return false;
    // Of two lives of a node nobody knows which is newer: neither keeps the other out.
    this.#begin(node, inc, [], nowMs);
    return true;
  }

  #begin(node: string, inc: string, superseded: readonly string[], nowMs: number): Life {
    // No name holds a line feed, so two lives never have the same key.
    const life: Life = { key: `${node}\n${inc}`, node, inc, heardAtMs: nowMs, staging: undefined, isBack: false, superseded };
    life.isBack = this.#givenUp.delete(life.key);
    this.#byKey.set(life.key, life);
    this.#current.set(node, life);
    return life;
  }

  /** Ends the lives that were not heard of for the grace, and names them. */
  expire(nowMs: number): string[] {
    const ended = [...this.#byKey.values()].filter((life) => nowMs - life.heardAtMs >= this.#limits.graceMs);
    for (const life of ended) {
      this.end(life);
      this.#givenUp.add(life.key);
    }
    for (const key of this.#givenUp) {
      if (this.#givenUp.size <= this.#limits.livesMax) break;
      this.#givenUp.delete(key);
    }
    return ended.map((life) => life.key);
  }

  end(life: Life): void {
    this.#byKey.delete(life.key);
    if (this.#current.get(life.node) === life) this.#current.delete(life.node);
  }

  /** Time in which nothing could be heard, because the server itself stood still, counts for nobody; and no grace ends before `notBeforeMs`. */
  forgive(ms: number, nowMs: number, notBeforeMs: number): void {
    for (const life of this.#byKey.values()) {
      life.heardAtMs = Math.min(nowMs, Math.max(life.heardAtMs + ms, notBeforeMs - this.#limits.graceMs));
    }
  }
}
