/**
 * Config: keys and secrets, each from a file too: weak, sample and missing ones are refused, none is ever shown.
 */
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { weaknessOf } from '../../config/checks.ts';
import { loadWithSources } from '../../config/load.ts';
import { printConfig } from '../../config/print.ts';
import { load, machine, mistakesOf } from '../support/config-machine.ts';

const strongSecret = randomBytes(48).toString('base64url');

describe('the secret of the state server', () => {
  it('is needed where others can reach it, and may come from a file', () => {
    const needed = ['CHAT_STATE_HOST=0.0.0.0: needs CHAT_STATE_SECRET or CHAT_STATE_SECRET_FILE, since others can reach it'];
    expect(mistakesOf({ CHAT_STATE_HOST: '0.0.0.0' })).toEqual(needed);
    expect(mistakesOf({ CHAT_STATE_HOST: 'localhost' })).toEqual([]);
    expect(load({ CHAT_STATE_HOST: '0.0.0.0', CHAT_STATE_SECRET: strongSecret }).stateSecret).toBe(strongSecret);
    const file = { CHAT_STATE_HOST: '::', CHAT_STATE_SECRET_FILE: '/s' };
    expect(load(file, { '/s': `${strongSecret}\n` }).stateSecret).toBe(strongSecret);
  });

  it('that is empty is a mistake, not the wish for none: a variable that was not filled in opens no port', () => {
    expect(mistakesOf({ CHAT_STATE_SECRET: '' })).toEqual(['CHAT_STATE_SECRET is empty: must be at least 32 bytes long']);
    expect(mistakesOf({ CHAT_STATE_SECRET_FILE: '/s' }, { '/s': '\n' })).toEqual([
      'CHAT_STATE_SECRET_FILE=/s is empty: must be at least 32 bytes long',
    ]);
  });

  it('is refused when it is short or weak, in every mode and on every host, and is never shown', () => {
    expect(mistakesOf({ CHAT_STATE_SECRET: 'short' })).toEqual(['CHAT_STATE_SECRET: must be at least 32 bytes long']);
    const weak = 'my-super-secret-that-nobody-will-guess-42';
    for (const env of [{}, { CHAT_STATE_HOST: '0.0.0.0' }, { CHAT_JWT_SECRET: strongSecret }]) {
      expect(mistakesOf({ ...env, CHAT_STATE_SECRET: weak })).toEqual([expect.stringMatching(/^CHAT_STATE_SECRET: too weak/)]);
    }
    expect(mistakesOf({ CHAT_STATE_SECRET_FILE: '/s' }, { '/s': weak })).toEqual([
      expect.stringMatching(/^CHAT_STATE_SECRET_FILE: too weak/),
    ]);
    expect(printConfig(loadWithSources({ CHAT_STATE_SECRET: strongSecret }, machine()))).not.toContain(strongSecret);
  });
});

