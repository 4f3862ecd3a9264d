/**
 * Tokens that end while their client is connected, through whole nodes, sockets and the real clock.
 */
import type { Socket } from 'socket.io-client';
import { afterEach, describe, expect, it } from 'vitest';
import { ask, client, closeClients, connected, refusal, waitUntil } from '../support/gateway-client.ts';
import { signToken, startTestNode, stopNodes } from '../support/test-nodes.ts';

afterEach(async () => {
  closeClients();
  await stopNodes();
});

interface Watched {
  readonly socket: Socket;
  readonly expiring: { expiresAt: number; inMs: number }[];
  readonly closing: { code: string; atMs: number }[];
}
async function enter(url: string, token: string): Promise<Watched> {
  const socket = client(url, { auth: { token } });
  const watched: Watched = { socket, expiring: [], closing: [] };
  socket.on('auth:expiring', (body: Watched['expiring'][number]) => watched.expiring.push(body));
  socket.on('closing', ({ code }: { code: string }) => watched.closing.push({ code, atMs: Date.now() }));
  await connected(socket);
  return watched;
}
const expOf = (token: string): number =>
  (JSON.parse(Buffer.from(token.split('.')[1] as string, 'base64url').toString()) as { exp: number }).exp * 1_000;

describe('a token of two seconds', () => {
  it('is told of at once, serves to its end, and ends the connection within a second of its exp', async () => {
    const node = await startTestNode();
    const token = signToken('alice', { livesS: 2 });
    const alice = await enter(node.url, token);
    await waitUntil('she is told', () => alice.expiring.length === 1);
    expect(alice.expiring[0]?.expiresAt).toBe(expOf(token));
    expect(Math.abs((alice.expiring[0]?.inMs ?? 0) - (expOf(token) - Date.now()))).toBeLessThan(500);
    expect((await ask(alice.socket, 'room:list')).ok).toBe(true);
    await waitUntil('she is out', () => !alice.socket.connected, 4_000);
    expect(alice.closing).toMatchObject([{ code: 'TOKEN_EXPIRED' }]);
    expect(Math.abs((alice.closing[0]?.atMs ?? 0) - expOf(token))).toBeLessThan(1_000);
    expect(await refusal(client(node.url, { auth: { token } }))).toMatchObject({ code: 'TOKEN_EXPIRED', retryable: false });
  });

  it('lives on when it is refreshed in time; a wrong token, whatever is wrong with it, changes nothing', async () => {
    const node = await startTestNode();
    const alice = await enter(node.url, signToken('alice', { livesS: 2 }));
    const forged = `${signToken('alice').slice(0, -4)}AAAA`;
    for (const [token, code] of [
      ['x', 'UNAUTHENTICATED'],
      [forged, 'UNAUTHENTICATED'],
      [signToken('alice', { exp: undefined }), 'UNAUTHENTICATED'],
      [signToken('alice', { livesS: -1 }), 'TOKEN_EXPIRED'],
      [signToken('bob'), 'FORBIDDEN'],
      ['', 'INVALID'],
      [7, 'INVALID'],
      ['x'.repeat(9_000), 'INVALID'],
    ] as const) {
      expect(await ask(alice.socket, 'auth:refresh', { token }), String(code)).toMatchObject({
        ok: false,
        error: { code, retryable: false },
      });
    }
    expect((await ask(alice.socket, 'auth:refresh', { token: signToken('alice'), sub: 'bob' })).error?.code).toBe('INVALID');
    expect((await ask(alice.socket, 'room:list')).ok).toBe(true);
    const next = signToken('alice', { livesS: 4 });
    expect(await ask(alice.socket, 'auth:refresh', { token: next })).toEqual({ ok: true, expiresAt: expOf(next) });
    await waitUntil('she is told of the new one', () => alice.expiring.length === 2);
    await waitUntil('she is out with the new one', () => alice.closing.length === 1, 6_000);
    expect(Math.abs((alice.closing[0]?.atMs ?? 0) - expOf(next))).toBeLessThan(1_000);
    expect(node.lines.join()).not.toContain('eyJ');
  });
});

describe('a refreshed token', () => {
  it('that was revoked is refused; revoking the one before does not end the connection, revoking the newer one does', async () => {
    const node = await startTestNode();
    const operator = signToken('olga', { roles: ['operator'] });
    const revoke = async (jti: string) => {
      const headers = { 'content-type': 'application/json', authorization: `Bearer ${operator}` };
      const answer = await fetch(`${node.url}/api/revocations`, { method: 'POST', headers, body: JSON.stringify({ jti }) });
      expect(answer.status).toBe(200);
    };
    const alice = await enter(node.url, signToken('alice', { jti: 'first' }));
    await revoke('bad');
    expect((await ask(alice.socket, 'auth:refresh', { token: signToken('alice', { jti: 'bad' }) })).error?.code).toBe('UNAUTHENTICATED');
    expect((await ask(alice.socket, 'auth:refresh', { token: signToken('alice', { jti: 'second' }) })).ok).toBe(true);
    await revoke('first');
    expect((await ask(alice.socket, 'room:list')).ok).toBe(true);
    await revoke('second');
    await waitUntil('she is out', () => alice.closing[0]?.code === 'REVOKED' && !alice.socket.connected, 2_000);
  });
});
