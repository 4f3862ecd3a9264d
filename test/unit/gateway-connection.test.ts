/**
 * The one event handler, without a socket: what reaches the session, and how often an acknowledgement is answered.
 */
import { describe, expect, it } from 'vitest';
import type { Answer, ClientCommand } from '../../actors/client-command.ts';
import type { Seat } from '../../gateway/admission.ts';
import { CommandLoad } from '../../gateway/command-load.ts';
import { Connection } from '../../gateway/connection.ts';
import { CommandMetrics } from '../../gateway/edge-metrics.ts';
import { createTokenVerifier } from '../../gateway/token.ts';
import { createLogger } from '../../system/logger.ts';
import { Metrics } from '../../system/metrics.ts';
import { tokenOf, tokens } from '../support/gateway-fixtures.ts';
import { manualClock } from '../support/manual-clock.ts';

function setUp(outbox = { isOpen: true, isFull: false }, seat: Partial<Seat> = {}, load = new CommandLoad(1_000, { emit: () => {} })) {
  const clock = manualClock();
  const commands: ClientCommand[] = [];
  const replies: ((answer: Answer) => void)[] = [];
  const lines: string[] = [];
  const closed: string[] = [];
  const metrics = new Metrics();
  let owed = 0;
  const gone: string[] = [];
  const connection = new Connection(
    {
      verifier: createTokenVerifier(tokens),
      limits: { textBytesMax: 100, commandsPerSecondMax: 1, commandsBurstMax: 10 },
      clock,
      log: createLogger({ level: 'info', base: {}, destination: { write: (line: string) => void lines.push(line) } }),
      metrics: new CommandMetrics(metrics),
      load,
      left: () => void gone.push('left'),
    },
    {
      session: {
        command: (command, reply) => {
          commands.push(command);
          replies.push(reply);
          return 'accepted';
        },
        disconnected: (departure = 'lost') => void gone.push(departure),
      },
      outbox: {
        ...outbox,
        start: () => {},
        answer: () => {},
        close: (code) => void closed.push(code),
        commandTaken: () => void (owed += 1),
        commandAnswered: () => void (owed -= 1),
      },
      seat: {
        refusalOfCommand: () => undefined,
        isFlooded: () => false,
        badToken: () => undefined,
        badTokenWaitMs: () => undefined,
        leave: () => void gone.push('seat'),
        ...seat,
      },
      user: 'ada',
    },
  );
  const handle = (packet: readonly unknown[]): void => connection.handle(packet);
  return { connection, handle, commands, replies, lines, closed, metrics, gone, clock, load, owed: () => owed };
}

