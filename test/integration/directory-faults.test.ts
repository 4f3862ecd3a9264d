/**
 * A community service that misbehaves, as a real HTTP server: what becomes of a question, and of those who ask next.
 */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../system/clock.ts';
import type { SharedCache } from '../../system/cluster/shared-cache.ts';
import { createMemoryCacheHub } from '../../system/cluster/shared-cache-memory.ts';
import { failuresMax } from '../../system/directory/breaker-state.ts';
import { type Directory, listBytesMax, listIdsMax } from '../../system/directory/directory.ts';
import { createCachedDirectory, idsKeptMax, nothingKeptMs } from '../../system/directory/directory-cached.ts';
import { callsMax, createHttpDirectory } from '../../system/directory/directory-http.ts';
import { createLogger } from '../../system/logger.ts';
import { room, user } from '../support/entries.ts';
import { manualClock } from '../support/manual-clock.ts';
import {
  cuts,
  drips,
  floods,
  hangs,
  json,
  members,
  type OutsideService,
  raw,
  routes,
  startOutsideService,
} from '../support/outside-service.ts';
import { waitUntil } from '../support/store-processes.ts';

const secret = 'fdZ0r8nqk3WcVt7yPzK1mB5xLhQ9sJ2u';
const timeoutMs = 150;
let service: OutsideService;
let lines: Record<string, unknown>[];
const closing: Directory[] = [];

beforeEach(async () => {
  service = await startOutsideService();
  lines = [];
});
afterEach(async () => {
  await Promise.all(closing.splice(0).map((directory) => directory.close()));
  await service.stop();
});

const log = createLogger({ level: 'debug', base: {}, destination: { write: (line: string) => void lines.push(JSON.parse(line)) } });

function open(url = service.url): { directory: Directory; counts: { calls: number; failed: number; refused: number } } {
  const counts = { calls: 0, failed: 0, refused: 0 };
  const directory = createHttpDirectory({ url, secret, timeoutMs, clock: systemClock, chance: () => 0, log, counts });
  closing.push(directory);
  return { directory, counts };
}

/** With a cache, whose clock the test moves; calls have the real one. */
function openCached(cache?: SharedCache) {
  const clock = manualClock();
  const { directory: source, counts } = open();
  const hub = createMemoryCacheHub(clock);
  const options = { source, cache: cache ?? hub.join(), lifetimeMs: 1_000_000, clock, log };
  const directory = createCachedDirectory(options);
  const neighbour = createCachedDirectory({ ...options, cache: cache ?? hub.join() });
  closing.push(directory, neighbour);
  return { directory, neighbour, counts, clock, hub };
}

const listed = (...ids: string[]) => ({ type: 'listed', members: new Set(ids) });
const unavailable = { type: 'unavailable' };

