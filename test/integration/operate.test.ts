/**
 * What a running node tells its operators: metrics, readiness, version, and who may ask.
 */
import { afterEach, describe, expect, it } from 'vitest';
import { metricTable } from '../../system/metric-table.ts';
import { ask, client, closeClients, connected, readingOf } from '../support/gateway-client.ts';
import { tokenOf, tokenWith } from '../support/gateway-fixtures.ts';
import { rawRequest } from '../support/raw-request.ts';
import { noRates } from '../support/test-config.ts';
import { startInProcess, stopNodes } from '../support/test-nodes.ts';

afterEach(async () => {
  closeClients();
  await stopNodes();
});

const operatorToken = tokenWith('ops', { roles: ['operator'] });
const metricsOf = async (url: string): Promise<string> => (await fetch(`${url}/metrics`)).text();
const valueIn = (text: string, name: string): number =>
  Number(
    text
      .split('\n')
      .find((line) => line.startsWith(`${name} `))
      ?.slice(name.length + 1),
  );

describe('GET /metrics', () => {
  it('has every row of the table and no other', async () => {
    const { url } = await startInProcess();
    const ada = await connected(client(url, { auth: { token: tokenOf('ada') } }));
    await ask(ada, 'room:list');
    const shown = [...(await metricsOf(url)).matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, type]) => `${name} ${type}`);
    expect(shown.sort()).toEqual(
      Object.entries(metricTable)
        .map(([name, { type }]) => `${name} ${type}`)
        .sort(),
    );
  });

  it('counts what two people do in a room', async () => {
    const { url } = await startInProcess();
    const ada = await connected(client(url, { auth: { token: tokenOf('ada') } }));
    const bob = await connected(client(url, { auth: { token: tokenOf('bob') } }));
    await ask(ada, 'room:create', { kind: 'group', id: 'lobby', public: true, members: ['bob'] });
    for (const socket of [ada, bob]) await ask(socket, 'room:open', { room: 'lobby' });
    const heard = new Promise((resolve) => bob.once('entries', resolve));
    await ask(ada, 'message:send', { room: 'lobby', cid: 'c1', text: 'hello' });
    await heard;
    await ask(ada, 'message:send', { room: 'lobby', cid: 'c1', text: 'hello' });
    await ask(ada, 'message:send', { room: 'nowhere', cid: 'c1', text: 'hello' });
    await ask(ada, 'no:such:event', {});
    const text = await metricsOf(url);
    expect(valueIn(text, 'playhouse_connections')).toBe(2);
    expect(valueIn(text, 'playhouse_sessions')).toBe(2);
    expect(valueIn(text, 'playhouse_readers')).toBe(2);
    expect(valueIn(text, 'playhouse_appended_entries_total')).toBe(2);
    expect(valueIn(text, 'playhouse_deliveries_total')).toBe(2);
    expect(valueIn(text, 'playhouse_frames_total')).toBe(2);
    expect(valueIn(text, 'playhouse_commands_total{event="message:send",code="OK"}')).toBe(2);
    expect(valueIn(text, 'playhouse_commands_total{event="message:send",code="NOT_FOUND"}')).toBe(1);
    expect(valueIn(text, 'playhouse_commands_total{event="unknown",code="UNKNOWN_EVENT"}')).toBe(1);
    expect(valueIn(text, 'playhouse_room_events_total{event="dedupeHit"}')).toBe(1);
    expect(valueIn(text, 'playhouse_connects_total{code="OK"}')).toBe(2);
    expect(valueIn(text, 'playhouse_append_entries_count')).toBe(2);
    expect(valueIn(text, 'playhouse_heap_used_bytes')).toBeGreaterThan(1e6);
    expect(text).not.toMatch(/lobby|ada|bob/);
    bob.disconnect();
    ada.disconnect();
    await expect.poll(async () => valueIn(await metricsOf(url), 'playhouse_readers')).toBe(0);
  });
});

