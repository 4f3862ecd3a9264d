/**
 * Starting and stopping a node as a process: what it says, what it refuses, and with which exit code.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { freePort, NodeProcess } from '../support/node-process.ts';

let dir = '';
const nodes: NodeProcess[] = [];
const node = (env: Record<string, string>): NodeProcess => {
  const made = new NodeProcess({ CHAT_PORT: '0', CHAT_DATA_DIR: join(dir, 'data'), ...env });
  nodes.push(made);
  return made;
};
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'playhouse-start-'));
});
afterEach(async () => {
  for (const made of nodes.splice(0)) await made.kill();
  rmSync(dir, { recursive: true, force: true });
});
const linesOf = (text: string): string[] => text.trim().split('\n');

describe('a node that starts', () => {
  it('says where it is, where it stores, that tokens are for everybody, and what to type next', async () => {
    const first = node({});
    await first.start();
    expect(first.log).toMatch(/Playhouse is up: http:\/\/127\.0\.0\.1:\d+/);
    expect(first.log).toContain(join(dir, 'data'));
    expect(first.log).toContain('DEVELOPMENT MODE');
    expect(first.log).toContain('npm run chat -- --user alice --room lobby');
  });

  it('stops in order on SIGTERM with exit code 0, and can be started again on its folder', async () => {
    const first = node({});
    await first.start();
    expect(await first.kill('SIGTERM')).toBe(0);
    await first.start();
    expect(await first.kill('SIGTERM')).toBe(0);
  });
});

describe('a node that cannot start ends with code 1 and', () => {
  it('names every mistake of its configuration at once', async () => {
    const { code, stderr } = await node({
      CHAT_PORT: 'eighty',
      CHAT_LOG_LEVLE: 'info',
      CHAT_JWT_SECRET: 'secret',
      CHAT_KAFKA_BROKERS: 'k:9092',
    }).run();
    expect(code).toBe(1);
    for (const name of ['CHAT_PORT', 'CHAT_LOG_LEVLE', 'CHAT_LOG_LEVEL', 'CHAT_JWT_SECRET', 'CHAT_MONGO_URL', 'CHAT_CLUSTER_SECRET'])
      expect(stderr).toContain(name);
    expect(stderr).toContain('5 mistakes');
  });

  it('says in one line that another node owns the data folder, and the first is unhurt', async () => {
    const port = String(await freePort());
    const first = node({ CHAT_PORT: port });
    await first.start();
    const { code, stderr } = await node({}).run();
    expect(code).toBe(1);
    expect(linesOf(stderr)).toHaveLength(1);
    expect(stderr).toMatch(/in use by another/);
    expect((await fetch(`http://127.0.0.1:${port}/readyz`)).status).toBe(200);
  });

  it('says in one line that the port is taken', async () => {
    const server: Server = createServer();
    const port = await new Promise<number>((resolve) => {
      server.listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port));
    });
    const { code, stderr } = await node({ CHAT_PORT: String(port) }).run();
    server.close();
    expect(code).toBe(1);
    expect(linesOf(stderr)).toHaveLength(1);
    expect(stderr).toMatch(new RegExp(`${port}.*something else listens there`));
  });

  it('says in one line that the data folder cannot be made', async () => {
    const aFile = join(dir, 'file');
    writeFileSync(aFile, '');
    const { code, stderr } = await node({ CHAT_DATA_DIR: join(aFile, 'data') }).run();
    expect(code).toBe(1);
    expect(linesOf(stderr)).toHaveLength(1);
    expect(stderr).toContain('CHAT_DATA_DIR');
  });
});
