/**
 * Files on two whole nodes over one MongoDB (GridFS): uploaded at one, had from the other, and gone from both at once.
 */
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../system/clock.ts';
import { newId } from '../../system/ids.ts';
import { connectMongo } from '../../system/store/mongo-database.ts';
import { createIndexes } from '../../system/store/mongo-indexes.ts';
import { ask, client, closeClients, connected } from '../support/gateway-client.ts';
import { tokenOf } from '../support/gateway-fixtures.ts';
import { startInProcess, stopNodes } from '../support/test-nodes.ts';
import { downloadFile, uploadFile } from '../support/uploads.ts';

const server = process.env['PLAYHOUSE_TEST_MONGO_URL'];

describe.skipIf(server === undefined)('files over MongoDB (needs PLAYHOUSE_TEST_MONGO_URL: npm run services)', () => {
  const url = new URL(server ?? 'mongodb://none');
  url.pathname = `/test-files-node-${newId()}`;
  let dataDir = '';
  afterAll(async () => {
    closeClients();
    await stopNodes();
    const keeper = await connectMongo({ url: url.href, clock: systemClock });
    await keeper.db.dropDatabase();
    await keeper.close();
    await rm(dataDir, { recursive: true, force: true });
  }, 60_000);

  it('are had from another node than the one that took them, and lost on every node to whoever is removed', async () => {
    const keeper = await connectMongo({ url: url.href, clock: systemClock });
    await createIndexes(keeper.db);
    dataDir = await mkdtemp(join(tmpdir(), 'playhouse-files-node-'));
    const start = (nodeId: string) =>
      startInProcess({ mongoUrl: url.href, nodeId, dataDir: join(dataDir, nodeId) }, { parts: undefined } as never);
    const [one, two] = [await start('one'), await start('two')];
    expect(one.node.description.files).toContain('GridFS');
    const ada = await connected(client(one.url, { auth: { token: tokenOf('ada') } }));
    await ask(ada, 'room:create', { kind: 'group', id: 'lobby', members: ['bob', 'eve'] });
    const bytes = randomBytes(3_000_000);
    const reply = await uploadFile(one.url, bytes);
    expect(reply.status).toBe(201);
    const id = reply.body.file?.id ?? '';
    for (const { url: at } of [one, two]) expect((await downloadFile(at, id, 'bob')).bytes.equals(bytes)).toBe(true);
    await ask(ada, 'room:kick', { room: 'lobby', user: 'bob' });
    for (const { url: at } of [one, two]) expect((await downloadFile(at, id, 'bob')).status).toBe(404);
    // A retry at the other node is the same file.
    expect(await uploadFile(two.url, bytes)).toMatchObject({ status: 200, body: { seq: 2, dup: true, file: { id } } });
    expect(await ask(ada, 'message:delete', { room: 'lobby', cid: 'd1', target: 2 })).toMatchObject({ ok: true });
    for (const { url: at } of [one, two]) expect((await downloadFile(at, id, 'eve')).status).toBe(404);
    const parts = async (): Promise<number> => keeper.db.collection('files.chunks').countDocuments();
    await expect.poll(parts, { timeout: 5_000 }).toBe(0);
    await keeper.close();
  }, 60_000);
});
