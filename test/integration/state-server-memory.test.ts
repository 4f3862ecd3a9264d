/**
 * Memory of a state server in a small heap: what a 256 MB one of before died of. A process with a heap of 64 MB is sent lines that no
 * line may be as long as; the kernel says what it took.
 */
import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { waitUntil } from '../support/gateway-client.ts';
import { LineClient } from '../support/line-client.ts';
import { freePort, NodeProcess } from '../support/node-process.ts';

const done = '반환메세지';
const million = 1_000_000;
/** The heap it is given, what Node itself needs beside, unfinished lines of 16 MiB, what was let go and not yet collected, and as much again. */
const rssMaxMb = 270;
/** What it took more than before, while it was sent 180 or 200 MB: seen are up to 165, and 220 without a bound on what all connections hold. */
const growthMaxMb = 190;

let port: number;
let server: NodeProcess;
const clients: LineClient[] = [];
beforeEach(async () => {
  port = await freePort();
  server = new NodeProcess({ CHAT_STATE_PORT: String(port), NODE_OPTIONS: '--max-old-space-size=64' }, 'state-server-main');
  await server.start();
});
afterEach(async () => {
  for (const client of clients.splice(0)) client.socket.destroy();
  await server.kill();
});

const open = async (): Promise<LineClient> => {
  const client = await LineClient.open(port);
  clients.push(client);
  return client;
};

/** Highest resident memory since the process began, and that of now, by the kernel. */
function memoryMb(): { readonly peak: number; readonly now: number } {
  const status = readFileSync(`/proc/${server.pid}/status`, 'utf8');
  const of = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1]) / 1_024;
  return { peak: of('VmHWM'), now: of('VmRSS') };
}

/** Serves others in the meantime: a login, a move and a logout, each with its right answer. */
async function isServed(client: LineClient): Promise<void> {
  expect(await client.ask("{type='login', session_id='H', user_id='1'}")).toBe(done);
  expect(await client.ask("{type='state', user_id='1', channel_id='r-7'}")).toBe('home,r-7');
  expect(await client.ask("{type='logout', session_id='H'}")).toBe('1,r-7');
}

describe.skipIf(process.platform !== 'linux')('a state server with a heap of 64 MB', () => {
  it.each<[string, number, (i: number) => Buffer]>([
    ['a line of 10 MB', 1, () => Buffer.alloc(10 * million, 'x')],
    ['lines of 5 MB of forty clients at once', 40, () => Buffer.concat([Buffer.alloc(5 * million, 'x'), Buffer.from('\r\n')])],
    ['beginnings of lines of 900 kB of two hundred clients, none of which ends', 200, () => Buffer.alloc(900_000, 'x')],
    [
      'ten lists of 100,000 ids from each of ten clients',
      10,
      (i) => Buffer.from(`{type='direct', channel_id='r-${i}', ids=[${'1, '.repeat(100_000)}2]}\r\n`.repeat(10)),
    ],
  ])(
    'takes no more for %s, and serves others meanwhile',
    async (_what, count, bytesOf) => {
      const honest = await open();
      await isServed(honest);
      const before = memoryMb();
      const others: LineClient[] = [];
      for (let i = 0; i < count; i += 1) others.push(await open());
      for (const [i, other] of others.entries()) other.raw(bytesOf(i));
      await isServed(honest);
      await waitUntil(
        'everything was read, or its connection cut',
        () => others.every((other) => other.isClosed || other.socket.writableLength === 0),
        60_000,
      );
      await isServed(honest);
      const after = memoryMb();
      console.info(`rss before ${before.now.toFixed(0)} MB, peak ${after.peak.toFixed(0)} MB, after ${after.now.toFixed(0)} MB`);
      expect(after.peak).toBeLessThan(rssMaxMb);
      expect(after.peak - before.now).toBeLessThan(growthMaxMb);
    },
    90_000,
  );
});
