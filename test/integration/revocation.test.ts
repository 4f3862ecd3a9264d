/**
 * Revocation through whole nodes: who is put out, who stays, who gets in again, who may say so, and what a broken store does.
 */
import type { Socket } from 'socket.io-client';
import { afterEach, describe, expect, it } from 'vitest';
import { Fault } from '../../system/errors.ts';
import { ask, client, closeClients, connected, refusal, waitUntil } from '../support/gateway-client.ts';
import { shared, signToken, startTestNode, stopNodes } from '../support/test-nodes.ts';

afterEach(async () => {
  closeClients();
  await stopNodes();
});

interface Member {
  readonly socket: Socket;
  readonly token: string;
  readonly closing: unknown[];
}
async function enter(url: string, user: string, claims: Record<string, unknown> = {}): Promise<Member> {
  const token = signToken(user, claims);
  const socket = client(url, { auth: { token } });
  const closing: unknown[] = [];
  socket.on('closing', (body: unknown) => closing.push(body));
  await connected(socket);
  return { socket, token, closing };
}
const operator = (): string => signToken('olga', { roles: ['operator'] });

async function revoke(
  url: string,
  body: unknown,
  token: string | undefined = operator(),
): Promise<{ status: number; body: Record<string, unknown> }> {
  const answer = await fetch(new URL('/api/revocations', url), {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(token !== '' && { authorization: `Bearer ${token}` }) },
    body: JSON.stringify(body),
  });
  return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
}
/** The second after this one: a token of the same second as a revocation counts as older. */
const nextSecond = () => waitUntil('a new second began', () => Date.now() % 1_000 < 50);
const isOut = ({ socket, closing }: Member) => !socket.connected && JSON.stringify(closing) === '[{"code":"REVOKED"}]';

describe('a revoked user', () => {
  it('is put out of every node within 2 s and gets in nowhere with an old token; a new token is welcome', async () => {
    const parts = shared();
    const [one, two] = await Promise.all([startTestNode({}, parts), startTestNode({}, parts)]);
    const members = await Promise.all([
      enter(one.url, 'alice'),
      enter(one.url, 'alice'),
      enter(two.url, 'alice', { iat: undefined }),
      enter(two.url, 'bob'),
    ]);
    const [first, second, third, bob] = members as [Member, Member, Member, Member];
    const startedMs = performance.now();
    expect(await revoke(one.url, { user: 'alice' })).toMatchObject({ status: 200, body: { revoked: { user: 'alice' } } });
    await waitUntil('she is out of the node that was told', () => isOut(first) && isOut(second), 500);
    await waitUntil('she is out of the other node', () => isOut(third), 2_000);
    expect(performance.now() - startedMs).toBeLessThan(2_000);
    for (const { url } of [one, two]) {
      for (const token of [first.token, third.token]) {
        expect(await refusal(client(url, { auth: { token } }))).toMatchObject({ code: 'UNAUTHENTICATED', retryable: false });
      }
    }
    await nextSecond();
    for (const { url } of [one, two]) await enter(url, 'alice');
    expect((await ask(bob.socket, 'room:list')).ok).toBe(true);
    expect([...one.lines, ...two.lines].join()).not.toContain('eyJ');
  });

  it('stays out after the node was started anew on the same store', async () => {
    const parts = shared();
    const before = await startTestNode({}, parts);
    const token = signToken('alice');
    await revoke(before.url, { user: 'alice' });
    await before.stop();
    const after = await startTestNode({}, parts);
    expect(await refusal(client(after.url, { auth: { token } }))).toMatchObject({ code: 'UNAUTHENTICATED' });
  });
});

