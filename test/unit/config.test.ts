/**
 * Config: every setting's default and range, all mistakes in one message, secrets never shown, rules between settings.
 */
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { weaknessOf } from '../../config/checks.ts';
import { ConfigError, type Environment, loadConfig, loadWithSources, type Surroundings } from '../../config/load.ts';
import { printConfig } from '../../config/print.ts';
import { type Field, fields, settings, variableOf } from '../../config/schema.ts';
import type { Setting } from '../../config/setting-kinds.ts';
import { testConfig } from '../support/test-config.ts';

const strongSecret = randomBytes(48).toString('base64url');

function machine(files: Readonly<Record<string, string>> = {}): Surroundings {
  return {
    isTerminal: false,
    readFile: (path) => {
      const text = files[path];
      if (text === undefined) throw Object.assign(new Error(`no ${path}`), { code: 'ENOENT' });
      return text;
    },
  };
}

const load = (env: Environment, files?: Readonly<Record<string, string>>) => loadConfig(env, machine(files));

function mistakesOf(env: Environment, files?: Readonly<Record<string, string>>): readonly string[] {
  try {
    load(env, files);
  } catch (error) {
    if (error instanceof ConfigError) return error.mistakes;
    throw error;
  }
  return [];
}

describe('the defaults', () => {
  it('are these, and an empty environment is development mode on loopback', () => {
    expect(load({})).toEqual({
      host: '127.0.0.1',
      port: 3000,
      dataDir: './data',
      nodeId: 'node-1',
      dev: true,
      jwt: { kind: 'dev', algorithm: 'HS256' },
      tokenLifetimeMaxS: 86_400,
      tokenNoticeMs: 60_000,
      origins: [],
      operatorAccess: 'local',
      logLevel: 'info',
      logPretty: false,
      pingIntervalMs: 8_000,
      pingTimeoutMs: 6_000,
      textBytesMax: 16_384,
      fileBytesMax: 10_485_760,
      uploadTimeoutMs: 120_000,
      outboxBytesMax: 65_536,
      outboxFramesMax: 512,
      slowConsumerMs: 30_000,
      resumeEntriesMax: 10_000,
      roomPendingMax: 10_000,
      senderPendingMax: 100,
      ackDeadlineMs: 4_500,
      roomIdleMs: 60_000,
      roomsActiveMax: 10_000,
      roomsPerSocketMax: 200,
      commandsPerSecondMax: 100,
      commandsBurstMax: 200,
      connectionsMax: 20_000,
      userConnectionsMax: 20,
      userCommandsPerSecondMax: 200,
      userCommandsBurstMax: 400,
      addressConnectionsMax: 100,
      addressCommandsPerSecondMax: 2_000,
      addressCommandsBurstMax: 4_000,
      addressHandshakesPerSecondMax: 20,
      addressHandshakesBurstMax: 200,
      addressBadTokensPerSecondMax: 1,
      addressBadTokensBurstMax: 20,
      handshakesMax: 150,
      trustedProxies: [],
      presenceWatchesMax: 500_000,
      presenceUsersMax: 30_000,
      stateServer: '',
      kafkaBrokers: [],
      kafkaTopicPrefix: '',
      redisKeyPrefix: 'playhouse',
      clusterHost: '127.0.0.1',
      clusterPort: 0,
      clusterAddress: '',
      stateHost: '127.0.0.1',
      statePort: 0,
      drainDeadlineMs: 15_000,
      directoryTimeoutMs: 2_000,
      notifyTimeoutMs: 5_000,
    });
  });

  it('pass their own rules when they are written out', () => {
    const written = fields.flatMap((field) => {
      const value: unknown = settings[field].default;
      return value === undefined ? [] : [[variableOf(field), String(value)]];
    });
    expect(mistakesOf(Object.fromEntries(written))).toEqual([]);
  });

  it('write pretty log lines exactly when stdout is a terminal, unless told', () => {
    expect(loadConfig({}, { ...machine(), isTerminal: true }).logPretty).toBe(true);
    expect(loadConfig({ CHAT_LOG_PRETTY: 'false' }, { ...machine(), isTerminal: true }).logPretty).toBe(false);
  });

  it('are frozen, and so is what is in them', () => {
    const config = load({ CHAT_ORIGINS: 'https://a.example' });
    expect([config, config.jwt, config.origins].every(Object.isFrozen)).toBe(true);
  });
});

