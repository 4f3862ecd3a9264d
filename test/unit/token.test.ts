/**
 * Tokens: what is accepted, and every forgery.
 */
import { createHmac, generateKeyPairSync } from 'node:crypto';
import jwt from 'jsonwebtoken';
import { describe, expect, it } from 'vitest';
import { isRefusal } from '../../gateway/session-port.ts';
import { cleanName, createTokenSigner, createTokenVerifier } from '../../gateway/token.ts';
import type { UserId } from '../../system/ids.ts';
import { testSecret } from '../support/gateway-fixtures.ts';
import { manualClock } from '../support/manual-clock.ts';

const clock = manualClock();
const nowS = Math.floor(clock.wallMs() / 1_000);
const verifier = createTokenVerifier({ key: testSecret, clock });
const claims = { sub: 'ada', iat: nowS, exp: nowS + 3_600 };
const base64 = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
/** By hand: the library refuses to sign much of what an attacker would. */
function forge(payload: unknown, header: unknown = { alg: 'HS256', typ: 'JWT' }, secret = testSecret, hash = 'sha256'): string {
  const signed = `${base64(header)}.${base64(payload)}`;
  return `${signed}.${createHmac(hash, secret).update(signed).digest('base64url')}`;
}
const refused = (token: string, by = verifier) => {
  const result = by.verify(token);
  if (!isRefusal(result)) throw new Error(`accepted as ${result.userId}`);
  return result;
};

