/**
 * What an upload may not do to a node: names, types, bodies that lie, end early, never end, or come too slowly; and too many at once.
 * After each of them nothing is left, and the node takes the next file.
 */
import { randomBytes } from 'node:crypto';
import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../system/clock.ts';
import { MemoryFileStore } from '../../system/files/file-store-memory.ts';
import { openMemoryStore } from '../../system/store/room-store-memory.ts';
import { createMemoryWireHub } from '../../system/wire/wire-memory.ts';
import { ask, client, closeClients, connected, waitUntil } from '../support/gateway-client.ts';
import { tokenOf } from '../support/gateway-fixtures.ts';
import { startInProcess, stopNodes } from '../support/test-nodes.ts';
import {
  boundary,
  downloadFile,
  end,
  field,
  filePart,
  type RawUpload,
  rawUpload,
  type UploadReply,
  uploadFile,
} from '../support/uploads.ts';

afterEach(async () => {
  closeClients();
  await stopNodes();
});

const bytesMax = 200_000;

async function start(overrides = {}) {
  const files = new MemoryFileStore(systemClock);
  const store = openMemoryStore();
  const parts = { store, files, wire: createMemoryWireHub().join('n'), sharedLog: false };
  const { url } = await startInProcess({ fileBytesMax: bytesMax, ...overrides }, { store, parts });
  await ask(await connected(client(url, { auth: { token: tokenOf('ada') } })), 'room:create', { kind: 'group', id: 'lobby' });
  const left = async () => (await files.list('', 1_000)).length;
  return { url, files, left };
}

const whole =
  (body: string): RawUpload['send'] =>
  (write, finish) => {
    write(body);
    finish();
  };
const codeOf = (reply: UploadReply | 'cut'): unknown => (reply === 'cut' ? 'cut' : (reply.body['code'] ?? reply.status));

describe('the type of a file', () => {
  const gif =
    'GIF89a\x01\x00\x01\x00\x80\x00\x00\xff\xff\xff\x00\x00\x00!\xf9\x04\x01\x00\x00\x00\x00,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;';
  it.each([
    ['html that says it is a picture', '<!doctype html><script>alert(1)</script>', 'a.png', 'image/png', 'application/octet-stream'],
    ['svg', '<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>', 'a.svg', 'image/svg+xml', 'application/octet-stream'],
    [
      'svg behind an xml declaration',
      '<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>',
      'a.svg',
      'image/svg+xml',
      'application/octet-stream',
    ],
    ['a script', 'alert(1)//', 'a.js', 'text/javascript', 'application/octet-stream'],
    ['a program', `MZ${'\0'.repeat(200)}`, 'a.pdf', 'application/pdf', 'application/octet-stream'],
    ['a picture and a page in one', `${gif}<script>alert(1)</script>`, 'a.html', 'text/html', 'image/gif'],
    ['a pdf that says it is a page', '%PDF-1.7\n', 'a.html', 'text/html', 'application/pdf'],
  ])('is what its first bytes say: %s', async (_what, content, name, type, expected) => {
    const { url } = await start();
    const reply = await uploadFile(url, Buffer.from(content, 'latin1'), { name, type });
    expect(reply.body.file).toMatchObject({ type: expected });
    const { headers } = await downloadFile(url, reply.body.file?.id ?? '');
    expect(headers['content-type']).toBe(expected);
    expect(headers['content-disposition']).toMatch(/^attachment;/);
    expect(headers['x-content-type-options']).toBe('nosniff');
    expect(headers['content-security-policy']).toMatch(/default-src 'none'.*sandbox/);
  });
});