describe('every whole number', () => {
  const numbers = fields.filter((field) => typeof settings[field].default === 'number');
  // Neighbours that a relation would refuse beside an extreme value.
  const wide: Environment = { CHAT_OUTBOX_BYTES_MAX: '1000000000' };

  it.each(numbers)('%s takes its least and its greatest value and refuses what is beyond', (field) => {
    const setting: Setting<unknown> = settings[field];
    const [, min = '', max = ''] = /from (\d+) to (\d+)/.exec(setting.rule) ?? [];
    const name = variableOf(field);
    const own = (value: string): readonly string[] =>
      mistakesOf({ ...wide, [name]: value }).filter(
        (mistake) => mistake.startsWith(`${name}=`) && mistake.includes('must be a whole number'),
      );
    expect(own(min)).toEqual([]);
    expect(own(max)).toEqual([]);
    const unit = setting.unit === undefined ? '' : ` (${setting.unit})`;
    for (const value of [String(Number(max) + 1), `${min}.5`, '-1', 'many', '1e3', '0x10', `${max} `, '007']) {
      const shown = value.includes(' ') ? JSON.stringify(value) : value;
      expect(own(value)).toEqual([`${name}=${shown}: must be ${setting.rule}${unit}`]);
    }
    if (Number(min) > 0) expect(own(String(Number(min) - 1))).toHaveLength(1);
  });
});

describe('every other value', () => {
  const cases: readonly (readonly [Field, readonly string[], readonly string[]])[] = [
    ['host', ['127.0.0.1', '::1', 'localhost'], ['http://127.0.0.1', '127.0.0.1:3000', '1.2.3', 'a b', '-a', '']],
    [
      'stateServer',
      ['', '127.0.0.1:3100', 'state.example.org:1', '[::1]:65535'],
      ['3100', 'state', 'state:0', 'state:65536', '::1:3100', '[1.2.3.4]:1', 'tcp://state:3100', 'state:3100 ', ':3100', 'a b:1'],
    ],
    [
      'trustedProxies',
      ['', '10.0.0.7', '10.0.0.0/8, ::1', 'fd00::/8', '0.0.0.0/0'],
      ['10.0.0', 'proxy', '10.0.0.0/33', '::/129', '10.0.0.0/', '10.0.0.0/8/8', '10.0.0.1-9', '*', 'fe80::1%eth0', '10.0.0.0/08'],
    ],
    ['stateHost', ['127.0.0.1', '::1', 'localhost'], ['http://127.0.0.1', '127.0.0.1:3100', '1.2.3', '']],
    ['dataDir', ['/var/lib/chat', 'data'], ['', ' ', 'a\0b']],
    ['nodeId', ['a', 'node_2-B', 'x'.repeat(64)], ['', 'node 1', 'node.1', 'ü', 'x'.repeat(65), 'a\n']],
    ['dev', ['true', 'false'], ['1', 'TRUE', 'yes', '']],
    ['logPretty', ['true', 'false'], ['auto', '']],
    ['jwtIssuer', ['https://id.example.org/'], ['', 'a b']],
    ['jwtAudience', ['chat'], ['', 'a\nb']],
    ['jwtAlgorithm', ['HS256', 'HS384', 'HS512'], ['none', 'hs256', 'HS256,none', 'PS256', '']],
    [
      'origins',
      ['', 'https://a.example', 'https://a.example, http://localhost:5173'],
      ['*', 'https://a.example/', 'a.example', 'https://*.example', 'null', 'https://a.example:443', 'ftp://a.example'],
    ],
    ['logLevel', ['debug', 'info', 'warn', 'error', 'silent'], ['trace', 'INFO', '']],
  ];
  it.each(cases)('%s', (field, good, bad) => {
    const name = variableOf(field);
    const key = randomBytes(48).toString('base64url') + randomBytes(24).toString('base64url');
    for (const value of good) expect(mistakesOf({ CHAT_JWT_SECRET: key, [name]: value })).toEqual([]);
    for (const value of bad) {
      const mistakes = mistakesOf({ CHAT_JWT_SECRET: key, [name]: value });
      expect(mistakes).toHaveLength(1);
      expect(mistakes[0]).toContain(name);
      expect(mistakes[0]).toContain(settings[field].rule);
    }
  });

  it('origins become a list', () => {
    expect(load({ CHAT_ORIGINS: 'https://a.example, http://b.example:8080 ,' }).origins).toEqual([
      'https://a.example',
      'http://b.example:8080',
    ]);
  });
});

