/**
 * The link in front of an older state server, over real TCP, all waits a tenth of the usual ones: that server knows who is here, in its
 * own words, and none of its silences, stalls and doubled lines makes it know something else for long.
 */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { StateLink } from '../../system/state/state-link.ts';
import { user } from '../support/entries.ts';
import { MisbehavingStateServer } from '../support/misbehaving-state-server.ts';
import { OlderStateServer } from '../support/older-state-server.ts';
import { liveSession, RecordingListener, session } from '../support/state-link-listener.ts';
import { shortTimes, tcpLink } from '../support/state-links.ts';
import { waitUntil } from '../support/store-processes.ts';

let server: OlderStateServer;
let link: StateLink;
let heard: RecordingListener;
let warnings: number;

beforeEach(async () => {
  server = new OlderStateServer();
  await server.start();
  warnings = 0;
  const log = {
    info: () => {},
    warn: () => {
      warnings += 1;
    },
  };
  link = tcpLink('one', { address: server.address, log });
  heard = new RecordingListener(link);
});
afterEach(async () => {
  await link.close();
  await server.stop();
});

const told = (): Promise<void> =>
  waitUntil(
    'the older server was told of everybody',
    () => link.state === 'live' && link.counts().waiting === 0,
    5_000,
    () => JSON.stringify([link.state, link.counts(), heard.lives, server.lines.slice(-5)]),
  );
const requests = (type: string): string[] => server.lines.filter((line) => line.startsWith(`{type='${type}'`));

