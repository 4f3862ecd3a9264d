/**
 * LinkTalk: what is said on one connection after the greeting: all that lives first, then what changes, and pings. Pure.
 *
 * Guarantees: one request in flight, and what changes meanwhile is the next line; sessions and watches take turns; fails at the latest
 * `deadMs` after the last valid line, or after a request that nobody answers.
 * Answers that nobody waits for (doubled, late, of another id) and lines that are none are ignored and counted; more than
 * `faultsMax` within a minute end the talk. Ignored, since states in a doubled answer may be older than those pushed since. An
 * answer of the wrong kind ends it at once: what it should have told would never come.
 */
import type { UserId } from '../ids.ts';
import { type Sessions, sessionsLine, snapshotLine, type Watched, watchLine } from './link-lines.ts';
import type { LinkTimes } from './link-times.ts';
import type { NodeLine, ServerLine, StateRow } from './state-lines.ts';
import type { UserStateRow } from './state-link.ts';

export type TalkEffect =
  | { readonly type: 'send'; readonly line: NodeLine }
  | { readonly type: 'states'; readonly states: readonly UserStateRow[] }
  /** The server knows all sessions for the first time. */
  | { readonly type: 'told'; readonly atMs: number }
  /** The server has taken the goodbye. */
  | { readonly type: 'parted' }
  | { readonly type: 'fault' }
  /** The connection is of no more use. */
  | { readonly type: 'failed'; readonly why: string; readonly atMs: number };

export interface TalkParts {
  readonly sessions: Sessions;
  readonly watched: Watched;
  readonly times: Pick<LinkTimes, 'pingMs' | 'deadMs'>;
  readonly emit: (effect: TalkEffect) => void;
}

/** Faulty lines within `faultsWindowMs`; one more ends the talk. */
const faultsMax = 20;
const faultsWindowMs = 60_000;

type RequestLine = Extract<NodeLine, { readonly id: number }>;
interface Request {
  readonly line: RequestLine;
  readonly atMs: number;
}

export class LinkTalk {
  private readonly parts: TalkParts;
  private ids = 0;
  private request: Request | undefined;
  private ping: Request | undefined;
  private pingAtMs: number;
  private heardAtMs: number;
  private isBlocked = false;
  /** The next line of the snapshot that is being told. */
  private snapshot: 'first' | 'more' | 'told' = 'first';
  private isTold = false;
  private isWatchNext = false;
  private faultsAtMs: number[] = [];

  constructor(parts: TalkParts, nowMs: number) {
    this.parts = parts;
    this.heardAtMs = nowMs;
    this.pingAtMs = nowMs + parts.times.pingMs;
    this.tellAll();
  }

  /** When `tick` is due, if nothing happens before. */
  get wakeAtMs(): number {
    return this.ping || this.isBlocked ? this.deadAtMs : Math.min(this.pingAtMs, this.deadAtMs);
  }

  /** Whether the connection takes more. While it does not, nothing is sent and everything waits coalesced. */
  blocked(isBlocked: boolean): void {
    this.isBlocked = isBlocked;
  }

  /** The next line, when nothing is in flight. Due at the end of each turn in which something changed or was heard. */
  flush(nowMs: number): void {
    if (this.request || this.isBlocked) return;
    const { sessions, watched } = this.parts;
    if (this.snapshot === 'told' && (sessions.isOverfull || watched.isOverfull)) this.tellAll();
    if (this.snapshot !== 'told') {
      this.ask(snapshotLine(this.nextId(), this.snapshot === 'first', sessions), nowMs);
      this.snapshot = 'more';
      return;
    }
    const hasWatches = watched.hasQueued || watched.hasChanges;
    if (hasWatches && (this.isWatchNext || !sessions.hasChanges)) {
      this.ask(watchLine(this.nextId(), watched), nowMs);
      this.isWatchNext = false;
    } else if (sessions.hasChanges) {
      this.ask(sessionsLine(this.nextId(), sessions), nowMs);
      this.isWatchNext = true;
    }
  }