describe('mistakes', () => {
  it('come all at once, each with name, value, rule and unit', () => {
    const env = { CHAT_PORT: '99999', CHAT_PING_INTERVAL_MS: 'soon', CHAT_LOG_LEVEL: 'loud', CHAT_PROT: '1', CHAT_JWT_SECRET: 'short' };
    expect(mistakesOf(env)).toEqual([
      'CHAT_PROT: no such setting; did you mean CHAT_PORT?',
      'CHAT_PORT=99999: must be a whole number from 0 to 65535',
      'CHAT_JWT_SECRET: must be at least 32 bytes long',
      'CHAT_LOG_LEVEL=loud: must be one of debug, info, warn, error, silent',
      'CHAT_PING_INTERVAL_MS=soon: must be a whole number from 100 to 300000 (milliseconds)',
    ]);
    expect(() => load(env)).toThrow(/^The configuration has 5 mistakes:\n {2}- CHAT_PROT/);
  });

  it.each([
    ['CHAT_DATADIR', 'CHAT_DATA_DIR'],
    ['CHAT_OUTBOX_BYTE_MAX', 'CHAT_OUTBOX_BYTES_MAX'],
    ['CHAT_PING_INTERVAL', 'CHAT_PING_INTERVAL_MS'],
    ['CHAT_JWT_SECRETFILE', 'CHAT_JWT_SECRET_FILE'],
    ['CHAT_ORIGIN', 'CHAT_ORIGINS'],
  ])('an unknown %s is answered with %s', (wrong, right) => {
    expect(mistakesOf({ [wrong]: '1' })).toEqual([`${wrong}: no such setting; did you mean ${right}?`]);
  });

  it('an unknown variable that is near nothing gets no far-fetched suggestion, and a huge name costs nothing', () => {
    expect(mistakesOf({ CHAT_FROBNICATE_EVERYTHING: '1' })).toEqual([
      'CHAT_FROBNICATE_EVERYTHING: no such setting; npm run config lists them all',
    ]);
    expect(mistakesOf({ [`CHAT_${'A'.repeat(50_000)}`]: '1' })).toHaveLength(1);
  });

  it('variables of other programs are left alone', () => {
    expect(mistakesOf({ PORT: 'x', JWT_SECRET: 'x', MY_CHAT_PORT: 'x' })).toEqual([]);
  });
});