describe('who may ask', () => {
  const elsewhere = { host: 'chat.example.org' };
  const bearer = (token: string) => ({ ...elsewhere, authorization: `Bearer ${token}` });

  it('local: this machine without a proxy, and operators from elsewhere', async () => {
    const { url } = await startInProcess();
    for (const path of ['/metrics', '/version']) {
      expect((await rawRequest(url, 'GET', path)).status, path).toBe(200);
      expect((await rawRequest(url, 'GET', path, elsewhere)).status).toBe(401);
      expect((await rawRequest(url, 'GET', path, { 'x-forwarded-for': '10.0.0.1' })).status).toBe(401);
      expect((await rawRequest(url, 'GET', path, { ...elsewhere, cookie: `token=${operatorToken}` })).status).toBe(401);
      expect((await rawRequest(url, 'GET', `${path}?token=${operatorToken}`, elsewhere)).status).toBe(401);
      const user = await rawRequest(url, 'GET', path, bearer(tokenOf('ada')));
      expect(user).toMatchObject({ status: 403, headers: { 'content-type': expect.stringContaining('application/problem+json') } });
      expect(JSON.parse(user.body)).toMatchObject({ code: 'FORBIDDEN', status: 403, retryable: false });
      expect((await rawRequest(url, 'GET', path, bearer(operatorToken))).status).toBe(200);
    }
  });

  it('operator: a token even on this machine; open: everybody', async () => {
    const strict = await startInProcess({ operatorAccess: 'operator' });
    expect(await rawRequest(strict.url, 'GET', '/metrics')).toMatchObject({ status: 401, headers: { 'www-authenticate': 'Bearer' } });
    expect((await rawRequest(strict.url, 'GET', '/metrics', { authorization: `Bearer ${operatorToken}` })).status).toBe(200);
    const open = await startInProcess({ operatorAccess: 'open' });
    expect((await rawRequest(open.url, 'GET', '/metrics', elsewhere)).status).toBe(200);
  });

  it('everybody hears health and readiness, which name no version, host or path', async () => {
    const { url } = await startInProcess();
    const health = await rawRequest(url, 'GET', '/healthz', elsewhere);
    const ready = await rawRequest(url, 'GET', '/readyz', elsewhere);
    expect(health).toMatchObject({ status: 200, body: '{"status":"ok"}' });
    expect(JSON.parse(ready.body)).toEqual({
      status: 'ready',
      reasons: [],
      parts: expect.objectContaining({ node: 'up', loop: 'up', actors: 'up', wire: 'up', presence: 'up' }),
    });
    expect(ready.body).not.toMatch(/\d+\.\d+|\//);
    expect(JSON.parse((await rawRequest(url, 'GET', '/version')).body)).toEqual({
      name: 'playhouse',
      version: expect.stringMatching(/^\d+\.\d+\.\d+/),
      node: process.version,
      protocol: 1,
    });
  });
});

describe('GET /readyz', () => {
  it('is 503 while the node drains, with the reason, and health goes on', async () => {
    const { url, node } = await startInProcess({
      ...noRates,
    });
    const ada = await connected(client(url, { auth: { token: tokenOf('ada') } }));
    await ask(ada, 'room:create', { kind: 'group', id: 'lobby' });
    await ask(ada, 'room:open', { room: 'lobby' });
    // Its closing cannot leave: the drain waits for it.
    const reading = readingOf(ada);
    reading.pause();
    const text = 'x'.repeat(16_000);
    let sent = 0;
    const fill = async () => {
      for (let i = 0; i < 40; i += 1) {
        sent += 1;
        ada.emit('message:send', { room: 'lobby', cid: `c${sent}`, text }, () => {});
      }
      return valueIn(await metricsOf(url), 'playhouse_outbox_fill_ratio');
    };
    await expect.poll(fill, { timeout: 10_000, interval: 10 }).toBeGreaterThan(0.8);
    const stopped = node.stop();
    const [ready, health] = await Promise.all([rawRequest(url, 'GET', '/readyz'), rawRequest(url, 'GET', '/healthz')]);
    reading.resume();
    expect(ready.status).toBe(503);
    expect(JSON.parse(ready.body)).toMatchObject({ status: 'not ready', reasons: ['node is draining'], parts: { node: 'down' } });
    expect(health.status).toBe(200);
    await stopped;
  });
});
