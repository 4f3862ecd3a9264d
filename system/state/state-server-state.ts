/**
 * StateServerState: everything the state server knows, and what each line changes. Pure: no I/O, time is an argument.
 *
 * Guarantees: until it has settled nobody is told to be offline: after a start or a freeze nodes come back one after the other, and who is
 * on none of those that came may be on the next. Between the first and the last line of a snapshot nothing changes for others; a life that is superseded or over
 * touches nothing; a lost node's sessions end when its grace is over, counted from the last line heard, unless it tells them again.
 * Every bound has an answer: a node is refused with FULL and nothing of its line is done; for older clients see `older-answers.ts`.
 */
import { type OlderAnswer, OlderAnswers, olderOwner } from './older-answers.ts';
import type { OlderRequest } from './older-lines.ts';
import { full, type Hello, invalid, type NodeAnswer, ok, type Refused, superseded } from './state-answers.ts';
import type { KeptSession, KeptSource } from './state-keep.ts';
import type { NodeRequest, StateRow } from './state-lines.ts';
import { type Life, StateLives } from './state-lives.ts';
import { takeRows, type VoicesLine, voiceLines } from './state-rows.ts';
import { type Session, StateSessions } from './state-sessions.ts';
import { type SettlingOptions, StateSettling } from './state-settling.ts';
import { StateVoice, type VoiceLimits } from './state-voice.ts';
import { type StateNews, StateVoiceMoves } from './state-voice-moves.ts';
import { StateWatches } from './state-watches.ts';

/** Within `settleMs` every node that lives has had the time to come back. */
export interface StateOptions extends SettlingOptions {
  /** A session has come, moved or gone. */
  readonly onSession?: (owner: string, id: string) => void;
}

export interface StateLimits extends VoiceLimits {
  readonly livesMax: number;
  readonly graceMs: number;
  /** Of all nodes and older clients; the same number again may be under way in snapshots. */
  readonly sessionsMax: number;
  /** Of one node. */
  readonly watchedMax: number;
  readonly watchesMax: number;
  /** Communities whose voice channels one node is told of; of all nodes, ten times as many. */
  readonly voiceWatchedMax: number;
  readonly guestsMax: number;
  readonly olderKeptMs: number;
}

/** Rows that were held back, now to be told to this life. */
export interface Owed {
  readonly life: string;
  readonly users: readonly string[];
}

export interface StateChanges {
  /** For other services. */
  readonly news: readonly StateNews[];
  /** Users whose row may read otherwise than before. */
  readonly users: readonly string[];
}

export interface StateCounts {
  readonly lives: number;
  readonly users: number;
  readonly sessions: number;
  readonly watches: number;
  readonly communities: number;
}

export class StateServerState {
  readonly #limits: StateLimits;
  readonly #voice: StateVoice;
  readonly #sessions: StateSessions;
  readonly #watches: StateWatches;
  readonly #voiceWatches: StateWatches;
  readonly #lives: StateLives;
  readonly #older: OlderAnswers;
  readonly #settling: StateSettling;
  readonly #voiceMoves: StateVoiceMoves;

  constructor(limits: StateLimits, { onSession, ...settling }: StateOptions = {}) {
    this.#limits = limits;
    this.#settling = new StateSettling(settling);
    const voice = new StateVoice(limits);
    const sessions = new StateSessions({
      sessionsMax: limits.sessionsMax,
      onPlace: (user, place, isThere) => void (isThere ? voice.add(user, place) : voice.remove(user, place)),
      ...(onSession && { onSession }),
    });
    this.#voice = voice;
    this.#sessions = sessions;
    this.#voiceMoves = new StateVoiceMoves((user) => sessions.placesOf(user));
    this.#watches = new StateWatches(limits);
    this.#voiceWatches = new StateWatches({ watchedMax: limits.voiceWatchedMax, watchesMax: 10 * limits.voiceWatchedMax });
    this.#lives = new StateLives(limits);
    this.#older = new OlderAnswers({ sessions, voice, guestsMax: limits.guestsMax, keptMs: limits.olderKeptMs });
  }

  // ---- an earlier server's sessions ----

