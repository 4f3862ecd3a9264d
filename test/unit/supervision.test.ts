/**
 * Supervision: real lines fit the schema, hold no bodies, and a flood is counted; the restart decision; the process guard.
 */
import { afterEach, describe, expect, it } from 'vitest';
import {
  type ActorRef,
  type ActorSystem,
  type Behaviour,
  callbackRef,
  createActorSystem,
  report,
  spawn,
  stopActor,
  tell,
} from '../../system/actor.ts';
import { describeCause } from '../../system/cause.ts';
import { assertNever } from '../../system/errors.ts';
import { createLogger } from '../../system/logger.ts';
import {
  createSupervision,
  decideRestart,
  installProcessGuard,
  type SupervisionLine,
  supervisionEvents,
  supervisionLineSchema,
} from '../../system/supervision.ts';
import { manualClock, turns } from '../support/manual-clock.ts';

function newLog() {
  const written: string[] = [];
  const log = createLogger({
    level: 'debug',
    base: { node: 'n1', inc: 'n1.x' },
    destination: { write: (line: string) => void written.push(line) },
  });
  return { log, written, lines: (): SupervisionLine[] => written.map((line) => supervisionLineSchema.parse(JSON.parse(line))) };
}
let system: ActorSystem | undefined;
afterEach(() => void system?.stop(0));
function newSystem() {
  const clock = manualClock();
  const sink = newLog();
  system = createActorSystem({ clock, log: sink.log });
  return { system, clock, ...sink };
}

type Msg = { readonly type: 'say' | 'crash' | 'choke'; readonly text: string };
const room: Behaviour<number, Msg> = {
  kind: 'room',
  start: () => 0,
  receive(n, msg) {
    if (msg.type === 'crash') throw new Error('told to');
    if (msg.type === 'choke') assertNever(msg as never);
    return n + 1;
  },
  describe: (n) => ({ room: 'r1', session: 's1', handled: n }),
};
const restarts = { restartsMax: 2, windowMs: 10_000, backoffMs: 100, backoffMaxMs: 1_000 } as const;

describe('the supervision line', () => {
  it('every line of an actor’s life fits the schema, in order, with the fields of describe', async () => {
    const { system, clock, lines } = newSystem();
    const ref = spawn(system, room, { name: 'r1', mailboxMax: 10, restarts });
    tell(ref, { type: 'say', text: 'x' });
    for (let n = 0; n < 3; n += 1) {
      tell(ref, { type: 'crash', text: 'x' });
      await turns();
      clock.advance(1_100);
    }
    tell(ref, { type: 'say', text: 'x' });
    const seen = lines();
    expect(seen.map(({ ev, decision, restarts: n, delayMs }) => [ev, decision, n, delayMs].filter((x) => x !== undefined))).toEqual([
      ['actor.spawn'],
      ['actor.crash', 'restart', 0, 100],
      ['actor.restart', 1],
      ['actor.crash', 'restart', 1, 200],
      ['actor.restart', 2],
      ['actor.crash', 'stop', 2],
      ['actor.stop', 'crashed'],
      ['deadletter', 'stopped'],
    ]);
    expect(seen[1]).toMatchObject({
      v: 1,
      node: 'n1',
      inc: 'n1.x',
      path: '/r1',
      kind: 'room',
      msgType: 'crash',
      room: 'r1',
      session: 's1',
      about: { handled: 1 },
      windowMs: 10_000,
      cause: { name: 'Error', msg: 'told to' },
    });
    expect(seen[1]?.cause?.stack).toContain('supervision.test.ts');
  });

  it('no line holds a message body, even when the error quotes it', async () => {
    const { system, written } = newSystem();
    const secret = 'the-secret-text';
    const ref = spawn(system, room, { name: 'r1', mailboxMax: 3, restarts: 'never' });
    for (const type of ['choke', 'say', 'say'] as const) tell(ref, { type, text: secret });
    await turns();
    tell(ref, { type: 'say', text: secret });
    tell(
      callbackRef<Msg>('edge', (msg) => JSON.parse(`{${msg.text}`)),
      { type: 'say', text: secret },
    );
    tell(
      spawn(
        system,
        {
          ...room,
          receive: (_n, msg) => {
            throw msg;
          },
        },
        { name: 'r2', mailboxMax: 3, restarts: 'never' },
      ) as ActorRef<Msg>,
      { type: 'say', text: secret },
    );
    await turns();
    expect(written.length).toBeGreaterThan(6);
    expect(written.filter((line) => line.includes('secret-text'))).toEqual([]);
    expect(describeCause(new Error('a "quoted text" and {"a":1} x')).msg).toBe('a "…" and {…}');
    expect(describeCause('thrown text')).toEqual({ name: '(string)', msg: '', stack: '' });
  });

  it('a line stays below 8 kB whatever it is given', () => {
    const { log, written, lines } = newLog();
    const cause = new Error('m'.repeat(100_000));
    cause.stack = `Error\n${'    at f (file.ts:1:1)\n'.repeat(10_000)}`;
    const about = Object.fromEntries(Array.from({ length: 50 }, (_, n) => [`field-${n}`, 'v'.repeat(10_000)]));
    createSupervision({ clock: manualClock(), log }).emit({
      ev: 'link.down',
      path: 'p'.repeat(9_000),
      kind: 'k'.repeat(9_000),
      msgType: 't'.repeat(9_000),
      cause,
      about,
    });
    expect(lines().length).toBe(1);
    expect(Buffer.byteLength(written[0] ?? '')).toBeLessThan(8_192);
  });

  it('a flood of one line is written once and then counted once a second, the newest kept', () => {
    const { log, lines } = newLog();
    const clock = manualClock();
    const supervision = createSupervision({ clock, log });
    const emit = (n: number) => supervision.emit({ ev: 'deadletter', path: `/rooms/r${n}`, kind: 'room', msgType: 'say' });
    for (let n = 0; n < 1_000; n += 1) emit(n);
    expect(lines().length).toBe(1);
    clock.advance(1_000);
    expect(lines().at(-1)).toMatchObject({ path: '/rooms/r999', suppressed: 999 });
    emit(1);
    supervision.emit({ ev: 'deadletter', path: '/rooms/r1', kind: 'room', msgType: 'other' });
    expect(lines().length).toBe(3);
    supervision.flush();
    expect(lines().at(-1)).toMatchObject({ msgType: 'say', suppressed: 1 });
    expect(clock.pending()).toBe(0);
    emit(1);
    clock.advance(5_000);
    expect([lines().length, clock.pending()]).toEqual([5, 0]);
  });

  it('a flood of different kinds is a flood too', () => {
    const { log, lines } = newLog();
    const supervision = createSupervision({ clock: manualClock(), log });
    for (let n = 0; n < 5_000; n += 1) supervision.emit({ ev: 'deadletter', path: '/', kind: 'room', msgType: `t${n}` });
    expect(lines().length).toBeLessThan(1_100);
    supervision.flush();
    expect(lines().at(-1)?.suppressed ?? 0).toBeGreaterThan(3_000);
  });

  it('mailbox.high comes once per crossing of 80 %', async () => {
    const { system, clock, lines } = newSystem();
    const ref = spawn(system, room, { name: 'r1', mailboxMax: 10, restarts });
    const fill = (count: number) => {
      for (let n = 0; n < count; n += 1) tell(ref, { type: 'say', text: 'x' });
    };
    const highs = () => lines().filter(({ ev }) => ev === 'mailbox.high');
    fill(7);
    expect(highs()).toEqual([]);
    fill(3);
    expect(highs()).toMatchObject([{ mailbox: 8, path: '/r1', level: 40 }]);
    await turns();
    clock.advance(1_001);
    fill(10);
    expect(highs().length).toBe(2);
  });

  it('an actor’s own report has its path, kind and fields; every event of the schema can be written', () => {
    const { system, lines } = newSystem();
    const ref = spawn(system, room, { name: 'r1', mailboxMax: 10, restarts });
    report(ref, { ev: 'actor.quarantine', delayMs: 5_000 });
    for (const ev of supervisionEvents) system.supervision.emit({ ev, path: '/', kind: 'node' });
    expect(lines()[1]).toMatchObject({ ev: 'actor.quarantine', path: '/r1', room: 'r1', delayMs: 5_000, level: 50 });
    expect(
      lines()
        .slice(2)
        .map(({ ev }) => ev),
    ).toEqual([...supervisionEvents]);
  });

  it('a log that throws stops nobody', async () => {
    const { log } = newLog();
    const boom = () => {
      throw new Error('disk full');
    };
    const broken = createActorSystem({
      clock: manualClock(),
      log: { ...log, debug: boom, error: boom, warn: boom, info: boom, isLevelEnabled: () => true, child: boom } as never,
    });
    const ref = spawn(broken, room, { name: 'r1', mailboxMax: 10, restarts: 'never' });
    tell(ref, { type: 'crash', text: 'x' });
    await turns();
    await stopActor(ref, { drain: true, deadlineMs: 10 });
    expect(broken.stats()).toMatchObject({ crashes: 1, stopped: 1 });
  });
});

