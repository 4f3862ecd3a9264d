/**
 * EngineDoor: socket.io's own server, for clients that poll or begin so.
 *
 * Guarantees: one try for each connection; nothing that a client sends reaches a listener of socket.io by its name.
 * Does not: see websockets that are ones from the start (websocket-door.ts).
 */
import type { Server as HttpServer, IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { Server, type Socket } from 'socket.io';
import { type Refusal, refuse } from '../system/errors.ts';
import type { Connection } from './connection.ts';
import type { DoorDeps } from './door.ts';
import { EngineConnection, type SocketSide } from './engine-connection.ts';
import { ConnectRefused } from './handshake.ts';
import { refuseHandshake } from './handshake-answer.ts';
import { type Departure, isRefusal } from './session-port.ts';

export interface EngineDoorDeps extends DoorDeps {
  readonly server: HttpServer;
  readonly origins: readonly (string | RegExp)[];
}

interface SocketData {
  connection?: Connection;
}
type None = Record<string, never>;
type EngineSocket = Socket<None, None, None, SocketData>;

export type TakeUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer) => void;

export interface EngineDoor {
  /** To be given the upgrades that no other door takes. */
  readonly takeUpgrade: TakeUpgrade;
  close(): void;
}

/** Attaches itself for requests; upgrades are handed to it. */
export function openEngineDoor(deps: EngineDoorDeps): EngineDoor {
  const before = deps.server.listeners('upgrade');
  const { reception, admission, addressOf, pings } = deps;
  const io = new Server<None, None, None, SocketData>(deps.server, {
    transports: ['websocket', 'polling'],
    serveClient: false,
    perMessageDeflate: false,
    httpCompression: false,
    allowEIO3: false,
    maxHttpBufferSize: deps.packetBytesMax,
    connectTimeout: deps.connectTimeoutMs,
    upgradeTimeout: deps.connectTimeoutMs,
    pingInterval: pings.pingIntervalMs,
    pingTimeout: pings.pingTimeoutMs,
    // Connection state recovery stays off: it skips the token check, keeps every packet, and since-seq does it better.
    cors: { origin: [...deps.origins] },
    allowRequest: (request, answer) => {
      const refused = deps.refusalOfKnock(request);
      if (!refused) return answer(null, true);
      refuseHandshake(request, refused.status, refused.refusal);
    },
  });
  const own = deps.server.listeners('upgrade').filter((listener) => !before.includes(listener)) as TakeUpgrade[];
  for (const listener of own) deps.server.off('upgrade', listener);
  io.engine.on('connection', (conn: { readonly request: IncomingMessage; on(event: 'close', listener: () => void): unknown }) => {
    admission.knocked(conn, addressOf(conn.request));
    conn.on('close', () => admission.doneKnocking(conn));
  });
  io.engine.on('headers', (headers: Record<string, string>) => {
    headers['x-content-type-options'] = 'nosniff';
    headers['referrer-policy'] = 'no-referrer';
  });

  function admit(socket: EngineSocket): Refusal | undefined {
    // Else its `close` has been, and nobody would tell the session.
    if (socket.conn.readyState !== 'open') return refuse('INVALID', 'the connection is gone');
    const { auth, headers } = socket.handshake;
    const outcome = reception.admit(new EngineConnection(socket as unknown as SocketSide), {
      auth,
      headers,
      address: addressOf(socket.request),
    });
    if (isRefusal(outcome)) return outcome;
    socket.data.connection = outcome;
    admission.doneKnocking(socket.conn);
    // Two ways to go: the transport, perhaps before the client was told that it is connected, and socket.io's disconnect.
    const gone = (reason: string): void => {
      socket.conn.close();
      outcome.gone(departureOf(reason));
    };
    socket.conn.on('close', gone);
    socket.on('disconnect', gone);
    // `next` is never called, so socket.io emits nothing: no event name of a client can reach a listener.
    socket.use((packet) => outcome.handle(packet));
    return undefined;
  }

  /** Each engine connection gets one try, whatever came of it: else one packet of 64 kB could open thousands of sessions. */
  const tried = new WeakSet<object>();
  io.use((socket, next) => {
    if (tried.has(socket.conn)) {
      socket.conn.close();
      return next(new ConnectRefused(refuse('INVALID', 'one CONNECT per connection')));
    }
    tried.add(socket.conn);
    const refusal = admit(socket);
    if (refusal) deps.clock.after(deps.refusedLingerMs, () => socket.conn.close());
    next(refusal && new ConnectRefused(refusal));
  });
  io.on('connection', (socket) => socket.data.connection?.start());
  return {
    takeUpgrade(request, socket, head) {
      for (const listener of own) listener.call(deps.server, request, socket, head);
    },
    close: () => io.engine.close(),
  };
}

/** From the words of socket.io and engine.io. */
function departureOf(reason: string): Departure {
  if (reason === 'client namespace disconnect') return 'left';
  return reason === 'ping timeout' ? 'silent' : 'lost';
}
