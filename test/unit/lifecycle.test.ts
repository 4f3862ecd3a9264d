/**
 * How a node stops: the order, what a step that fails or hangs does to the others, and what is said of it.
 */
import { describe, expect, it } from 'vitest';
import { drainSpreadMs, reconnectInMs } from '../../actors/drain-spread.ts';
import { Lifecycle, type StopStep } from '../../system/lifecycle.ts';
import { createLogger } from '../../system/logger.ts';
import { stopSteps } from '../../system/stop-steps.ts';
import { createSupervision } from '../../system/supervision.ts';
import { manualClock, turns } from '../support/manual-clock.ts';

function setUp() {
  const clock = manualClock();
  const lines: Record<string, unknown>[] = [];
  const log = createLogger({ level: 'info', base: {}, destination: { write: (line: string) => void lines.push(JSON.parse(line)) } });
  const lifecycle = new Lifecycle({ supervision: createSupervision({ clock, log }), clock, log });
  lifecycle.enter('up');
  return { clock, lines, lifecycle };
}

/** Parts that note when they are called, and are done a turn later. */
function recordedParts(lifecycle: Lifecycle) {
  const calls: string[] = [];
  const note = (what: string) => async (): Promise<void> => {
    calls.push(`${what} begins while ${lifecycle.state}`);
    await turns(1);
    calls.push(`${what} ends`);
  };
  const parts = {
    server: { stopAccepting: () => void calls.push('no more handshakes'), close: note('sockets') },
    gateway: { drain: () => void calls.push('clients are told') },
    actors: { stop: note('rooms') },
    outside: { drain: note('services outside') },
    wire: { close: note('wire') },
    cluster: { close: note('links') },
    presence: { drain: note('presence') },
    shared: { close: note('cluster') },
    measuring: [{ stop: () => void calls.push('measuring') }],
    revocations: { stop: () => void calls.push('revocations') },
    store: { close: note('store') },
  };
  return { calls, parts };
}

describe('a node that stops', () => {
  it('does one thing after the other: clients first, the store last', async () => {
    const { lifecycle, lines } = setUp();
    const { calls, parts } = recordedParts(lifecycle);
    expect(await lifecycle.stop(stopSteps(parts, 15_000))).toBe(true);
    expect(calls).toEqual([
      'no more handshakes',
      'clients are told',
      'rooms begins while draining',
      'rooms ends',
      'sockets begins while draining',
      'sockets ends',
      'links begins while draining',
      'links ends',
      'services outside begins while draining',
      'services outside ends',
      'presence begins while draining',
      'presence ends',
      'wire begins while draining',
      'wire ends',
      'cluster begins while draining',
      'cluster ends',
      'measuring',
      'revocations',
      'store begins while draining',
      'store ends',
    ]);
    expect(lines.filter(({ ev }) => ev === 'node.state').map(({ state }) => state)).toEqual(['up', 'draining', 'down']);
  });

  it('goes on past a step that hangs or fails, names it, and has not stopped cleanly', async () => {
    const { clock, lifecycle, lines } = setUp();
    const done: string[] = [];
    const steps: StopStep[] = [
      { name: 'hangs', deadlineMs: 1_000, run: () => new Promise(() => {}) },
      {
        name: 'fails',
        deadlineMs: 1_000,
        run() {
          throw new Error('broken');
        },
      },
      { name: 'last', deadlineMs: 1_000, run: () => void done.push('last') },
    ];
    const stopped = lifecycle.stop(steps);
    await turns(2);
    expect(done).toEqual([]);
    clock.advance(1_000);
    expect(await stopped).toBe(false);
    expect(done).toEqual(['last']);
    const named = lines.filter(({ outcome }) => outcome !== undefined).map(({ step, outcome }) => [step, outcome]);
    expect(named).toEqual([
      ['hangs', 'late'],
      ['fails', 'failed'],
    ]);
    expect([lifecycle.state, clock.pending()]).toEqual(['down', clock.pending()]);
  });

  it('gives its clients times to come back that are spread over three seconds, one alone none', () => {
    const waits = Array.from({ length: 300 }, (_, index) => reconnectInMs(index, 300));
    expect([waits[0], waits[150], waits[299]]).toEqual([0, drainSpreadMs / 2, 2_990]);
    expect(new Set(waits).size).toBe(300);
    expect(reconnectInMs(0, 1)).toBe(0);
  });
});
