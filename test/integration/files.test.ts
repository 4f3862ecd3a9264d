/**
 * Files over HTTP, on a whole node: taken, told to the room, given to members, gone when they are deleted; and what a stranger, a removed
 * member or a crash in between comes to.
 */
import { createHash, randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../system/clock.ts';
import { newFileId } from '../../system/files/file-store.ts';
import { MemoryFileStore } from '../../system/files/file-store-memory.ts';
import { openMemoryStore } from '../../system/store/room-store-memory.ts';
import { createMemoryWireHub } from '../../system/wire/wire-memory.ts';
import { cid, room, user } from '../support/entries.ts';
import { collectorOver } from '../support/file-collectors.ts';
import { ask, client, closeClients, connected, waitUntil } from '../support/gateway-client.ts';
import { tokenOf } from '../support/gateway-fixtures.ts';
import { type InProcess, startInProcess, stopNodes } from '../support/test-nodes.ts';
import { downloadFile, uploadFile } from '../support/uploads.ts';

afterEach(async () => {
  closeClients();
  await stopNodes();
});

const png = Buffer.from('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==', 'base64');
const socketOf = async (url: string, name: string) => connected(client(url, { auth: { token: tokenOf(name) } }));

interface Stage extends InProcess {
  readonly files: MemoryFileStore;
}

/** ada's private room, with bob in it. */
async function start(overrides = {}): Promise<Stage> {
  const files = new MemoryFileStore(systemClock);
  const store = openMemoryStore();
  const parts = { store, files, wire: createMemoryWireHub().join('n'), sharedLog: false };
  const started = await startInProcess(overrides, { store, parts });
  const ada = await socketOf(started.url, 'ada');
  await ask(ada, 'room:create', { kind: 'group', id: 'lobby', members: ['bob'] });
  return { ...started, files };
}

const idOf = (reply: { body: { file?: { id: string } } }): string => reply.body.file?.id ?? 'none';
const listed = async ({ files }: Stage): Promise<readonly string[]> => (await files.list('', 100)).map(({ id }) => id);

describe('an uploaded file', () => {
  it('becomes the next entry of its room, is told to whoever has it open, and is given to members as it came', async () => {
    const { url } = await start();
    const bob = await socketOf(url, 'bob');
    const seen: Record<string, unknown>[] = [];
    bob.on('entries', ({ entries }: { entries: Record<string, unknown>[] }) => seen.push(...entries));
    await ask(bob, 'room:open', { room: 'lobby' });
    const bytes = Buffer.concat([png, randomBytes(2_000_000)]);
    const reply = await uploadFile(url, bytes, { name: 'cat.png', type: 'text/html' });
    const sha256 = createHash('sha256').update(bytes).digest('base64url');
    expect(reply.status).toBe(201);
    expect(reply.body).toMatchObject({ room: 'lobby', seq: 2, kind: 'file', by: 'ada', cid: 'c1' });
    expect(reply.body.file).toEqual({ id: idOf(reply), name: 'cat.png', type: 'image/png', bytes: bytes.length, sha256 });
    await waitUntil('bob sees the entry', () => seen.length === 1);
    expect(seen[0]).toMatchObject({ seq: 2, n: 1, kind: 'file', file: reply.body.file });
    const got = await downloadFile(url, idOf(reply), 'bob');
    expect(got.status).toBe(200);
    expect(got.bytes.equals(bytes)).toBe(true);
  });

  it('leaves as a download that no browser runs or keeps, by GET and by HEAD alike', async () => {
    const { url } = await start();
    const reply = await uploadFile(url, png, { name: 'süß "x".png' });
    for (const method of ['GET', 'HEAD']) {
      const { status, headers, bytes } = await downloadFile(url, idOf(reply), 'ada', method);
      expect(status).toBe(200);
      expect(headers).toMatchObject({
        'content-type': 'image/png',
        'content-length': String(png.length),
        'content-disposition': `attachment; filename="s__ _x_.png"; filename*=UTF-8''s%C3%BC%C3%9F%20_x_.png`,
        'x-content-type-options': 'nosniff',
        'cache-control': 'private, no-cache',
        'accept-ranges': 'bytes',
      });
      expect(headers['content-security-policy']).toContain('sandbox');
      expect(bytes.length).toBe(method === 'GET' ? png.length : 0);
    }
  });

  it('is in history and in a fresh page, and counts as a message', async () => {
    const { url } = await start();
    const reply = await uploadFile(url, png);
    const bob = await socketOf(url, 'bob');
    const page = await ask(bob, 'history:get', { room: 'lobby', before: 100 });
    expect(page['entries']).toMatchObject([{ seq: 2, kind: 'file', file: reply.body.file }]);
    expect((await ask(bob, 'room:list'))['rooms']).toMatchObject([{ unread: 1 }]);
  });

  it('may be a reply, and not to what is not there', async () => {
    const stage = await start();
    const { url } = stage;
    await uploadFile(url, png, { cid: 'first' });
    expect((await uploadFile(url, png, { cid: 'second', replyTo: '2' })).body).toMatchObject({ seq: 3, replyTo: 2 });
    const lost = await uploadFile(url, png, { cid: 'third', replyTo: '99' });
    expect(lost.status).toBe(404);
    expect(lost.body).toMatchObject({ code: 'NOT_FOUND' });
    expect((await listed(stage)).length).toBe(2);
  });

  it('is one file however often it is sent with its cid, and another content under that cid is a conflict', async () => {
    const stage = await start();
    const first = await uploadFile(stage.url, png, { name: 'a.png' });
    const again = await uploadFile(stage.url, png, { name: 'a.png' });
    expect(again.status).toBe(200);
    expect(again.body).toEqual({ ...first.body, dup: true });
    const other = await uploadFile(stage.url, randomBytes(png.length), { name: 'a.png' });
    expect(other.body).toMatchObject({ code: 'CONFLICT', status: 409 });
    expect(await listed(stage)).toEqual([idOf(first)]);
    const [head] = await stage.store.log.heads([room('lobby')]);
    expect(head?.seq).toBe(2);
  });
});

describe('a file is gone', () => {
  it('when its entry is deleted: from the log, from whoever asks, and from where its bytes were', async () => {
    const stage = await start();
    const reply = await uploadFile(stage.url, png, { name: 'secret.png' });
    const ada = await socketOf(stage.url, 'ada');
    expect(await ask(ada, 'message:delete', { room: 'lobby', cid: 'd1', target: 2 })).toMatchObject({ ok: true });
    expect((await downloadFile(stage.url, idOf(reply))).status).toBe(404);
    await expect.poll(() => listed(stage)).toEqual([]);
    expect(JSON.stringify(await stage.store.log.read(room('lobby'), { after: 0, limit: 9 }))).not.toContain('secret');
    const again = await uploadFile(stage.url, png, { name: 'secret.png' });
    expect(again).toMatchObject({ status: 200, body: { seq: 2, dup: true } });
    await expect.poll(() => listed(stage)).toEqual([]);
  });

  it('for a member who was removed, at once; and for strangers always: the same answer as for no file', async () => {
    const { url } = await start();
    const id = idOf(await uploadFile(url, png));
    expect((await downloadFile(url, id, 'bob')).status).toBe(200);
    const ada = await socketOf(url, 'ada');
    await ask(ada, 'room:kick', { room: 'lobby', user: 'bob' });
    const nobodys = newFileId({ room: room('lobby'), by: user('ada'), cid: cid('x') });
    const answers = [];
    for (const [who, what] of [
      ['bob', id],
      ['eve', id],
      ['eve', nobodys],
      ['ada', nobodys],
      ['ada', 'x'],
    ] as const) {
      const { status, bytes, headers } = await downloadFile(url, what, who);
      answers.push({ status, body: bytes.toString(), type: headers['content-type'], disposition: headers['content-disposition'] });
    }
    expect(answers[0]).toMatchObject({ status: 404, disposition: undefined });
    for (const answer of answers) expect(answer).toEqual(answers[0]);
  });

  it('unless its bytes are: then it is not there, and nothing of it is said', async () => {
    const stage = await start();
    const id = idOf(await uploadFile(stage.url, png));
    await stage.files.remove((await stage.files.list('', 1))[0]?.id as never);
    expect((await downloadFile(stage.url, id)).status).toBe(404);
  });
});

describe('who may upload', () => {
  it('is told before a byte is taken: members, and others as they are told of messages', async () => {
    const stage = await start();
    const ada = await socketOf(stage.url, 'ada');
    await ask(ada, 'room:create', { kind: 'channel', id: 'open', public: true });
    await ask(ada, 'room:kick', { room: 'lobby', user: 'bob' });
    for (const [who, where, code] of [
      ['eve', 'lobby', 'NOT_FOUND'],
      ['eve', 'nowhere', 'NOT_FOUND'],
      ['bob', 'lobby', 'NOT_FOUND'],
      ['eve', 'open', 'FORBIDDEN'],
    ] as const) {
      expect((await uploadFile(stage.url, png, { user: who, room: where })).body, `${who} in ${where}`).toMatchObject({ code });
    }
    expect(await listed(stage)).toEqual([]);
  });

  it('is asked again when the entry is appended: whoever is removed meanwhile leaves no bytes', async () => {
    const stage = await start();
    const { files } = stage;
    const put = files.put.bind(files);
    const ada = await socketOf(stage.url, 'ada');
    files.put = async (...args) => {
      const outcome = await put(...args);
      await ask(ada, 'room:kick', { room: 'lobby', user: 'bob' });
      return outcome;
    };
    expect((await uploadFile(stage.url, png, { user: 'bob' })).body).toMatchObject({ code: 'NOT_FOUND' });
    expect(await listed(stage)).toEqual([]);
  });
});

describe('the collector', () => {
  const owner = { room: room('lobby'), by: user('ada'), cid: cid('never') };

  it('takes what was uploaded and never appended, because its node died between, and no file that has an entry', async () => {
    const stage = await start();
    const kept: string[] = [];
    for (let i = 0; i < 120; i += 1) {
      if (i % 4 === 0) kept.push(idOf(await uploadFile(stage.url, png, { cid: `c${i}` })));
      else {
        const lost = { ...owner, cid: cid(`lost-${i}`) };
        await stage.files.put(newFileId(lost), lost, Readable.from([Buffer.from('x')]), 10);
      }
    }
    // A second try of a command whose first one has the entry.
    const twin = { ...owner, cid: cid('c0') };
    await stage.files.put(newFileId(twin), twin, Readable.from([Buffer.from('x')]), 10);
    expect(await collectorOver(stage, 3_600_000).collect()).toBe(0);
    expect(await collectorOver(stage, -1).collect()).toBe(91);
    expect([...(await listed(stage))].sort()).toEqual(kept.sort());
  });

  it('takes nothing while the log does not answer', async () => {
    const stage = await start();
    await stage.files.put(newFileId(owner), owner, Readable.from([Buffer.from('x')]), 10);
    const log = { ...stage.store.log, byCid: () => Promise.reject(new Error('down')) };
    await expect(collectorOver({ ...stage, store: { ...stage.store, log: log as never } }, -1).collect()).rejects.toThrow('down');
    expect((await listed(stage)).length).toBe(1);
  });
});
