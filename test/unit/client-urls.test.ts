/**
 * A client with several nodes: which one it begins with, and that it goes on with the next one when its own is gone.
 */
import { afterEach, describe, expect, it } from 'vitest';
import { ChatClient } from '../../gateway/client/chat-client.ts';
import type { ConnectOptions } from '../../gateway/client/connection.ts';
import { beginningWith, parseUrls } from '../../gateway/client/node-urls.ts';
import { systemTiming, type Timing } from '../../gateway/client/timing.ts';
import { rateLine } from '../replay/progress.ts';
import { Stats } from '../replay/stats.ts';
import { StubNode } from '../replay/stub-node.ts';
import { manualClock } from '../support/manual-clock.ts';

const own = 'http://127.0.0.1:3000';

describe('the list of nodes', () => {
  it('is given once or several times, with commas or without, each node once', () => {
    expect(parseUrls([], own)).toEqual([own]);
    expect(parseUrls(['http://a:1,http://b:2', 'http://c:3/', 'http://a:1'], own)).toEqual(['http://a:1', 'http://b:2', 'http://c:3/']);
    expect(parseUrls([','], own)).toEqual([own]);
    for (const wrong of ['a:1', 'ftp://a', 'http://', 'http://a b'])
      expect(() => parseUrls([wrong], own), wrong).toThrow('--url must be a URL');
  });

  it('begins with each in turn, in the same circle', () => {
    expect([0, 1, 2, 3].map((index) => beginningWith(['a', 'b', 'c'], index).join(''))).toEqual(['abc', 'bca', 'cab', 'abc']);
    expect(beginningWith([], 2)).toEqual([]);
  });
});

describe('a client of several nodes', () => {
  const stubs: StubNode[] = [];
  const clients: ChatClient[] = [];
  afterEach(async () => {
    for (const client of clients.splice(0)) client.end();
    await Promise.all(stubs.splice(0).map((stub) => stub.stop()));
  });

  /** On one store. */
  async function twoNodes(): Promise<readonly [StubNode, StubNode]> {
    const first = new StubNode();
    const second = new StubNode(0, first.logs);
    stubs.push(first, second);
    await Promise.all(stubs.map((stub) => stub.start()));
    return [first, second];
  }

  function clientOf(random = 0): { readonly client: ChatClient; readonly tried: string[]; readonly shown: number[] } {
    const timing: Timing = { ...systemTiming, random: () => random };
    const client = new ChatClient({ timing });
    clients.push(client);
    const tried: string[] = [];
    const shown: number[] = [];
    client.on('state', ({ state, url }) => {
      if (state === 'connecting' && url !== undefined) tried.push(url);
    });
    client.on('entries', ({ entries }) => shown.push(...entries.map(({ seq }) => seq)));
    return { client, tried, shown };
  }

  it.each<readonly [random: number, option: 'url' | 'urls', first: number]>([
    [0, 'urls', 0],
    [0.7, 'urls', 1],
    [0.7, 'url', 0],
  ])('with chance at %d begins, given %s, with the node at %d', async (random, option, first) => {
    const both = (await twoNodes()).map((stub) => stub.url);
    const { client, tried } = clientOf(random);
    const asked: string[] = [];
    const token = async (url: string): Promise<string> => {
      asked.push(url);
      return 'ada';
    };
    const options: ConnectOptions = option === 'url' ? { url: both, token } : { urls: both, token };
    await client.connect(options);
    expect(tried).toEqual([both[first]]);
    expect(asked).toEqual([both[first]]);
  });

  it('goes on with the next node when its own is killed: what was said meanwhile is shown once, what it says is stored', async () => {
    const [first, second] = await twoNodes();
    const { client, tried, shown } = clientOf();
    await client.connect({ url: [first.url, second.url], token: 'ada' });
    await client.createRoom({ kind: 'group', id: 'lobby', public: true });
    await client.open('lobby', { since: 0 });
    await client.send('lobby', 'one');
    const away = new Promise<void>((resolve) => client.on('state', ({ state }) => state === 'offline' && resolve()));
    await first.stop();
    await away;
    const { client: other } = clientOf();
    await other.connect({ url: second.url, token: 'bob' });
    await other.join('lobby');
    await other.send('lobby', 'two');
    expect(await client.send('lobby', 'three')).toMatchObject({ seq: 5 });
    expect(tried).toEqual([first.url, second.url]);
    await expect.poll(() => shown).toEqual([1, 2, 3, 4, 5]);
  });

  it('comes back to the first when the second is gone too, and connecting again goes on with the node that was good', async () => {
    const [first, second] = await twoNodes();
    const { client, tried } = clientOf();
    const options = { urls: [first.url, second.url], token: 'ada' };
    await client.connect(options);
    await first.stop();
    await expect.poll(() => client.isOnline && tried.at(-1) === second.url, { timeout: 5_000 }).toBe(true);
    client.disconnect();
    await client.connect(options);
    expect(tried.at(-1)).toBe(second.url);
    await first.start();
    await second.stop();
    await expect.poll(() => client.isOnline && tried.at(-1) === first.url, { timeout: 5_000 }).toBe(true);
  });

  it('needs one node at least', async () => {
    const { client } = clientOf();
    await expect(client.connect({ urls: [], token: 'ada' })).rejects.toThrow('at least one');
    await expect(client.connect({ token: 'ada' })).rejects.toThrow('at least one');
  });
});

describe('the rate of a replay', () => {
  it('is told as it was reached, with the reason when conversations allow no more', () => {
    const clock = manualClock();
    const stats = new Stats({ nowMs: () => clock.nowMs(), after: () => () => {}, random: () => 0 });
    expect(stats.linesPerSecond).toBe(0);
    for (let line = 0; line < 101; line += 1) {
      stats.started();
      if (line < 100) clock.advance(10);
    }
    expect(stats.linesPerSecond).toBe(100);
    expect(rateLine(100, stats.linesPerSecond)).toBe('100 lines/s asked for, 100 reached');
    expect(rateLine(400, stats.linesPerSecond)).toMatch(/^400 lines\/s asked for, 100 reached: lines wait for acks/);
  });
});
