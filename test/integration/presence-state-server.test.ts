/**
 * Nodes on a real state server over TCP that dies and comes back, while chat goes on.
 */
import type { Socket } from 'socket.io-client';
import { afterEach, describe, expect, it } from 'vitest';
import type { WirePresence } from '../../gateway/client-protocol.ts';
import { systemClock } from '../../system/clock.ts';
import { createLogger } from '../../system/logger.ts';
import { type StateServer, startStateServer } from '../../system/state/state-server.ts';
import { openMemoryStore } from '../../system/store/room-store-memory.ts';
import { createMemoryWireHub } from '../../system/wire/wire-memory.ts';
import { ask, client, closeClients, connected, waitUntil } from '../support/gateway-client.ts';
import { tokenOf } from '../support/gateway-fixtures.ts';
import { freePort } from '../support/node-process.ts';
import { noRates } from '../support/test-config.ts';
import { type InProcess, startInProcess, stopNodes } from '../support/test-nodes.ts';

let server: StateServer | undefined;
afterEach(async () => {
  closeClients();
  await stopNodes();
  await server?.stop();
  server = undefined;
});

async function startServer(port: number): Promise<void> {
  const log = createLogger({ level: 'silent', base: {}, destination: { write: () => {} } });
  server = await startStateServer({ host: '127.0.0.1', port, clock: systemClock, log });
}
const connect = (node: InProcess, user: string): Promise<Socket> => connected(client(node.url, { auth: { token: tokenOf(user) } }));
async function watcher(node: InProcess, user: string, users: string[]) {
  const socket = await connect(node, user);
  const seen = new Map<string, string>();
  const keep = (views: readonly WirePresence[]) => views.forEach((view) => void seen.set(view.user, view.state));
  socket.on('presence', ({ changes }: { changes: WirePresence[] }) => keep(changes));
  keep((await ask(socket, 'presence:watch', { users }))['states'] as WirePresence[]);
  return { socket, seen };
}

/** Sends without pause until `stop`, and counts what was acknowledged and how long the slowest took. */
function talk(socket: Socket, room: string) {
  const acks = { done: 0, failed: 0, slowestMs: 0 };
  let isOver = false;
  const loop = (async () => {
    for (let index = 0; !isOver; index += 1) {
      const fromMs = performance.now();
      const { ok } = await ask(socket, 'message:send', { room, cid: `t${index}`, text: 'x' });
      acks.slowestMs = Math.max(acks.slowestMs, performance.now() - fromMs);
      acks[ok ? 'done' : 'failed'] += 1;
      await new Promise((resolve) => setImmediate(resolve));
    }
  })();
  return {
    acks,
    async stop() {
      isOver = true;
      await loop;
    },
  };
}

describe('a state server that dies', () => {
  it('makes users elsewhere unknown, never wrong; when it is back the truth is there within 3 s; chat notices nothing', async () => {
    const port = await freePort();
    await startServer(port);
    const store = openMemoryStore();
    const wires = createMemoryWireHub();
    const start = (nodeId: string) =>
      startInProcess(
        { nodeId, stateServer: `127.0.0.1:${port}`, ...noRates },
        { parts: { store: { ...store, close: async () => {} }, wire: wires.join(nodeId), sharedLog: true } },
      );
    const [one, two] = [await start('one'), await start('two')];
    const bob = await connect(two, 'bob');
    const carol = await connect(one, 'carol');
    const dora = await connect(two, 'dora');
    const { socket: alice, seen } = await watcher(one, 'alice', ['bob', 'carol', 'dora', 'nobody']);
    const states = () => Object.fromEntries(seen);
    await waitUntil('both nodes are known', () => seen.get('bob') === 'online' && seen.get('nobody') === 'offline', 5_000);
    await ask(alice, 'room:create', { kind: 'group', id: 'lobby', members: [] });
    const talking = talk(alice, 'lobby');

    await server?.stop();
    await waitUntil('bob is unknown', () => seen.get('bob') === 'unknown', 1_000);
    await waitUntil('all elsewhere are', () => seen.get('nobody') === 'unknown', 1_000);
    expect(states()).toEqual({ bob: 'unknown', carol: 'online', dora: 'unknown', nobody: 'unknown' });
    dora.disconnect(); // While nobody keeps count.
    await connect(two, 'nobody');
    const doneBefore = talking.acks.done;
    await waitUntil('chat goes on', () => talking.acks.done >= doneBefore + 20, 5_000);

    await startServer(port);
    await waitUntil('the truth is back', () => seen.get('bob') === 'online' && seen.get('dora') === 'offline', 3_000);
    await waitUntil('all of it', () => seen.get('nobody') === 'online', 1_000);
    await talking.stop();
    expect(states()).toEqual({ bob: 'online', carol: 'online', dora: 'offline', nobody: 'online' });
    expect(talking.acks.failed).toBe(0);
    expect(talking.acks.slowestMs).toBeLessThan(500);
    const events = one.lines.map((line) => JSON.parse(line) as { ev?: string }).map(({ ev }) => ev);
    expect(events.filter((ev) => ev === 'link.down' || ev === 'link.resync')).toEqual(['link.down', 'link.resync']);
    expect([bob, carol].every((socket) => socket.connected)).toBe(true);
  });

  it('or never was there does not keep a node from starting and serving; presence comes with it', async () => {
    const port = await freePort();
    const node = await startInProcess({ stateServer: `127.0.0.1:${port}` });
    const bob = await connect(node, 'bob');
    const { socket, seen } = await watcher(node, 'alice', ['bob', 'carol']);
    expect(Object.fromEntries(seen)).toEqual({ bob: 'online', carol: 'unknown' });
    expect(await ask(socket, 'room:create', { kind: 'group', id: 'lobby' })).toMatchObject({ ok: true });
    const ready = await fetch(`${node.url}/readyz`);
    expect(ready.status).toBe(200);
    expect(await ready.json()).toMatchObject({ parts: { presence: 'degraded' } });
    await startServer(port);
    await waitUntil('carol is known', () => seen.get('carol') === 'offline', 3_000);
    expect(await (await fetch(`${node.url}/readyz`)).json()).toMatchObject({ parts: { presence: 'up' } });
    expect(bob.connected).toBe(true);
  });
});
