/**
 * Who a real state server lets in, with a secret and without. Bytes over TCP, time by hand.
 */
import { afterEach, describe, expect, it } from 'vitest';
import { proofOf } from '../../system/state/state-proof.ts';
import { waitUntil } from '../support/gateway-client.ts';
import type { LineClient } from '../support/line-client.ts';
import { alice, hello, refusal, snapshot } from '../support/node-lines.ts';
import { type StateServerStage, startStateStage } from '../support/state-server-stage.ts';

let stage: StateServerStage;
const start = async (given?: Parameters<typeof startStateStage>[0]): Promise<void> => {
  stage = await startStateStage(given);
};
afterEach(() => stage.stop());

describe('with a secret', () => {
  const secret = 'a shared secret of the cluster';
  /** Says hello as life 1 of node a; gives the proof of what the client claims to know and to be. */
  const prove = async (client: LineClient, claim: { knows?: string; node?: string; inc?: string } = {}): Promise<string> => {
    const given = await client.request(hello('a', 'a.1'));
    if (given.type !== 'hello' || given.nonce === undefined) throw new Error(JSON.stringify(given));
    return proofOf(claim.knows ?? secret, { nonce: given.nonce, node: claim.node ?? 'a', inc: claim.inc ?? 'a.1' });
  };

  it('who proves it is let in, however long after that', async () => {
    await start({ secret });
    const a = await stage.open();
    const mac = await prove(a);
    expect(await a.request({ type: 'auth', mac })).toEqual({ type: 'authenticated' });
    stage.clock.advance(3_000);
    expect(await a.request(snapshot(1, [alice]))).toEqual({ type: 'ok', id: 1 });
  });

  it.each<[string, (client: LineClient) => Promise<void>]>([
    ['a wrong proof', async (client) => client.say({ type: 'auth', mac: await prove(client, { knows: 'another secret' }) })],
    [
      'the proof of another connection',
      async (client) => {
        const mac = await prove(await stage.open());
        await prove(client);
        client.say({ type: 'auth', mac });
      },
    ],
    ['the proof of another node', async (client) => client.say({ type: 'auth', mac: await prove(client, { node: 'b' }) })],
    ['the proof of another life', async (client) => client.say({ type: 'auth', mac: await prove(client, { inc: 'a.2' }) })],
    ['a proof before the hello', async (client) => client.say({ type: 'auth', mac: 'x'.repeat(43) })],
    [
      'requests instead of a proof',
      async (client) => {
        await prove(client);
        client.say(snapshot(1, [alice]), { type: 'auth', mac: 'x'.repeat(43) });
      },
    ],
    [
      'no proof within 2 s',
      async (client) => {
        await prove(client);
        stage.clock.advance(2_000);
      },
    ],
    ['no line within 2 s', async () => stage.clock.advance(2_000)],
    ['a line of an older client', async (client) => client.say("{type='login', session_id='S', user_id='1'}")],
    ['garbage', async (client) => client.raw(Buffer.from([0, 255, 13, 10]))],
    ['a first line that does not end', async (client) => client.raw('x'.repeat(5_000))],
  ])('%s is refused with AUTH_REQUIRED and closed, and nothing was believed', async (_what, act) => {
    await start({ secret });
    const client = await stage.open();
    await waitUntil('it is connected', () => stage.server.counts().connections === 1);
    await act(client);
    const lines = await client.end();
    expect(refusal(lines.at(-1) ?? '{}')).toBe('AUTH_REQUIRED');
    expect(stage.server.counts()).toMatchObject({ users: 0, lives: 0 });
    expect(JSON.stringify(stage.log)).not.toContain(secret);
  });

  it('a stranger does not supersede the node whose name it says', async () => {
    await start({ secret });
    const a = await stage.open();
    await a.request({ type: 'auth', mac: await prove(a) });
    const stranger = await stage.open();
    await stranger.request(hello('a', 'a.2'));
    expect(await a.request({ type: 'ping', id: 1 })).toEqual({ type: 'pong', id: 1 });
  });
});

describe('without a secret', () => {
  it.each<[string, string, string]>([
    ['a hello of another version', '{"type":"hello","v":2,"node":"a","inc":"a.1"}', 'INVALID'],
    ['a hello without a name', '{"type":"hello","v":1}', 'INVALID'],
  ])('%s is refused', async (_what, line, code) => {
    await start();
    const client = await stage.open();
    client.say(line);
    expect((await client.end()).map(refusal)).toEqual([code]);
  });

  it('a request before hello is that of an older client', async () => {
    await start();
    const client = await stage.open();
    expect(await client.ask({ type: 'ping', id: 1 })).toBe('반환메세지');
    expect(await client.ask(hello('a'))).toBe('반환메세지');
  });
});
