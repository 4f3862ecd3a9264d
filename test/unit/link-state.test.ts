/** LinkMachine, LinkGreeting, LinkTalk and LinkRetry: what is done when, with the usual waits, on a clock the test moves. */
import { describe, expect, it } from 'vitest';
import { olderAnswer } from '../../system/state/link-greeting-state.ts';
import { LinkRetry } from '../../system/state/link-retry-state.ts';
import { linkTimes } from '../../system/state/link-times.ts';
import { LinkMachineStage } from '../support/link-machine-stage.ts';
import { seeded } from '../support/store-processes.ts';

const hello = { type: 'hello', v: 1, server: 's' } as const;

describe('the greeting', () => {
  it('goes from hello over the snapshot to live', () => {
    const stage = new LinkMachineStage();
    stage.put('s1', 'ada');
    expect([stage.did(), stage.machine.state]).toEqual([['connect'], 'connecting']);
    stage.connected();
    expect([stage.did(), stage.machine.state]).toEqual([['send hello'], 'auth']);
    stage.hears(hello);
    expect([stage.did(), stage.machine.state]).toEqual([['send snapshot'], 'snapshot']);
    expect(stage.last).toEqual({ type: 'snapshot', id: 1, first: true, last: true, sessions: [['s1', 'ada', 'home']], watch: [] });
    stage.answer();
    expect([stage.did(), stage.machine.state]).toEqual([['up: the server knows the 1 sessions here'], 'live']);
  });

  it('proves that it knows the secret when it is asked to, and goes on once that is accepted', () => {
    const stage = new LinkMachineStage({ secret: 'abc' });
    stage.connected();
    stage.hears({ ...hello, nonce: 'xyz' });
    expect(stage.last).toEqual({ type: 'auth', mac: 'abc xyz' });
    expect(stage.machine.state).toBe('auth');
    stage.hears({ type: 'authenticated' });
    expect(stage.machine.state).toBe('snapshot');
  });

  const failures: readonly (readonly [string, (stage: LinkMachineStage) => void, string])[] = [
    [
      'a secret is asked for and none is known',
      (stage) => stage.hears({ ...hello, nonce: 'xyz' }),
      'the state server asks for the shared secret, and none is set here',
    ],
    [
      'it is refused',
      (stage) => stage.hears({ type: 'refused', code: 'TOO_MANY_CONNECTIONS', message: 'm' }),
      'refused by the state server: TOO_MANY_CONNECTIONS',
    ],
    ['something else comes before hello', (stage) => stage.hears({ type: 'ok', id: 1 }), 'ok before hello'],
    ['a line is too long', (stage) => stage.turn(() => stage.machine.heardTooLong(stage.nowMs)), 'a line longer than a line may be'],
    ['nothing is said', (stage) => stage.pass(2_000), 'no answer to hello within 2000 ms'],
    [
      'nothing but odd lines is said',
      (stage) => {
        stage.hearsOdd('HTTP/1.1 400 Bad Request');
        stage.hearsOdd(undefined);
        stage.hearsOdd('[]');
        stage.pass(2_000);
      },
      'it speaks neither this protocol nor the older one',
    ],
  ];
  it.each(failures)('fails and says why when %s', (_, happens, why) => {
    const stage = new LinkMachineStage();
    stage.connected();
    stage.did();
    happens(stage);
    expect(stage.did().filter((done) => done !== 'ask' && done !== 'connect')).toEqual(['cut', `down: ${why}`]);
    expect(stage.machine.state).toBe('connecting');
  });

  it('fails when the proof is not accepted: by silence, by a close, by an odd line', () => {
    const ends: ((stage: LinkMachineStage) => void)[] = [
      (stage) => stage.pass(2_000),
      (stage) => stage.closed(),
      (stage) => stage.hearsOdd('x'),
    ];
    for (const end of ends) {
      const stage = new LinkMachineStage({ secret: 'abc' });
      stage.connected();
      stage.hears({ ...hello, nonce: 'xyz' });
      stage.did();
      end(stage);
      expect(stage.did().some((done) => done.startsWith('down: '))).toBe(true);
    }
  });

  it('knows an older server by its answer alone: after an odd line, in any order, after silence, after a close', () => {
    const ways: ((stage: LinkMachineStage) => void)[] = [
      (stage) => stage.hearsOdd('반환메세지'),
      (stage) => stage.pass(1_000),
      (stage) => {
        stage.closed();
        stage.connected();
      },
      (stage) => {
        stage.hearsOdd('반환메세지');
        stage.hearsOdd('반환메세지');
      },
    ];
    for (const way of ways) {
      const stage = new LinkMachineStage();
      stage.connected();
      way(stage);
      expect(stage.did().filter((done) => done === 'ask')).toHaveLength(1);
      stage.hearsOdd(olderAnswer);
      expect(stage.did()).toEqual(['cut', 'older', expect.stringMatching(/^down: the server is an older state server/)]);
      stage.turn(() => stage.machine.olderEnded('gone', stage.nowMs));
      stage.pass(linkTimes.retryMsMax);
      expect(stage.did()).toEqual(['connect']);
    }
  });

  it('takes a slow server of ours for what it is: hello counts after the question too', () => {
    const stage = new LinkMachineStage();
    stage.connected();
    stage.pass(1_999);
    stage.hears(hello);
    expect(stage.machine.state).toBe('snapshot');
    // What the question got is one faulty line.
    stage.hearsOdd(olderAnswer);
    stage.answer();
    expect(stage.machine.state).toBe('live');
    expect(stage.machine.faults).toBe(1);
  });

  it('does not try a second connection when something was said on the first', () => {
    const stage = new LinkMachineStage();
    stage.connected();
    stage.hearsOdd('220 mail.example.org ESMTP');
    stage.closed('closed');
    expect(stage.did()).toEqual(['connect', 'send hello', 'ask', 'cut', 'down: closed']);
  });

  it('does not take a server that only accepts and closes for an older one', () => {
    const stage = new LinkMachineStage();
    stage.connected();
    stage.closed();
    stage.connected();
    stage.closed('ECONNRESET');
    expect(stage.did()).toEqual(['connect', 'send hello', 'connect', 'ask', 'cut', 'down: ECONNRESET']);
  });
});

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
