/**
 * Ask: answers reach their own question, and every question ends.
 */
import { afterEach, describe, expect, it, vi } from 'vitest';
import {
  type ActorRef,
  type ActorSystem,
  ask,
  asksInFlightMax,
  type Behaviour,
  callbackRef,
  createActorSystem,
  spawn,
  stopActor,
  tell,
} from '../../system/actor.ts';
import { createLogger } from '../../system/logger.ts';
import { manualClock, turns } from '../support/manual-clock.ts';

const systems: ActorSystem[] = [];
function newSystem() {
  const clock = manualClock();
  const system = createActorSystem({ clock, log: createLogger({ level: 'silent', base: {} }) });
  systems.push(system);
  return { system, clock };
}
afterEach(async () => {
  for (const system of systems.splice(0)) void system.stop(0);
  await turns(2);
});

type Question = { readonly type: 'question'; readonly of: string; readonly replyTo: ActorRef<string> };
/** Keeps questions until it is told to answer all, newest first. */
const hoarder = (): Behaviour<readonly Question[], Question | 'answer' | 'crash'> => ({
  kind: 'hoarder',
  start: () => [],
  receive(asked, msg) {
    if (msg === 'crash') throw new Error('told to');
    if (msg !== 'answer') return [...asked, msg];
    for (const { of, replyTo } of [...asked].reverse()) tell(replyTo, `answer to ${of}`);
    return [];
  },
});
const plain = { mailboxMax: 100_000, restarts: 'never' } as const;
const questionOf =
  (of: string) =>
  (replyTo: ActorRef<string>): Question => ({ type: 'question', of, replyTo });

describe('ask', () => {
  it('two concurrent asks never swap answers, even when Math.random is a constant', async () => {
    vi.spyOn(Math, 'random').mockReturnValue(0.123);
    const { system } = newSystem();
    const ref = spawn(system, hoarder(), { name: 'h', ...plain });
    const users = Array.from({ length: 500 }, (_, n) => `user-${n}`);
    const answers = users.map((user) => ask(system, ref, questionOf(user), 1_000));
    await turns();
    tell(ref, 'answer');
    expect(await Promise.all(answers)).toEqual(users.map((user) => `answer to ${user}`));
    expect(system.stats().asksInFlight).toBe(0);
    vi.restoreAllMocks();
  });

  it('a question that nobody answers rejects at its time-out; a late or second answer is a counted dead letter', async () => {
    const { system, clock } = newSystem();
    const replies: ActorRef<string>[] = [];
    const edge = callbackRef<Question>('edge', ({ replyTo }) => replies.push(replyTo), system);
    const late = ask(system, edge, questionOf('a'), 1_000);
    clock.advance(999);
    const twice = ask(system, edge, questionOf('b'), 1_000);
    clock.advance(1);
    await expect(late).rejects.toMatchObject({ code: 'ASK_TIMEOUT' });
    expect(replies.map((replyTo) => tell(replyTo, 'answer'))).toEqual(['refused', 'accepted']);
    expect(replies.map((replyTo) => tell(replyTo, 'again'))).toEqual(['refused', 'refused']);
    expect(await twice).toBe('answer');
    expect(system.stats().deadLetters).toBe(3);
    expect(system.stats().asksInFlight).toBe(0);
  });

  it('rejects at once when the target stops, has stopped, or crashes for good', async () => {
    const { system } = newSystem();
    const ref = spawn(system, hoarder(), { name: 'h', ...plain });
    const first = ask(system, ref, questionOf('a'), 60_000);
    await turns();
    tell(ref, 'crash');
    await expect(first).rejects.toMatchObject({ code: 'ACTOR_STOPPED' });
    await expect(ask(system, ref, questionOf('b'), 60_000)).rejects.toMatchObject({ code: 'ACTOR_STOPPED' });
    const other = spawn(system, hoarder(), { name: 'other', ...plain });
    const pending = ask(system, other, questionOf('c'), 60_000);
    await stopActor(other, { drain: true, deadlineMs: 10 });
    await expect(pending).rejects.toMatchObject({ code: 'ACTOR_STOPPED' });
  });

  it('rejects BUSY when the mailbox is full, and when too many questions are in flight', async () => {
    const { system } = newSystem();
    const small = spawn(system, hoarder(), { name: 'small', mailboxMax: 1, restarts: 'never' });
    const fits = ask(system, small, questionOf('a'), 1_000);
    await expect(ask(system, small, questionOf('b'), 1_000)).rejects.toMatchObject({ code: 'BUSY' });
    await turns();
    tell(small, 'answer');
    expect(await fits).toBe('answer to a');
    const ref = spawn(system, hoarder(), { name: 'h', ...plain });
    const many = Array.from({ length: asksInFlightMax }, () => ask(system, ref, questionOf('x'), 1_000));
    await expect(ask(system, ref, questionOf('y'), 1_000)).rejects.toMatchObject({ code: 'BUSY' });
    await turns();
    tell(ref, 'answer');
    await Promise.all(many);
    expect(system.stats().asksInFlight).toBe(0);
  });

  it('a time-out of 30 days does not fire at once, and one that is no number rejects', async () => {
    const { system, clock } = newSystem();
    const dayMs = 86_400_000;
    const ended: string[] = [];
    const edge = callbackRef<Question>('edge', () => {}, system);
    ask(system, edge, questionOf('a'), 30 * dayMs).catch((fault) => ended.push(fault.code));
    clock.advance(30 * dayMs - 1);
    await turns();
    expect(ended).toEqual([]);
    clock.advance(1);
    await turns();
    expect(ended).toEqual(['ASK_TIMEOUT']);
    await expect(ask(system, edge, questionOf('a'), Number.NaN)).rejects.toThrow(TypeError);
    await expect(ask(system, edge, questionOf('a'), Number.POSITIVE_INFINITY)).rejects.toThrow(TypeError);
  });

  it('a question that could not be made rejects with what was thrown and holds no place', async () => {
    const { system } = newSystem();
    const ref = spawn(system, hoarder(), { name: 'h', ...plain });
    const boom = (): never => {
      throw new RangeError('no question');
    };
    await expect(ask(system, ref, boom, 1_000)).rejects.toThrow(RangeError);
    expect(system.stats().asksInFlight).toBe(0);
  });

  it('the end of the system is the end of every question, and a rejected ask that nobody awaits ends nothing', async () => {
    const faults: unknown[] = [];
    const onFault = (fault: unknown) => faults.push(fault);
    process.on('unhandledRejection', onFault);
    const { system, clock } = newSystem();
    const asked = ask(
      system,
      callbackRef<Question>('edge', () => {}, system),
      questionOf('a'),
      60_000,
    );
    void ask(system, spawn(system, hoarder(), { name: 'h', ...plain }), questionOf('b'), 60_000);
    await system.stop(10);
    await turns();
    process.off('unhandledRejection', onFault);
    await expect(asked).rejects.toMatchObject({ code: 'ACTOR_STOPPED' });
    expect([faults, clock.pending()]).toEqual([[], 0]);
  });
});