describe('a body', () => {
  const cases: readonly (readonly [string, Partial<RawUpload> & Pick<RawUpload, 'send'>, unknown])[] = [
    ['without a boundary', { headers: { 'content-type': 'multipart/form-data' }, send: whole('x') }, 'INVALID'],
    [
      'with a boundary of 300 characters',
      { headers: { 'content-type': `multipart/form-data; boundary=${'b'.repeat(300)}` }, send: whole('x') },
      'INVALID',
    ],
    ['with another boundary than it says', { send: whole(`--other\r\n\r\nx\r\n--other--\r\n`) }, 'INVALID'],
    ['that is JSON', { headers: { 'content-type': 'application/json' }, send: whole('{"cid":"c1"}') }, 'INVALID'],
    ['of no type', { headers: { 'content-type': 'x/y' }, send: whole('x') }, 'INVALID'],
    ['that is empty', { send: whole('') }, 'INVALID'],
    ['without a file', { send: whole(field('cid', 'c1') + end) }, 'INVALID'],
    ['without a cid', { send: whole(filePart('x') + end) }, 'INVALID'],
    ['with the cid behind the file', { send: whole(filePart('x') + field('cid', 'c1') + end) }, 'INVALID'],
    ['with two cids', { send: whole(field('cid', 'c1') + field('cid', 'c2') + filePart('x') + end) }, 'INVALID'],
    ['with a cid that is none', { send: whole(field('cid', '../x') + filePart('x') + end) }, 'INVALID'],
    ['with a cid of a megabyte', { send: whole(field('cid', 'c'.repeat(1_000_000)) + filePart('x') + end) }, 'INVALID'],
    ['with a replyTo that is no number', { send: whole(field('cid', 'c1') + field('replyTo', '1e3') + filePart('x') + end) }, 'INVALID'],
    ['with a field that is not known', { send: whole(field('cid', 'c1') + field('by', 'bob') + filePart('x') + end) }, 'INVALID'],
    ['with a field called __proto__', { send: whole(field('__proto__', 'x') + field('cid', 'c1') + filePart('x') + end) }, 'INVALID'],
    ['with a hundred fields', { send: whole(Array.from({ length: 100 }, (_, i) => field(`f${i}`, 'x')).join('') + end) }, 'INVALID'],
    ['with two files', { send: whole(field('cid', 'c1') + filePart('x') + filePart('y') + end) }, 'INVALID'],
    [
      'with a file in a field of another name',
      { send: whole(field('cid', 'c1') + filePart('x').replace('name="file"', 'name="f"') + end) },
      'INVALID',
    ],
    ['with an empty file', { send: whole(field('cid', 'c1') + filePart('') + end) }, 'INVALID'],
    ['that ends within the file', { send: whole(field('cid', 'c1') + filePart('x'.repeat(9_000)).slice(0, -100)) }, 'INVALID'],
    [
      'with five megabytes of headers in a part',
      { send: whole(`${field('cid', 'c1')}--${boundary}\r\nx-a: ${'x'.repeat(5_000_000)}\r\n\r\nx\r\n${end}`) },
      'INVALID',
    ],
    [
      'with ten thousand headers in a part',
      { send: whole(field('cid', 'c1') + filePart('x', 'a', 'x-a: b\r\n'.repeat(10_000)) + end) },
      201,
    ],
    ['with a file one byte too large', { send: whole(field('cid', 'c1') + filePart('x'.repeat(bytesMax + 1)) + end) }, 'PAYLOAD_TOO_LARGE'],
    ['with a file as large as may be', { send: whole(field('cid', 'c1') + filePart('x'.repeat(bytesMax)) + end) }, 201],
  ];
  it.each(cases)('%s', async (_what, upload, expected) => {
    const { url, left } = await start();
    const reply = await rawUpload(url, upload);
    expect(codeOf(reply)).toBe(expected);
    if (expected !== 201) {
      expect(reply).toMatchObject({ headers: { 'content-type': expect.stringContaining('application/problem+json') } });
      await expect.poll(left).toBe(0);
    }
    expect((await uploadFile(url, 'next', { cid: 'next' })).status).toBe(201);
    expect(Object.prototype).not.toHaveProperty('x');
  });

  it('that never ends is cut at the limit, however it is sent', async () => {
    const { url, left } = await start();
    let sent = 0;
    const reply = await rawUpload(url, {
      headers: { 'transfer-encoding': 'chunked' },
      send: (write, _finish) => {
        write(field('cid', 'c1') + filePart('').slice(0, -2));
        const more = (): void => {
          sent += 65_536;
          write(Buffer.alloc(65_536));
          if (sent < 100_000_000) setImmediate(more);
        };
        more();
      },
    });
    // Whoever goes on sending into a connection that was closed may lose the answer with it.
    if (reply !== 'cut') expect(codeOf(reply)).toBe('PAYLOAD_TOO_LARGE');
    expect(sent).toBeLessThan(100_000_000);
    expect(await left()).toBe(0);
  });

  it('that is cut off by its client leaves nothing, and gives its place back', async () => {
    const { url, left } = await start();
    for (let i = 0; i < 6; i += 1) {
      await rawUpload(url, {
        send: (write, _finish, cut) => {
          write(field('cid', 'c1') + filePart('x'.repeat(100_000)).slice(0, -90_000));
          setTimeout(cut, 20);
        },
      });
    }
    await expect.poll(async () => (await uploadFile(url, 'next', { cid: 'next' })).status).toBe(201);
    expect(await left()).toBe(1);
  });

  it('that is shorter than it says is cut with its connection, and leaves nothing', async () => {
    const { url, left } = await start();
    const body = field('cid', 'c1') + filePart('x'.repeat(1_000));
    const reply = await rawUpload(url, {
      headers: { 'content-length': String(body.length + 10_000) },
      send: (write, _finish, cut) => {
        write(body);
        setTimeout(cut, 50);
      },
    });
    expect(reply).toBe('cut');
    expect(await left()).toBe(0);
  });

  it('that comes too slowly is cut after its time, and leaves nothing', async () => {
    const { url, left } = await start({ uploadTimeoutMs: 300 });
    const begun = performance.now();
    const reply = await rawUpload(url, {
      send: (write) => {
        write(field('cid', 'c1') + filePart('').slice(0, -2));
        const timer = setInterval(() => write('x'), 20);
        setTimeout(() => clearInterval(timer), 3_000);
      },
    });
    expect(reply).toBe('cut');
    expect(performance.now() - begun).toBeLessThan(2_500);
    expect(await left()).toBe(0);
    expect((await uploadFile(url, 'next', { cid: 'next' })).status).toBe(201);
  });
});

