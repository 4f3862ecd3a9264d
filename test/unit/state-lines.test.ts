/**
 * The lines between a node and the state server: what is understood, what is refused, the proof of the secret.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeNodeLine, decodeServerLine, encodeNodeLine, encodeServerLine } from '../../system/state/state-line-decoder.ts';
import type { NodeLine, ServerLine } from '../../system/state/state-lines.ts';
import { isProof, proofOf } from '../../system/state/state-proof.ts';

const nodeLines: readonly NodeLine[] = [
  { type: 'hello', v: 1, node: 'node-1', inc: 'node-1.hyXxIxpw' },
  { type: 'hello', v: 1, node: 'node-1', inc: 'node-1.hyXxIxpw', voice: true },
  { type: 'auth', mac: proofOf('secret', { nonce: 'n', node: 'a', inc: 'a.1' }) },
  { type: 'snapshot', id: 1, first: true, last: true, sessions: [['s-1', 'alice', 'home']], watch: ['bob'] },
  { type: 'sessions', id: 2, put: [['s-1', 'alice', 'com3,c-31']], gone: ['s-0'] },
  { type: 'watch', id: 3, on: ['carol'], off: [] },
  { type: 'voice', id: 4, on: ['3'], off: ['31'] },
  { type: 'ping', id: Number.MAX_SAFE_INTEGER },
  { type: 'bye', id: 5 },
];
const serverLines: readonly ServerLine[] = [
  { type: 'hello', v: 1, server: 'state.x' },
  { type: 'hello', v: 1, server: 'state.x', nonce: 'abcdefghijklmnopqrstuv' },
  { type: 'authenticated' },
  { type: 'refused', code: 'FULL', message: 'at most 10 users' },
  { type: 'ok', id: 1 },
  { type: 'pong', id: 1 },
  { type: 'states', id: 3, states: [['carol', 'offline', []]] },
  { type: 'hello', v: 1, server: 'state.x', voice: true },
  { type: 'voices', community: '3', first: true, last: true, whole: true, channels: [['31', ['ada', 'bob']]] },
  { type: 'changes', states: [['bob', 'online', ['home', 'lobby']]] },
];
const textOf = (line: Buffer): string => line.toString().replace(/\r\n$/, '');

describe('a line', () => {
  it.each(nodeLines)('of a node is read as it was written: $type', (line) => {
    expect(decodeNodeLine(textOf(encodeNodeLine(line)))).toEqual({ ok: true, line });
  });

  it.each(serverLines)('of the server is read as it was written: $type', (line) => {
    expect(decodeServerLine(textOf(encodeServerLine(line)))).toEqual({ ok: true, line });
  });

  it.each<[string, unknown]>([
    ['an unknown type', { type: 'login', id: 1 }],
    ['an unknown field', { type: 'ping', id: 1, extra: true }],
    ['a missing field', { type: 'ping' }],
    ['an id of 0', { type: 'ping', id: 0 }],
    ['an id that is no whole number', { type: 'ping', id: 1.5 }],
    ['an id beyond what is exact', { type: 'ping', id: 2 ** 53 }],
    ['another version', { type: 'hello', v: 2, node: 'a', inc: 'a.1' }],
    ['a name with a line feed, which would make two claims read the same', { type: 'hello', v: 1, node: 'a\nb', inc: 'a.1' }],
    ['an empty name', { type: 'hello', v: 1, node: '', inc: 'a.1' }],
    ['a name that is too long', { type: 'hello', v: 1, node: 'a'.repeat(129), inc: 'a.1' }],
    ['a row of two', { type: 'sessions', id: 1, put: [['s', 'u']], gone: [] }],
    ['a row of four', { type: 'sessions', id: 1, put: [['s', 'u', 'home', 'x']], gone: [] }],
    ['a user that is no id', { type: 'watch', id: 1, on: ['a b'], off: [] }],
    ['a place with a control character', { type: 'sessions', id: 1, put: [['s', 'u', 'a\r\nb']], gone: [] }],
    ['a place that is too long', { type: 'sessions', id: 1, put: [['s', 'u', 'x'.repeat(161)]], gone: [] }],
    ['more names than a line has room for', { type: 'watch', id: 1, on: new Array(20_001).fill('u'), off: [] }],
    ['a proof that is none', { type: 'auth', mac: 'x y' }],
    ['no object', []],
    ['null', null],
  ])('with %s is refused', (_what, value) => {
    expect(decodeNodeLine(JSON.stringify(value))).toMatchObject({ ok: false });
  });

  it.each(['', '{', 'undefined', "{type='ping', id=1}", `${'['.repeat(60_000)}`, '{"type":"ping","id":1,"__proto__":{"a":1}}'])(
    'that is no such JSON is refused: %.30s',
    (text) => {
      expect(decodeNodeLine(text).ok).toBe(false);
      expect(decodeServerLine(text).ok).toBe(false);
    },
  );

  it('whatever it holds: never throws, never pollutes, and the reason does not repeat it', () => {
    fc.assert(
      fc.property(fc.oneof(fc.json(), fc.string()), (text) => {
        for (const decode of [decodeNodeLine, decodeServerLine]) {
          const decoded = decode(text);
          if (!decoded.ok) expect(decoded.reason.length).toBeLessThan(100);
        }
        expect(({} as { a?: unknown }).a).toBeUndefined();
      }),
    );
  });
});

describe('the proof of the secret', () => {
  const claim = { nonce: 'nonce', node: 'node-1', inc: 'node-1.a' };
  const mac = proofOf('secret', claim);

  it('is good for its own claim', () => {
    expect(isProof(mac, 'secret', claim)).toBe(true);
  });

  it.each<[string, string, typeof claim]>([
    ['another secret', 'Secret', claim],
    ['another nonce, so a replay is worth nothing', 'secret', { ...claim, nonce: 'nonce2' }],
    ['another node', 'secret', { ...claim, node: 'node-2' }],
    ['another life', 'secret', { ...claim, inc: 'node-1.b' }],
  ])('is not good for %s', (_what, secret, other) => {
    expect(isProof(mac, secret, other)).toBe(false);
  });

  it.each(['', 'short', `${mac}x`, mac.slice(1)])('is not %j', (given) => {
    expect(isProof(given, 'secret', claim)).toBe(false);
  });
});
