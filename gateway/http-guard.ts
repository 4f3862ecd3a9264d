/**
 * HTTP guard: bad tokens over HTTP count as they do at a handshake; over their rate an address waits before the next is looked at.
 */
import type { FastifyInstance } from 'fastify';
import { refuse } from '../system/errors.ts';
import type { Admission } from './admission.ts';
import type { AddressKey, Peer } from './client-address.ts';
import { problem } from './http-problem.ts';

export interface GuardOptions {
  readonly admission: Pick<Admission, 'badToken' | 'badTokenWaitMs'>;
  readonly addressOf: (peer: Peer) => AddressKey;
}

export function addTokenGuard(app: FastifyInstance, { admission, addressOf }: GuardOptions): void {
  app.addHook('onRequest', async (request, reply) => {
    if (request.headers.authorization === undefined) return;
    const waitMs = admission.badTokenWaitMs(addressOf(request));
    if (waitMs !== undefined) return problem(reply, refuse('RATE_LIMITED', 'too many bad tokens from your address', waitMs));
  });
  app.addHook('onResponse', async (request, reply) => {
    if (reply.statusCode === 401 && request.headers.authorization !== undefined) admission.badToken(addressOf(request));
  });
}
