/**
 * RevocationPush on Redis: one channel. With CHAT_CLUSTER_SECRET the revocation itself goes over it, signed; without one only the word
 * that there is a new one: else whoever can write to Redis could put everybody out.
 *
 * Guarantees: what is forged or malformed is counted and ignored; a word without a signature causes a reading, never more.
 */
import { z } from 'zod';
import type { Revocation } from '../store/revocations.ts';
import { jtiCharsMax } from '../store/revocations.ts';
import type { RedisConnection } from './redis-connection.ts';
import type { RedisKeys } from './redis-keys.ts';
import type { RevocationPush } from './revocation-push.ts';
import type { SignedText } from './signed-text.ts';

const stampMs = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER);
const shape = z.object({
  of: z.union([
    z.strictObject({ jti: z.string().min(1).max(jtiCharsMax) }),
    z.strictObject({ user: z.string().regex(/^[A-Za-z0-9_-]{1,64}$/) }),
    z.strictObject({ everybody: z.literal(true) }),
  ]),
  atMs: stampMs,
  endsAtMs: stampMs,
});
/** Without a secret: a reading is due. */
const hint = 'read';

export interface RedisRevocationPushOptions {
  readonly redis: RedisConnection;
  readonly keys: RedisKeys;
  readonly signed: SignedText;
}

export function createRedisRevocationPush({ redis, keys, signed }: RedisRevocationPushOptions): RevocationPush {
  const channel = keys.revocations;
  // Lost: others read it within a second.
  const tell = (message: string): void => void redis.call((commands) => commands.publish(channel, message)).catch(() => {});
  return {
    made(revocation) {
      if (signed.hasSecret) tell(signed.seal('revocation', channel, revocation));
    },
    stored() {
      if (!signed.hasSecret) tell(hint);
    },
    listen: (listener) =>
      redis.subscribe(channel, (message) => {
        if (!signed.hasSecret) return listener(undefined);
        const read = signed.open('revocation', channel, message, shape);
        if (read !== undefined) listener(read as Revocation);
      }),
  };
}