describe('the restart decision', () => {
  it.each([
    ['first crash', [], 0, 'restart', 100],
    ['second in the window', [0], 1, 'restart', 200],
    ['doubling stops at the bound', [0, 1, 2], 3, 'restart', 500],
    ['used up', [0, 1, 2, 3], 4, 'stop', undefined],
    ['all but one are old', [0, 1, 2, 3], 1_003, 'restart', 100],
  ] as const)('%s', (_name, crashesMs, nowMs, decision, delayMs) => {
    const next = decideRestart({ restartsMax: 4, windowMs: 1_000, backoffMs: 100, backoffMaxMs: 500 }, crashesMs, nowMs);
    expect([next.decision, next.decision === 'restart' ? next.delayMs : undefined]).toEqual([decision, delayMs]);
    expect(next.crashesMs.length).toBeLessThanOrEqual(5);
  });
  it('never means never', () => {
    expect(decideRestart('never', [], 0).decision).toBe('stop');
  });
});

describe('the process guard', () => {
  it('turns faults of the process into one line each and one callback in all', () => {
    const { log, lines } = newLog();
    const told: unknown[] = [];
    // Vitest listens too; only the guard's own listeners are called here.
    const before = new Set([...process.listeners('uncaughtException'), ...process.listeners('unhandledRejection')]);
    const remove = installProcessGuard(log, (error) => {
      told.push(error);
      throw new Error('main is broken too');
    });
    const added = <F>(listeners: F[]) => listeners.filter((listener) => !before.has(listener as never));
    const [onException] = added(process.listeners('uncaughtException'));
    const [onRejection] = added(process.listeners('unhandledRejection'));
    const first = new Error('first');
    onException?.(first, 'uncaughtException');
    onRejection?.(undefined, Promise.resolve());
    remove();
    expect(added(process.listeners('uncaughtException'))).toEqual([]);
    expect(told).toEqual([first]);
    expect(lines().map(({ ev, state, level }) => [ev, state, level])).toEqual([
      ['node.state', 'uncaughtException', 50],
      ['node.state', 'onFatal', 50],
      ['node.state', 'unhandledRejection', 50],
    ]);
  });
});