describe('the secret', () => {
  const weak = [
    'change-me-change-me-change-me-change-me',
    'this-is-an-example-secret-of-the-readme-1234',
    'a'.repeat(40),
    'Zx9Kq2Lm'.repeat(5),
    'abcdefghijklmnopqrstuvwxyz0123456789',
    'my-super-secret-that-nobody-will-guess-42',
  ];
  it.each(weak)('%s is refused, but not in development mode', (CHAT_JWT_SECRET) => {
    const mistakes = mistakesOf({ CHAT_JWT_SECRET });
    expect(mistakes).toEqual([expect.stringContaining('CHAT_JWT_SECRET: too weak')]);
    expect(mistakes.join()).not.toContain(CHAT_JWT_SECRET);
    expect(mistakesOf({ CHAT_JWT_SECRET, CHAT_DEV: 'true' })).toEqual([]);
  });

  it('made at random is never called weak, in hex or base64', () => {
    for (let i = 0; i < 500; i += 1) {
      const bytes = randomBytes(32);
      expect(weaknessOf(bytes.toString('hex'))).toBeUndefined();
      expect(weaknessOf(bytes.toString('base64'))).toBeUndefined();
    }
  });

  it.each(['x', 'secret', strongSecret.slice(0, 31)])('of fewer than 32 bytes is refused in every mode: "%s"', (CHAT_JWT_SECRET) => {
    for (const CHAT_DEV of ['true', 'false'])
      expect(mistakesOf({ CHAT_JWT_SECRET, CHAT_DEV })).toEqual(['CHAT_JWT_SECRET: must be at least 32 bytes long']);
  });

  it('that is empty is refused in every mode', () => {
    for (const CHAT_DEV of ['true', 'false'])
      expect(mistakesOf({ CHAT_JWT_SECRET: '', CHAT_DEV })).toEqual(['CHAT_JWT_SECRET is empty: must be at least 32 bytes long']);
  });

  it('must be as long as the hash of the algorithm', () => {
    const CHAT_JWT_SECRET = strongSecret.slice(0, 40);
    expect(mistakesOf({ CHAT_JWT_SECRET, CHAT_JWT_ALGORITHM: 'HS384' })).toEqual([
      'CHAT_JWT_SECRET: must be at least 48 bytes long for HS384',
    ]);
    expect(mistakesOf({ CHAT_JWT_SECRET, CHAT_JWT_ALGORITHM: 'HS512' })).toEqual([
      'CHAT_JWT_SECRET: must be at least 64 bytes long for HS512',
    ]);
  });

  it('comes from a file without its last line break', () => {
    const env = { CHAT_JWT_SECRET_FILE: '/run/secrets/jwt', CHAT_HOST: '0.0.0.0' };
    expect(load(env, { '/run/secrets/jwt': `${strongSecret}\n` }).jwt).toEqual({
      kind: 'secret',
      algorithm: 'HS256',
      secret: strongSecret,
    });
  });

  it('from a file that is missing, weak or short is refused, and from two places too', () => {
    const env = { CHAT_JWT_SECRET_FILE: '/s' };
    expect(mistakesOf(env)).toEqual(['CHAT_JWT_SECRET_FILE=/s: must name a readable file (ENOENT)']);
    expect(mistakesOf(env, { '/s': '\n' })).toEqual(['CHAT_JWT_SECRET_FILE=/s is empty: must be at least 32 bytes long']);
    expect(mistakesOf(env, { '/s': weak[0] ?? '' })).toEqual([expect.stringContaining('CHAT_JWT_SECRET_FILE: too weak')]);
    expect(mistakesOf({ ...env, CHAT_JWT_SECRET: strongSecret }, { '/s': strongSecret })).toEqual([
      'CHAT_JWT_SECRET, CHAT_JWT_SECRET_FILE: both are given; give one',
    ]);
  });

  it('is in no message and no printout, however wrong the rest is', () => {
    const env = { CHAT_JWT_SECRET: strongSecret, CHAT_JWT_ALGORITHM: 'RS256', CHAT_DEV: 'true', CHAT_HOST: '0.0.0.0', CHAT_PORT: '-' };
    expect(mistakesOf(env).length).toBeGreaterThan(2);
    expect(mistakesOf(env).join()).not.toContain(strongSecret);
    const files = { '/s': strongSecret };
    for (const given of [{ CHAT_JWT_SECRET: strongSecret }, { CHAT_JWT_SECRET_FILE: '/s' }]) {
      expect(printConfig(loadWithSources(given, machine(files)))).not.toContain(strongSecret);
    }
  });
});

