/** WakeTimer: the earliest moment wins, and one that comes late lets what was heard go first. */
import { expect, it } from 'vitest';
import type { Clock } from '../../system/clock.ts';
import { WakeTimer } from '../../system/state/wake-timer.ts';
import { manualClock } from '../support/manual-clock.ts';

it('wakes at the earliest moment it was set to, once, and not at all when it is cleared', () => {
  const clock = manualClock();
  const woken: number[] = [];
  const timer = new WakeTimer(clock, () => woken.push(clock.nowMs()));
  timer.set(500);
  timer.set(200);
  timer.set(900);
  expect(clock.pending()).toBe(1);
  clock.advance(1_000);
  expect(woken).toEqual([200]);
  timer.set(1_500);
  timer.set(undefined);
  clock.advance(1_000);
  expect([woken, clock.pending()]).toEqual([[200], 0]);
  timer.set(100);
  clock.advance(1);
  expect(woken).toEqual([200, 2_001]);
});

it('waits a turn more when the event loop was busy for long: what came meanwhile is read first', () => {
  const tasks: (() => void)[] = [];
  let nowMs = 0;
  const clock: Clock = {
    nowMs: () => nowMs,
    wallMs: () => nowMs,
    after: (_, task) => {
      tasks.push(task);
      return () => {};
    },
  };
  let woken = 0;
  const timer = new WakeTimer(clock, () => {
    woken += 1;
  });
  timer.set(100);
  nowMs = 3_000;
  tasks.shift()?.();
  expect([woken, tasks.length]).toEqual([0, 1]);
  timer.set(100);
  expect(tasks).toHaveLength(1);
  tasks.shift()?.();
  expect([woken, tasks.length]).toEqual([1, 0]);
  timer.set(3_050);
  nowMs = 3_060;
  tasks.shift()?.();
  expect(woken).toBe(2);
});