  bye(nowMs: number): void {
    this.ask({ type: 'bye', id: this.nextId() }, nowMs);
  }

  /** The watched users' states are wanted again, also where the server has told them. */
  askAgain(): void {
    if (this.snapshot === 'told') this.parts.watched.begin();
  }

  heard(line: ServerLine, nowMs: number): void {
    this.heardAtMs = nowMs;
    if (line.type === 'refused') this.fail(`refused by the state server: ${line.code}`, nowMs);
    else if (line.type === 'changes') this.tellStates(line.states);
    else if (line.type === 'pong' && line.id === this.ping?.line.id) this.ping = undefined;
    else if ((line.type === 'ok' || line.type === 'states') && line.id === this.request?.line.id)
      this.answered(this.request.line, line, nowMs);
    else this.fault(nowMs);
  }

  /** A line that is none, or an answer that nobody waits for. */
  fault(nowMs: number): void {
    this.faultsAtMs = this.faultsAtMs.filter((atMs) => nowMs - atMs < faultsWindowMs);
    this.faultsAtMs.push(nowMs);
    this.parts.emit({ type: 'fault' });
    if (this.faultsAtMs.length > faultsMax) this.fail(`more than ${faultsMax} faulty lines within a minute`, nowMs);
  }

  tick(nowMs: number): void {
    const { pingMs, deadMs } = this.parts.times;
    if (nowMs >= this.heardAtMs + deadMs) this.fail(`no line for ${deadMs} ms`, nowMs);
    else if (nowMs >= this.deadAtMs) this.fail(`no answer to a request for ${deadMs} ms`, nowMs);
    else if (!this.ping && !this.isBlocked && nowMs >= this.pingAtMs) {
      this.ping = { line: { type: 'ping', id: this.nextId() }, atMs: nowMs };
      this.pingAtMs = nowMs + pingMs;
      this.parts.emit({ type: 'send', line: this.ping.line });
    }
  }

  private get deadAtMs(): number {
    return Math.min(this.heardAtMs, this.request?.atMs ?? Infinity, this.ping?.atMs ?? Infinity) + this.parts.times.deadMs;
  }

  private nextId(): number {
    this.ids += 1;
    return this.ids;
  }

  private tellAll(): void {
    this.snapshot = 'first';
    this.parts.sessions.reset();
    this.parts.sessions.begin();
    // The snapshot names no watches, and so ends those the server has; they are told after it.
    this.parts.watched.reset();
  }

  private ask(line: RequestLine, nowMs: number): void {
    this.request = { line, atMs: nowMs };
    this.parts.emit({ type: 'send', line });
  }

  private answered(request: RequestLine, answer: ServerLine & { readonly type: 'ok' | 'states' }, nowMs: number): void {
    this.request = undefined;
    if (answer.type !== (request.type === 'watch' ? 'states' : 'ok')) this.fail(`${answer.type} in answer to ${request.type}`, nowMs);
    else if (answer.type === 'states') this.tellStates(answer.states);
    else if (request.type === 'bye') this.parts.emit({ type: 'parted' });
    else if (request.type === 'snapshot' && request.last) {
      this.snapshot = 'told';
      this.parts.watched.begin();
      if (!this.isTold) this.parts.emit({ type: 'told', atMs: nowMs });
      this.isTold = true;
    }
  }

  /** A push may have crossed the end of a watch. */
  private tellStates(rows: readonly StateRow[]): void {
    const states: UserStateRow[] = [];
    for (const [name, state, places] of rows) {
      const user = name as UserId;
      if (this.parts.watched.has(user)) states.push({ user, state, places });
    }
    if (states.length > 0) this.parts.emit({ type: 'states', states });
  }

  private fail(why: string, atMs: number): void {
    this.parts.emit({ type: 'failed', why, atMs });
  }
}
