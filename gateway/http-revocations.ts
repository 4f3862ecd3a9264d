/**
 * HTTP revocations: POST /api/revocations { user } | { jti } | { everybody: true }, for operators.
 *
 * Guarantees: answered 200 only when it is in force here and stored for all; whoever is connected with such a token is on
 * the way out by then.
 * Does not: undo one. A user who gets a new token is welcome again.
 */
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { Fault, refuse } from '../system/errors.ts';
import { idPattern, type UserId } from '../system/ids.ts';
import type { Logger } from '../system/logger.ts';
import { jtiCharsMax, type Revoked } from '../system/store/revocations.ts';
import { operatorOf } from './http-access.ts';
import { problem } from './http-problem.ts';
import type { RevocationList } from './revocation-list.ts';
import { isRefusal, type TokenVerifier } from './session-port.ts';

const body = z.union([
  z.strictObject({ user: z.string().regex(idPattern) }),
  z.strictObject({ jti: z.string().min(1).max(jtiCharsMax) }),
  z.strictObject({ everybody: z.literal(true) }),
]);

export interface RevocationRouteDeps {
  readonly verifier: TokenVerifier;
  readonly revocations: Pick<RevocationList, 'revoke'>;
  readonly log: Logger;
}

export function addRevocations(app: FastifyInstance, { verifier, revocations, log }: RevocationRouteDeps): void {
  app.post('/api/revocations', async (request, reply) => {
    const operator = operatorOf(request, verifier);
    if (isRefusal(operator)) return problem(reply, operator);
    const parsed = body.safeParse(request.body);
    if (!parsed.success) {
      return problem(reply, refuse('INVALID', 'the body must be one of {"user":"…"}, {"jti":"…"} and {"everybody":true}'));
    }
    const of = parsed.data as Revoked & { user?: UserId };
    try {
      const { atMs, endsAtMs } = await revocations.revoke(of);
      log.info({ ev: 'token.revoke', by: operator.userId, of }, 'an operator revoked tokens');
      return reply.send({ revoked: of, at: new Date(atMs).toISOString(), endsAt: new Date(endsAtMs).toISOString() });
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      log.error({ ev: 'token.revoke', by: operator.userId, of, cause: error.message }, 'a revocation could not be stored');
      const why = error.code === 'REVOCATIONS_FULL' ? 'too many are in force; revoke everybody' : 'it could not be stored; try again';
      return problem(reply, refuse('STORE_UNAVAILABLE', `in force here, not surely on other nodes or after a restart: ${why}`, 1_000));
    }
  });
}