  /** They last as those of lost nodes do, unless they are told again. What there is no room for is not known. Who has them is no news. */
  restore(kept: readonly KeptSession[], nowMs: number): void {
    for (const { owner, id, user, place } of kept) {
      if (owner === olderOwner) this.#older.restore(id, { user, place }, nowMs);
      else if (this.#lives.restore(owner, nowMs)) this.#sessions.put(owner, id, { user, place });
    }
    this.#sessions.takeChanges();
  }

  /** For whoever keeps them. */
  get kept(): KeptSource {
    return this.#sessions;
  }

  // ---- nodes ----

  /** A connection of this life begins; of the one before nothing but the sessions is left. */
  hello(node: string, inc: string, nowMs: number): Hello {
    const greeting = this.#lives.hello(node, inc, nowMs);
    if (greeting.ok) {
      this.#unwatch(greeting.life.key);
      return { ok: true, life: greeting.life.key };
    }
    if (greeting.why === 'full') return { ok: false, refused: full(`at most ${this.#limits.livesMax} nodes`) };
    return { ok: false, refused: superseded };
  }

  apply(key: string, line: NodeRequest, nowMs: number): NodeAnswer {
    const life = this.#lives.current(key);
    if (life === undefined) return { line: superseded };
    life.heardAtMs = nowMs;
    switch (line.type) {
      case 'ping':
        return { line: { type: 'pong', id: line.id } };
      case 'snapshot':
        return this.#snapshot(life, line, nowMs);
      case 'sessions':
        return this.#put(life, line);
      case 'watch':
        return this.#watch(life, line, nowMs);
      case 'voice':
        return this.#watchVoice(life, line);
      case 'bye':
        this.#endSessions(life.key);
        this.#lives.end(life);
        return ok(line.id);
    }
  }

  /** A line came that says nothing: it shows all the same that the node lives. */
  heard(key: string, nowMs: number): void {
    const life = this.#lives.current(key);
    if (life !== undefined) life.heardAtMs = nowMs;
  }

  /** The connection is gone; the grace goes on. */
  left(key: string): void {
    this.#unwatch(key);
    const life = this.#lives.current(key);
    if (life !== undefined) life.staging = undefined;
  }

  // ---- older clients ----

  answer(request: OlderRequest, nowMs: number): OlderAnswer {
    return this.#older.answer(request, nowMs);
  }

  // ---- time and effects ----

  /** Ends what is over; names the lives that are. */
  expire(nowMs: number): readonly string[] {
    const ended = this.#lives.expire(nowMs);
    for (const key of ended) this.#endSessions(key);
    this.#older.expire(nowMs);
    return ended;
  }

  /**
   * To be asked before anything that comes is looked at: for how long the server stood still, when it did; else 0. Nobody could be heard
   * meanwhile, so nobody's grace ends by it; and nodes that lost the server have the time to come back, as after a start.
   */
  wake(nowMs: number): number {
    const awayMs = this.#settling.look(nowMs);
    if (awayMs > 0) this.#lives.forgive(awayMs, nowMs, nowMs + this.#settling.settleMs);
    return awayMs;
  }

  isSettled(nowMs: number): boolean {
    return this.#settling.isSettled(nowMs);
  }

  /** False: it is too early to say that the user is offline. */
  isTold(user: string, nowMs: number): boolean {
    return this.isSettled(nowMs) || this.#sessions.isOnline(user);
  }

  /** Once each time it has settled: what nobody was told until then. */
  settle(nowMs: number): readonly Owed[] | undefined {
    if (!this.#settling.takeSettled(nowMs)) return undefined;
    return this.#lives.keys().map((life) => ({
      life,
      users: [...this.#watches.watchedBy(life)].filter((user) => !this.#sessions.isOnline(user)),
    }));
  }

  /** Communities where somebody came to a voice channel, or went, since the last call. */
  takeVoiceChanges(): ReadonlySet<string> {
    return this.#voice.takeTouched();
  }

  /** Communities that this life watches. */
  voiceWatchedBy(life: string): ReadonlySet<string> {
    return this.#voiceWatches.watchedBy(life);
  }

  voiceWatchersOf(community: string): ReadonlySet<string> {
    return this.#voiceWatches.watchersOf(community);
  }

