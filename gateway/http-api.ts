/**
 * HTTP API: what a program without a socket may read: its rooms, and pages of their history.
 *
 * Guarantees: the same decoder, rights, bounds and codes as the events `room:list` and `history:get`, since each request
 * becomes their command; a user's requests count with the commands of its sockets.
 * Does not: make the user present, or write.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Answer } from '../actors/client-command.ts';
import type { ReadCommand } from '../actors/reads.ts';
import { refuse } from '../system/errors.ts';
import type { UserId } from '../system/ids.ts';
import { encodeAnswer } from './client-encoding.ts';
import type { CommandEvent } from './client-protocol.ts';
import { decodeCommand, isCommand } from './command-decoder.ts';
import { bearerOf } from './http-access.ts';
import { problem } from './http-problem.ts';
import { guardPayload } from './payload-guard.ts';
import type { RateTable } from './rate-table.ts';
import { isRefusal, type TokenVerifier } from './session-port.ts';

/** Carries out what reads. */
export type ReadPort = (user: UserId, command: ReadCommand) => Promise<Answer>;

export interface ApiOptions {
  readonly read: ReadPort;
  readonly verifier: TokenVerifier;
  /** A user's requests count with the commands of its connections. */
  readonly userCommands: Pick<RateTable, 'take'>;
}

export function addApi(app: FastifyInstance, options: ApiOptions): void {
  async function answer(request: FastifyRequest, reply: FastifyReply, event: CommandEvent, payload: object): Promise<FastifyReply> {
    const identity = bearerOf(request, options.verifier);
    if (isRefusal(identity)) return problem(reply, identity);
    const retryAfterMs = options.userCommands.take(identity.userId);
    if (retryAfterMs !== undefined) return problem(reply, refuse('RATE_LIMITED', 'too many requests', retryAfterMs));
    const command = guardPayload(payload) ?? decodeCommand(event, payload);
    if (!isCommand(command)) return problem(reply, command);
    const wire = encodeAnswer(await options.read(identity.userId, command as ReadCommand));
    if (!wire.ok) return problem(reply, wire.error);
    const { ok: _ok, ...body } = wire;
    return reply.send(body);
  }

  app.get('/api/rooms', (request, reply) => answer(request, reply, 'room:list', queryOf(request)));
  app.get<{ Params: { room: string } }>('/api/rooms/:room/history', (request, reply) => {
    const query = queryOf(request);
    // In the path only: the decoder would take either.
    if ('room' in query) return problem(reply, refuse('INVALID', 'unknown field "room"'));
    return answer(request, reply, 'history:get', { ...query, room: request.params.room });
  });
}

/** As JSON would have it: whole numbers as numbers. Whatever else was sent stays what it is, for the decoder to refuse. */
function queryOf({ query }: FastifyRequest): Readonly<Record<string, unknown>> {
  const fields = Object.entries(query as Readonly<Record<string, unknown>>);
  return Object.fromEntries(
    fields.map(([name, value]) => [name, typeof value === 'string' && /^\d{1,16}$/.test(value) ? Number(value) : value]),
  );
}
