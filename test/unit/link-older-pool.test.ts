/** OlderPool: what is said on which connection to an older server, and when one is given up; on a clock the test moves. */
import { describe, expect, it } from 'vitest';
import { olderAnswer } from '../../system/state/link-greeting-state.ts';
import { OlderRoster } from '../../system/state/link-older-roster-state.ts';
import { type OlderEffect, OlderPool } from '../../system/state/link-older-state.ts';
import { linkTimes } from '../../system/state/link-times.ts';
import { liveSession } from '../support/state-link-listener.ts';

const done = '반환메세지';

class Stage {
  readonly roster = new OlderRoster(100);
  readonly pool: OlderPool;
  nowMs = 0;
  private seen: string[] = [];

  constructor(connections: number) {
    this.pool = new OlderPool({ roster: this.roster, times: linkTimes, random: () => 0.5, connections }, 0);
    this.turn();
  }

  turn(happens: (pool: OlderPool, nowMs: number) => void = () => {}): void {
    happens(this.pool, this.nowMs);
    this.pool.flush(this.nowMs);
    this.seen.push(...this.pool.take().map(inWords));
  }

  did(): readonly string[] {
    const { seen } = this;
    this.seen = [];
    return seen;
  }

  proves(slot: number): void {
    this.turn((pool) => pool.connected(slot, this.nowMs));
    this.hears(slot, olderAnswer);
  }

  hears(slot: number, text: string | undefined): void {
    this.turn((pool) => pool.heard(slot, text, this.nowMs));
  }

  pass(ms: number): void {
    const untilMs = this.nowMs + ms;
    for (;;) {
      const wakeAtMs = this.pool.wakeAtMs;
      if (wakeAtMs === undefined || wakeAtMs > untilMs) break;
      this.nowMs = Math.max(this.nowMs, wakeAtMs);
      this.turn((pool) => pool.tick(this.nowMs));
    }
    this.nowMs = untilMs;
  }
}

function inWords(effect: OlderEffect): string {
  if (effect.type === 'send') return `${effect.slot} ${/type='(\w+)'/.exec(effect.line)?.[1]}`;
  return effect.type === 'ended' ? `ended: ${effect.why}` : `${effect.slot} ${effect.type}`;
}

describe('the connections to an older server', () => {
  it('are asked whether they live before they are used, then share the work, one request each', () => {
    const stage = new Stage(2);
    for (const name of ['a', 'b', 'c']) stage.roster.put(liveSession(`s-${name}`, name));
    stage.turn((pool) => pool.connected(0, 0));
    expect(stage.did()).toEqual(['0 connect', '1 connect', '0 question']);
    stage.hears(0, olderAnswer);
    stage.proves(1);
    expect(stage.did()).toEqual(['0 login', '1 question', '1 login']);
    stage.hears(1, done);
    expect([stage.did(), stage.pool.isTold]).toEqual([['1 login'], false]);
    stage.hears(0, done);
    stage.hears(1, done);
    expect([stage.did(), stage.pool.isTold]).toEqual([[], true]);
  });

  it('are at most ten', () => {
    expect(new Stage(50).did()).toHaveLength(10);
  });

  it.each([
    ['a line nobody asked for', undefined, olderAnswer],
    ['what belongs to another request', 'a', 'null,null'],
    ['no text', 'a', undefined],
  ])('are thrown away after %s, and what was under way is asked again on another one', (_, busyWith, text) => {
    const stage = new Stage(2);
    stage.proves(0);
    stage.proves(1);
    if (busyWith) stage.turn(() => stage.roster.put(liveSession('s', busyWith)));
    stage.did();
    stage.hears(0, text);
    expect(stage.did()).toEqual(busyWith ? ['0 cut', '1 login'] : ['0 cut']);
    stage.pass(50);
    expect(stage.did()).toEqual(['0 connect']);
    // The late answer to what was asked on the connection before is no answer on this one.
    stage.turn((pool) => pool.heard(0, done, stage.nowMs));
    expect(stage.did()).toEqual([]);
  });

  it('that give no answer in 10 s are replaced, and the server is not taken for gone', () => {
    const stage = new Stage(1);
    stage.proves(0);
    stage.turn(() => stage.roster.put(liveSession('s', 'a')));
    stage.did();
    stage.pass(9_999);
    expect(stage.did()).toEqual([]);
    stage.pass(1);
    expect(stage.did()).toEqual(['0 cut', '0 connect']);
    stage.proves(0);
    expect(stage.did()).toEqual(['0 question', '0 login']);
  });

  it('that were idle for 30 s are asked whether they live', () => {
    const stage = new Stage(1);
    stage.proves(0);
    stage.did();
    stage.pass(30_000);
    expect(stage.did()).toEqual(['0 question']);
    stage.hears(0, olderAnswer);
    stage.pass(30_000 + linkTimes.greetMs - 1);
    expect(stage.did()).toEqual(['0 question']);
    stage.pass(1);
    expect(stage.did()).toEqual(['0 cut', '0 cut', 'ended: no answer within 2000 ms']);
  });

  it('may be lost one at a time; without any left it is over, and the reason is that of the last', () => {
    const stage = new Stage(2);
    stage.proves(0);
    stage.proves(1);
    stage.did();
    stage.turn((pool) => pool.closed(0, 'ECONNRESET', 0));
    expect(stage.did()).toEqual([]);
    stage.pass(60);
    stage.turn((pool) => pool.closed(0, 'ECONNREFUSED', stage.nowMs));
    stage.turn((pool) => pool.closed(1, 'closed', stage.nowMs));
    expect(stage.did()).toEqual(['0 connect', '0 cut', '1 cut', 'ended: closed']);
    expect(stage.pool.wakeAtMs).toBeUndefined();
  });

  it('end when everybody is logged out, or at the deadline', () => {
    for (const isAnswered of [true, false]) {
      const stage = new Stage(1);
      stage.roster.put(liveSession('s', 'a'));
      stage.proves(0);
      stage.hears(0, done);
      stage.did();
      stage.turn((pool) => pool.drain(700));
      expect(stage.did()).toEqual(['0 logout']);
      if (isAnswered) stage.hears(0, 'a,home');
      else stage.pass(700);
      expect(stage.did()).toEqual(['0 cut', 'ended: drained']);
    }
  });
});