  voiceLines(community: string, nowMs: number): readonly VoicesLine[] {
    return voiceLines(community, this.isSettled(nowMs), this.#voice.occupied(community));
  }

  /** What has become of users since the last call. Who went before it has settled is named once it has, unless back by then. */
  takeChanges(nowMs: number): StateChanges {
    const { transitions, users } = this.#sessions.takeChanges(!this.isSettled(nowMs));
    return { news: this.#voiceMoves.takeWith(transitions), users };
  }

  row(user: string): StateRow {
    return this.#sessions.row(user);
  }

  watchersOf(user: string): ReadonlySet<string> {
    return this.#watches.watchersOf(user);
  }

  counts(): StateCounts {
    return {
      lives: this.#lives.count,
      users: this.#sessions.users,
      sessions: this.#sessions.count,
      watches: this.#watches.count,
      communities: this.#voice.communities,
    };
  }

  // ---- lines of nodes ----

  #snapshot(life: Life, line: NodeRequest & { readonly type: 'snapshot' }, nowMs: number): NodeAnswer {
    if (line.first) life.staging = { sessions: new Map(), watch: new Set() };
    const { staging } = life;
    if (staging === undefined) return { line: invalid('a snapshot without its first line') };
    if (this.#lives.staged + line.sessions.length > this.#limits.sessionsMax) return { line: this.#fullOfSessions() };
    if (staging.watch.size + line.watch.length > this.#limits.watchedMax) return { line: this.#fullOfWatches() };
    for (const [id, user, place] of line.sessions) staging.sessions.set(id, { user, place });
    for (const user of line.watch) staging.watch.add(user);
    if (!line.last) return ok(line.id);
    const { line: answer, push } = this.#commit(life, staging, line.id);
    return push === undefined ? { line: answer } : { line: answer, push: this.#toldOf(push, nowMs) };
  }

  #commit(
    life: Life,
    staging: { readonly sessions: ReadonlyMap<string, Session>; readonly watch: ReadonlySet<string> },
    id: number,
  ): NodeAnswer {
    const before = this.#sessions.of(life.key);
    if (this.#sessions.count - before.size + staging.sessions.size > this.#limits.sessionsMax) return { line: this.#fullOfSessions() };
    this.#unwatch(life.key);
    if (!this.#watches.add(life.key, staging.watch)) return { line: this.#fullOfWatches() };
    for (const known of [...before.keys()]) if (!staging.sessions.has(known)) this.#sessions.remove(life.key, known);
    for (const [session, row] of staging.sessions) {
      if (life.isBack) this.#voiceMoves.back(row);
      this.#sessions.put(life.key, session, row);
    }
    life.isBack = false;
    life.staging = undefined;
    return { line: { type: 'ok', id }, push: staging.watch };
  }

  #put(life: Life, line: NodeRequest & { readonly type: 'sessions' }): NodeAnswer {
    const { staging } = life;
    if (staging !== undefined) {
      for (const id of line.gone) staging.sessions.delete(id);
      if (this.#lives.staged + line.put.length > this.#limits.sessionsMax) return { line: this.#fullOfSessions() };
      for (const [id, user, place] of line.put) staging.sessions.set(id, { user, place });
      return ok(line.id);
    }
    if (!this.#hasRoomFor(life, line)) return { line: this.#fullOfSessions() };
    for (const id of line.gone) this.#sessions.remove(life.key, id);
    for (const [id, user, place] of line.put) this.#sessions.put(life.key, id, { user, place });
    return ok(line.id);
  }

  #hasRoomFor(life: Life, { put, gone }: NodeRequest & { readonly type: 'sessions' }): boolean {
    const room = this.#limits.sessionsMax - this.#sessions.count;
    if (put.length <= room) return true;
    const known = this.#sessions.of(life.key);
    const count = (ids: readonly string[], isKnown: boolean) => new Set(ids.filter((id) => known.has(id) === isKnown)).size;
    const added = count(
      put.map(([id]) => id),
      false,
    );
    return added <= room + count(gone, true);
  }

  #watch(life: Life, line: NodeRequest & { readonly type: 'watch' }, nowMs: number): NodeAnswer {
    const { staging } = life;
    if (staging !== undefined) {
      for (const user of line.off) staging.watch.delete(user);
      if (staging.watch.size + line.on.length > this.#limits.watchedMax) return { line: this.#fullOfWatches() };
      for (const user of line.on) staging.watch.add(user);
    } else {
      this.#watches.remove(life.key, line.off);
      if (!this.#watches.add(life.key, line.on)) return { line: this.#fullOfWatches() };
    }
    const users = this.#toldOf(line.on, nowMs);
    const states = takeRows(users, (user) => this.row(user));
    return { line: { type: 'states', id: line.id, states }, push: users };
  }

  #toldOf(users: Iterable<string>, nowMs: number): Set<string> {
    return new Set(this.isSettled(nowMs) ? users : [...users].filter((user) => this.isTold(user, nowMs)));
  }

  #watchVoice(life: Life, line: NodeRequest & { readonly type: 'voice' }): NodeAnswer {
    this.#voiceWatches.remove(life.key, line.off);
    if (!this.#voiceWatches.add(life.key, line.on)) {
      return { line: full(`at most ${this.#limits.voiceWatchedMax} communities watched by a node, ten times as many by all`) };
    }
    return { line: { type: 'ok', id: line.id }, pushVoice: new Set(line.on) };
  }

  #endSessions(key: string): void {
    const sessions = [...this.#sessions.of(key).values()];
    this.#sessions.removeAll(key);
    this.#voiceMoves.gone(sessions);
    this.#unwatch(key);
  }

  #unwatch(key: string): void {
    this.#watches.clear(key);
    this.#voiceWatches.clear(key);
  }

  #fullOfSessions(): Refused {
    return full(`at most ${this.#limits.sessionsMax} sessions`);
  }

  #fullOfWatches(): Refused {
    return full(`at most ${this.#limits.watchedMax} watched users of a node, ${this.#limits.watchesMax} of all`);
  }
}
