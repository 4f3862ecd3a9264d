/**
 * The state server that stands alone, as a process: a node finds it, does without it, and finds it again.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { settings } from '../../config/schema.ts';
import { freePort, type NodeExit, NodeProcess, type ProgramName } from '../support/node-process.ts';

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});
const processOf = (env: Record<string, string>, program?: ProgramName): NodeProcess => {
  const made = new NodeProcess(env, program);
  ends.push(() => made.kill());
  return made;
};
const secret = 'k3Jd-92hsLq0xZ_vB7mWtYpR4nEuGfCa';

it('serves a node, which stays ready while it is killed, and is known again after its restart at the same address', async () => {
  const [statePort, chatPort] = [String(await freePort()), String(await freePort())];
  const stateServer = processOf({ CHAT_STATE_PORT: statePort, CHAT_STATE_SECRET: secret }, 'state-server-main');
  await stateServer.start();
  expect(stateServer.log).toContain(`CHAT_STATE_SERVER=127.0.0.1:${statePort}`);

  const dir = mkdtempSync(join(tmpdir(), 'playhouse-state-'));
  ends.push(() => rmSync(dir, { recursive: true, force: true }));
  const address = `127.0.0.1:${statePort}`;
  const node = processOf({ CHAT_PORT: chatPort, CHAT_DATA_DIR: dir, CHAT_STATE_SERVER: address, CHAT_STATE_SECRET: secret });
  await node.start();
  const presence = async (): Promise<unknown> => {
    const response = await fetch(`http://127.0.0.1:${chatPort}/readyz`);
    const { parts } = (await response.json()) as { parts: { presence: string } };
    return { status: response.status, presence: parts.presence };
  };
  await expect.poll(presence, { timeout: 10_000 }).toEqual({ status: 200, presence: 'up' });

  await stateServer.kill('SIGKILL');
  await expect.poll(presence, { timeout: 10_000 }).toEqual({ status: 200, presence: 'degraded' });
  await stateServer.start();
  await expect.poll(presence, { timeout: 10_000 }).toEqual({ status: 200, presence: 'up' });
  expect(await stateServer.kill('SIGTERM')).toBe(0);
}, 60_000);

it('refuses to be reached by others without a secret, and says which setting is missing', async () => {
  const { code, stderr } = await processOf({ CHAT_STATE_HOST: '0.0.0.0' }, 'state-server-main').run();
  expect(code).toBe(1);
  expect(stderr).toContain('CHAT_STATE_SECRET');
});

it('listens on port 3100 unless told otherwise, where its settings and the README say nodes find it', async () => {
  // An address of its own on loopback: the port may be taken on the usual one.
  const host = `127.77.${1 + (process.pid % 250)}.${1 + ((process.pid >> 8) % 250)}`;
  const stateServer = processOf({ CHAT_STATE_HOST: host }, 'state-server-main');
  await stateServer.start();
  expect(stateServer.log).toContain(`CHAT_STATE_SERVER=${host}:3100`);
  expect(await processOf({ CHAT_STATE_HOST: host }, 'state-server-probe').run()).toMatchObject({ code: 0 });
  expect(settings.statePort.description).toContain('3100 for npm run state-server');
  expect(readFileSync(new URL('../../README.md', import.meta.url), 'utf8')).toContain('CHAT_STATE_SERVER=127.0.0.1:3100 npm start');
});

describe('the health command of the state server', () => {
  const env = (port: string): Record<string, string> => ({ CHAT_STATE_PORT: port, CHAT_STATE_SECRET: secret });
  const probe = (port: string): Promise<NodeExit> => processOf(env(port), 'state-server-probe').run();

  it('says 0 of one that works, with a secret too, and leaves nothing behind; 1 and the reason of one that is frozen or gone', async () => {
    const port = String(await freePort());
    const stateServer = processOf({ ...env(port), CHAT_LOG_LEVEL: 'info' }, 'state-server-main');
    await stateServer.start();
    expect(await probe(port)).toMatchObject({ code: 0 });
    expect(stateServer.stdout).not.toMatch(/link\.up|state\.cut/);

    stateServer.signal('SIGSTOP');
    const frozen = await probe(port);
    expect([frozen.code, frozen.stderr]).toEqual([1, expect.stringContaining('no answer within 2000 ms')]);
    stateServer.signal('SIGCONT');
    expect(await probe(port)).toMatchObject({ code: 0 });

    expect(await stateServer.kill('SIGTERM')).toBe(0);
    const gone = await probe(port);
    expect([gone.code, gone.stderr]).toEqual([1, expect.stringContaining('ECONNREFUSED')]);
  }, 60_000);

  it('says 1 of what is no state server', async () => {
    const other = createServer((socket) => socket.on('error', () => {}).end('HTTP/1.1 400 Bad Request\r\n\r\n'));
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    ends.push(() => other.close());
    const { code, stderr } = await probe(String((other.address() as AddressInfo).port));
    expect([code, stderr]).toEqual([1, expect.stringContaining('something else than a state server')]);
  });
});
