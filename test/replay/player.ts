/**
 * Player: one transcript in one room, from its first line to its verdict.
 *
 * Guarantees: lines start in their order, at most `linesMax` at once; a reply starts when its parent is acknowledged; a
 * person's lines follow each other. Waiting chains point to earlier lines only, so they end.
 */
import type { ConnectOptions } from '../../gateway/client/connection.ts';
import type { Timing } from '../../gateway/client/timing.ts';
import { readLog } from './log-reader.ts';
import { Person, type RoomScene } from './person.ts';
import type { Pool } from './pool.ts';
import type { Stats } from './stats.ts';
import { type Transcript, type TranscriptLine, userIdOf } from './transcript.ts';
import { judgeRoom, type RoomVerdict } from './verdict.ts';

export interface PlayerDeps {
  readonly transcript: Transcript;
  readonly room: string;
  /** Ends every user id of this room, so that no two rooms and no two runs share a user. */
  readonly suffix: string;
  readonly connectAs: (user: string, nick: string) => ConnectOptions;
  readonly pool: Pool;
  readonly stats: Stats;
  readonly timing: Timing;
  readonly stop: AbortSignal;
  /** Waits until the line may start: by rate or by the original times. */
  readonly turn: (line: TranscriptLine) => Promise<void>;
  /** A place among the lines under way in the whole process; release it when the line is done. */
  readonly place: () => Promise<() => void>;
}

export interface Played {
  readonly name: string;
  readonly room: string;
  readonly lines: number;
  readonly people: number;
  readonly verdict: RoomVerdict;
}

const linesMax = 32;
const settleMs = 20_000;
const readMs = 60_000;

export class Player {
  private readonly deps: PlayerDeps;
  private readonly scene: RoomScene;
  private readonly people: Person[] = [];
  private readonly byNick = new Map<string, Person>();
  private readonly generations = new Map<string, number>();
  private readonly seqOfLine = new Map<number, Promise<number | undefined>>();
  private readonly underWay = new Set<Promise<unknown>>();

  constructor(deps: PlayerDeps) {
    this.deps = deps;
    const { room, pool, stats, timing, stop } = deps;
    this.scene = { room, pool, stats, timing, stop, knownSeq: 0 };
  }

  async play(): Promise<Played> {
    const { transcript, room, stats, stop } = this.deps;
    const [first] = transcript.lines;
    if (first) await this.personOf(first.user).create(transcript.name);
    for (const [index, line] of transcript.lines.entries()) {
      if (stop.aborted) break;
      await this.deps.turn(line);
      while (this.underWay.size >= linesMax) await Promise.race(this.underWay);
      const release = await this.deps.place();
      const done = this.start(line, index).finally(() => {
        release();
        stats.done += 1;
        this.underWay.delete(done);
      });
      this.underWay.add(done);
    }
    await Promise.all(this.underWay);
    const verdict = await this.judge();
    for (const person of this.people) person.end();
    return { name: transcript.name, room, lines: transcript.lines.length, people: this.people.length, verdict };
  }

  private async start(line: TranscriptLine, index: number): Promise<void> {
    switch (line.kind) {
      case 'nick':
        return this.rename(line.user, line.to);
      case 'join':
        return this.personOf(line.user).join();
      case 'leave':
        return this.byNick.get(line.user)?.leave();
      default: {
        const parent = line.kind === 'reply' ? (this.seqOfLine.get(line.replyTo) ?? Promise.resolve(undefined)) : undefined;
        const seq = this.personOf(line.user).say(line.text, parent);
        this.seqOfLine.set(index, seq);
        await seq;
      }
    }
  }

  /** The person keeps the client. Whoever had the new nick, if anyone, is not heard of again under it. */
  private rename(from: string, to: string): void {
    const person = this.byNick.get(from);
    if (!person) return;
    this.byNick.delete(from);
    this.byNick.set(to, person);
  }

  private personOf(nick: string): Person {
    const known = this.byNick.get(nick);
    if (known) return known;
    // A nick that its first bearer gave up may come back with somebody else.
    const generation = this.generations.get(nick) ?? 0;
    this.generations.set(nick, generation + 1);
    const user = userIdOf(nick, `${generation === 0 ? '' : `_g${generation}`}${this.deps.suffix}`);
    const person = new Person(user, this.deps.connectAs(user, nick), this.scene);
    this.byNick.set(nick, person);
    this.people.push(person);
    return person;
  }

  private async judge(): Promise<RoomVerdict> {
    const { room, suffix, connectAs, timing } = this.deps;
    const reader = userIdOf('log-reader', suffix.replace('_r', '_s'));
    try {
      const log = await readLog(room, connectAs(reader, 'log-reader'), timing, readMs);
      await this.settle(log.entries.at(-1)?.seq ?? 0);
      const people = this.people.map((person) => person.record());
      const verdict = judgeRoom({ room, log: log.entries, isRaw: log.isRaw, people, readers: [reader] });
      const complaints = log.complaints.map((what) => ({ room, what, user: reader }));
      if (!log.isRaw) complaints.push({ room, what: 'the log was too long to be replayed: only messages were compared', user: reader });
      return { ...verdict, violations: [...complaints, ...verdict.violations] };
    } catch (error) {
      const what = error instanceof Error ? error.message : String(error);
      return { violations: [{ room, what }], entries: 0, acked: 0, seen: 0, jumps: 0 };
    }
  }

  /** Everybody who is there gets a bounded time to see the last entry. */
  private async settle(head: number): Promise<void> {
    const { timing } = this.deps;
    const untilMs = timing.nowMs() + settleMs;
    const isBehind = (person: Person): boolean => person.isPresent && person.lastSeq < head;
    while (this.people.some(isBehind) && timing.nowMs() < untilMs) await new Promise<void>((resolve) => timing.after(20, resolve));
  }
}