describe('an older state server', () => {
  it('is found out, told line for line as its own client does, and the listener is told that it tells nothing', async () => {
    link.put(liveSession('S', '1'));
    await told();
    link.put(liveSession('S', '1', 'r-7'));
    await told();
    expect(server.placeOf('1')).toBe('r-7');
    link.remove(session('S'));
    await told();
    expect(server.placeOf('1')).toBeUndefined();
    expect(['login', 'state', 'logout'].flatMap(requests)).toEqual([
      "{type='login', session_id='S', user_id='1', channel_id='null', community_id='null', ids=null}",
      "{type='state', session_id='null', user_id='1', channel_id='r-7', community_id='null', ids=null}",
      "{type='logout', session_id='S', user_id='null', channel_id='null', community_id='null', ids=null}",
    ]);
    expect(heard.lives).toEqual([expect.stringMatching(/^down: .* is an older state server, which tells nothing of users elsewhere$/)]);
    expect(link.watch(user('1'))).toBe(true);
    expect(heard.rows).toEqual([]);
  });

  it('knows of 500 users with many moves, by two connections with one request in flight each', async () => {
    for (let i = 0; i < 500; i += 1) {
      link.put(liveSession(`s${i}`, `${i}`));
      for (const place of ['c-1', 'c-2', `c-${i % 5}`]) link.put(liveSession(`s${i}`, `${i}`, place));
    }
    for (let i = 0; i < 500; i += 5) link.remove(session(`s${i}`));
    await told();
    expect(server.online).toBe(400);
    expect(server.placeOf('7')).toBe('c-2');
    expect([server.inFlightMax, requests('login').length, requests('logout').length]).toEqual([1, 400, 0]);
    // One of them asked who is there, two do the work.
    expect(server.connectionsSeen).toBe(3);
  });

  it('follows a session to another user', async () => {
    link.put(liveSession('s1', '1'));
    await told();
    link.put(liveSession('s1', '2', 'c-3'));
    await told();
    expect([server.placeOf('1'), server.placeOf('2')]).toEqual([undefined, 'c-3']);
  });

  it('keeps a user with several devices online until the last one is gone, without a ghost', async () => {
    link.put(liveSession('s1', '1'));
    link.put(liveSession('s2', '1', 'c-9'));
    await told();
    link.remove(session('s1'));
    await told();
    expect([server.placeOf('1'), server.ghosts]).toEqual(['c-9', 0]);
    link.remove(session('s2'));
    await told();
    expect([server.placeOf('1'), server.ghosts]).toEqual([undefined, 0]);
  });

  it('is told of everybody again after it was away, and of those who left meanwhile', async () => {
    for (let i = 0; i < 20; i += 1) link.put(liveSession(`s${i}`, `${i}`, 'c-1'));
    await told();
    await server.stop();
    await waitUntil('the link has noticed', () => link.state === 'connecting');
    link.remove(session('s1'));
    link.put(liveSession('s2', '2', 'c-2'));
    link.put(liveSession('new', '99'));
    const before = requests('login').length;
    await server.start();
    await told();
    expect([server.placeOf('1'), server.placeOf('2'), server.placeOf('3'), server.placeOf('99')]).toEqual([
      undefined,
      'c-2',
      'c-1',
      'home',
    ]);
    expect(requests('login').length - before).toBe(20);
  });

  it('does not hold up the others when it gives no reply in time, and that request is not made for ever', async () => {
    link.put(liveSession('s0', '0'));
    await told();
    server.isCommunityUp = false;
    link.put(liveSession('s1', '1'));
    await waitUntil('the login is under way', () => requests('login').length === 2);
    link.put(liveSession('s0', '0', 'c-5'));
    await waitUntil('another user moved meanwhile', () => server.placeOf('0') === 'c-5');
    await told();
    expect(requests('login')).toHaveLength(3);
    expect([link.state, heard.lives.length]).toEqual(['live', 1]);
    server.isCommunityUp = true;
    link.put(liveSession('s1', '1', 'c-6'));
    await waitUntil('a later request is answered on a new connection', () => server.placeOf('1') === 'c-6');
  });

  it.each([
    ['at once', 0],
    ['while nothing is in flight', 20],
  ])('that says lines unasked, %s, is spoken to on a new connection', async (_, afterMs) => {
    link.put(liveSession('s0', '0'));
    await told();
    server.extra = { type: 'login', count: 1, afterMs };
    const seen = server.connectionsSeen;
    link.put(liveSession('s1', '1'));
    await waitUntil('the connection was thrown away', () => server.connectionsSeen > seen);
    server.extra = undefined;
    link.put(liveSession('s1', '1', 'c-6'));
    link.put(liveSession('s0', '0', 'c-7'));
    await told();
    expect([server.placeOf('0'), server.placeOf('1')]).toEqual(['c-7', 'c-6']);
    expect(link.state).toBe('live');
  });

  it('that is stuck for ever is noticed, costs no memory, and is told everything when it is well', async () => {
    link.put(liveSession('s0', '0'));
    await told();
    server.isStuck = true;
    link.put(liveSession('s0', '0', 'c-1'));
    await waitUntil('the link has noticed', () => link.state !== 'live', 2 * (shortTimes.olderReplyMs + shortTimes.olderIdleMs));
    for (let i = 0; i < 30_000; i += 1) {
      link.put(liveSession(`brief-${i}`, `u${i}`));
      link.remove(session(`brief-${i}`));
    }
    expect(link.counts()).toMatchObject({ sessions: 1 });
    server.isStuck = false;
    await told();
    expect([server.placeOf('0'), server.online]).toEqual(['c-1', 1]);
  });

  it('is told that everybody has left when the node stops', async () => {
    for (let i = 0; i < 50; i += 1) link.put(liveSession(`s${i}`, `${i}`));
    await told();
    await link.drain(3_000);
    expect([server.online, link.state]).toEqual([0, 'draining']);
  });

  it('does not keep a node from stopping when it is stuck', async () => {
    link.put(liveSession('s0', '0'));
    await told();
    server.isStuck = true;
    await link.drain(30);
    expect(link.state).toBe('draining');
  });

  it('may be replaced by one of ours while the node runs, and back', async () => {
    link.put(liveSession('s0', '0'));
    link.watch(user('0'));
    await told();
    await server.stop();
    const ours = new MisbehavingStateServer();
    await ours.start(server.address.port);
    await heard.isLive();
    await heard.hears('0', 'in home');
    await ours.stop();
    await heard.isDown();
    await server.start();
    await told();
    expect(server.placeOf('0')).toBe('home');
    expect(heard.lives.map((line) => line.slice(0, 4))).toEqual(['down', 'up: ', 'down']);
    expect(warnings).toBe(2);
  });
});
