/**
 * What the state server says of voice channels to nodes: whose word counts, when somebody may be missing, what there is room for.
 */
import { describe, expect, it } from 'vitest';
import { lineBytesMax, type NodeRequest } from '../../system/state/state-lines.ts';
import { voicePlace } from '../../system/state/state-link.ts';
import { voiceLines } from '../../system/state/state-rows.ts';
import { StateServerState } from '../../system/state/state-server-state.ts';
import { testLimits } from '../support/state-limits.ts';

function table(limits = {}, settleMs?: number) {
  const server = new StateServerState(testLimits(limits), settleMs === undefined ? {} : { startedAtMs: 0, settleMs });
  let ids = 0;
  const say = (life: string, line: Record<string, unknown>, nowMs = 0) =>
    server.apply(life, { ...line, id: ++ids } as unknown as NodeRequest, nowMs);
  const join = (node: string): string => {
    const hello = server.hello(node, `${node}.1`, 0);
    if (!hello.ok) throw new Error(hello.refused.code);
    say(hello.life, { type: 'snapshot', first: true, last: true, sessions: [], watch: [] });
    return hello.life;
  };
  const told = (community: string, nowMs = 0) => server.voiceLines(community, nowMs).flatMap(({ channels }) => channels);
  return { server, say, join, told };
}
const enter = (user: string, community = '3', channel = 'x') => ({
  type: 'sessions',
  put: [[`v-${user}`, user, voicePlace(community, channel)]],
  gone: [],
});

describe('voice channels at the state server', () => {
  it('are those of all nodes together, and of older clients, who name a channel by its number', () => {
    const { server, say, join, told } = table();
    say(join('a'), enter('ada', '3', '31'));
    say(join('b'), enter('bob', '3', '31'));
    server.answer({ type: 'enter', user: '7', community: '3', place: 'com3,c-31' }, 0);
    expect(told('3')).toEqual([['31', ['ada', 'bob', '7']]]);
    expect(server.answer({ type: 'before-enter', community: '3' }, 0).reply).toBe('{"31":["ada","bob","7"]}');
  });

  it('are told to the lives that watch the community, when somebody comes or goes, and to no other', () => {
    const { server, say, join } = table();
    const [a, b] = [join('a'), join('b')];
    expect(say(b, { type: 'voice', on: ['3'], off: [] })).toMatchObject({ line: { type: 'ok' }, pushVoice: new Set(['3']) });
    say(a, enter('ada'));
    expect([...server.takeVoiceChanges()]).toEqual(['3']);
    expect([...server.takeVoiceChanges()]).toEqual([]);
    expect([...server.voiceWatchersOf('3')]).toEqual([b]);
    say(a, enter('ada'));
    expect([...server.takeVoiceChanges()]).toEqual([]);
    say(b, { type: 'voice', on: [], off: ['3'] });
    expect([...server.voiceWatchersOf('3')]).toEqual([]);
  });

  it('lose a node that was lost when its grace is over, and a watch with its connection', () => {
    const { server, say, join, told } = table();
    const [a, b] = [join('a'), join('b')];
    say(a, { type: 'voice', on: ['3'], off: [] });
    say(a, enter('ada'));
    server.takeVoiceChanges();
    server.left(a);
    expect([...server.voiceWatchersOf('3')]).toEqual([]);
    say(b, { type: 'ping' }, 7_000);
    server.expire(7_999);
    expect(told('3')).toEqual([['x', ['ada']]]);
    server.expire(8_000);
    expect(told('3')).toEqual([]);
    expect([...server.takeVoiceChanges()]).toEqual(['3']);
  });

  it('may lack somebody while nodes come back to a server that has just started, and say so', () => {
    const { server } = table({}, 8_000);
    expect(server.voiceLines('3', 7_999)).toMatchObject([{ whole: false }]);
    expect(server.voiceLines('3', 8_000)).toMatchObject([{ whole: true, first: true, last: true, channels: [] }]);
  });

  it('are watched by a node up to its bound; more is refused', () => {
    const { say, join } = table({ voiceWatchedMax: 2 });
    const a = join('a');
    expect(say(a, { type: 'voice', on: ['1', '2'], off: [] }).line.type).toBe('ok');
    expect(say(a, { type: 'voice', on: ['3'], off: [] }).line).toMatchObject({ type: 'refused', code: 'FULL' });
  });

  it('take as many lines as they need, none too long, and lose nobody between them', () => {
    const users = Array.from({ length: 3_000 }, (_, i) => `${'u'.repeat(58)}-${i}`);
    const occupied: [string, string[]][] = [
      ['x'.repeat(64), users.slice(0, 1_500)],
      ['y', users.slice(1_500, 1_501)],
      ['z'.repeat(64), users.slice(1_501)],
    ];
    const lines = voiceLines('c'.repeat(128), true, occupied);
    expect(lines.length).toBeGreaterThan(2);
    for (const [at, line] of lines.entries()) {
      expect(Buffer.byteLength(JSON.stringify(line)) + 2).toBeLessThanOrEqual(lineBytesMax);
      expect([line.first, line.last]).toEqual([at === 0, at === lines.length - 1]);
    }
    const back = new Map<string, string[]>();
    for (const [channel, some] of lines.flatMap(({ channels }) => channels)) back.set(channel, [...(back.get(channel) ?? []), ...some]);
    expect([...back]).toEqual(occupied);
  });
});
