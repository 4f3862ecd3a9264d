/** LinkMachine and LinkGreeting: from the connection to the first live moment, with a server of ours, an older one, or neither. */
import { describe, expect, it } from 'vitest';
import { olderAnswer } from '../../system/state/link-greeting-state.ts';
import { linkTimes } from '../../system/state/link-times.ts';
import { LinkMachineStage } from '../support/link-machine-stage.ts';

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
