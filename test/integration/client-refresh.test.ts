/**
 * The client library and tokens that end, against whole nodes: it goes on without being disconnected, or comes back, or obeys.
 */
import { afterEach, describe, expect, it } from 'vitest';
import { ChatClient } from '../../gateway/client/chat-client.ts';
import type { StateChange } from '../../gateway/client/connection.ts';
import { waitUntil } from '../support/gateway-client.ts';
import { signToken, startTestNode, stopNodes } from '../support/test-nodes.ts';

const clients: ChatClient[] = [];
afterEach(async () => {
  for (const each of clients.splice(0)) each.end();
  await stopNodes();
});
function watched(): { client: ChatClient; states: StateChange[]; names: () => string[] } {
  const client = new ChatClient();
  clients.push(client);
  const states: StateChange[] = [];
  client.on('state', (change) => states.push(change));
  return { client, states, names: () => states.map(({ state }) => state) };
}

describe('a client whose token ends', () => {
  it('brings another by its callback and is never disconnected, over many lives of a token', async () => {
    const node = await startTestNode();
    const { client, names } = watched();
    let asked = 0;
    const endsAtMs: number[] = [];
    const token = async () => {
      asked += 1;
      endsAtMs.push((Math.floor(Date.now() / 1_000) + 4) * 1_000);
      return signToken('alice', { livesS: 4 });
    };
    await client.connect({ url: node.url, token });
    await client.createRoom({ kind: 'group', id: 'lobby', public: true });
    await waitUntil('two tokens have ended', () => Date.now() > (endsAtMs[1] ?? Number.POSITIVE_INFINITY), 15_000);
    await client.send('lobby', 'still here');
    expect(names()).toEqual(['connecting', 'online']);
    expect(asked).toBeLessThan(30);
  }, 20_000);

  it('comes back by itself when it had none to bring in time', async () => {
    const node = await startTestNode();
    const { client, states, names } = watched();
    let asked = 0;
    const token = async () => {
      asked += 1;
      if (asked > 1 && !names().includes('offline')) throw new Error('the login service is away');
      return signToken('alice', { livesS: asked === 1 ? 2 : 3_600 });
    };
    await client.connect({ url: node.url, token });
    await waitUntil('it is online again', () => names().filter((name) => name === 'online').length === 2, 10_000);
    expect(states.find(({ state }) => state === 'offline')).toMatchObject({ code: 'TOKEN_EXPIRED' });
    expect(names()).not.toContain('closed');
  });

  it('is closed for good when its token was given once, as a string', async () => {
    const node = await startTestNode();
    const { client, states } = watched();
    await client.connect({ url: node.url, token: signToken('alice', { livesS: 2 }) });
    await waitUntil('it is closed', () => states.at(-1)?.state === 'closed', 5_000);
    expect(states.at(-1)?.code).toBe('TOKEN_EXPIRED');
  });

  it('is closed for good when it was revoked, though it could get another token', async () => {
    const node = await startTestNode();
    const { client, states } = watched();
    await client.connect({ url: node.url, token: async () => signToken('alice') });
    const headers = { 'content-type': 'application/json', authorization: `Bearer ${signToken('olga', { roles: ['operator'] })}` };
    await fetch(`${node.url}/api/revocations`, { method: 'POST', headers, body: '{"user":"alice"}' });
    await waitUntil('it is closed', () => states.at(-1)?.state === 'closed', 5_000);
    expect(states.at(-1)?.code).toBe('REVOKED');
  });
});
