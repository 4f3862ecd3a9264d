/** Parts of a file over HTTP, on a whole node with files in a folder: seeking in one, and going on with a download that was cut. */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { ChatClient } from '../../gateway/client/chat-client.ts';
import { systemClock } from '../../system/clock.ts';
import type { FileStore } from '../../system/files/file-store.ts';
import { openEmbeddedFiles } from '../../system/files/file-store-embedded.ts';
import { openMemoryStore } from '../../system/store/room-store-memory.ts';
import { createMemoryWireHub } from '../../system/wire/wire-memory.ts';
import { ask, client, closeClients, connected } from '../support/gateway-client.ts';
import { tokenOf } from '../support/gateway-fixtures.ts';
import { startInProcess, stopNodes } from '../support/test-nodes.ts';
import { downloadFile, uploadFile } from '../support/uploads.ts';

const ends: (() => unknown)[] = [];
afterEach(async () => {
  closeClients();
  await stopNodes();
  for (const end of ends.splice(0)) await end();
});

const bytes = randomBytes(3_000_001);

async function start(): Promise<{ url: string; id: string; files: FileStore }> {
  const dir = mkdtempSync(join(tmpdir(), 'playhouse-range-'));
  ends.push(() => rmSync(dir, { recursive: true, force: true }));
  const files = await openEmbeddedFiles(dir, systemClock);
  const store = openMemoryStore();
  const parts = { store, files, wire: createMemoryWireHub().join('n'), sharedLog: false };
  const { url } = await startInProcess({}, { store, parts });
  await ask(await connected(client(url, { auth: { token: tokenOf('ada') } })), 'room:create', {
    kind: 'group',
    id: 'lobby',
    members: ['bob'],
  });
  const { body } = await uploadFile(url, bytes);
  return { url, id: body.file?.id ?? 'none', files };
}

const part = (url: string, id: string, range: string, more = {}) => downloadFile(url, id, 'bob', 'GET', { range, ...more });

describe('a part of a file', () => {
  it('is what was asked for, says where it belongs, and is as little to be run or kept as the whole', async () => {
    const { url, id } = await start();
    const whole = await downloadFile(url, id);
    expect(whole.headers).toMatchObject({ 'accept-ranges': 'bytes', etag: expect.stringMatching(/^"[\w-]{43}"$/) });
    for (const [range, first, last] of [
      ['bytes=0-', 0, 3_000_000],
      ['bytes=100-199', 100, 199],
      ['bytes=2999990-9999999', 2_999_990, 3_000_000],
      ['bytes=-11', 2_999_990, 3_000_000],
    ] as const) {
      const got = await part(url, id, range);
      expect(got.status, range).toBe(206);
      expect(got.headers).toMatchObject({
        'content-range': `bytes ${first}-${last}/3000001`,
        'content-length': String(last - first + 1),
        'content-disposition': whole.headers['content-disposition'],
        'content-type': whole.headers['content-type'],
        'x-content-type-options': 'nosniff',
        'cache-control': 'private, no-cache',
        etag: whole.headers['etag'],
      });
      expect(got.headers['content-security-policy']).toContain('sandbox');
      expect(got.bytes.equals(bytes.subarray(first, last + 1)), range).toBe(true);
    }
  });

  it('that the file does not have is 416 with its length; what is not understood, and HEAD, is the whole', async () => {
    const { url, id } = await start();
    const beyond = await part(url, id, 'bytes=3000001-');
    expect(beyond.status).toBe(416);
    expect(beyond.headers).toMatchObject({ 'content-range': 'bytes */3000001', 'content-type': expect.stringContaining('problem+json') });
    expect(beyond.headers['content-disposition']).toBeUndefined();
    for (const range of ['bytes=0-1,4-5', 'lines=0-1']) {
      const got = await part(url, id, range);
      expect([got.status, got.bytes.length, got.headers['content-range']], range).toEqual([200, bytes.length, undefined]);
    }
    const head = await downloadFile(url, id, 'bob', 'HEAD', { range: 'bytes=0-1' });
    expect([head.status, head.headers['content-length']]).toEqual([200, '3000001']);
  });

  it('is of the version the asker has, else it is the whole file', async () => {
    const { url, id } = await start();
    const etag = (await downloadFile(url, id, 'bob', 'HEAD')).headers['etag'] ?? '';
    expect((await part(url, id, 'bytes=5-9', { 'if-range': etag })).status).toBe(206);
    expect((await part(url, id, 'bytes=5-9', { 'if-range': '"other"' })).status).toBe(200);
    expect((await part(url, id, 'bytes=9999999-', { 'if-range': '"other"' })).status).toBe(200);
  });

  it('is nothing for a stranger: the same answer as for no file, without its length', async () => {
    const { url, id } = await start();
    for (const range of ['bytes=0-1', 'bytes=9999999-']) {
      const { status, headers } = await downloadFile(url, id, 'eve', 'GET', { range });
      expect([status, headers['content-range'], headers['etag']]).toEqual([404, undefined, undefined]);
    }
  });
});

describe('a download that was cut', () => {
  /** Reads so many bytes, then goes away. */
  const readSome = (url: string, id: string, most: number): Promise<{ got: Buffer; etag: string }> =>
    new Promise((resolve, reject) => {
      const call = httpRequest(`${url}/api/files/${id}`, { agent: false, headers: { authorization: `Bearer ${tokenOf('bob')}` } });
      call.on('error', reject);
      call.on('response', (answer: IncomingMessage) => {
        const parts: Buffer[] = [];
        let count = 0;
        answer.on('error', () => {});
        answer.on('data', (data: Buffer) => {
          parts.push(data);
          count += data.length;
          if (count < most) return;
          resolve({ got: Buffer.concat(parts), etag: String(answer.headers.etag) });
          call.destroy();
        });
      });
      call.end();
    });

  it('goes on where it was, and is the file', async () => {
    const { url, id } = await start();
    const { got, etag } = await readSome(url, id, 1_000_000);
    expect(got.length).toBeLessThan(bytes.length);
    const rest = await part(url, id, `bytes=${got.length}-`, { 'if-range': etag });
    expect(rest.status).toBe(206);
    expect(Buffer.concat([got, rest.bytes]).equals(bytes)).toBe(true);
  });

  it('is gone on with by the client library, which gives the whole file and asks for what is missing only', async () => {
    const { url, id, files } = await start();
    const asked: unknown[] = [];
    const { get } = files;
    files.get = async (fileId, range) => {
      asked.push(range);
      const found = await get.call(files, fileId, range);
      // The first two answers break on their way.
      if (found && asked.length <= 2) {
        let count = 0;
        found.bytes.on('data', (data: Buffer) => {
          count += data.length;
          if (count > 700_000) found.bytes.destroy(new Error('the disk went away'));
        });
      }
      return found;
    };
    const bob = new ChatClient();
    ends.push(() => bob.disconnect());
    await bob.connect({ url, token: tokenOf('bob') });
    const { bytes: got } = await bob.download(id);
    expect(Buffer.from(got).equals(bytes)).toBe(true);
    expect(asked.length).toBe(3);
    expect(asked[0]).toBeUndefined();
    const [, second, third] = asked as { first: number; last: number }[];
    expect([(second?.first ?? 0) > 0, (third?.first ?? 0) > (second?.first ?? 0), third?.last]).toEqual([true, true, 3_000_000]);
  });
});
