/**
 * HTTP for the community service: PUT community-user-list/:id and room-user-list/:id say that a member list is no longer true.
 *
 * Under the paths that older callers use, and under /api. Guarantees: 204 only when no node that can be reached answers from the list
 * any more; else 503, and the caller tries again. Takes the directory's secret as a Bearer token, or an operator's token.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Directory, ListOf } from '../system/directory/directory.ts';
import { refuse } from '../system/errors.ts';
import { idPattern } from '../system/ids.ts';
import { operatorOf } from './http-access.ts';
import { problem } from './http-problem.ts';
import { isRefusal, type TokenVerifier } from './session-port.ts';

export interface DirectoryRouteDeps {
  readonly verifier: TokenVerifier;
  readonly directory: Pick<Directory, 'forget'>;
  readonly secret: string | undefined;
}

export function addDirectoryRoutes(app: FastifyInstance, { verifier, directory, secret }: DirectoryRouteDeps): void {
  const expected = secret === undefined ? undefined : digest(`Bearer ${secret}`);
  const forget = async (of: ListOf, request: FastifyRequest<{ Params: { id: string } }>, reply: FastifyReply): Promise<FastifyReply> => {
    const { authorization } = request.headers;
    if (!(expected && authorization !== undefined && timingSafeEqual(digest(authorization), expected))) {
      const operator = operatorOf(request, verifier);
      if (isRefusal(operator)) return problem(reply, operator);
    }
    const { id } = request.params;
    if (!idPattern.test(id)) return problem(reply, refuse('INVALID', 'id: must be 1 to 64 of A-Z a-z 0-9 _ -'));
    if (await directory.forget(of, id)) return reply.code(204).send();
    return problem(reply, refuse('BUSY', 'other nodes could not be told; try again', 1_000));
  };
  for (const base of ['', '/api']) {
    app.put<{ Params: { id: string } }>(`${base}/community-user-list/:id`, (request, reply) => forget('community', request, reply));
    app.put<{ Params: { id: string } }>(`${base}/room-user-list/:id`, (request, reply) => forget('room', request, reply));
  }
}

/** Of one length, whatever was sent: comparing tells nothing of the secret, not even how long it is. */
const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
