/**
 * Older clients on a real state server: each row of the table of requests and replies, as bytes over TCP.
 */
import { afterEach, describe, expect, it } from 'vitest';
import type { LineClient } from '../support/line-client.ts';
import { type StateServerStage, startStateStage } from '../support/state-server-stage.ts';

let stage: StateServerStage;
const start = async (given?: Parameters<typeof startStateStage>[0]): Promise<LineClient> => {
  stage = await startStateStage(given);
  return stage.open();
};
afterEach(() => stage.stop());

const done = '반환메세지';
/** As the older chat server writes it: six fields, a missing one as the word null. */
const older = (fields: Record<string, string>, ids = 'null'): string =>
  `{${['type', 'session_id', 'user_id', 'channel_id', 'community_id'].map((name) => `${name}='${fields[name] ?? 'null'}'`).join(', ')}, ids=${ids}}`;
const login = (session: string, user: string) => older({ type: 'login', session_id: session, user_id: user });
const logout = (session: string) => older({ type: 'logout', session_id: session });
const move = (user: string, place: string) => older({ type: 'state', user_id: user, channel_id: place });
const enter = (user: string, community: string, channel: string) =>
  older({ type: 'enter', user_id: user, community_id: community, channel_id: channel });
const beforeEnter = (community: string) => older({ type: 'before-enter', user_id: '1', community_id: community });
const at = (place: string, ids: string) => older({ type: 'direct', channel_id: place }, ids);

/** Each pair: what is said, what is answered, in this order over one connection. */
type Talk = readonly (readonly [said: string, answered: string])[];

