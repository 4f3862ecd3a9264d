/**
 * Settings: the one table of everything that can be configured, and the kinds of value a setting can have.
 *
 * The variable's name, the types, loading, `npm run config` and the README's table are all derived from this table.
 * Each entry judges one value on its own; rules between settings are in checks.ts.
 * Does not: read the environment or any file.
 */
import { isIP } from 'node:net';
import { z } from 'zod';

export interface Setting<T> {
  /** Turns the text of the environment into the value, or fails. */
  readonly schema: z.ZodType<T, string>;
  readonly default: T;
  /** How the default is shown, where the value itself would not say it. */
  readonly defaultText?: string;
  readonly unit?: Unit;
  /** Completes the sentence "must be …". */
  readonly rule: string;
  readonly description: string;
  /** Never printed, and can be given as a file: `<name>_FILE` holds a path. */
  readonly isSecret?: true;
}

export type Unit =
  | 'milliseconds'
  | 'seconds'
  | 'bytes'
  | 'frames'
  | 'entries'
  | 'commands'
  | 'rooms'
  | 'connections'
  | 'users'
  | 'commands per second'
  | 'handshakes'
  | 'handshakes per second'
  | 'bad tokens'
  | 'bad tokens per second';

interface About {
  readonly description: string;
  readonly defaultText?: string;
}

function integer(
  about: About & { readonly unit?: Unit; readonly default: number; readonly min: number; readonly max: number },
): Setting<number> {
  const { min, max, ...rest } = about;
  const schema = z
    .string()
    .regex(/^(0|[1-9]\d{0,14})$/)
    .transform(Number)
    .refine((value) => value >= min && value <= max);
  return { ...rest, schema, rule: `a whole number from ${min} to ${max}` };
}

function choice<const T extends string>(about: About & { readonly default: T; readonly of: readonly [T, ...T[]] }): Setting<T> {
  const { of, ...rest } = about;
  return { ...rest, schema: z.string().pipe(z.enum(of)) as unknown as z.ZodType<T, string>, rule: `one of ${of.join(', ')}` };
}

/** A flag; undefined means "decided by the circumstances", as `defaultText` says. */
function flag(about: About & { readonly defaultText: string }): Setting<boolean | undefined> {
  const schema = z.enum(['true', 'false']).transform((value) => value === 'true');
  return { ...about, schema: schema as unknown as z.ZodType<boolean | undefined, string>, default: undefined, rule: 'true or false' };
}

interface TextRule {
  readonly rule: string;
  readonly accepts: (value: string) => boolean;
}

function text(about: About & TextRule & { readonly default: string }): Setting<string> {
  const { accepts, ...rest } = about;
  return { ...rest, schema: z.string().refine(accepts) };
}

function optionalText(about: About & TextRule & { readonly isSecret?: true }): Setting<string | undefined> {
  const { accepts, ...rest } = about;
  return { ...rest, schema: z.string().refine(accepts), default: undefined };
}

/** A comma list; blanks around the entries are ignored, an empty value is the empty list. */
function list(about: About & TextRule): Setting<readonly string[]> {
  const { accepts, ...rest } = about;
  const schema = z
    .string()
    .transform((value) =>
      value
        .split(',')
        .map((entry) => entry.trim())
        .filter((entry) => entry !== ''),
    )
    .refine((entries) => entries.every(accepts));
  return { ...rest, schema, default: [] };
}

const isHost = (value: string): boolean =>
  isIP(value) !== 0 || (/^(?!-)[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})*$/.test(value) && !/^[\d.]+$/.test(value) && value.length <= 253);
/** A host and a port, an IPv6 address in brackets. */
function isAddress(value: string): boolean {
  const [, v6, name, port = ''] = /^(?:\[([^\]]+)\]|([^:]+)):([1-9]\d{0,4})$/.exec(value) ?? [];
  return (v6 === undefined ? isHost(name ?? '') : isIP(v6) === 6) && Number(port) <= 65_535;
}
const isPath = (value: string): boolean => value.trim() !== '' && !value.includes('\0');
const isPrintable = (value: string): boolean => /^[\x21-\x7e]{1,256}$/.test(value);

