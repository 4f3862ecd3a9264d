/**
 * What a state server that stands alone tells its operators, as a process: health, readiness, version and metrics, and to whom.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { metricTable } from '../../system/metric-table.ts';
import { testSecret, tokenOf, tokenWith } from '../support/gateway-fixtures.ts';
import { LineClient } from '../support/line-client.ts';
import { freePort, NodeProcess } from '../support/node-process.ts';
import { rawRequest } from '../support/raw-request.ts';

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

interface Stage {
  readonly server: NodeProcess;
  readonly url: string;
  readonly statePort: number;
}

async function start(env: Record<string, string> = {}): Promise<Stage> {
  const [statePort, httpPort] = [await freePort(), await freePort()];
  const dir = mkdtempSync(join(tmpdir(), 'playhouse-state-http-'));
  ends.push(() => rmSync(dir, { recursive: true, force: true }));
  const server = new NodeProcess(
    {
      CHAT_STATE_PORT: String(statePort),
      CHAT_STATE_HTTP_ADDRESS: `127.0.0.1:${httpPort}`,
      CHAT_JWT_SECRET: testSecret,
      CHAT_DATA_DIR: dir,
      ...env,
    },
    'state-server-main',
  );
  ends.push(() => server.kill());
  await server.start();
  return { server, url: `http://127.0.0.1:${httpPort}`, statePort };
}

const textOf = async (url: string): Promise<string> => (await fetch(`${url}/metrics`)).text();
const readyOf = async (url: string): Promise<unknown> => {
  const response = await fetch(`${url}/readyz`);
  return { status: response.status, body: await response.json() };
};

describe('a state server that stands alone', () => {
  it('is healthy and ready, says its version, and counts a node with its users under names of the one table', async () => {
    const { server, url, statePort } = await start();
    expect(server.log).toContain(`health and metrics at ${url}`);
    expect(await (await fetch(`${url}/healthz`)).json()).toEqual({ status: 'ok' });
    expect(await readyOf(url)).toEqual({ status: 200, body: { status: 'ready', reasons: [], parts: { state: 'up', loop: 'up' } } });
    expect(await (await fetch(`${url}/version`)).json()).toMatchObject({ name: 'playhouse', node: expect.stringMatching(/^v/) });

    const node = await LineClient.open(statePort);
    ends.push(() => node.socket.destroy());
    await node.request({ type: 'hello', v: 1, node: 'n1', inc: 'n1.1' });
    await node.request({
      type: 'snapshot',
      id: 1,
      first: true,
      last: true,
      sessions: [
        ['s1', 'ada', 'app'],
        ['s2', 'ada', 'app'],
      ],
      watch: ['bob'],
    });
    const text = await textOf(url);
    for (const [name, value] of Object.entries({ connections: 1, nodes: 1, sessions: 2, users: 1, watches: 1, communities: 0 }))
      expect(text).toContain(`\nplayhouse_state_${name} ${value}\n`);
    expect(text).toContain('\nplayhouse_ready 1\n');
    expect(text).not.toMatch(/ada|bob|n1/);
    const shown = [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name = '', type]) => [name, type]);
    expect(shown.length).toBeGreaterThan(12);
    for (const [name = '', type] of shown) expect(metricTable[name as keyof typeof metricTable]?.type, name).toBe(type);
  });

  it('tells metrics and its version to this machine without a proxy and to operators, health to everybody, the rest to nobody', async () => {
    const { url } = await start();
    const elsewhere = { host: 'state.example.org' };
    const asked = async (path: string, token?: string): Promise<number> =>
      (await rawRequest(url, 'GET', path, token === undefined ? elsewhere : { ...elsewhere, authorization: `Bearer ${token}` })).status;
    for (const path of ['/metrics', '/version']) {
      expect(await asked(path), path).toBe(401);
      expect(await asked(path, tokenOf('ada')), path).toBe(403);
      expect(await asked(path, tokenWith('ops', { roles: ['operator'] })), path).toBe(200);
    }
    expect(await asked('/healthz')).toBe(200);
    expect(await asked('/readyz')).toBe(200);
    for (const path of ['/', '/api/rooms']) expect(await asked(path), path).toBe(404);
  });

  it('stays ready without Redis, and says that it is degraded', async () => {
    const { url } = await start({ CHAT_REDIS_URL: `redis://127.0.0.1:${await freePort()}` });
    expect(await readyOf(url)).toEqual({
      status: 200,
      body: { status: 'ready', reasons: [expect.stringContaining('redis ')], parts: { state: 'up', loop: 'up', redis: 'degraded' } },
    });
    expect(await textOf(url)).toContain('\nplayhouse_part_health{part="redis"} 0.5\n');
  });

  it('has no such port unless told, and ends with a line that names the setting where the port is taken', async () => {
    const { server } = await start({ CHAT_STATE_HTTP_ADDRESS: '' });
    expect(server.log).not.toContain('http://');
    const taken = createServer();
    const port = await freePort();
    await new Promise<void>((resolve) => taken.listen(port, '127.0.0.1', resolve));
    ends.push(() => taken.close());
    const other = new NodeProcess(
      { CHAT_STATE_PORT: String(await freePort()), CHAT_STATE_HTTP_ADDRESS: `127.0.0.1:${port}`, CHAT_JWT_SECRET: testSecret },
      'state-server-main',
    );
    ends.push(() => other.kill());
    const { code, stderr } = await other.run();
    expect([code, stderr]).toEqual([1, expect.stringContaining('set CHAT_STATE_HTTP_ADDRESS')]);
  });

  it('ends in order on SIGTERM while somebody is connected to it', async () => {
    const { server, url } = await start();
    await textOf(url);
    expect(await server.kill('SIGTERM')).toBe(0);
  });
});