describe('a line of before and its reply', () => {
  it.each<[string, Talk]>([
    ['login', [[login('S', '1'), done]]],
    ['login without a session', [[older({ type: 'login', user_id: '1' }), done]]],
    ['login without a user', [[older({ type: 'login', session_id: 'S' }), done]]],
    [
      'logout, and a second time',
      [
        [login('S', '1'), done],
        [logout('S'), '1,home'],
        [logout('S'), 'null,null'],
      ],
    ],
    ['logout of an unknown session', [[logout('nobody'), 'null,null']]],
    ['logout without a session', [[older({ type: 'logout' }), 'null,null']]],
    [
      'logout from a direct room',
      [
        [login('S', '1'), done],
        [move('1', 'r-7'), 'home,r-7'],
        [logout('S'), '1,r-7'],
      ],
    ],
    [
      'logout from a voice channel: three parts',
      [
        [login('S', '1'), done],
        [enter('1', '3', 'c-31'), '{"31":["1"]}'],
        [logout('S'), '1,com3,c-31'],
        [beforeEnter('3'), '{"31":[]}'],
      ],
    ],
    [
      'state, from home on',
      [
        [login('S', '1'), done],
        [move('1', 'r-7'), 'home,r-7'],
        [move('1', 'c-5'), 'r-7,c-5'],
        [move('1', 'home'), 'c-5,home'],
      ],
    ],
    ['state of somebody not logged in', [[move('1', 'r-7'), 'null,r-7']]],
    ['state without a place', [[older({ type: 'state', user_id: '1' }), 'null,null']]],
    [
      'state after voice: three parts, and the channel is left',
      [
        [login('S', '1'), done],
        [enter('1', '3', 'c-31'), '{"31":["1"]}'],
        [move('1', 'c-9'), 'com3,c-31,c-9'],
        [beforeEnter('3'), '{"31":[]}'],
      ],
    ],
    [
      'direct: who is not in that place, order and doubles kept',
      [
        [login('S1', '1'), done],
        [login('S2', '2'), done],
        [move('1', 'r-7'), 'home,r-7'],
        [move('2', 'r-7'), 'home,r-7'],
        [at('r-7', '[1, 2, 3]'), '[3]'],
        [at('r-7', '[4, 1, 3, 4]'), '[4, 3, 4]'],
        [at('r-7', '[1, 2]'), '[]'],
        [at('r-7', '[]'), '[]'],
        [at('r-7', '["3", "1"]'), '[3]'],
        [older({ type: 'community', channel_id: 'r-7' }, '[3, 1]'), '[3]'],
      ],
    ],
    [
      'direct and community with the room in community_id, as the older chat server sends it: always all ids',
      [
        [login('S1', '1'), done],
        [move('1', 'r-7'), 'home,r-7'],
        [older({ type: 'direct', community_id: 'r-7' }, '[2, 3, 1]'), '[2, 3, 1]'],
        [older({ type: 'community', community_id: 'c-7' }, '[2, 3]'), '[2, 3]'],
      ],
    ],
    ['direct without ids', [[older({ type: 'direct', channel_id: 'r-7' }), '[]']]],
    ['direct with ids that are no whole numbers', [[at('r-7', '[1, x]'), '[]']]],
    ['before-enter of an empty community', [[beforeEnter('3'), '{}']]],
    [
      'enter, and moving between channels: an emptied channel stays',
      [
        [enter('1', '3', 'c-31'), '{"31":["1"]}'],
        [enter('2', '3', 'c-32'), '{"31":["1"],"32":["2"]}'],
        [beforeEnter('3'), '{"31":["1"],"32":["2"]}'],
        [enter('1', '3', 'c-32'), '{"31":[],"32":["2","1"]}'],
        [enter('2', '4', 'c-41'), '{"41":["2"]}'],
        [beforeEnter('3'), '{"31":[],"32":["1"]}'],
      ],
    ],
    ['enter without a dash', [[enter('1', '3', '31'), '{}']]],
    [
      'community 3 beside community 31: each lists its own',
      [
        [enter('1', '31', 'c-311'), '{"311":["1"]}'],
        [beforeEnter('3'), '{}'],
        [enter('2', '3', 'c-31'), '{"31":["2"]}'],
        [beforeEnter('31'), '{"311":["1"]}'],
      ],
    ],
    [
      'signaling of a community: the user has left the call',
      [
        [login('S', '1'), done],
        [enter('1', '3', 'c-31'), '{"31":["1"]}'],
        ["{type='signaling', user_id='1', community_id='3', channel_id='c-31'}", done],
        [beforeEnter('3'), '{"31":[]}'],
        [logout('S'), '1,home'],
      ],
    ],
    [
      'signaling that comes late, of a channel the user has left for another',
      [
        [enter('1', '3', 'c-31'), '{"31":["1"]}'],
        [enter('1', '3', 'c-32'), '{"31":[],"32":["1"]}'],
        ["{type='signaling', user_id='1', community_id='3', channel_id='c-31'}", done],
        [beforeEnter('3'), '{"31":[],"32":["1"]}'],
      ],
    ],
    ['signaling of a direct room', [["{type='signaling', user_id='1', community_id='null', channel_id='r-7'}", done]]],
    ['any other type', [[older({ type: 'whatever' }), done]]],
    ['hello without a version', [['{"type":"hello","node":"a"}', done]]],
    [
      'no type, bad JSON, null, a list, an empty line: answered, and the connection goes on',
      [
        [older({}), done],
        ['{"type":', done],
        ['null', done],
        ['[]', done],
        ['', done],
        [login('S', '1'), done],
        [logout('S'), '1,home'],
      ],
    ],
    [
      'strict JSON',
      [
        ['{"type":"login","session_id":"S","user_id":"1","channel_id":null,"community_id":null,"ids":null}', done],
        ['{"type":"state","user_id":1,"channel_id":"r-7"}', 'home,r-7'],
      ],
    ],
    ['LF only: kept until a CRLF comes', [[`${login('S', '1')}\n`, done]]],
  ])('%s', async (_what, talk) => {
    const client = await start();
    for (const [said, answered] of talk) expect(await client.ask(said), said).toBe(answered);
    client.say(...talk.map(([said]) => said));
    for (const _ of talk) await client.line();
    expect(client.lines, 'nothing was said that was not asked for').toEqual([]);
  });

  it('may come in pieces, and may be one of many in one piece: answered in order', async () => {
    const client = await start();
    const text = Array.from({ length: 500 }, (_, i) => `${login(`S${i}`, `${i}`)}\r\n${logout(`S${i}`)}\r\n`).join('');
    const bytes = Buffer.from(text);
    for (let from = 0; from < bytes.length; from += 777) client.raw(bytes.subarray(from, from + 777));
    for (let i = 0; i < 500; i += 1) {
      expect(await client.line()).toBe(done);
      expect(await client.line()).toBe(`${i},home`);
    }
  });

  it('of 100,000 ids is answered', async () => {
    const client = await start();
    await client.ask(login('S', '10000007'));
    await client.ask(move('10000007', 'r-7'));
    const ids = Array.from({ length: 100_000 }, (_, i) => String(10_000_000 + i));
    const expected = `[${ids.filter((id) => id !== '10000007').join(', ')}]`;
    expect((await client.ask(at('r-7', `[${ids.join(', ')}]`))) === expected).toBe(true);
  });

  it('that is the last before the client ends is answered', async () => {
    const client = await start();
    client.socket.end(`${login('S', '1')}\r\n${logout('S')}\r\n`);
    expect(await client.end()).toEqual([done, '1,home']);
  });
});

