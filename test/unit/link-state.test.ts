/** LinkMachine, LinkTalk and LinkRetry: what is done when, with the usual waits, on a clock the test moves. */
import { describe, expect, it } from 'vitest';
import { LinkRetry } from '../../system/state/link-retry-state.ts';
import { linkTimes } from '../../system/state/link-times.ts';
import { LinkMachineStage } from '../support/link-machine-stage.ts';
import { seeded } from '../support/store-processes.ts';

const hello = { type: 'hello', v: 1, server: 's' } as const;

describe('the talk', () => {
  it('has one request in flight, and tells what happened meanwhile as one line, the last state of each', () => {
    const stage = new LinkMachineStage();
    stage.goLive();
    stage.turn(() => stage.put('s1', 'ada', 'a'));
    expect(stage.did()).toEqual(['send sessions']);
    for (const place of ['b', 'c', 'd']) stage.turn(() => stage.put('s1', 'ada', place));
    stage.turn(() => stage.put('s2', 'bob'));
    stage.turn(() => stage.remove('s2'));
    stage.turn(() => stage.put('s3', 'cid'));
    expect(stage.did()).toEqual([]);
    stage.answer();
    expect(stage.last).toMatchObject({
      type: 'sessions',
      put: [
        ['s1', 'ada', 'd'],
        ['s3', 'cid', 'home'],
      ],
      gone: [],
    });
    stage.turn(() => stage.remove('s1'));
    stage.answer();
    expect(stage.last).toMatchObject({ type: 'sessions', put: [], gone: ['s1'] });
    stage.answer();
    expect(stage.did()).toEqual(['send sessions', 'send sessions']);
  });

  it('lets sessions and watches take turns', () => {
    const stage = new LinkMachineStage();
    stage.goLive();
    for (let i = 0; i < 4; i += 1) {
      stage.turn(() => {
        stage.put(`s${i}`, 'ada');
        stage.watch(`u${i}`);
      });
      stage.answer();
    }
    expect(stage.did()).toEqual(['send sessions', 'send watch', 'send sessions', 'send watch', 'send sessions']);
  });

  it('passes on states of watched users only, from answers and pushes, and none of an answer that comes again', () => {
    const stage = new LinkMachineStage();
    stage.goLive();
    stage.turn(() => stage.watch('ada'));
    stage.answer([['ada', 'online', ['home']]]);
    expect(stage.did()).toEqual(['send watch', 'states ada online']);
    stage.hears({
      type: 'changes',
      states: [
        ['bob', 'online', []],
        ['ada', 'offline', []],
      ],
    });
    stage.hears({ type: 'states', id: 2, states: [['ada', 'online', ['home']]] });
    expect(stage.did()).toEqual(['states ada offline']);
    expect(stage.machine.faults).toBe(1);
  });

  it('asks again for all watched users when it is told to', () => {
    const stage = new LinkMachineStage();
    stage.watch('ada');
    stage.watch('bob');
    stage.goLive();
    stage.answer([]);
    stage.turn(() => stage.machine.askAgain());
    expect(stage.last).toMatchObject({ type: 'watch', on: ['ada', 'bob'], off: [] });
  });

  it('pings every 2 s, one ping at a time, and takes its answer in any order', () => {
    const stage = new LinkMachineStage();
    stage.goLive();
    stage.pass(1_999);
    expect(stage.did()).toEqual([]);
    stage.pass(1);
    expect(stage.did()).toEqual(['send ping']);
    stage.turn(() => stage.put('s1', 'ada'));
    stage.pass(2_500);
    expect(stage.did()).toEqual(['send sessions']);
    stage.hears({ type: 'ok', id: 3 }, { type: 'pong', id: 2 });
    stage.pass(0);
    expect(stage.did()).toEqual(['send ping']);
    expect(stage.machine.faults).toBe(0);
  });

  it('is dead 6 s after the last line, whatever else is faulty meanwhile', () => {
    const stage = new LinkMachineStage();
    stage.goLive();
    stage.pass(1_000);
    stage.hears({ type: 'changes', states: [] });
    stage.pass(5_999, () => stage.hearsOdd('x'));
    expect(stage.machine.state).toBe('live');
    stage.pass(1);
    expect(stage.did().slice(-2)).toEqual(['cut', 'down: no line for 6000 ms']);
  });

  it('is dead 6 s after a request that nobody answers, however lively the server is', () => {
    const stage = new LinkMachineStage();
    stage.goLive();
    stage.turn(() => stage.put('s1', 'ada'));
    for (let i = 0; i < 6; i += 1) {
      stage.pass(999);
      stage.hears({ type: 'changes', states: [] });
    }
    stage.pass(6);
    expect(stage.did().at(-1)).toBe('down: no answer to a request for 6000 ms');
  });

  it('sends nothing while the connection takes nothing, and is dead after 6 s of that', () => {
    const stage = new LinkMachineStage();
    stage.goLive();
    stage.turn(() => stage.machine.blocked(true));
    stage.turn(() => stage.put('s1', 'ada'));
    stage.pass(5_999);
    expect(stage.did()).toEqual([]);
    stage.turn(() => stage.machine.blocked(false));
    expect(stage.did()).toEqual(['send sessions']);
    stage.turn(() => stage.machine.blocked(true));
    stage.pass(1);
    expect(stage.did()).toEqual(['cut', 'down: no line for 6000 ms']);
  });

  it('bears 20 faulty lines a minute and is cut by one more', () => {
    const stage = new LinkMachineStage();
    stage.goLive();
    const faulty = (count: number): void => {
      for (let i = 0; i < count; i += 1) stage.hearsOdd(undefined);
    };
    faulty(20);
    expect(stage.machine.state).toBe('live');
    for (let ms = 0; ms < 60_000; ms += 1_000) {
      stage.pass(1_000);
      if (stage.did().includes('send ping')) stage.answer();
    }
    faulty(20);
    expect(stage.machine.state).toBe('live');
    stage.hears({ type: 'pong', id: 999 });
    expect(stage.did()).toEqual(['cut', 'down: more than 20 faulty lines within a minute']);
  });

  it.each([
    ['ok', 'a watch', (stage: LinkMachineStage) => stage.watch('ada'), { type: 'ok', id: 2 }],
    ['states', 'a change', (stage: LinkMachineStage) => stage.put('s1', 'ada'), { type: 'states', id: 2, states: [] }],
  ] as const)('is cut by %s in answer to %s', (_, __, asks, line) => {
    const stage = new LinkMachineStage();
    stage.goLive();
    stage.turn(() => asks(stage));
    stage.hears(line);
    expect(stage.did().at(-1)).toMatch(/^down: .* in answer to /);
  });

  it('tells everything again, and stays live, when more changed than may wait', () => {
    const stage = new LinkMachineStage();
    stage.put('stays', 'ada');
    stage.watch('ada');
    stage.goLive();
    stage.answer([]);
    stage.turn(() => stage.put('s', 'ada'));
    for (let i = 0; i < 101; i += 1) stage.put(`s${i}`, 'ada');
    for (let i = 0; i < 100; i += 1) stage.remove(`s${i}`);
    stage.did();
    stage.answer();
    expect(stage.last).toMatchObject({
      type: 'snapshot',
      first: true,
      last: true,
      sessions: [['stays'], ['s'], ['s100']].map((row) => expect.arrayContaining(row)),
    });
    stage.answer();
    expect(stage.last).toMatchObject({ type: 'watch', on: ['ada'] });
    expect([stage.did(), stage.machine.state]).toEqual([['send snapshot', 'send watch'], 'live']);
  });

  it('tells in the snapshot what is there when its line is made, and afterwards what changed behind it', () => {
    const stage = new LinkMachineStage();
    for (let i = 0; i < 2_000; i += 1) stage.put(`a-session-of-a-usual-length-${i}`, 'ada');
    stage.connected();
    stage.hears(hello);
    expect(stage.last).toMatchObject({ first: true, last: false });
    stage.turn(() => {
      stage.remove('a-session-of-a-usual-length-0');
      stage.remove('a-session-of-a-usual-length-1999');
      stage.put('new', 'bob');
    });
    const told: string[] = [];
    for (; stage.machine.state !== 'live'; stage.answer())
      if (stage.last?.type === 'snapshot') told.push(...stage.last.sessions.map(([id]) => id));
    expect(told).toContain('a-session-of-a-usual-length-1998');
    expect(told).not.toContain('a-session-of-a-usual-length-1999');
    expect(stage.last).toMatchObject({ type: 'sessions', gone: ['a-session-of-a-usual-length-0'], put: [['new', 'bob', 'home']] });
  });

  it('says goodbye and ends with its answer, or at the deadline, or with the connection', () => {
    const ends: ((stage: LinkMachineStage) => void)[] = [(stage) => stage.answer(), (stage) => stage.pass(500), (stage) => stage.closed()];
    for (const end of ends) {
      const stage = new LinkMachineStage();
      stage.goLive();
      stage.turn(() => stage.put('s1', 'ada'));
      stage.turn(() => stage.machine.drain(500, 0));
      stage.turn(() => stage.put('s2', 'ada'));
      stage.hears({ type: 'ok', id: 2 });
      expect([stage.did(), stage.machine.state]).toEqual([['send sessions', 'send bye'], 'draining']);
      end(stage);
      expect(stage.did()).toEqual(['cut', 'ended']);
      expect(stage.machine.wakeAtMs).toBeUndefined();
    }
  });
});

