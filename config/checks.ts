/**
 * Checks: the rules between settings, and what makes a secret weak.
 *
 * Guarantees: pure; every broken rule is reported, not only the first. Each value has passed its own rule before.
 * Does not: print secrets. Messages name variables and, where they are not secret, values.
 */
import { createPublicKey, type KeyObject } from 'node:crypto';
import { isIPv4 } from 'node:net';
import { type Field, type SettingValues, variableOf } from './schema.ts';
import { secretBytesMin } from './setting-kinds.ts';

interface Relation {
  readonly between: readonly [Field, Field];
  /** Completes the sentence "<first> must …". */
  readonly rule: string;
  readonly holds: (values: SettingValues) => boolean;
}

const relations: readonly Relation[] = [
  {
    between: ['pingTimeoutMs', 'pingIntervalMs'],
    rule: 'be at most CHAT_PING_INTERVAL_MS: otherwise a second ping is due while the first is still waited for',
    holds: (v) => v.pingTimeoutMs <= v.pingIntervalMs,
  },
  {
    between: ['senderPendingMax', 'roomPendingMax'],
    rule: 'be at most CHAT_ROOM_PENDING_MAX: one sender may not be allowed more than the whole room',
    holds: (v) => v.senderPendingMax <= v.roomPendingMax,
  },
  {
    between: ['commandsBurstMax', 'commandsPerSecondMax'],
    rule: 'be at least CHAT_COMMANDS_PER_SECOND_MAX: a smaller burst would make that rate unreachable',
    holds: (v) => v.commandsBurstMax >= v.commandsPerSecondMax,
  },
  {
    between: ['userCommandsPerSecondMax', 'commandsPerSecondMax'],
    rule: 'be at least CHAT_COMMANDS_PER_SECOND_MAX: one connection may not be allowed more than its user',
    holds: (v) => v.userCommandsPerSecondMax >= v.commandsPerSecondMax,
  },
  {
    between: ['userCommandsBurstMax', 'userCommandsPerSecondMax'],
    rule: 'be at least CHAT_USER_COMMANDS_PER_SECOND_MAX: a smaller burst would make that rate unreachable',
    holds: (v) => v.userCommandsBurstMax >= v.userCommandsPerSecondMax,
  },
  {
    between: ['addressCommandsPerSecondMax', 'userCommandsPerSecondMax'],
    rule: 'be at least CHAT_USER_COMMANDS_PER_SECOND_MAX: one user may not be allowed more than its address',
    holds: (v) => v.addressCommandsPerSecondMax >= v.userCommandsPerSecondMax,
  },
  {
    between: ['addressCommandsBurstMax', 'addressCommandsPerSecondMax'],
    rule: 'be at least CHAT_ADDRESS_COMMANDS_PER_SECOND_MAX: a smaller burst would make that rate unreachable',
    holds: (v) => v.addressCommandsBurstMax >= v.addressCommandsPerSecondMax,
  },
  {
    between: ['addressHandshakesBurstMax', 'addressHandshakesPerSecondMax'],
    rule: 'be at least CHAT_ADDRESS_HANDSHAKES_PER_SECOND_MAX: a smaller burst would make that rate unreachable',
    holds: (v) => v.addressHandshakesBurstMax >= v.addressHandshakesPerSecondMax,
  },
  {
    between: ['addressBadTokensBurstMax', 'addressBadTokensPerSecondMax'],
    rule: 'be at least CHAT_ADDRESS_BAD_TOKENS_PER_SECOND_MAX: a smaller burst would make that rate unreachable',
    holds: (v) => v.addressBadTokensBurstMax >= v.addressBadTokensPerSecondMax,
  },
  {
    between: ['roomsPerSocketMax', 'roomsActiveMax'],
    rule: 'be at most CHAT_ROOMS_ACTIVE_MAX: one connection may not be allowed more rooms than the node',
    holds: (v) => v.roomsPerSocketMax <= v.roomsActiveMax,
  },
  {
    between: ['uploadBytesPerDayMax', 'fileBytesMax'],
    rule: 'be at least CHAT_FILE_BYTES_MAX: a file of the largest size could never be sent',
    holds: (v) => v.uploadBytesPerDayMax >= v.fileBytesMax,
  },
  {
    between: ['ackDeadlineMs', 'drainDeadlineMs'],
    rule: 'be less than CHAT_DRAIN_DEADLINE_MS: an orderly stop waits for commands that are being stored',
    holds: (v) => v.ackDeadlineMs < v.drainDeadlineMs,
  },
  {
    between: ['ackDeadlineMs', 'roomIdleMs'],
    rule: 'be at most CHAT_ROOM_IDLE_MS: a room may not rest while a command still waits for its answer',
    holds: (v) => v.ackDeadlineMs <= v.roomIdleMs,
  },
];