describe('right here, wrong there', () => {
  it('a second login of the same user leaves no ghost, and the first logout does not take them offline', async () => {
    const client = await start();
    const watcher = await stage.node('a');
    await watcher.request({ type: 'watch', id: 1, on: ['1'], off: [] });
    await client.ask(login('S1', '1'));
    await client.ask(login('S2', '1'));
    expect(await client.ask(logout('S1'))).toBe('1,home');
    expect(stage.transitions).toEqual([{ user: '1', state: 'online' }]);
    expect(await client.ask(logout('S2'))).toBe('1,home');
    expect(stage.transitions).toEqual([
      { user: '1', state: 'online' },
      { user: '1', state: 'offline' },
    ]);
    expect(stage.server.counts()).toMatchObject({ sessions: 0, users: 0 });
  });

  it('a login that is repeated is one session', async () => {
    const client = await start();
    await client.ask(login('S1', '1'));
    await client.ask(move('1', 'r-7'));
    await client.ask(login('S1', '1'));
    expect(await client.ask(logout('S1'))).toBe('1,r-7');
    expect(stage.server.counts().sessions).toBe(0);
  });

  it('forty that enter one channel at once are all counted', async () => {
    const first = await start();
    const clients = await Promise.all(Array.from({ length: 40 }, () => stage.open()));
    const maps = await Promise.all(clients.map((client, i) => client.ask(enter(`${i}`, '3', 'c-31'))));
    const counts = maps.map((map) => (JSON.parse(map) as { 31: string[] })[31].length).sort((a, b) => a - b);
    expect(counts).toEqual(Array.from({ length: 40 }, (_, i) => i + 1));
    expect((JSON.parse(await first.ask(beforeEnter('3'))) as { 31: string[] })[31].sort()).toEqual(clients.map((_, i) => `${i}`).sort());
  });

  it('a login over one connection and the logout over another, as a pool does it', async () => {
    const client = await start();
    const other = await stage.open();
    await client.ask(login('S', '1'));
    await client.close();
    expect(await other.ask(move('1', 'r-7'))).toBe('home,r-7');
    expect(await other.ask(logout('S'))).toBe('1,r-7');
  });

  it('a session nobody spoke of for 24 hours has ended', async () => {
    const client = await start();
    await client.ask(login('S1', '1'));
    await client.ask(enter('9', '3', 'c-31'));
    stage.clock.advance(12 * 3_600_000);
    await client.ask(login('S2', '2'));
    await client.ask(move('2', 'r-7'));
    stage.clock.advance(12 * 3_600_000);
    expect(stage.transitions.at(-1)).toEqual({ user: '1', state: 'offline' });
    expect(await client.ask(logout('S1'))).toBe('null,null');
    expect(await client.ask(beforeEnter('3'))).toBe('{"31":[]}');
    expect(await client.ask(logout('S2'))).toBe('2,r-7');
  });

  it('a connection may be idle for hours, and is never told anything it did not ask for', async () => {
    const client = await start();
    await client.ask(login('S', '1'));
    const node = await stage.node('a');
    node.say({ type: 'snapshot', id: 1, first: true, last: true, sessions: [['s', '1', 'home']], watch: ['1'] });
    await node.line();
    for (let hour = 0; hour < 5; hour += 1) stage.clock.advance(3_600_000);
    expect(await client.ask(move('1', 'r-7'))).toBe('home,r-7');
    expect(client.lines).toEqual([]);
  });
});