describe('a name', () => {
  it.each([
    ['../../etc/passwd', 'passwd'],
    ['..\\..\\boot.ini', 'boot.ini'],
    ['%2e%2e%2fx', '%2e%2e%2fx'],
    ['a.png.exe', 'a.png.exe'],
    ['CON', '_CON'],
    ['x'.repeat(300), 'x'.repeat(160)],
  ])('%s is kept as %s, and is no path', async (name, kept) => {
    const { url } = await start();
    expect((await uploadFile(url, 'x', { name })).body.file).toMatchObject({ name: kept });
  });
});

describe('uploads at once', () => {
  /** Holds a place until it is let go. */
  function hold(url: string, user: string): { readonly reply: Promise<UploadReply | 'cut'>; readonly letGo: () => void } {
    let letGo = (): void => {};
    const reply = rawUpload(url, {
      user,
      send: (write, finish) => {
        write(field('cid', `c-${randomBytes(6).toString('hex')}`) + filePart('').slice(0, -2));
        letGo = () => {
          write(`x\r\n${end}`);
          finish();
        };
      },
    });
    return { reply, letGo: () => letGo() };
  }
  const metric = async (url: string): Promise<string> => (await fetch(`${url}/metrics`)).text();

  it('of one user are four; the fifth is RATE_LIMITED until one is done', async () => {
    const { url } = await start();
    const held = Array.from({ length: 4 }, () => hold(url, 'ada'));
    await expect.poll(() => metric(url)).toContain('playhouse_transfers{kind="upload"} 4');
    const fifth = await uploadFile(url, 'x', { cid: 'fifth' });
    expect(fifth.body).toMatchObject({ code: 'RATE_LIMITED', status: 429, retryable: true });
    held[0]?.letGo();
    expect(await held[0]?.reply).toMatchObject({ status: 201 });
    expect((await uploadFile(url, 'x', { cid: 'fifth' })).status).toBe(201);
    for (const { letGo } of held.slice(1)) letGo();
    for (const { reply } of held) expect(await reply).toMatchObject({ status: 201 });
    expect(await metric(url)).toContain('playhouse_transfers{kind="upload"} 0');
    expect(await metric(url)).toContain('playhouse_transfers_refused_total{kind="upload"} 1');
  });

  it('of a user who holds every place of theirs leave room for others', async () => {
    const { url } = await start();
    const held = Array.from({ length: 4 }, () => hold(url, 'ada'));
    await waitUntil('four are under way', () => true);
    expect((await uploadFile(url, 'x', { user: 'eve' })).body).toMatchObject({ code: 'NOT_FOUND' });
    for (const { letGo } of held) letGo();
    for (const { reply } of held) await reply;
  });
});

describe('without a valid token', () => {
  it('nothing is taken and nothing given, and a token in the URL counts as none', async () => {
    const { url, left } = await start();
    const id = (await uploadFile(url, 'x')).body.file?.id ?? '';
    const before = await left();
    const body = field('cid', 'c2') + filePart('x') + end;
    const headers = { authorization: '' };
    expect(await rawUpload(url, { headers, send: whole(body) })).toMatchObject({ status: 401 });
    expect(await rawUpload(url, { headers, path: `/api/rooms/lobby/files?token=${tokenOf('ada')}`, send: whole(body) })).toMatchObject({
      status: 401,
    });
    expect((await fetch(`${url}/api/files/${id}`)).status).toBe(401);
    expect(await left()).toBe(before);
  });
});
