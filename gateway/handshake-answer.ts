/**
 * Handshake answer: how a handshake is refused before there is a connection, on both transports, with a status and Retry-After.
 *
 * engine.io's own refusal knows 400 and 403 only, and for a websocket nothing but 400.
 */
import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http';
import type { Refusal } from '../system/errors.ts';
import { problemBody, retryAfterSeconds } from './http-problem.ts';

/** `res`: set by engine.io on a poll; a websocket's upgrade has none. */
export type HandshakeRequest = IncomingMessage & { readonly res?: ServerResponse };

export function refuseHandshake(request: HandshakeRequest, status: number, refusal: Refusal): void {
  const body = problemBody(refusal, status);
  const headers = {
    'content-type': 'application/problem+json',
    'content-length': String(Buffer.byteLength(body)),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    connection: 'close',
    ...(refusal.retryAfterMs !== undefined && { 'retry-after': retryAfterSeconds(refusal.retryAfterMs) }),
  };
  if (request.res) {
    request.res.writeHead(status, headers).end(body);
    return;
  }
  const { socket } = request;
  // Whoever is refused may be gone already.
  socket.on('error', () => {});
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  socket.write([`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Refused'}`, ...lines, '', body].join('\r\n'));
  socket.destroySoon();
}