describe('a connection', () => {
  it('gives its seat back and tells its session once that it is gone', () => {
    const { connection, gone } = setUp();
    connection.gone('silent');
    connection.gone('lost');
    expect(gone).toEqual(['seat', 'silent', 'left']);
  });

  it('answers an acknowledgement exactly once', () => {
    const { handle, replies, owed } = setUp();
    const heard: unknown[] = [];
    handle(['typing', { room: 'r' }, (answer: unknown) => heard.push(answer)]);
    expect(heard).toEqual([]);
    expect(owed()).toBe(1);
    replies[0]?.({ ok: true, result: { type: 'done' } });
    replies[0]?.({ ok: true, result: { type: 'done' } });
    expect(heard).toEqual([{ ok: true }]);
  });

  it('counts what it took for all clients together until it is answered, and refuses before it takes', () => {
    const load = new CommandLoad(1, { emit: () => {} });
    const { handle, commands, replies } = setUp(undefined, undefined, load);
    const heard: unknown[] = [];
    const send = () => handle(['message:send', { room: 'r', cid: 'c', text: 'hello' }, (answer: unknown) => heard.push(answer)]);
    send();
    expect([load.commands, load.chars]).toEqual([1, 5]);
    send();
    expect(commands).toHaveLength(1);
    expect(heard).toEqual([{ ok: false, error: expect.objectContaining({ code: 'BUSY', retryable: true, retryAfterMs: 500 }) }]);
    for (let times = 0; times < 2; times += 1) replies[0]?.({ ok: true, result: { type: 'done' } });
    expect([load.commands, load.chars]).toEqual([0, 0]);
    send();
    expect(commands).toHaveLength(2);
  });

  it('counts what it took when it is gone until it is answered, but not for ever', () => {
    const { handle, connection, replies, clock, load } = setUp();
    for (let times = 0; times < 3; times += 1) handle(['typing', { room: 'r' }, () => {}]);
    connection.gone('lost');
    expect(load.commands).toBe(3);
    replies[0]?.({ ok: true, result: { type: 'done' } });
    expect(load.commands).toBe(2);
    clock.advance(10_000);
    expect(load.commands).toBe(0);
    replies[1]?.({ ok: true, result: { type: 'done' } });
    expect(load.commands).toBe(0);
  });

  it('does not let an answer that cannot be sent out into the session', () => {
    const { handle, replies, lines } = setUp();
    let calls = 0;
    const brokenOnce = () => {
      calls += 1;
      if (calls === 1) throw new Error('cannot encode');
    };
    handle(['typing', { room: 'r' }, brokenOnce]);
    expect(() => replies[0]?.({ ok: true, result: { type: 'done' } })).not.toThrow();
    expect(calls).toBe(2);
    expect(lines.join()).toContain('gateway.bug');
  });

  it('does nothing for a connection that is closing', () => {
    const { handle, commands } = setUp({ isOpen: false, isFull: false });
    handle(['typing', { room: 'r' }, () => expect.fail('answered')]);
    expect(commands).toEqual([]);
  });

  it('answers BUSY while so much waits that the answer would have to be kept', () => {
    const { handle, commands } = setUp({ isOpen: true, isFull: true });
    const heard: unknown[] = [];
    handle(['typing', { room: 'r' }, (answer: unknown) => heard.push(answer)]);
    expect(heard).toMatchObject([{ ok: false, error: { code: 'BUSY', retryable: true } }]);
    expect(commands).toEqual([]);
  });

  it('counts what comes without an acknowledgement, and closes a flood with one line', () => {
    const { handle, closed, lines, commands } = setUp();
    for (let i = 0; i < 110; i++) handle(['typing', { room: 'r' }]);
    expect(closed).toEqual(['FLOOD']);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain('"user":"ada"');
    expect(commands).toEqual([]);
  });

  it('gives the session who a token says the client is, never the token, and nothing at all of a bad one', () => {
    const { handle, commands } = setUp();
    const heard: unknown[] = [];
    const token = tokenOf('ada');
    handle(['auth:refresh', { token }, (answer: unknown) => heard.push(answer)]);
    expect(commands).toMatchObject([{ type: 'auth.refresh', identity: { userId: 'ada' } }]);
    expect(JSON.stringify(commands)).not.toContain(token);
    for (const bad of [token.slice(0, -2), 'x', `${token}x`])
      handle(['auth:refresh', { token: bad }, (answer: unknown) => heard.push(answer)]);
    expect(commands).toHaveLength(1);
    expect(heard).toHaveLength(3);
    for (const answer of heard) expect(answer).toMatchObject({ ok: false, error: { code: 'UNAUTHENTICATED', retryable: false } });
  });

  it('carries out nothing that the seat refuses, and says when to come again', () => {
    const refusal = { code: 'RATE_LIMITED', message: 'too many', retryable: true, retryAfterMs: 70 } as const;
    const { handle, commands } = setUp(undefined, { refusalOfCommand: () => refusal });
    const heard: unknown[] = [];
    handle(['typing', { room: 'r' }, (answer: unknown) => heard.push(answer)]);
    expect(heard).toEqual([{ ok: false, error: refusal }]);
    expect(commands).toEqual([]);
  });

  it('counts bad tokens of a refresh, and looks at none while there were too many', () => {
    let bad = 0;
    let waitMs: number | undefined;
    const { handle, commands } = setUp(undefined, {
      badToken: () => {
        bad += 1;
      },
      badTokenWaitMs: () => waitMs,
    });
    const heard: unknown[] = [];
    const refresh = (token: string) => handle(['auth:refresh', { token }, (answer: unknown) => heard.push(answer)]);
    refresh('x');
    expect(bad).toBe(1);
    waitMs = 500;
    refresh(tokenOf('ada'));
    expect(heard[1]).toMatchObject({ ok: false, error: { code: 'RATE_LIMITED', retryAfterMs: 500 } });
    expect(commands).toEqual([]);
  });

  it('survives packets that socket.io would not make', () => {
    const { handle, commands } = setUp();
    for (const packet of [[], [undefined], ['typing'], [null, null], [() => 0], [Symbol.iterator, {}, () => 0], ['typing', () => 0]]) {
      expect(() => handle(packet)).not.toThrow();
    }
    expect(commands).toEqual([]);
  });
});
