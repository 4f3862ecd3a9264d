/**
 * Config: every setting's default and range, all mistakes in one message, secrets never shown, rules between settings.
 */
import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { type Environment, loadConfig, loadWithSources } from '../../config/load.ts';
import { printConfig } from '../../config/print.ts';
import { type Field, fields, settings, variableOf } from '../../config/schema.ts';
import type { Setting } from '../../config/setting-kinds.ts';
import { load, machine, mistakesOf } from '../support/config-machine.ts';
import { testConfig } from '../support/test-config.ts';

const strongSecret = randomBytes(48).toString('base64url');

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
      uploadBytesPerDayMax: 1_073_741_824,
      outboxBytesMax: 36_864,
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
      commandsWaitingMax: 10_000,
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
      stateHttpAddress: '',
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
    ['stateHttpAddress', ['', '127.0.0.1:3101', '[::1]:3101'], ['3101', '127.0.0.1', '127.0.0.1:0', 'http://127.0.0.1:3101']],
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
    [{ CHAT_UPLOAD_BYTES_PER_DAY_MAX: '10485759' }, 'CHAT_UPLOAD_BYTES_PER_DAY_MAX must be at least CHAT_FILE_BYTES_MAX'],
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
