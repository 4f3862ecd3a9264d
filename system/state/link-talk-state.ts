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
import { type Sessions, sessionsLine, snapshotLine, type Voices, voiceLine, type Watched, watchLine } from './link-lines.ts';
import type { LinkTimes } from './link-times.ts';
import type { NodeLine, ServerLine, StateRow } from './state-lines.ts';
import type { UserStateRow, VoiceRow } from './state-link.ts';

export type TalkEffect =
  | { readonly type: 'send'; readonly line: NodeLine }
  | { readonly type: 'states'; readonly states: readonly UserStateRow[] }
  | { readonly type: 'voice'; readonly row: VoiceRow }
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
  /** Given where the server tells of voice channels. */
  readonly voices?: Voices;
  readonly times: Pick<LinkTimes, 'pingMs' | 'deadMs'>;
  readonly emit: (effect: TalkEffect) => void;
}

/** Faulty lines within `faultsWindowMs`; one more ends the talk. */
const faultsMax = 20;
const faultsWindowMs = 60_000;
/** Users in the voice channels of one community; a server lists fewer. More end the talk. */
const voiceUsersMax = 20_000;

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
  /** The community that is being told. */
  private telling: { readonly community: string; readonly channels: Map<string, UserId[]>; users: number } | undefined;

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
    const { sessions, watched, voices } = this.parts;
    if (this.snapshot === 'told' && (sessions.isOverfull || watched.isOverfull || voices?.isOverfull)) this.tellAll();
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
    } else if (voices?.hasQueued || voices?.hasChanges) this.ask(voiceLine(this.nextId(), voices), nowMs);
  }

  bye(nowMs: number): void {
    this.ask({ type: 'bye', id: this.nextId() }, nowMs);
  }

  /** What is watched is wanted again, also where the server has told it. */
  askAgain(): void {
    if (this.snapshot !== 'told') return;
    this.parts.watched.begin();
    this.parts.voices?.begin();
  }

  heard(line: ServerLine, nowMs: number): void {
    this.heardAtMs = nowMs;
    if (line.type === 'refused') this.fail(`refused by the state server: ${line.code}`, nowMs);
    else if (line.type === 'changes') this.tellStates(line.states);
    else if (line.type === 'voices' && this.parts.voices) this.tellVoices(line, nowMs);
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
    this.parts.voices?.reset();
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
      this.parts.voices?.begin();
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

  private tellVoices({ community, first, last, whole, channels }: ServerLine & { readonly type: 'voices' }, nowMs: number): void {
    if (first) this.telling = { community, channels: new Map(), users: 0 };
    const { telling } = this;
    if (telling?.community !== community) return this.fault(nowMs);
    for (const [channel, users] of channels) {
      telling.users += users.length;
      const known = telling.channels.get(channel) ?? [];
      if (users.length > 0) telling.channels.set(channel, [...known, ...(users as readonly UserId[])]);
    }
    if (telling.users > voiceUsersMax) return this.fail(`more than ${voiceUsersMax} users in the voice channels of a community`, nowMs);
    if (!last) return;
    this.telling = undefined;
    // A push may have crossed the end of a watch.
    if (this.parts.voices?.has(community)) this.parts.emit({ type: 'voice', row: { community, channels: telling.channels, whole } });
  }

  private fail(why: string, atMs: number): void {
    this.parts.emit({ type: 'failed', why, atMs });
  }
}