describe('a public key', () => {
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const files = {
    rsa: rsa.publicKey.export({ type: 'spki', format: 'pem' }).toString(),
    ec: ec.publicKey.export({ type: 'spki', format: 'pem' }).toString(),
    private: ec.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    garbage: 'not a key',
  };
  it.each([
    ['RS256', 'rsa'],
    ['ES256', 'ec'],
  ] as const)('verifies %s', (CHAT_JWT_ALGORITHM, CHAT_JWT_PUBLIC_KEY_FILE) => {
    const { dev, jwt } = load({ CHAT_JWT_ALGORITHM, CHAT_JWT_PUBLIC_KEY_FILE }, files);
    expect(dev).toBe(false);
    expect(jwt).toEqual({ kind: 'publicKey', algorithm: CHAT_JWT_ALGORITHM, publicKeyPem: files[CHAT_JWT_PUBLIC_KEY_FILE] });
  });

  it.each([
    ['RS256', 'ec', 'RS256 needs an RSA key'],
    ['ES256', 'rsa', 'ES256 needs an EC key'],
    ['ES256', 'private', 'holds a private key'],
    ['RS256', 'garbage', 'must name a PEM file'],
    ['RS256', 'missing', 'must name a readable file (ENOENT)'],
    ['HS256', 'rsa', 'HS256 uses a secret'],
  ])('%s with %s: %s', (CHAT_JWT_ALGORITHM, CHAT_JWT_PUBLIC_KEY_FILE, mistake) => {
    expect(mistakesOf({ CHAT_JWT_ALGORITHM, CHAT_JWT_PUBLIC_KEY_FILE }, files)).toEqual([expect.stringContaining(mistake)]);
  });

  it('is needed by RS256 and ES256, and excludes a secret and development mode', () => {
    expect(mistakesOf({ CHAT_JWT_ALGORITHM: 'RS256' })).toEqual(['CHAT_JWT_ALGORITHM=RS256: needs CHAT_JWT_PUBLIC_KEY_FILE']);
    expect(mistakesOf({ CHAT_JWT_ALGORITHM: 'ES256', CHAT_JWT_SECRET: strongSecret })).toEqual([
      expect.stringContaining('instead of CHAT_JWT_SECRET'),
    ]);
    expect(mistakesOf({ CHAT_JWT_PUBLIC_KEY_FILE: 'rsa', CHAT_JWT_SECRET: strongSecret }, files)).toEqual([
      expect.stringContaining('both are given'),
    ]);
    expect(mistakesOf({ CHAT_JWT_PUBLIC_KEY_FILE: 'rsa', CHAT_JWT_ALGORITHM: 'RS256', CHAT_DEV: 'true' }, files)).toEqual([
      expect.stringContaining('development mode signs tokens'),
    ]);
  });
});

describe('the services outside', () => {
  it('are told by addresses without user, query and fragment', () => {
    for (const url of ['https://c.example.org', 'http://10.0.0.7:8080/api/', 'http://[::1]:80/x']) {
      expect(load({ CHAT_DIRECTORY_URL: url, CHAT_NOTIFY_URL: url })).toMatchObject({ directoryUrl: url, notifyUrl: url });
    }
    for (const url of [
      '',
      'c.example.org',
      'ftp://c/',
      'https://',
      'https://u:p@c/',
      'https://c/?a=1',
      'https://c/#a',
      'https://c/ b',
      'file:///etc',
    ]) {
      expect(mistakesOf({ CHAT_DIRECTORY_URL: url, CHAT_NOTIFY_URL: url })).toHaveLength(2);
    }
  });

  it.each(['CHAT_DIRECTORY_SECRET', 'CHAT_NOTIFY_SECRET'])('take %s only when it is strong and fits a header', (name) => {
    expect(mistakesOf({ [name]: strongSecret })).toEqual([]);
    expect(mistakesOf({ [`${name}_FILE`]: '/s' }, { '/s': `${strongSecret}\n` })).toEqual([]);
    expect(mistakesOf({ [name]: 'change-me-guess-42-change-me-guess-42' })).toEqual([
      expect.stringMatching(new RegExp(`^${name}: too weak(?!.*guess-42)`)),
    ]);
    for (const bad of ['short', `${strongSecret} ${strongSecret}`, `${strongSecret}é`]) {
      expect(mistakesOf({ [name]: bad })).toEqual([expect.stringMatching(new RegExp(`^${name}: must be at least 32 printable`))]);
    }
  });
});