describe('a token verifier', () => {
  it('accepts what its signer signed and says who it is', () => {
    const signer = createTokenSigner({ key: testSecret, clock, lifetimeMs: 60_000 });
    const { token, expiresAtMs } = signer.sign('ada' as UserId, 'Ada');
    expect(verifier.verify(token)).toEqual({ userId: 'ada', name: 'Ada', roles: [], expiresAtMs, issuedAtMs: nowS * 1_000 });
    expect(verifier.verify(forge({ ...claims, jti: 'j1', roles: ['admin', 'admin', 'b c', 7] }))).toMatchObject({
      jti: 'j1',
      name: 'ada',
      roles: ['admin'],
      expiresAtMs: claims.exp * 1_000,
    });
  });

  it.each([
    ['nothing', ''],
    ['no token', 'hello'],
    ['two dots', '..'],
    ['9 kB', forge({ ...claims, pad: 'x'.repeat(9_000) })],
    ['an empty signature', forge(claims).replace(/[^.]*$/, '')],
    ['a changed payload', forge(claims).replace(/\.[^.]*\./, `.${base64({ ...claims, sub: 'root' })}.`)],
    ['another secret', forge(claims, { alg: 'HS256' }, 'another-secret-of-more-than-32-bytes-012345')],
    ['alg none', `${base64({ alg: 'none' })}.${base64(claims)}.`],
    ['alg None', `${base64({ alg: 'None' })}.${base64(claims)}.`],
    ['alg none, signed', forge(claims, { alg: 'none' })],
    ['HS512', forge(claims, { alg: 'HS512' }, testSecret, 'sha512')],
    ['RS256 in the header', forge(claims, { alg: 'RS256' })],
    ['no alg', forge(claims, { typ: 'JWT' })],
    ['an extension that must be understood', forge(claims, { alg: 'HS256', crit: ['b64'], b64: false })],
    ['a payload that is a string', forge('ada')],
    ['a payload that is null', forge(null)],
    ['a payload that is a list', forge([claims])],
    ['no exp', forge({ sub: 'ada', iat: nowS })],
    ['exp as a string', forge({ ...claims, exp: String(claims.exp) })],
    ['exp beyond numbers', forge({ ...claims, exp: 1e300 })],
    ['exp null', forge({ ...claims, exp: null })],
    ['exp negative', forge({ ...claims, exp: -1 })],
    ['ten years', forge({ ...claims, exp: nowS + 315_360_000 })],
    ['ten years without iat', forge({ sub: 'ada', exp: nowS + 315_360_000 })],
    ['ten years with iat in the past', forge({ ...claims, iat: nowS - 315_360_000 })],
    ['iat in the future', forge({ ...claims, iat: nowS + 31 })],
    ['iat as a string', forge({ ...claims, iat: '0' })],
    ['nbf in the future', forge({ ...claims, nbf: nowS + 31 })],
    ['no sub', forge({ iat: nowS, exp: claims.exp })],
    ['sub an object', forge({ ...claims, sub: { $gt: '' } })],
    ['sub a list', forge({ ...claims, sub: ['ada'] })],
    ['sub with a space', forge({ ...claims, sub: 'a b' })],
    ['sub with a line end', forge({ ...claims, sub: 'ada\n' })],
    ['sub empty', forge({ ...claims, sub: '' })],
    ['sub of 65 characters', forge({ ...claims, sub: 'x'.repeat(65) })],
    ['jti an object', forge({ ...claims, jti: {} })],
  ])('refuses %s', (_case, token) => {
    const refusal = refused(token);
    expect(refusal.code).toBe('UNAUTHENTICATED');
    expect(refusal.message).not.toMatch(/jwt|malformed|secret|key/i);
    expect(refusal.retryable).toBe(false);
  });

  it('tolerates 30 s of the issuer being ahead, and none at exp', () => {
    expect(isRefusal(verifier.verify(forge({ ...claims, iat: nowS + 29, nbf: nowS + 29 })))).toBe(false);
    const later = manualClock(0, (claims.exp - 1) * 1_000);
    const byThen = createTokenVerifier({ key: testSecret, clock: later });
    expect(isRefusal(byThen.verify(forge(claims)))).toBe(false);
    later.advance(1_000);
    expect(refused(forge(claims), byThen).code).toBe('TOKEN_EXPIRED');
    expect(refused(forge({ ...claims, exp: nowS - 1 })).code).toBe('TOKEN_EXPIRED');
    // Who cannot sign must not learn that a token would have been good once.
    expect(refused(forge({ ...claims, exp: nowS - 1 }, { alg: 'HS256' }, 'x'.repeat(40))).code).toBe('UNAUTHENTICATED');
  });

  it('checks iss and aud when configured, and only then', () => {
    const strict = createTokenVerifier({ key: testSecret, clock, issuer: 'https://id.example', audience: 'chat' });
    const good = { ...claims, iss: 'https://id.example', aud: ['other', 'chat'] };
    expect(isRefusal(strict.verify(forge(good)))).toBe(false);
    for (const bad of [
      claims,
      { ...good, iss: 'https://id.example.evil' },
      { ...good, aud: 'chats' },
      { ...good, aud: undefined },
      { ...good, iss: ['https://id.example', 'x'] },
    ]) {
      expect(refused(forge(bad), strict).code).toBe('UNAUTHENTICATED');
    }
    expect(isRefusal(verifier.verify(forge(good)))).toBe(false);
  });

  it('takes a public key for RS256, and no token that was signed with that key as a secret', () => {
    const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2_048 });
    const pem = publicKey.export({ type: 'spki', format: 'pem' }) as string;
    const rsa = createTokenVerifier({ algorithm: 'RS256', key: pem, clock });
    expect(isRefusal(rsa.verify(jwt.sign(claims, privateKey, { algorithm: 'RS256' })))).toBe(false);
    expect(refused(forge(claims, { alg: 'HS256' }, pem), rsa).code).toBe('UNAUTHENTICATED');
    expect(refused(jwt.sign(claims, privateKey, { algorithm: 'RS512' }), rsa).code).toBe('UNAUTHENTICATED');
    expect(() => createTokenVerifier({ algorithm: 'ES256', key: pem, clock })).toThrow(/needs a key of type ec/);
    expect(() => createTokenVerifier({ algorithm: 'RS256', key: 'not a key', clock })).toThrow(/PEM/);
    expect(() => createTokenVerifier({ key: pem, clock })).toThrow(/RS256/);
  });

  it('does not start with a weak secret', () => {
    for (const key of ['', 'secret', 'x'.repeat(31), 'a'.repeat(64), 'abababab'.repeat(8)]) {
      expect(() => createTokenVerifier({ key, clock })).toThrow(expect.objectContaining({ code: 'WEAK_SECRET' }));
      expect(() => createTokenSigner({ key, clock, lifetimeMs: 1 })).toThrow(expect.objectContaining({ code: 'WEAK_SECRET' }));
    }
  });

  it('cleans names: no control characters, no turned text, at most 64 code points', () => {
    expect(cleanName('  Ada\u0007\n Lovelace\u202e ', 'x')).toBe('Ada Lovelace');
    expect([...cleanName('🧑'.repeat(100), 'x')]).toHaveLength(64);
    expect(cleanName('👩‍🚀', 'x')).toBe('👩‍🚀');
    expect(cleanName('\ud800', 'ada')).toBe('ada');
    for (const claim of [undefined, null, 7, {}, '', ' \t']) expect(cleanName(claim, 'ada')).toBe('ada');
    expect(verifier.verify(forge({ ...claims, name: { toString: 'x' }, roles: 'admin' }))).toMatchObject({ name: 'ada', roles: [] });
  });
});
