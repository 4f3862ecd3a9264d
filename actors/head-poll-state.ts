/**
 * HeadPollPlan: which rooms are asked about next, so that each has its turn within its bound and a poll of many stays cheap. Pure.
 *
 * Guarantees: a room is due so long after it was last asked about, or first seen. Of those that are due the ones that grew lately go
 * first, then whoever waits longest; no round is larger than `roundMax`. Cost: the rooms, once a round.
 */
import type { RoomId } from '../system/ids.ts';

export interface HeadPollTimes {
  /** Between two questions about one room. */
  readonly everyMs: number;
  /** Rooms of one round. Beyond it the quiet ones wait for the next. */
  readonly roundMax: number;
}

interface Asked {
  atMs: number;
  seq: number;
  /** When it was last found longer than before. */
  grewMs: number;
}

/** A room that grew within this time is one where people talk. */
const talkMs = 30_000;

export class HeadPollPlan {
  private asked = new Map<RoomId, Asked>();

  next(rooms: readonly RoomId[], { everyMs, roundMax }: HeadPollTimes, nowMs: number): readonly RoomId[] {
    const kept = new Map<RoomId, Asked>();
    const due: { readonly room: RoomId; readonly asked: Asked }[] = [];
    for (const room of rooms) {
      // One that is new here was read when it was started.
      const asked = this.asked.get(room) ?? { atMs: nowMs, seq: 0, grewMs: Number.NEGATIVE_INFINITY };
      kept.set(room, asked);
      if (nowMs - asked.atMs >= everyMs) due.push({ room, asked });
    }
    this.asked = kept;
    const round = due.length <= roundMax ? due : mostUrgent(due, roundMax, nowMs);
    for (const { asked } of round) asked.atMs = nowMs;
    return round.map(({ room }) => room);
  }

  found(room: RoomId, seq: number, nowMs: number): void {
    const asked = this.asked.get(room);
    if (!asked) return;
    if (seq > asked.seq && asked.seq > 0) asked.grewMs = nowMs;
    asked.seq = Math.max(asked.seq, seq);
  }
}

/** At most half of the round for those where people talk: the quiet ones must not starve. */
function mostUrgent<T extends { readonly asked: Asked }>(due: T[], roundMax: number, nowMs: number): T[] {
  due.sort((a, b) => a.asked.atMs - b.asked.atMs);
  const talking = due.filter(({ asked }) => nowMs - asked.grewMs < talkMs).slice(0, Math.floor(roundMax / 2));
  const first = new Set(talking);
  return [...talking, ...due.filter((each) => !first.has(each)).slice(0, roundMax - talking.length)];
}
