/**
 * Strip handshake: lets go of the HTTP request that opened a websocket. A fifth of an idle connection's heap, a third with
 * cookies; with it goes the token, which stands in the handshake's headers.
 *
 * Guarantees: after both calls no IncomingMessage is held by a websocket connection (a test counts them; engine.io is pinned,
 * since this removes a listener of its inside). Where it does not find it, it does nothing.
 * Does not: remove `onUpgradeError`, the other leftover: in 6.6.12 it holds the TCP socket only, which lives anyway.
 */
import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Socket } from 'socket.io';

type UpgradeListener = (request: IncomingMessage, socket: Duplex, head: Buffer) => void;

/**
 * engine.io makes a response object for each upgrade that waits for the TCP socket's `close`, and so keeps the request as
 * long as the connection. It is the first listener that engine.io adds. Call after socket.io was attached.
 */
export function releaseUpgradeResponses(server: Server): void {
  const listeners = server.listeners('upgrade') as UpgradeListener[];
  server.removeAllListeners('upgrade');
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    const before = new Set<unknown>(socket.rawListeners('close'));
    for (const listener of listeners) listener.call(server, request, socket, head);
    const added = socket.rawListeners('close').find((listener: unknown) => !before.has(listener));
    const inner = (added as { readonly listener?: unknown } | undefined)?.listener;
    // Wrapped by `once` and an arrow without a name: ws's own listener is neither.
    if (typeof inner === 'function' && inner.name === '') socket.removeListener('close', inner as () => void);
  });
}

/** Shared by all connections. */
const noHandshake: Socket['handshake'] = Object.freeze({
  headers: Object.freeze({}),
  time: '',
  address: '',
  xdomain: false,
  secure: false,
  issued: 0,
  url: '',
  query: Object.freeze({}),
  auth: Object.freeze({}),
});

/** Call when the client is connected; nobody reads the handshake after that. */
export function stripHandshake(socket: Socket): void {
  (socket as { handshake: Socket['handshake'] }).handshake = noHandshake;
  (socket.conn as unknown as { request: unknown }).request = null;
}
