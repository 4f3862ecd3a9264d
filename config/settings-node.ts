/**
 * Settings of one node: where it listens, whom it believes, how long things take.
 */
import {
  choice,
  claimRule,
  flag,
  integer,
  isHost,
  isOrigin,
  list,
  optionalText,
  pathRule,
  type Setting,
  secretBytesMin,
  text,
} from './setting-kinds.ts';

export const nodeSettings = {
  host: text({
    default: '127.0.0.1',
    rule: 'an address or a host name, without scheme and port',
    accepts: isHost,
    description: 'Address to listen on. 0.0.0.0 or :: listens on every interface.',
  }),
  port: integer({ default: 3000, min: 0, max: 65_535, description: 'Port to listen on; 0 takes any free one.' }),
  dataDir: text({ default: './data', ...pathRule, description: 'Folder of the embedded store. One process at a time may own it.' }),
  nodeId: text({
    default: 'node-1',
    rule: '1 to 64 of A-Z a-z 0-9 _ -',
    accepts: (value) => /^[A-Za-z0-9_-]{1,64}$/.test(value),
    description: 'Name of this node in logs and in the cluster.',
  }),
  dev: flag({
    defaultText: 'true when no key is given and the host is loopback, else false',
    description: 'Development mode: a secret is made and kept in the data folder, and POST /api/dev/token hands out tokens. Loopback only.',
  }),
  jwtSecret: optionalText({
    isSecret: true,
    rule: `at least ${secretBytesMin} bytes long`,
    accepts: (value) => Buffer.byteLength(value) >= secretBytesMin,
    description: 'Secret that signs tokens (HS256, HS384, HS512). Weak and sample values are refused outside development mode.',
  }),
  jwtAlgorithm: choice({
    default: 'HS256',
    of: ['HS256', 'HS384', 'HS512', 'RS256', 'ES256'],
    description: 'The one algorithm tokens are signed with. RS256 and ES256 need a public key.',
  }),
  jwtPublicKeyFile: optionalText({ ...pathRule, description: 'PEM file of the public key that verifies RS256 or ES256 tokens.' }),
  jwtIssuer: optionalText({ ...claimRule, description: 'The iss a token must have. Not set: not looked at.' }),
  jwtAudience: optionalText({ ...claimRule, description: 'The aud a token must have. Not set: not looked at.' }),
  tokenLifetimeMaxS: integer({
    default: 86_400,
    unit: 'seconds',
    min: 1,
    max: 31_536_000,
    description: 'Tokens that live longer than this are refused.',
  }),
  tokenNoticeMs: integer({
    default: 60_000,
    unit: 'milliseconds',
    min: 100,
    max: 3_600_000,
    description: 'How long before the end of its token a client is told (auth:expiring), so that it can bring another.',
  }),
  origins: list({
    rule: 'a comma list of exact origins such as https://chat.example.org (no path, no *)',
    accepts: isOrigin,
    defaultText: 'empty',
    description:
      'Web origins that may connect, besides the own one. Empty: the own origin, clients that are no browsers, and in development mode loopback pages.',
  }),
  operatorAccess: choice({
    default: 'local',
    of: ['local', 'operator', 'open'],
    description:
      'Who may read /metrics and /version. local: this machine, not through a proxy, and tokens with the role operator. operator: such tokens only. open: everybody.',
  }),
  logLevel: choice({
    default: 'info',
    of: ['debug', 'info', 'warn', 'error', 'silent'],
    description: 'Least severe log line that is written.',
  }),
  logPretty: flag({ defaultText: 'true when stdout is a terminal', description: 'Log lines for people instead of JSON.' }),
  pingIntervalMs: integer({
    default: 8_000,
    unit: 'milliseconds',
    min: 100,
    max: 300_000,
    description: 'How often a client is pinged.',
  }),
  pingTimeoutMs: integer({
    default: 6_000,
    unit: 'milliseconds',
    min: 100,
    max: 300_000,
    description: 'A client that has not answered a ping after this is disconnected; it was gone for at most interval + timeout.',
  }),
  ackDeadlineMs: integer({
    default: 4_500,
    unit: 'milliseconds',
    min: 100,
    max: 300_000,
    description: 'A command that is not stored after this is answered STORE_UNAVAILABLE; its outcome is unknown until it is sent again.',
  }),
  roomIdleMs: integer({
    default: 60_000,
    unit: 'milliseconds',
    min: 100,
    max: 86_400_000,
    description: 'A room that nobody here reads or writes is put to rest after this.',
  }),
  drainDeadlineMs: integer({
    default: 15_000,
    unit: 'milliseconds',
    min: 100,
    max: 600_000,
    description: 'Longest orderly stop. After it the process ends with exit code 1. Keep the grace period of what stops it longer.',
  }),
} as const satisfies Record<string, Setting<unknown>>;
