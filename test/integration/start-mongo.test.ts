/**
 * Starting a node on a MongoDB that cannot keep what is promised: it ends with code 1 and one line that says what to do.
 *
 * A standalone server and one that is too old are played by a server that speaks MongoDB's protocol as far as a connecting driver asks:
 * neither is to be had from the registries that tests use. The missing index and the move are on a real one (store-mongo, migrate-mongo).
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type FakeMongo, startFakeMongo } from '../support/fake-mongo.ts';
import { freePort, NodeProcess } from '../support/node-process.ts';

let dir = '';
const fakes: FakeMongo[] = [];
const nodes: NodeProcess[] = [];
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'playhouse-start-'));
});
afterEach(async () => {
  for (const node of nodes.splice(0)) await node.kill();
  for (const fake of fakes.splice(0)) await fake.stop();
  rmSync(dir, { recursive: true, force: true });
});

const run = (mongoUrl: string, more: Readonly<Record<string, string>> = {}) => {
  const node = new NodeProcess({ CHAT_PORT: '0', CHAT_DATA_DIR: dir, CHAT_MONGO_URL: mongoUrl, ...more });
  nodes.push(node);
  return node.run();
};
const fake = async (version: string, setName?: string): Promise<string> => {
  const server = await startFakeMongo({ version, ...(setName !== undefined && { setName }) });
  fakes.push(server);
  return server.url;
};

describe('a node does not start, ends with code 1 and says in one line', () => {
  it('that this MongoDB is no replica set; CHAT_ALLOW_UNSAFE_STORE lets it go on to the next question', async () => {
    const url = await fake('6.0.5');
    const { code, stderr } = await run(url);
    expect(code).toBe(1);
    expect(stderr.trim()).toMatch(
      /^cannot start: this MongoDB is not a replica set, .*--replSet.*CHAT_ALLOW_UNSAFE_STORE=true to risk it$/,
    );
    const unsafe = await run(url, { CHAT_ALLOW_UNSAFE_STORE: 'true' });
    expect(unsafe.stderr).not.toContain('replica set');
    expect(unsafe.stderr.trim()).toMatch(/^cannot start: the index of .*npm run migrate$/);
  });

  it('that it is too old', async () => {
    const { code, stderr } = await run(await fake('5.0.31', 'rs0'));
    expect(code).toBe(1);
    expect(stderr.trim()).toBe('cannot start: MongoDB 6.0 or newer is needed; this server is 5.0.31');
  });

  it('that nobody answers, and without the password', async () => {
    const url = `mongodb://ada:hunter2@127.0.0.1:${await freePort()}/`;
    const { code, stderr } = await run(url);
    expect(code).toBe(1);
    expect(stderr.trim()).toMatch(/^cannot start: MongoDB cannot be reached: \w+; look at CHAT_MONGO_URL$/);
    expect(stderr).not.toContain('hunter2');
  });
});
