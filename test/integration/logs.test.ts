/**
 * What a node writes during a busy life, at debug level: every line of stdout is one JSON object of at most 8 kB, and neither
 * stdout nor stderr holds a token, a secret, a name or a word that anybody said.
 *
 * The node is a process of its own, since libraries print past the logger. Its life: people who talk, clients that are wrong in
 * every way, one that does not read, tokens that are bad or end, a kill, a damaged room that crashes its actor, a drain.
 */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import jwt from 'jsonwebtoken';
import type { Socket } from 'socket.io-client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { supervisionEvents, supervisionLineSchema } from '../../system/supervision.ts';
import { ask, client, closeClients, connected, readingOf, refusal, sendRaw, waitUntil } from '../support/gateway-client.ts';
import { freePort, NodeProcess } from '../support/node-process.ts';
import { rawRequest } from '../support/raw-request.ts';

/** What must not be found, each in its own words so that a hit says where it came from. */
const hush = {
  text: 'hushtext',
  edit: 'hushedit',
  invalid: 'hushinvalid',
  room: 'hushroomname',
  name: 'Hushname Quux',
  event: 'hushevent',
  url: 'hushurl',
  body: 'hushbody',
} as const;
const secret = randomBytes(48).toString('base64url');
const dir = mkdtempSync(join(tmpdir(), 'playhouse-logs-'));
let url = '';
let node: NodeProcess;

function token(user: string, claims: Record<string, unknown> = {}, key = secret): string {
  const nowS = Math.floor(Date.now() / 1_000);
  return jwt.sign({ sub: user, name: hush.name, iat: nowS, exp: nowS + 600, ...claims }, key);
}
const join_ = (user: string, claims = {}): Promise<Socket> => connected(client(url, { auth: { token: token(user, claims) } }));

async function talk(): Promise<Socket[]> {
  const [ada, bob] = await Promise.all([join_('ada'), join_('bob')]);
  await ask(ada, 'room:create', { kind: 'group', id: 'lobby', name: hush.room, public: true, members: ['bob'] });
  for (const socket of [ada, bob]) await ask(socket, 'room:open', { room: 'lobby' });
  for (let i = 0; i < 20; i += 1) await ask(ada, 'message:send', { room: 'lobby', cid: `c${i}`, text: `${hush.text} ${i}` });
  await ask(ada, 'message:modify', { room: 'lobby', cid: 'e', target: 2, text: hush.edit });
  await ask(bob, 'message:send', { room: 'lobby', cid: 'r', text: hush.text, replyTo: 2 });
  await ask(bob, 'message:react', { room: 'lobby', cid: 'k', target: 2, emoji: '🤫', on: true });
  await ask(ada, 'message:delete', { room: 'lobby', cid: 'd', target: 3 });
  await ask(bob, 'typing', { room: 'lobby' });
  await ask(bob, 'history:get', { room: 'lobby', before: 99 });
  await ask(bob, 'room:list');
  await ask(bob, 'presence:watch', { users: ['ada'] });
  return [ada, bob];
}

async function beWrong(): Promise<void> {
  const eve = await join_('eve');
  await ask(eve, 'message:send', { room: 'lobby', cid: 'x', text: hush.invalid });
  await ask(eve, 'message:send', { room: 'lobby', cid: 'x', text: hush.invalid, [hush.invalid]: hush.invalid });
  await ask(eve, 'message:send', { room: `${hush.invalid} {`, cid: hush.invalid, text: 7 });
  await ask(eve, 'message:send', { room: 'lobby', cid: 'x', text: hush.invalid.repeat(3_000) });
  await ask(eve, hush.event, { text: hush.invalid });
  await ask(eve, 'message:send', [[[[[[[[[hush.invalid]]]]]]]]]);
  sendRaw(eve, `2["message:send",{"__proto__":{"${hush.invalid}":1}}]`);
  sendRaw(eve, `2["${hush.invalid}`);
  await waitUntil('eve is cut for nonsense', () => eve.disconnected);
  const flood = await join_('mallory');
  const flooded = new Promise((resolve) => flood.once('closing', resolve));
  for (let i = 0; i < 5_000; i += 1) flood.emit('message:send', { room: 'lobby', cid: 'x', text: hush.text }, () => {});
  expect(await flooded).toMatchObject({ code: 'FLOOD' });
}

async function badTokens(): Promise<void> {
  const good = token('ada');
  for (const bad of [
    `${good}x`,
    token('ada', {}, 'another-secret-of-more-than-32-bytes!!'),
    token('ada', { exp: 1_700_000_000, iat: 1_600_000_000 }),
    'eyJub25zZW5zZQ',
    '',
  ])
    await refusal(client(url, { auth: { token: bad } }));
  await rawRequest(url, 'GET', `/api/rooms?token=${good}&${hush.url}=1`, { authorization: `Bearer ${good}` });
  await rawRequest(url, 'GET', `/${hush.url}`, { cookie: `token=${good}` });
  await rawRequest(url, 'GET', '/metrics', { host: 'elsewhere', authorization: `Bearer ${good}` });
  await rawRequest(url, 'POST', '/api/revocations', { authorization: `Bearer ${good}` }, `{"${hush.body}":`);
  await rawRequest(
    url,
    'POST',
    '/api/revocations',
    { authorization: `Bearer ${token('ops', { roles: ['operator'] })}` },
    '{"user":"gone"}',
  );
}