describe('development mode', () => {
  it.each(['127.0.0.1', '127.8.9.1', '::1', 'localhost'])('is the default on %s when no key is given', (CHAT_HOST) => {
    expect(load({ CHAT_HOST })).toMatchObject({ dev: true, jwt: { kind: 'dev' } });
  });

  it.each(['0.0.0.0', '::', '192.168.1.5', 'chat.example.org', '127.example.org', 'localhost.example.org'])(
    'is refused on %s, asked for or not',
    (CHAT_HOST) => {
      expect(mistakesOf({ CHAT_HOST })).toEqual([expect.stringContaining('CHAT_JWT_SECRET: is missing')]);
      expect(mistakesOf({ CHAT_HOST, CHAT_DEV: 'true' })).toEqual([expect.stringContaining('the host must be loopback')]);
      expect(mistakesOf({ CHAT_HOST, CHAT_DEV: 'true', CHAT_JWT_SECRET: strongSecret })).toHaveLength(1);
    },
  );

  it('is off when a secret is given, and can be asked for', () => {
    expect(load({ CHAT_JWT_SECRET: strongSecret })).toMatchObject({ dev: false, jwt: { kind: 'secret', secret: strongSecret } });
    expect(load({ CHAT_JWT_SECRET: strongSecret, CHAT_DEV: 'true' })).toMatchObject({ dev: true, jwt: { kind: 'secret' } });
  });

  it('switched off without a key is a mistake', () => {
    expect(mistakesOf({ CHAT_DEV: 'false' })).toEqual([expect.stringContaining('CHAT_JWT_SECRET: is missing')]);
  });
});

describe('half a cluster', () => {
  const kafka = { CHAT_KAFKA_BROKERS: 'k1:9092, k2:9092' };
  it('is refused, each missing part with the reason', () => {
    expect(mistakesOf(kafka)).toEqual([
      expect.stringMatching(/^CHAT_KAFKA_BROKERS=k1:9092,k2:9092: needs CHAT_MONGO_URL too: nodes/),
      expect.stringMatching(/^CHAT_KAFKA_BROKERS=k1:9092,k2:9092: needs CHAT_CLUSTER_SECRET or CHAT_CLUSTER_SECRET_FILE/),
    ]);
    const whole = { ...kafka, CHAT_MONGO_URL: 'mongodb://m/p', CHAT_CLUSTER_SECRET: strongSecret };
    expect(load(whole).kafkaBrokers).toEqual(['k1:9092', 'k2:9092']);
    expect(mistakesOf({ ...whole, CHAT_MONGO_URL: 'm' })).toEqual([expect.stringMatching(/^CHAT_MONGO_URL: must be a URL/)]);
  });

  it('with a weak secret is refused without showing it', () => {
    const weak = 'my-super-secret-that-nobody-will-guess-42';
    expect(mistakesOf({ CHAT_CLUSTER_SECRET: weak })).toEqual([expect.stringMatching(/^CHAT_CLUSTER_SECRET: too weak(?!.*guess-42)/)]);
    expect(mistakesOf({ CHAT_CLUSTER_SECRET: 'short' })).toEqual(['CHAT_CLUSTER_SECRET: must be at least 32 bytes long']);
  });
});

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

