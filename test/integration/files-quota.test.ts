/** The quota of uploads on a whole node: what counts, what does not, and what is said to whoever is over it. */
import { randomBytes } from 'node:crypto';
import { afterEach, expect, it } from 'vitest';
import { ChatClient } from '../../gateway/client/chat-client.ts';
import { systemClock } from '../../system/clock.ts';
import { MemoryFileStore } from '../../system/files/file-store-memory.ts';
import { openMemoryStore } from '../../system/store/room-store-memory.ts';
import { createMemoryWireHub } from '../../system/wire/wire-memory.ts';
import { ask, client, closeClients, connected } from '../support/gateway-client.ts';
import { tokenOf } from '../support/gateway-fixtures.ts';
import { startInProcess, stopNodes } from '../support/test-nodes.ts';
import { end, field, filePart, rawUpload, uploadFile } from '../support/uploads.ts';

afterEach(async () => {
  closeClients();
  await stopNodes();
});

async function start(overrides = {}) {
  const files = new MemoryFileStore(systemClock);
  const store = openMemoryStore();
  const parts = { store, files, wire: createMemoryWireHub().join('n'), sharedLog: false };
  const { url } = await startInProcess({ fileBytesMax: 50_000, uploadBytesPerDayMax: 100_000, ...overrides }, { store, parts });
  const ada = await connected(client(url, { auth: { token: tokenOf('ada') } }));
  await ask(ada, 'room:create', { kind: 'group', id: 'lobby', members: ['bob'] });
  const left = async () => (await files.list('', 1_000)).length;
  return { url, ada, left };
}

const bytes = randomBytes(40_000);

it('a user may leave so many bytes in a day, and hears when there is room again; others are not concerned', async () => {
  const { url, left } = await start();
  for (const cid of ['a', 'b']) expect((await uploadFile(url, bytes, { cid })).status).toBe(201);
  const over = await uploadFile(url, bytes, { cid: 'c' });
  expect(over).toMatchObject({ status: 429, body: { code: 'RATE_LIMITED', retryable: true } });
  expect(over.headers['content-type']).toContain('application/problem+json');
  const hours = Number(over.headers['retry-after']) / 3_600;
  expect([hours > 23, hours <= 25]).toEqual([true, true]);
  expect(over.body['retryAfterMs']).toBeGreaterThan(23 * 3_600_000);
  // What fits still does.
  expect((await uploadFile(url, randomBytes(10_000), { cid: 'd' })).status).toBe(201);
  expect((await uploadFile(url, bytes, { cid: 'e', user: 'bob' })).status).toBe(201);
  expect(await left()).toBe(4);
  expect(await (await fetch(`${url}/metrics`)).text()).toContain('playhouse_transfers_refused_total{kind="quota"} 1');
});

it('a client that is over it is told at once: the library does not sit out the hours', async () => {
  const { url } = await start();
  for (const cid of ['a', 'b']) expect((await uploadFile(url, bytes, { cid })).status).toBe(201);
  const person = new ChatClient();
  try {
    await person.connect({ url, token: tokenOf('ada') });
    await expect(person.upload('lobby', { name: 'c.bin', bytes })).rejects.toMatchObject({ code: 'RATE_LIMITED', retryable: true });
  } finally {
    person.disconnect();
  }
});

it('nothing counts that is not kept: retries, what the room refuses, what is cut off', async () => {
  const { url, left } = await start();
  for (let i = 0; i < 4; i += 1) expect((await uploadFile(url, bytes, { cid: 'same' })).status).toBe(i === 0 ? 201 : 200);
  for (let i = 0; i < 4; i += 1) {
    expect((await uploadFile(url, bytes, { cid: `lost-${i}`, replyTo: '99' })).body).toMatchObject({ code: 'NOT_FOUND' });
    expect((await uploadFile(url, bytes, { cid: `no-${i}`, room: 'nowhere' })).body).toMatchObject({ code: 'NOT_FOUND' });
    const cut = await rawUpload(url, {
      headers: { 'content-length': '40000' },
      send: (write, _end, cutOff) => {
        write(field('cid', `cut-${i}`) + filePart('x'.repeat(9_000)));
        cutOff();
      },
    });
    expect(cut).toBe('cut');
  }
  await expect.poll(async () => (await uploadFile(url, bytes, { cid: 'fits' })).status).toBe(201);
  expect(await left()).toBe(2);
});

it('what is over it is refused before a byte of it is taken, and without a length it counts as the largest file', async () => {
  const { url } = await start({ uploadBytesPerDayMax: 60_000 });
  expect((await uploadFile(url, bytes, { cid: 'a' })).status).toBe(201);
  const unsent = await rawUpload(url, { headers: { 'content-length': '30000' }, send: (write) => write(field('cid', 'b')) });
  expect(unsent).toMatchObject({ status: 429, body: { code: 'RATE_LIMITED' } });
  const unknown = await rawUpload(url, {
    send: (write, finish) => {
      write(field('cid', 'c') + filePart('x') + end);
      finish();
    },
  });
  expect(unknown).toMatchObject({ status: 429, body: { code: 'RATE_LIMITED' } });
});