/** Exactly what a browser sends in `Origin`: no path, no wildcard, the default port left out. */
function isOrigin(value: string): boolean {
  if (!/^https?:\/\/[^*]+$/.test(value) || !URL.canParse(value)) return false;
  return new URL(value).origin === value;
}

/** An address, or one with the number of bits that name its network. */
function isNetwork(value: string): boolean {
  const [address = '', bits, ...rest] = value.split('/');
  const family = isIP(address);
  if (family === 0 || address.includes('%') || rest.length > 0) return false;
  return bits === undefined || (/^(0|[1-9]\d{0,2})$/.test(bits) && Number(bits) <= (family === 6 ? 128 : 32));
}

export const secretBytesMin = 32;

const pathRule = { rule: 'a path', accepts: isPath } as const;
const claimRule = { rule: '1 to 256 printable characters without blanks', accepts: isPrintable } as const;

export const settings = {
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
  textBytesMax: integer({
    default: 16_384,
    unit: 'bytes',
    min: 1,
    max: 1_000_000,
    description: 'Largest text of a message, in UTF-8. Above: PAYLOAD_TOO_LARGE.',
  }),
  outboxBytesMax: integer({
    default: 65_536,
    unit: 'bytes',
    min: 4_096,
    max: 1_000_000_000,
    description:
      'Most events that wait for one socket, beyond what the kernel holds; one larger event passes when nothing waits. Above: delivery of rooms pauses and catches up from the log; above for CHAT_SLOW_CONSUMER_MS: SLOW_CONSUMER.',
  }),
  outboxFramesMax: integer({
    default: 512,
    unit: 'frames',
    min: 1,
    max: 1_000_000,
    description: 'Most frames that wait for one socket. Above: as for CHAT_OUTBOX_BYTES_MAX.',
  }),
  slowConsumerMs: integer({
    default: 30_000,
    unit: 'milliseconds',
    min: 100,
    max: 3_600_000,
    description:
      'A client for which so much waited all this time is closed with SLOW_CONSUMER; it resumes where it was. One that reads nothing at all misses its ping earlier.',
  }),
  resumeEntriesMax: integer({
    default: 10_000,
    unit: 'entries',
    min: 0,
    max: 10_000_000,
    description: 'A client that resumes further behind than this gets the last page (verdict snapshot) instead of every entry (replay).',
  }),
  roomPendingMax: integer({
    default: 10_000,
    unit: 'commands',
    min: 1,
    max: 1_000_000,
    description: 'Most commands of one room that wait to be stored. Above: BUSY.',
  }),
  senderPendingMax: integer({
    default: 100,
    unit: 'commands',
    min: 1,
    max: 1_000_000,
    description: 'Most commands of one sender in one room that wait to be stored. Above: BUSY.',
  }),
  ackDeadlineMs: integer({
    default: 5_000,
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
  roomsActiveMax: integer({
    default: 10_000,
    unit: 'rooms',
    min: 1,
    max: 1_000_000,
    description: 'Most rooms awake on this node. Above: BUSY for a room that would have to wake.',
  }),
  roomsPerSocketMax: integer({
    default: 200,
    unit: 'rooms',
    min: 1,
    max: 100_000,
    description: 'Most rooms one connection has open. Above: room:open is refused.',
  }),
  commandsPerSecondMax: integer({
    default: 100,
    unit: 'commands per second',
    min: 1,
    max: 1_000_000,
    description: 'Commands one connection may send for long. Above: RATE_LIMITED.',
  }),
  commandsBurstMax: integer({
    default: 200,
    unit: 'commands',
    min: 1,
    max: 1_000_000,
    description: 'Commands one connection may send at once after a pause. Above: RATE_LIMITED.',
  }),
  connectionsMax: integer({
    default: 20_000,
    unit: 'connections',
    min: 1,
    max: 1_000_000,
    description: 'Most connections of this node. Above: TOO_MANY_CONNECTIONS.',
  }),
  presenceWatchesMax: integer({
    default: 500_000,
    unit: 'users',
    min: 0,
    max: 100_000_000,
    description:
      'Most users watched on this node, each counted once for every connection that watches. Above: presence:watch answers BUSY.',
  }),
  presenceUsersMax: integer({
    default: 30_000,
    unit: 'users',
    min: 1,
    max: 10_000_000,
    description:
      'Most users this node keeps the presence of, connected or watched. Above: presence:watch of others answers BUSY; connections are admitted all the same.',
  }),
  mongoUrl: optionalText({
    isSecret: true,
    rule: 'a URL such as mongodb://db1.example.org,db2.example.org/playhouse?replicaSet=rs0',
    accepts: (value) => /^mongodb(\+srv)?:\/\/[^\s/]+/.test(value),
    description: 'MongoDB, for any number of nodes on the same rooms. Not set: the embedded store, for this node alone.',
  }),
  allowUnsafeStore: flag({
    defaultText: 'false',
    description: 'Serve from a MongoDB that is not a replica set too: what it acknowledges can be lost.',
  }),
  stateServer: text({
    default: '',
    defaultText: 'empty',
    rule: 'a host and a port such as state.example.org:3100 or [::1]:3100, or empty',
    accepts: (value) => value === '' || isAddress(value),
    description:
      'Address of the state server, which knows who is online on every node. Empty: one inside this process. An older one will do for this node alone.',
  }),
  userConnectionsMax: integer({
    default: 20,
    unit: 'connections',
    min: 1,
    max: 1_000_000,
    description: 'Most connections of one user to this node. Above: TOO_MANY_CONNECTIONS for the one that came later.',
  }),
  userCommandsPerSecondMax: integer({
    default: 200,
    unit: 'commands per second',
    min: 1,
    max: 10_000_000,
    description: 'Commands one user may send for long, over all connections and HTTP. Above: RATE_LIMITED.',
  }),
  userCommandsBurstMax: integer({
    default: 400,
    unit: 'commands',
    min: 1,
    max: 10_000_000,
    description: 'Commands one user may send at once after a pause. Above: RATE_LIMITED.',
  }),
  addressConnectionsMax: integer({
    default: 100,
    unit: 'connections',
    min: 1,
    max: 1_000_000,
    description:
      'Most connections from one address. Above: TOO_MANY_CONNECTIONS. As for all limits by address, loopback and trusted proxies are free of it, and a /64 of IPv6 is one address.',
  }),
  addressCommandsPerSecondMax: integer({
    default: 2_000,
    unit: 'commands per second',
    min: 1,
    max: 10_000_000,
    description: 'Commands that may come from one address for long. Above: RATE_LIMITED.',
  }),
  addressCommandsBurstMax: integer({
    default: 4_000,
    unit: 'commands',
    min: 1,
    max: 10_000_000,
    description: 'Commands that may come from one address at once after a pause. Above: RATE_LIMITED.',
  }),
  addressHandshakesPerSecondMax: integer({
    default: 20,
    unit: 'handshakes per second',
    min: 1,
    max: 1_000_000,
    description: 'Handshakes that may come from one address for long. Above: HTTP 429 with Retry-After.',
  }),
  addressHandshakesBurstMax: integer({
    default: 200,
    unit: 'handshakes',
    min: 1,
    max: 1_000_000,
    description: 'Handshakes that may come from one address at once after a pause. Above: HTTP 429 with Retry-After.',
  }),
  addressBadTokensPerSecondMax: integer({
    default: 1,
    unit: 'bad tokens per second',
    min: 1,
    max: 1_000_000,
    description:
      'Bad tokens one address may bring for long, by handshakes, auth:refresh and HTTP. Above: no token of it is looked at; 429, TOO_MANY_CONNECTIONS or RATE_LIMITED.',
  }),
  addressBadTokensBurstMax: integer({
    default: 20,
    unit: 'bad tokens',
    min: 1,
    max: 1_000_000,
    description: 'Bad tokens one address may bring at once after a pause.',
  }),
  handshakesMax: integer({
    default: 150,
    unit: 'handshakes',
    min: 1,
    max: 100_000,
    description:
      'Most handshakes in progress on this node, a third of them from one address. Above: HTTP 503 with Retry-After, before the token is looked at.',
  }),
  trustedProxies: list({
    rule: 'a comma list of addresses and networks such as 10.0.0.7, 10.1.0.0/16, fd00::/8',
    accepts: isNetwork,
    defaultText: 'empty',
    description:
      'Proxies whose X-Forwarded-For is believed: limits by address count the last address in it that is no proxy. Empty: the header is not looked at.',
  }),
  stateHost: text({
    default: '127.0.0.1',
    rule: 'an address or a host name, without scheme and port',
    accepts: isHost,
    description:
      'Address the state server listens on, the one inside a node or that of npm run state-server. Not loopback: CHAT_STATE_SECRET is required.',
  }),
  statePort: integer({
    default: 0,
    min: 0,
    max: 65_535,
    description: 'Port the state server listens on; 0: any free one inside a node, 3100 for npm run state-server.',
  }),
  stateSecret: optionalText({
    isSecret: true,
    rule: `at least ${secretBytesMin} bytes long`,
    accepts: (value) => Buffer.byteLength(value) >= secretBytesMin,
    description:
      'Secret shared by the state server and its nodes. Set: nobody is served without it, older chat servers neither. Weak and sample values are refused.',
  }),
  drainDeadlineMs: integer({
    default: 15_000,
    unit: 'milliseconds',
    min: 100,
    max: 600_000,
    description: 'Longest orderly stop. After it the process ends with exit code 1. Keep the grace period of what stops it longer.',
  }),
} as const satisfies Record<string, Setting<unknown>>;

export type Field = keyof typeof settings;
export const fields = Object.keys(settings) as readonly Field[];

/** The settings as given or defaulted, each valid on its own. */
export type SettingValues = { readonly [F in Field]: (typeof settings)[F] extends Setting<infer T> ? T : never };

/** The variables of parts that are designed but not in this version. Given, they are mistakes: nobody should believe to run a cluster. */
export const reservedVariables: ReadonlyMap<string, string> = new Map([
  ['CHAT_KAFKA_BROKERS', 'the Kafka wire'],
  ['CHAT_REDIS_URL', 'the Redis cache'],
]);

/** `outboxBytesMax` → `CHAT_OUTBOX_BYTES_MAX`. */
export function variableOf(field: Field): string {
  return `CHAT_${field.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;
}

/** The variable that names a file holding the value; only secrets have one. */
export function fileVariableOf(field: Field): string | undefined {
  const setting: Setting<unknown> = settings[field];
  return setting.isSecret ? `${variableOf(field)}_FILE` : undefined;
}

type JwtHmac = Extract<SettingValues['jwtAlgorithm'], `HS${string}`>;
type JwtSignature = Exclude<SettingValues['jwtAlgorithm'], JwtHmac>;

/** How tokens are verified. `dev`: the composition root makes a secret and keeps it in the data folder. */
export type JwtConfig = {
  readonly issuer?: string;
  readonly audience?: string;
} & (
  | { readonly kind: 'dev'; readonly algorithm: JwtHmac }
  | { readonly kind: 'secret'; readonly algorithm: JwtHmac; readonly secret: string }
  | { readonly kind: 'publicKey'; readonly algorithm: JwtSignature; readonly publicKeyPem: string }
);

/** What the program runs with. Hand out slices: `Pick<Config, 'outboxBytesMax' | 'outboxFramesMax'>`. */
export type Config = Omit<SettingValues, 'dev' | 'logPretty' | `jwt${string}`> & {
  readonly dev: boolean;
  readonly logPretty: boolean;
  readonly jwt: JwtConfig;
};