describe('rules between settings', () => {
  it.each([
    [{ CHAT_PING_TIMEOUT_MS: '8001' }, 'CHAT_PING_TIMEOUT_MS=8001, CHAT_PING_INTERVAL_MS=8000: CHAT_PING_TIMEOUT_MS must be at most'],
    [{ CHAT_SENDER_PENDING_MAX: '20000' }, 'CHAT_SENDER_PENDING_MAX must be at most CHAT_ROOM_PENDING_MAX'],
    [{ CHAT_COMMANDS_BURST_MAX: '99' }, 'CHAT_COMMANDS_BURST_MAX must be at least CHAT_COMMANDS_PER_SECOND_MAX'],
    [{ CHAT_USER_COMMANDS_PER_SECOND_MAX: '99' }, 'CHAT_USER_COMMANDS_PER_SECOND_MAX must be at least CHAT_COMMANDS_PER_SECOND_MAX'],
    [{ CHAT_USER_COMMANDS_BURST_MAX: '199' }, 'CHAT_USER_COMMANDS_BURST_MAX must be at least CHAT_USER_COMMANDS_PER_SECOND_MAX'],
    [
      { CHAT_ADDRESS_COMMANDS_PER_SECOND_MAX: '199' },
      'CHAT_ADDRESS_COMMANDS_PER_SECOND_MAX must be at least CHAT_USER_COMMANDS_PER_SECOND_MAX',
    ],
    [{ CHAT_ADDRESS_COMMANDS_BURST_MAX: '1999' }, 'CHAT_ADDRESS_COMMANDS_BURST_MAX must be at least CHAT_ADDRESS_COMMANDS_PER_SECOND_MAX'],
    [
      { CHAT_ADDRESS_HANDSHAKES_BURST_MAX: '19' },
      'CHAT_ADDRESS_HANDSHAKES_BURST_MAX must be at least CHAT_ADDRESS_HANDSHAKES_PER_SECOND_MAX',
    ],
    [
      { CHAT_ADDRESS_BAD_TOKENS_PER_SECOND_MAX: '21' },
      'CHAT_ADDRESS_BAD_TOKENS_BURST_MAX must be at least CHAT_ADDRESS_BAD_TOKENS_PER_SECOND_MAX',
    ],
    [{ CHAT_ROOMS_PER_SOCKET_MAX: '10001' }, 'CHAT_ROOMS_PER_SOCKET_MAX must be at most CHAT_ROOMS_ACTIVE_MAX'],
    [{ CHAT_ACK_DEADLINE_MS: '15000' }, 'CHAT_ACK_DEADLINE_MS must be less than CHAT_DRAIN_DEADLINE_MS'],
    [{ CHAT_ROOM_IDLE_MS: '4499' }, 'CHAT_ACK_DEADLINE_MS must be at most CHAT_ROOM_IDLE_MS'],
  ])('%o', (env, mistake) => {
    expect(mistakesOf(env)).toEqual([expect.stringContaining(mistake)]);
  });

  it('are not judged on a value that was refused itself', () => {
    expect(mistakesOf({ CHAT_PING_INTERVAL_MS: '1', CHAT_PING_TIMEOUT_MS: '200' })).toHaveLength(1);
  });
});

describe('the printout', () => {
  it('shows every setting with its value, unit and source, in columns', () => {
    const env = { CHAT_PORT: '4000', CHAT_JWT_SECRET_FILE: '/s', CHAT_ORIGINS: 'https://a.example,https://b.example' };
    const lines = printConfig(loadWithSources(env, machine({ '/s': strongSecret }))).split('\n');
    expect(lines).toHaveLength(fields.length + 1);
    const unitColumn = (lines[0] ?? '').indexOf('UNIT');
    const row = (name: string): string[] => (lines.find((line) => line.startsWith(`${name} `)) ?? '').split(/ {2,}/);
    expect(row('CHAT_PORT')).toEqual(['CHAT_PORT', '4000', 'env']);
    expect(row('CHAT_JWT_SECRET_FILE')).toEqual(['CHAT_JWT_SECRET_FILE', '(secret)', 'file']);
    expect(row('CHAT_DEV')).toEqual(['CHAT_DEV', 'false', 'default']);
    expect(row('CHAT_ORIGINS')).toEqual(['CHAT_ORIGINS', 'https://a.example,https://b.example', 'env']);
    expect(row('CHAT_ACK_DEADLINE_MS')).toEqual(['CHAT_ACK_DEADLINE_MS', '4500', 'milliseconds', 'default']);
    expect(lines.find((line) => line.startsWith('CHAT_ACK_DEADLINE_MS'))?.indexOf('milliseconds')).toBe(unitColumn);
  });
});

describe('testConfig', () => {
  it('takes overrides and looks at no environment', () => {
    expect(testConfig({ roomPendingMax: 1 })).toMatchObject({
      roomPendingMax: 1,
      port: 0,
      dev: true,
      logLevel: 'silent',
      logPretty: false,
    });
  });
});
