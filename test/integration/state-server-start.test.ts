/**
 * The state server that stands alone, as a process: a node finds it, does without it, and finds it again.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { freePort, NodeProcess } from '../support/node-process.ts';

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});
const processOf = (env: Record<string, string>, program?: 'state-server-main'): NodeProcess => {
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