describe('a question to the community service', () => {
  it('carries the secret and the path that older services have', async () => {
    service.behave(members(1, '2'));
    const { directory } = open(`${service.url}/base/`);
    expect(await directory.roomMembers(room('r-7'))).toEqual(listed('1', '2'));
    expect(service.requests).toEqual([expect.objectContaining({ method: 'GET', path: '/base/room/feign/r-7/member-id' })]);
    expect(service.requests[0]?.authorization).toBe(`Bearer ${secret}`);
  });

  it.each([
    ['hangs', hangs],
    ['cuts the connection', cuts],
    ['sends a byte now and then', drips],
    ['sends without end', floods],
    ['says that it sends more than it may', raw(200, { 'content-type': 'application/json', 'content-length': String(listBytesMax + 1) })],
    ['answers 500', raw(500, {}, 'secret stack trace')],
    ['answers 401', raw(401, {})],
    ['answers what is not JSON', raw(200, { 'content-type': 'application/json' }, '{"result":')],
    ['answers a page', raw(200, { 'content-type': 'text/html' }, '<html>')],
    ['answers without a type', raw(200, {}, '{"result":{"members":[1]}}')],
    ['answers another shape', json({ members: [1] })],
    ['lists what is no id', members(1, 'a b')],
    ['lists a negative id', members(-1)],
    ['lists an object', members({ id: 1 })],
    ['lists more than it may', members(...new Array(listIdsMax + 1).fill(1))],
  ])('is unavailable within two time-outs when it %s, after one more try', async (_what, answerer) => {
    service.behave(answerer);
    const { directory, counts } = open();
    const beganMs = performance.now();
    expect(await directory.roomMembers(room('7'))).toEqual(unavailable);
    // Two time-outs and the pause; the rest is for a machine that is busy.
    expect(performance.now() - beganMs).toBeLessThan(2 * timeoutMs + 200 + 2_000);
    expect(counts).toEqual({ calls: 2, failed: 2, refused: 0 });
    expect(JSON.stringify(lines)).not.toMatch(/stack trace|127\.0\.0\.1|fdZ0r8/);
  });

  it('is unavailable when nobody listens there', async () => {
    const { url } = service;
    await service.stop();
    expect(await open(url).directory.roomMembers(room('7'))).toEqual(unavailable);
    service = await startOutsideService();
  });

  it('is answered by the second try when the first is lost', async () => {
    service.behave((request, response) => (service.requests.length === 1 ? response.destroy() : members(1)(request, response)));
    expect(await open().directory.roomMembers(room('7'))).toEqual(listed('1'));
  });

  it('follows no redirect: neither the secret nor the question goes elsewhere', async () => {
    const other = await startOutsideService(members(1));
    for (const status of [301, 302, 307, 308]) {
      service.behave(raw(status, { location: `${other.url}/room/feign/7/member-id` }));
      expect(await open().directory.roomMembers(room('7'))).toEqual(unavailable);
    }
    expect(other.requests).toEqual([]);
    await other.stop();
  });

  it('is never asked about what is no id', async () => {
    service.behave(members(1));
    const { directory } = openCached();
    for (const id of ['..', 'a/b', 'a b', '7?x=1', '7#', '%2e%2e', ' ', 'x'.repeat(65)]) {
      expect(await directory.communityMembers(id)).toEqual({ type: 'nothing' });
      expect(await open().directory.communityMembers(id)).toEqual({ type: 'nothing' });
    }
    expect(service.requests).toEqual([]);
  });

  it('knows the rooms of a user, or takes the whole answer for none', async () => {
    const { directory } = open();
    service.behave(json(['direct/1', 'group/7', 'community/3']));
    expect(await directory.roomsOf(user('1'))).toMatchObject({ type: 'listed', rooms: [{ kind: 'direct', id: '1' }, {}, {}] });
    service.behave(json(['direct/1', 'other/7']));
    expect(await directory.roomsOf(user('1'))).toEqual(unavailable);
  });
});

describe('a community service that keeps failing', () => {
  it('is left alone, then asked by one; when that is answered, by all', async () => {
    service.behave(raw(500, {}));
    const { directory, counts } = open();
    while (counts.failed < failuresMax) await directory.roomMembers(room('7'));
    expect(directory.health()).toEqual({ degraded: expect.stringContaining('keeps failing') });
    const { calls } = counts;
    const beganMs = performance.now();
    expect(await directory.roomMembers(room('7'))).toEqual(unavailable);
    expect(performance.now() - beganMs).toBeLessThan(timeoutMs);
    expect(counts).toMatchObject({ calls, refused: 1 });
    service.behave(members(1));
    await waitUntil('its rest is over', async () => (await directory.roomMembers(room('7'))).type === 'listed', 5_000);
    expect(directory.health()).toBe('up');
    expect(lines.map(({ ev }) => ev)).toEqual(expect.arrayContaining(['directory.failed', 'directory.down', 'directory.up']));
  });

  it('is asked sixty-four questions at once; the next is unavailable at once', async () => {
    const { directory, counts } = open();
    const asked = Array.from({ length: callsMax }, (_, i) => directory.roomMembers(room(`r${i}`)));
    expect(await directory.roomMembers(room('more'))).toEqual(unavailable);
    expect(counts).toMatchObject({ calls: callsMax, refused: 1 });
    await Promise.all(asked);
  });
});