describe('a revoked token', () => {
  it('ends its own connections only, and lets nobody in again', async () => {
    const node = await startTestNode();
    const lost = await enter(node.url, 'alice', { jti: 'lost-phone' });
    const kept = await enter(node.url, 'alice', { jti: 'desk' });
    expect((await revoke(node.url, { jti: 'lost-phone' })).status).toBe(200);
    await waitUntil('the lost one is out', () => isOut(lost));
    expect(await refusal(client(node.url, { auth: { token: lost.token } }))).toMatchObject({ code: 'UNAUTHENTICATED' });
    expect((await ask(kept.socket, 'room:list')).ok).toBe(true);
    await enter(node.url, 'alice', { jti: 'new-phone' });
  });

  it('loses its right over HTTP as well: an operator who was revoked revokes nobody', async () => {
    const node = await startTestNode();
    const token = signToken('olga', { roles: ['operator'], jti: 'stolen' });
    expect((await revoke(node.url, { jti: 'stolen' }, token)).status).toBe(200);
    expect(await revoke(node.url, { user: 'bob' }, token)).toMatchObject({ status: 401, body: { code: 'UNAUTHENTICATED' } });
  });
});

describe('everybody revoked', () => {
  it('is out, operators too, and comes back with new tokens', async () => {
    const node = await startTestNode();
    const members = await Promise.all(['alice', 'bob', 'carol'].map((user) => enter(node.url, user)));
    const token = operator();
    expect((await revoke(node.url, { everybody: true }, token)).status).toBe(200);
    await waitUntil('all are out', () => members.every(isOut));
    expect((await revoke(node.url, { everybody: true }, token)).status).toBe(401);
    await nextSecond();
    await enter(node.url, 'alice');
  });
});

describe('POST /api/revocations', () => {
  it('is for operators: 401 without a valid token, 403 without the role, and nothing is revoked by either', async () => {
    const node = await startTestNode();
    const alice = await enter(node.url, 'alice');
    for (const [token, status, code] of [
      ['', 401, 'UNAUTHENTICATED'],
      ['x.y.z', 401, 'UNAUTHENTICATED'],
      [signToken('olga', { roles: ['operator'], livesS: -1 }), 401, 'TOKEN_EXPIRED'],
      [signToken('olga'), 403, 'FORBIDDEN'],
      [signToken('olga', { roles: ['operators', 'OPERATOR', 'admin'] }), 403, 'FORBIDDEN'],
      [signToken('olga', { roles: 'operator' }), 403, 'FORBIDDEN'],
      [signToken('operator', { role: 'operator' }), 403, 'FORBIDDEN'],
    ] as const) {
      expect(await revoke(node.url, { user: 'alice' }, token)).toMatchObject({ status, body: { status, code } });
    }
    expect((await ask(alice.socket, 'room:list')).ok).toBe(true);
  });

  it('refuses with 400 what names nobody, two, somebody who cannot be, or more than it knows', async () => {
    const node = await startTestNode();
    for (const body of [
      {},
      null,
      [],
      'alice',
      { user: 'a b' },
      { user: '' },
      { user: { $gt: '' } },
      { jti: '' },
      { jti: 'x'.repeat(129) },
      { jti: 7 },
      { everybody: false },
      { user: 'alice', jti: 'j' },
      { user: 'alice', why: 'because' },
    ]) {
      expect(await revoke(node.url, body), JSON.stringify(body)).toMatchObject({ status: 400, body: { code: 'INVALID' } });
    }
  });

  it('says 503 when it cannot be stored, and has put the user out of this node all the same', async () => {
    const parts = shared();
    const { revocations } = parts.store;
    let isBroken = true;
    const store = {
      ...parts.store,
      revocations: {
        read: (cursor?: string) => revocations.read(cursor),
        add: (given: Parameters<typeof revocations.add>[0]) =>
          isBroken ? Promise.reject(new Fault('STORE_UNAVAILABLE', 'the disk')) : revocations.add(given),
      },
    };
    const node = await startTestNode({}, { ...parts, store });
    const alice = await enter(node.url, 'alice');
    const answer = await revoke(node.url, { user: 'alice' });
    expect(answer).toMatchObject({ status: 503, body: { code: 'STORE_UNAVAILABLE', retryable: true, retryAfterMs: 1_000 } });
    expect(JSON.stringify(answer.body)).not.toContain('disk');
    await waitUntil('she is out', () => isOut(alice));
    isBroken = false;
    expect((await revoke(node.url, { user: 'alice' })).status).toBe(200);
    expect((await revocations.read()).revocations).toHaveLength(1);
  });
});