describe('an outage', () => {
  it('costs memory by what lives: what ends during it leaves nothing behind', () => {
    const stage = new LinkMachineStage();
    for (let i = 0; i < 50; i += 1) stage.put(`s${i}`, 'ada');
    stage.watch('ada');
    stage.goLive();
    stage.answer([]);
    expect([stage.sessions.waiting, stage.watched.waiting]).toEqual([0, 0]);
    stage.closed();
    expect([stage.sessions.waiting, stage.watched.waiting]).toEqual([50, 1]);
    for (let i = 0; i < 50; i += 1) stage.remove(`s${i}`);
    expect([stage.sessions.waiting, stage.sessions.hasChanges, stage.sessions.size]).toEqual([0, false, 0]);
  });
});

describe('the retries', () => {
  it('wait 100 ms, doubling to 2 s, a random part of each, and start over only after a steady link', () => {
    const spans = new LinkRetry(linkTimes, () => 1);
    expect(Array.from({ length: 7 }, () => spans.nextWaitMs(0))).toEqual([100, 200, 400, 800, 1_600, 2_000, 2_000]);
    expect(spans.nextWaitMs(4_999)).toBe(2_000);
    expect(spans.nextWaitMs(5_000)).toBe(100);
    const [random, waits] = [seeded(3), new Set<number>()];
    const jittered = new LinkRetry(linkTimes, random);
    for (let i = 0; i < 200; i += 1) waits.add(Math.floor(jittered.nextWaitMs(0) / 200));
    expect([...waits].sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  it('count a try that took long as a wait, and say why once', () => {
    const stage = new LinkMachineStage({ random: () => 0.99 });
    stage.pass(2_000);
    expect(stage.did()).toEqual(['connect', 'cut', 'down: no connection within 2000 ms', 'connect']);
    stage.closed('ECONNREFUSED');
    expect(stage.did()).toEqual([]);
    expect(stage.machine.state).toBe('connecting');
  });

  it.each([
    ['accepts and says nothing', (stage: LinkMachineStage) => stage.connected()],
    ['refuses', (stage: LinkMachineStage) => stage.closed('ECONNREFUSED')],
    ['does not answer at all', () => {}],
    [
      'accepts and closes',
      (stage: LinkMachineStage) => {
        stage.connected();
        stage.closed();
      },
    ],
  ])('have a link live within 3 s of the end of an outage in which the server %s, whenever that is', (_, whenConnecting) => {
    const random = seeded(11);
    let worstMs = 0;
    for (let healAtMs = 7_000; healAtMs < 30_000; healAtMs += 37) {
      const stage = new LinkMachineStage({ random });
      let isHealed = false;
      const network = (): void => {
        while (stage.did().includes('connect')) {
          if (!isHealed) whenConnecting(stage);
          else {
            stage.connected();
            if (stage.last?.type === 'hello') stage.hears(hello);
          }
        }
      };
      network();
      stage.pass(healAtMs, network);
      isHealed = true;
      // What was begun before is never answered: the server is a new process.
      while (stage.machine.state !== 'live') {
        stage.pass(1, network);
        if (stage.last?.type === 'snapshot') stage.answer();
        if (stage.nowMs > healAtMs + 10_000) throw new Error(`never live again after ${healAtMs}`);
      }
      worstMs = Math.max(worstMs, stage.nowMs - healAtMs);
    }
    expect(worstMs).toBeLessThanOrEqual(3_000);
    expect(worstMs).toBeGreaterThan(500);
  });
});
