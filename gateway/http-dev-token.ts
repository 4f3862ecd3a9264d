/**
 * HTTP development tokens: POST /api/dev/token. Exists in development mode only.
 *
 * Guarantees: a program or a page of this machine gets a token for any name; nobody else does.
 */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { refuse } from '../system/errors.ts';
import { idPattern, type UserId } from '../system/ids.ts';
import { isOriginAllowed, type OriginRule } from './handshake.ts';
import { whyNotLocal } from './http-access.ts';
import { problem } from './http-problem.ts';
import { cleanName, type TokenSigner } from './token.ts';

const tokenRequest = z.strictObject({
  user: z.string('must be a string').regex(idPattern, 'must match [A-Za-z0-9_-]{1,64}'),
  name: z.string('must be a string').min(1, 'must not be empty').max(256, 'must have at most 256 characters').optional(),
});

export function addDevTokens(app: FastifyInstance, signer: TokenSigner, originRule: OriginRule): void {
  app.post('/api/dev/token', (request, reply) => {
    const why = outsider(request, originRule);
    if (why) return problem(reply, refuse('FORBIDDEN', `development tokens ${why}`));
    const parsed = tokenRequest.safeParse(request.body);
    if (!parsed.success) return problem(reply, refuse('INVALID', explain(parsed.error.issues[0])));
    const user = parsed.data.user as UserId;
    const { token, expiresAtMs } = signer.sign(user, parsed.data.name === undefined ? undefined : cleanName(parsed.data.name, user));
    return reply.send({ token, user, expiresAt: new Date(expiresAtMs).toISOString() });
  });
}

function outsider(request: FastifyRequest, originRule: OriginRule): string | undefined {
  return whyNotLocal(request) ?? (isOriginAllowed(request.headers, originRule) ? undefined : 'are not for pages of another origin');
}

function explain(issue: z.core.$ZodIssue | undefined): string {
  if (issue?.code === 'unrecognized_keys') return `unknown field ${JSON.stringify(issue.keys[0]?.slice(0, 64))}`;
  return issue === undefined || issue.path.length === 0 ? 'the body must be a JSON object' : `${issue.path.join('.')} ${issue.message}`;
}