describe('bounds', () => {
  it('a line of more than 1 MB closes the connection, without a line; others go on', async () => {
    const client = await start();
    const other = await stage.open();
    client.raw(`{type='direct', ids=[${'1, '.repeat(400_000)}1]}\r\n`);
    expect(await client.end()).toEqual([]);
    expect(await other.ask(login('S', '1'))).toBe(done);
    expect(stage.log.filter(({ ev }) => ev === 'state.cut')).toHaveLength(1);
  });

  it('the twentieth line of garbage within a minute closes the connection', async () => {
    const client = await start();
    for (let i = 0; i < 19; i += 1) expect(await client.ask('garbage')).toBe(done);
    stage.clock.advance(60_000);
    for (let i = 0; i < 19; i += 1) expect(await client.ask('')).toBe(done);
    client.raw(Buffer.from([0xff, 0xfe, 0x0d, 0x0a]));
    expect(await client.end()).toEqual([done]);
  });

  it('more sessions than there is room for are answered, noted and not kept', async () => {
    const client = await start({ limits: { sessionsMax: 1 } });
    await client.ask(login('S1', '1'));
    expect(await client.ask(login('S2', '2'))).toBe(done);
    expect(await client.ask(logout('S2'))).toBe('null,null');
    expect(stage.log).toContainEqual(expect.objectContaining({ ev: 'state.older', note: 'login: no room for more sessions' }));
  });

  it('more users in calls without a login than there is room for are answered and not listed', async () => {
    const client = await start({ limits: { guestsMax: 1 } });
    expect(await client.ask(enter('1', '3', 'c-31'))).toBe('{"31":["1"]}');
    expect(await client.ask(enter('2', '3', 'c-31'))).toBe('{"31":["1"]}');
    await client.ask(older({ type: 'signaling', user_id: '1', community_id: '3', channel_id: 'c-31' }));
    expect(await client.ask(enter('2', '3', 'c-31'))).toBe('{"31":["2"]}');
  });

  it('more communities, channels or users in them than there is room for take an empty place, or are not listed', async () => {
    const client = await start({ limits: { communitiesMax: 1, channelsPerCommunityMax: 1, usersPerCommunityMax: 2 } });
    expect(await client.ask(enter('1', '3', 'c-31'))).toBe('{"31":["1"]}');
    expect(await client.ask(enter('2', '3', 'c-32')), 'no second channel').toBe('{"31":["1"]}');
    expect(await client.ask(enter('2', '4', 'c-41')), 'no second community').toBe('{}');
    expect(await client.ask(enter('2', '3', 'c-31'))).toBe('{"31":["1","2"]}');
    expect(await client.ask(enter('3', '3', 'c-31')), 'no third user').toBe('{"31":["1","2"]}');
    for (const user of ['1', '2']) await client.ask(move(user, 'home'));
    expect(await client.ask(enter('2', '3', 'c-32')), 'the empty channel makes room').toBe('{"32":["2"]}');
    await client.ask(move('2', 'home'));
    expect(await client.ask(enter('2', '4', 'c-41')), 'the empty community makes room').toBe('{"41":["2"]}');
  });
});
