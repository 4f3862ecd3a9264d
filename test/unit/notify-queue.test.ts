/** NotifyQueue and Breaker: what waits for a service outside, and when it is asked. */
import { describe, expect, it } from 'vitest';
import { Breaker, failuresMax, restMaxMs, restMinMs } from '../../system/directory/breaker-state.ts';
import { noteAgeMaxMs, notesWaitingMax } from '../../system/directory/notifier.ts';
import { callsMax, NotifyQueue, pauseMaxMs, pauseMinMs, type Waiting } from '../../system/directory/notify-queue-state.ts';
import { room, user } from '../support/entries.ts';

const note = (seq: number, sinceMs = 0): Waiting => ({
  message: { sender: user('ada'), room: room('den'), kind: 'message', seq, at: 0 },
  absent: async () => ({ ids: [], more: false }),
  sinceMs,
});
const seqOf = (taken: Waiting | undefined): number | undefined => taken?.message.seq;

describe('the queue of notifications', () => {
  it('gives them in order, so many at a time', () => {
    const queue = new NotifyQueue();
    for (let seq = 1; seq <= callsMax + 2; seq += 1) queue.add(note(seq));
    const taken = Array.from({ length: callsMax }, () => seqOf(queue.take(0)));
    expect(taken).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect([queue.take(0), queue.dueMs(), queue.size]).toEqual([undefined, undefined, callsMax + 2]);
    queue.done(true);
    expect([seqOf(queue.take(0)), queue.size]).toEqual([9, callsMax + 1]);
  });

  it('holds ten thousand; the oldest is dropped and counted', () => {
    const queue = new NotifyQueue();
    for (let seq = 1; seq <= notesWaitingMax + 5; seq += 1) queue.add(note(seq));
    expect([queue.size, queue.dropped, seqOf(queue.take(0))]).toEqual([notesWaitingMax, 5, 6]);
  });

  it('holds no more than that when calls come back that failed', () => {
    const queue = new NotifyQueue();
    for (let seq = 1; seq <= callsMax; seq += 1) queue.add(note(seq));
    const under = Array.from({ length: callsMax }, () => queue.take(0) as Waiting);
    for (let seq = 1; seq <= notesWaitingMax; seq += 1) queue.add(note(100 + seq));
    for (const each of under) queue.failed(each, 0, 1);
    expect([queue.size, queue.dropped]).toEqual([notesWaitingMax, callsMax]);
  });

  it('tries one that failed again after a pause that doubles, and one alone until it is taken', () => {
    const queue = new NotifyQueue();
    queue.add(note(1));
    queue.add(note(2));
    let nowMs = 0;
    const pauses: number[] = [];
    for (let i = 0; i < 8; i += 1) {
      const next = queue.take(nowMs) as Waiting;
      expect([seqOf(next), seqOf(queue.take(nowMs))]).toEqual([1, i === 0 ? 2 : undefined]);
      if (i === 0) queue.done(false);
      queue.failed(next, nowMs, 1);
      if (i === 0) queue.add(note(2));
      expect(queue.take(nowMs)).toBeUndefined();
      pauses.push((queue.dueMs() as number) - nowMs);
      nowMs = queue.dueMs() as number;
    }
    expect(pauses).toEqual([pauseMinMs, 500, 1_000, 2_000, 4_000, 8_000, pauseMaxMs, pauseMaxMs]);
    expect(seqOf(queue.take(nowMs))).toBe(1);
    queue.done(true);
    expect([queue.isFailing, seqOf(queue.take(nowMs))]).toEqual([false, 2]);
  });

  it('waits as long as it is asked to, up to a minute', () => {
    const queue = new NotifyQueue();
    queue.add(note(1));
    queue.failed(queue.take(0) as Waiting, 0, 0, 7_000);
    expect(queue.dueMs()).toBe(7_000);
    queue.failed(queue.take(7_000) as Waiting, 7_000, 0, 999_000);
    expect(queue.dueMs()).toBe(7_000 + noteAgeMaxMs);
  });

  it('gives up one that is a minute old', () => {
    const queue = new NotifyQueue();
    queue.add(note(1, 0));
    queue.add(note(2, 10));
    expect([seqOf(queue.take(noteAgeMaxMs)), queue.late]).toEqual([2, 1]);
    queue.drop();
    expect([queue.size, queue.late]).toEqual([1, 1]);
  });
});

describe('the breaker', () => {
  it('opens after so many failures in a row, lets one ask after a rest that doubles, and closes when it is answered', () => {
    const breaker = new Breaker();
    for (let i = 1; i < failuresMax; i += 1) breaker.failed(0, 1);
    breaker.succeeded();
    for (let i = 1; i < failuresMax; i += 1) breaker.failed(0, 1);
    expect([breaker.isOpen, breaker.admit(0)]).toEqual([false, true]);
    breaker.failed(0, 1);
    let nowMs = 0;
    const rests: number[] = [];
    for (let i = 0; i < 7; i += 1) {
      expect(breaker.admit(nowMs)).toBe(false);
      rests.push(breaker.restLeftMs(nowMs));
      nowMs += breaker.restLeftMs(nowMs);
      expect([breaker.admit(nowMs), breaker.admit(nowMs)]).toEqual([true, false]);
      breaker.failed(nowMs, 1);
    }
    expect(rests).toEqual([restMinMs, 2_000, 4_000, 8_000, 16_000, restMaxMs, restMaxMs]);
    nowMs += restMaxMs;
    expect(breaker.admit(nowMs)).toBe(true);
    breaker.succeeded();
    expect([breaker.isOpen, breaker.admit(nowMs), breaker.admit(nowMs)]).toEqual([false, true, true]);
  });
});