/** A token that ends while its connection lives. */
async function expire(): Promise<void> {
  const nowS = Math.floor(Date.now() / 1_000);
  const brief = await join_('brief', { iat: nowS, exp: nowS + 2 });
  const closing = await new Promise((resolve) => brief.once('closing', resolve));
  expect(closing).toMatchObject({ code: 'TOKEN_EXPIRED' });
}

async function beSlow(ada: Socket): Promise<void> {
  const slow = await join_('slow');
  await ask(slow, 'room:join', { room: 'lobby' });
  await ask(slow, 'room:open', { room: 'lobby' });
  readingOf(slow).pause();
  for (let i = 0; i < 120; i += 1) await ask(ada, 'message:send', { room: 'lobby', cid: `s${i}`, text: hush.text.repeat(1_900) });
}

/** Flips bits of a text in every file of the store. */
function damage(): void {
  const folder = join(dir, 'data', 'log');
  let flipped = 0;
  for (const name of readdirSync(folder).filter((file) => /\.(log|ldb)$/.test(file))) {
    const bytes = readFileSync(join(folder, name));
    const at = bytes.indexOf(`${hush.text} 9`);
    if (at < 0) continue;
    bytes[at + 1] = (bytes[at + 1] as number) ^ 0x10;
    writeFileSync(join(folder, name), bytes);
    flipped += 1;
  }
  expect(flipped).toBeGreaterThan(0);
}

beforeAll(async () => {
  const port = await freePort();
  url = `http://127.0.0.1:${port}`;
  node = new NodeProcess({ CHAT_PORT: String(port), CHAT_DATA_DIR: join(dir, 'data'), CHAT_JWT_SECRET: secret, CHAT_LOG_LEVEL: 'debug' });
  await node.start();
  const [ada] = await talk();
  await beWrong();
  await badTokens();
  await expire();
  await beSlow(ada as Socket);
  await node.kill('SIGKILL');
  closeClients();
  damage();
  await node.start();
  const again = await join_('ada');
  // Each try meets the damage; how many it takes depends on how the room's restarts and these tries fall together.
  while (!node.stdout.includes('"actor.quarantine"')) await ask(again, 'room:open', { room: 'lobby' });
  await ask(again, 'room:create', { kind: 'group', id: 'other' });
  await ask(again, 'message:send', { room: 'other', cid: 'c', text: hush.text });
  expect(await node.kill('SIGTERM')).toBe(0);
}, 60_000);
afterAll(async () => {
  closeClients();
  await node?.kill();
  rmSync(dir, { recursive: true, force: true });
});

describe('the log of a busy life', () => {
  it('is one JSON object a line, each of at most 8 kB', () => {
    const lines = node.stdout.trimEnd().split('\n');
    expect(lines.length).toBeGreaterThan(50);
    for (const line of lines) {
      expect(Buffer.byteLength(line), line.slice(0, 200)).toBeLessThanOrEqual(8_191);
      expect(() => JSON.parse(line) as unknown, line.slice(0, 200)).not.toThrow();
    }
  });

  it('tells what happened: crashes, refusals, the drain', () => {
    const seen = new Set(
      node.stdout
        .trimEnd()
        .split('\n')
        .map((line) => (JSON.parse(line) as { ev?: string }).ev),
    );
    for (const ev of [
      'actor.spawn',
      'actor.stop',
      'actor.crash',
      'actor.restart',
      'actor.quarantine',
      'node.state',
      'client.flood',
      'token.revoke',
    ])
      expect([...seen], ev).toContain(ev);
  });

  it('has supervision lines of the published schema only', () => {
    for (const line of node.stdout.trimEnd().split('\n')) {
      const fields = JSON.parse(line) as { ev?: string; v?: number };
      if (fields.v !== 1 || !(supervisionEvents as readonly string[]).includes(fields.ev ?? '')) continue;
      expect(supervisionLineSchema.safeParse(fields).error?.issues ?? [], line).toEqual([]);
    }
  });

  it.each([...Object.entries(hush), ['a token', 'eyJ'], ['the secret', secret], ['a piece of the secret', secret.slice(0, 12)]])(
    'holds nothing of %s, on stdout or stderr',
    (_what, words) => {
      for (const output of [node.stdout, node.stderr]) {
        const at = output.indexOf(words);
        expect(at < 0 ? '' : output.slice(Math.max(0, at - 200), at + 100)).toBe('');
      }
    },
  );
});