/** `mistaken`: fields whose own value was refused; a relation with one of them cannot be judged. */
export function relationMistakes(values: SettingValues, mistaken: ReadonlySet<Field>): string[] {
  return relations
    .filter(({ between, holds }) => !between.some((field) => mistaken.has(field)) && !holds(values))
    .map(({ between: [first, second], rule }) => {
      const given = `${variableOf(first)}=${values[first]}, ${variableOf(second)}=${values[second]}`;
      return `${given}: ${variableOf(first)} must ${rule}`;
    });
}

/** Addresses that only this machine can reach. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIPv4(host) && host.startsWith('127.'));
}

const sampleWords =
  /change[-_ ]?(me|this)|example|sample|placeholder|password|playhouse|(your|my|super|jwt|chat)[-_ ]?secret|secret[-_ ]?key|letmein|qwerty/i;

/** Why a secret would be guessed, or undefined. Length is judged by the setting's own rule. */
export function weaknessOf(secret: string): string | undefined {
  if (sampleWords.test(secret)) return 'it looks like a sample value';
  if (new Set(secret).size < 8) return 'it has fewer than 8 different characters';
  // A string with a period occurs inside its own double, before its end.
  const periodChars = (secret + secret).indexOf(secret, 1);
  if (periodChars <= secret.length / 2) return 'it repeats itself';
  let steps = 0;
  for (let i = 1; i < secret.length; i += 1) if (Math.abs(secret.charCodeAt(i) - secret.charCodeAt(i - 1)) === 1) steps += 1;
  if (steps > secret.length / 2) return 'its characters are in sequence';
  return undefined;
}

/** RFC 7518 section 3.2: a key as long as the hash's output, or longer. */
const secretBytesMinOf = { HS256: secretBytesMin, HS384: 48, HS512: 64 } as const;

/** What the key must fulfil once the algorithm and the mode are known. Each message says how to mend it, none holds the secret. */
export function secretMistakes(name: string, secret: string, algorithm: keyof typeof secretBytesMinOf, dev: boolean): string[] {
  const mistakes: string[] = [];
  const bytesMin = secretBytesMinOf[algorithm];
  if (Buffer.byteLength(secret) < bytesMin) mistakes.push(`${name}: must be at least ${bytesMin} bytes long for ${algorithm}`);
  if (!dev) mistakes.push(...weaknessMistakes(name, secret));
  return mistakes;
}

export function weaknessMistakes(name: string, secret: string): string[] {
  const weakness = weaknessOf(secret);
  return weakness === undefined ? [] : [`${name}: too weak, ${weakness}; make one with: openssl rand -base64 64 | tr -d '\\n'`];
}

export function publicKeyMistakes(name: string, pem: string, algorithm: 'RS256' | 'ES256'): string[] {
  if (pem.includes('PRIVATE KEY')) return [`${name}: holds a private key; give the public one, the node needs no more`];
  let key: KeyObject;
  try {
    key = createPublicKey(pem);
  } catch {
    return [`${name}: must name a PEM file with a public key`];
  }
  const { modulusLength = 0, namedCurve } = key.asymmetricKeyDetails ?? {};
  if (algorithm === 'RS256' && !(key.asymmetricKeyType === 'rsa' && modulusLength >= 2_048)) {
    return [`${name}: RS256 needs an RSA key of at least 2048 bits`];
  }
  if (algorithm === 'ES256' && !(key.asymmetricKeyType === 'ec' && namedCurve === 'prime256v1')) {
    return [`${name}: ES256 needs an EC key on the curve P-256`];
  }
  return [];
}