describe('a list that was kept', () => {
  it('is asked for once, by however many at a time, on however many nodes', async () => {
    service.behave(members(1));
    const { directory, neighbour, counts } = openCached();
    const answers = await Promise.all(Array.from({ length: 50 }, () => directory.roomMembers(room('7'))));
    expect(new Set(answers.map(({ type }) => type))).toEqual(new Set(['listed']));
    expect(await neighbour.roomMembers(room('7'))).toEqual(listed('1'));
    expect(counts.calls).toBe(1);
  });

  it('counts when it ran out, while the service is away, and then no more', async () => {
    service.behave(members(1));
    const { directory, clock, counts } = openCached();
    await directory.roomMembers(room('7'));
    service.behave(raw(503, {}));
    clock.advance(1_500_000);
    expect(await directory.roomMembers(room('7'))).toEqual(listed('1'));
    expect(counts.failed).toBe(2);
    clock.advance(1_500_000);
    expect(await directory.roomMembers(room('7'))).toEqual(unavailable);
    service.behave(members(2));
  });

  it('is asked for again on every node once it is forgotten on one', async () => {
    service.behave(members(1));
    const { directory, neighbour } = openCached();
    await directory.roomMembers(room('7'));
    await neighbour.roomMembers(room('7'));
    service.behave(members(2));
    expect(await neighbour.forget('room', '7')).toBe(true);
    expect(await directory.roomMembers(room('7'))).toEqual(listed('2'));
    expect(await neighbour.roomMembers(room('7'))).toEqual(listed('2'));
  });

  it('is not what a question brings that was under way when it was forgotten', async () => {
    let answerOld = (): void => {};
    service.behave((request, response) => {
      answerOld = () => members(1)(request, response);
    });
    const { directory, neighbour } = openCached();
    const old = directory.roomMembers(room('7'));
    await waitUntil('the question is there', () => service.requests.length === 1);
    await neighbour.forget('room', '7');
    service.behave(members(2));
    expect(await directory.roomMembers(room('7'))).toEqual(listed('2'));
    answerOld();
    await old;
    expect(await directory.roomMembers(room('7'))).toEqual(listed('2'));
    expect(await neighbour.roomMembers(room('7'))).toEqual(listed('2'));
  });

  it('that is none is remembered for half a minute: guessing costs the service nothing', async () => {
    service.behave(routes({}));
    const { directory, clock, counts } = openCached();
    for (let i = 0; i < 5; i += 1) expect(await directory.roomMembers(room('7'))).toEqual({ type: 'nothing' });
    expect(counts.calls).toBe(1);
    clock.advance(nothingKeptMs + 1);
    service.behave(members(1));
    expect(await directory.roomMembers(room('7'))).toEqual(listed('1'));
  });

  it.each(['', 'x', '[]', '{"v":2,"at":1,"members":[1]}', '{"v":1,"at":"1","members":[1]}', '{"v":1,"at":1,"members":["a b"]}'])(
    'is none when the cache holds %j: the service is asked',
    async (value) => {
      service.behave(members(1));
      const { directory, hub } = openCached();
      await hub.join().put('room:7', value, 60_000);
      expect(await directory.roomMembers(room('7'))).toEqual(listed('1'));
    },
  );

  it('gives way when too many ids are kept here: the cache gives it again', async () => {
    const half = Array.from({ length: idsKeptMax / 2 }, (_, i) => i);
    service.behave(members(...half));
    const { directory, counts } = openCached();
    for (const id of ['1', '2', '3', '1']) expect((await directory.roomMembers(room(id))).type).toBe('listed');
    expect(counts.calls).toBe(3);
  });
});
