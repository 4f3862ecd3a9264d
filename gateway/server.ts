/**
 * Gateway server: HTTP and socket.io on one port, and the life of a connection from handshake to close.
 *
 * Guarantees: every session that was opened is told once that its connection is gone; a handshake is bounded in bytes, time
 * and number; a port that cannot be had is a Fault of one clear line.
 * Does not: decide what a command means (the session), or when the node drains (the lifecycle).
 */
import type { IncomingMessage } from 'node:http';
import type { AddressInfo, Socket as TcpSocket } from 'node:net';
import { Server, type Socket } from 'socket.io';
import { reconnectInMs } from '../actors/drain-spread.ts';
import type { Clock } from '../system/clock.ts';
import { type Refusal, refuse } from '../system/errors.ts';
import type { Supervision } from '../system/supervision.ts';
import { Admission, type AdmissionConfig, type Seat } from './admission.ts';
import { createAddressRule } from './client-address.ts';
import { createEventHandler } from './connection.ts';
import { CommandMetrics, ConnectMetrics, newOutboxTally, tellOutboxes } from './edge-metrics.ts';
import type { OutboxSocket } from './engine-connection.ts';
import { takeEvents } from './event-intake.ts';
import { ConnectRefused, identify, isOriginAllowed, type OriginRule } from './handshake.ts';
import { refuseHandshake } from './handshake-answer.ts';
import { createHttpApp, type HttpOptions } from './http.ts';
import { hostInUrl, listen } from './listen.ts';
import { Outbox, type OutboxDeps } from './outbox.ts';
import { type PingedConnection, PingSweep } from './ping-sweep.ts';
import { type Departure, isRefusal, type OpenSession, type SessionHandle } from './session-port.ts';
import { releaseUpgradeResponses, stripHandshake } from './strip-handshake.ts';

export type { Readiness } from '../system/health.ts';
export type { Identity, OpenSession, SessionHandle, TokenVerifier } from './session-port.ts';

export interface GatewayConfig extends AdmissionConfig {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  readonly pingIntervalMs: number;
  readonly pingTimeoutMs: number;
  readonly textBytesMax: number;
  readonly outboxBytesMax: number;
  readonly outboxFramesMax: number;
  readonly slowConsumerMs: number;
  readonly commandsPerSecondMax: number;
  readonly commandsBurstMax: number;
  readonly origins: readonly string[];
  readonly trustedProxies: readonly string[];
}
export interface GatewayOptions extends Omit<HttpOptions, 'originRule' | 'userCommands' | 'admission' | 'addressOf'> {
  readonly config: GatewayConfig;
  readonly openSession: OpenSession;
  readonly supervision: Pick<Supervision, 'emit'>;
  readonly clock: Clock;
}
export interface GatewayServer {
  /** Where a client on this machine connects. */
  readonly url: string;
  readonly port: number;
  /** Sessions open now. */
  connections(): number;
  /** New handshakes are refused from now on; sessions and HTTP go on, so that health can be asked. Idempotent. */
  stopAccepting(): void;
  /**
   * Stops accepting, tells every client SERVER_DRAINING that was not told yet, waits until they are gone, at most `deadlineMs`,
   * then cuts what is left and frees the port. To be called when everything is answered that will be. Never rejects. Idempotent.
   */
  close(deadlineMs: number): Promise<void>;
}

/** A larger packet closes its connection (websocket 1009, polling 413) without a word: far above what a valid command needs. */
export const packetBytesMax = 65_536;
/** From the transport's opening to the token. Then it is closed: an idle engine connection costs memory before any identity. */
const connectTimeoutMs = 5_000;
const handshakeRetryAfterMs = 1_000;
/** For the refusal to arrive. Then the connection no longer counts as a handshake in progress. */
const refusedLingerMs = 500;

interface EngineConnection extends PingedConnection {
  readonly request: IncomingMessage;
  on(event: 'close', listener: () => void): unknown;
}
/** However small the bound of events is: a dozen rooms opened at once, each answered with its last page, must not look like an attack. */
const cutBytesMin = 2_000_000;

interface SocketData {
  outbox?: Outbox;
}
type GatewaySocket = Socket<Record<string, never>, Record<string, never>, Record<string, never>, SocketData>;

export async function startGatewayServer(options: GatewayOptions): Promise<GatewayServer> {
  const { config, clock, log } = options;
  const originRule: OriginRule = { origins: config.origins, allowLoopback: options.devTokens !== undefined };
  const admission = new Admission(config, clock);
  const addressOf = createAddressRule(config.trustedProxies);
  const { app, server } = await createHttpApp({ ...options, originRule, admission, addressOf, userCommands: admission.userCommands });
  /** Sessions open now, each with its outbox. */
  const open = new Map<GatewaySocket, Outbox>();
  const tally = newOutboxTally();
  const outboxes: OutboxDeps = {
    limits: {
      bytesMax: config.outboxBytesMax,
      framesMax: config.outboxFramesMax,
      cutBytesMax: Math.max(4 * config.outboxBytesMax, cutBytesMin),
      slowConsumerMs: config.slowConsumerMs,
    },
    clock,
    log,
    supervision: options.supervision,
    tally,
  };
  const commands = new CommandMetrics(options.metrics);
  const connects = new ConnectMetrics(options.metrics);
  tellOutboxes(options.metrics, tally, open);
  options.metrics.read('playhouse_connections', () => open.size);
  options.metrics.read('playhouse_handshakes', () => admission.knocking);
  let isAccepting = true;
  let onEmpty: (() => void) | undefined;
  function refusalOfKnock(request: IncomingMessage): { readonly status: number; readonly refusal: Refusal } | undefined {
    if (!isOriginAllowed(request.headers, originRule)) return { status: 403, refusal: refuse('FORBIDDEN', 'this origin may not connect') };
    if (!isAccepting)
      return { status: 503, refusal: refuse('BUSY', 'the node is stopping; connect to another one', handshakeRetryAfterMs) };
    return admission.refusalOfKnock(addressOf(request));
  }

  const pings = new PingSweep(config.pingIntervalMs, clock);
  const io = new Server<Record<string, never>, Record<string, never>, Record<string, never>, SocketData>(server, {
    transports: ['websocket', 'polling'],
    serveClient: false,
    perMessageDeflate: false,
    httpCompression: false,
    allowEIO3: false,
    maxHttpBufferSize: packetBytesMax,
    connectTimeout: connectTimeoutMs,
    upgradeTimeout: connectTimeoutMs,
    pingInterval: config.pingIntervalMs,
    pingTimeout: config.pingTimeoutMs,
    // Connection state recovery stays off: it skips the token check, keeps every packet, and since-seq does it better.
    cors: { origin: [...config.origins, ...(originRule.allowLoopback ? [/^http:\/\/(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?$/] : [])] },
    allowRequest: (request, answer) => {
      const refused = refusalOfKnock(request);
      if (!refused) return answer(null, true);
      connects.count(refused.refusal.code);
      refuseHandshake(request, refused.status, refused.refusal);
    },
  });
  io.engine.on('connection', (conn: EngineConnection) => {
    admission.knocked(conn, addressOf(conn.request));
    pings.add(conn);
    // `on` in this file where it may be heard twice: what `once` wraps around a listener lives as long as the connection.
    conn.on('close', () => {
      admission.doneKnocking(conn);
      pings.gone();
    });
  });
  io.engine.on('headers', (headers: Record<string, string>) => {
    headers['x-content-type-options'] = 'nosniff';
    headers['referrer-policy'] = 'no-referrer';
  });
  releaseUpgradeResponses(server);

  function admit(socket: GatewaySocket): Refusal | undefined {
    // Else its `close` has been, and nobody would tell the session.
    if (socket.conn.readyState !== 'open') return refuse('INVALID', 'the connection is gone');
    if (!isAccepting) return refuse('BUSY', 'the node is stopping; connect to another one', handshakeRetryAfterMs);
    const address = addressOf(socket.request);
    const waitMs = admission.badTokenWaitMs(address);
    if (waitMs !== undefined) return refuse('TOO_MANY_CONNECTIONS', 'too many bad tokens from your address', waitMs);
    const identity = identify(socket.handshake.auth, socket.handshake.headers, options.verifier);
    if (isRefusal(identity)) {
      if (identity.code === 'UNAUTHENTICATED') admission.badToken(address);
      return identity;
    }
    const seat = admission.sit(identity.userId, address);
    if (isRefusal(seat)) return seat;
    const outbox = new Outbox(socket as unknown as OutboxSocket, outboxes, identity.userId);
    const session = openOrLeave(seat, () => options.openSession(identity, outbox));
    if (isRefusal(session)) return session;
    socket.data.outbox = outbox;
    open.set(socket, outbox);
    admission.doneKnocking(socket.conn);
    // Two ways to go: the transport, perhaps before the client was told that it is connected, and socket.io's disconnect.
    const gone = once((reason) => {
      open.delete(socket);
      seat.leave();
      socket.conn.close();
      try {
        session.disconnected(departureOf(reason));
      } catch (error) {
        log.error({ ev: 'gateway.bug', err: error }, 'disconnected threw');
      }
      if (open.size === 0) onEmpty?.();
    });
    socket.conn.on('close', gone);
    socket.on('disconnect', gone);
    const handle = createEventHandler({
      session,
      seat,
      verifier: options.verifier,
      outbox,
      limits: config,
      clock,
      log,
      metrics: commands,
      user: identity.userId,
    });
    takeEvents(socket, handle, (packet) => outbox.answer(packet));
    // Binary events come this way. `next` is never called, so socket.io emits nothing: no event name of a client can reach a listener.
    socket.use((packet) => handle(packet));
    return undefined;
  }

  /** Each engine connection gets one try, whatever came of it: else one packet of 64 kB could open thousands of sessions. */
  const tried = new WeakSet<object>();
  io.use((socket, next) => {
    try {
      if (tried.has(socket.conn)) {
        socket.conn.close();
        return next(new ConnectRefused(refuse('INVALID', 'one CONNECT per connection')));
      }
      tried.add(socket.conn);
      const refusal = admit(socket);
      connects.count(refusal?.code ?? 'OK');
      if (refusal) clock.after(refusedLingerMs, () => socket.conn.close());
      next(refusal && new ConnectRefused(refusal));
    } catch (error) {
      log.error({ ev: 'gateway.bug', err: error }, 'a handshake crashed');
      next(new ConnectRefused(refuse('INTERNAL', 'the server failed')));
    }
  });
  io.on('connection', (socket) => {
    stripHandshake(socket as unknown as Socket);
    socket.data.outbox?.start();
  });

  const tcpSockets = new Set<TcpSocket>();
  function forgetTcpSocket(this: TcpSocket): void {
    tcpSockets.delete(this);
  }
  server.on('connection', (socket) => {
    tcpSockets.add(socket);
    socket.on('close', forgetTcpSocket);
  });
  await listen(server, config).catch(async (fault: unknown) => {
    pings.stop();
    io.engine.close();
    await app.close();
    throw fault;
  });
  const { port } = server.address() as AddressInfo;
  let closing: Promise<void> | undefined;

  async function close(deadlineMs: number): Promise<void> {
    isAccepting = false;
    const left = [...open.values()];
    for (const [index, outbox] of left.entries()) {
      outbox.close('SERVER_DRAINING', reconnectInMs(index, left.length));
      outbox.answersEnd();
    }
    await new Promise<void>((resolve) => {
      const cancel = clock.after(deadlineMs, resolve);
      onEmpty = () => {
        cancel();
        resolve();
      };
      if (open.size === 0) onEmpty();
    });
    pings.stop();
    io.engine.close();
    await new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
      // Upgraded connections are not HTTP's any more: closeAllConnections does not know them.
      for (const socket of tcpSockets) socket.destroy();
    });
    await app.close();
  }

  return {
    port,
    url: `http://${hostInUrl(config.host)}:${port}`,
    connections: () => open.size,
    stopAccepting() {
      isAccepting = false;
    },
    close(deadlineMs) {
      closing ??= close(deadlineMs);
      return closing;
    },
  };
}

/** A seat that no session came of is given back. */
function openOrLeave(seat: Seat, open: () => SessionHandle | Refusal): SessionHandle | Refusal {
  let session: SessionHandle | Refusal | undefined;
  try {
    session = open();
    return session;
  } finally {
    if (session === undefined || isRefusal(session)) seat.leave();
  }
}

function once(task: (reason: string) => void): (reason: string) => void {
  let isDone = false;
  return (reason) => {
    if (isDone) return;
    isDone = true;
    task(reason);
  };
}

/** From the words of socket.io and engine.io. */
function departureOf(reason: string): Departure {
  if (reason === 'client namespace disconnect') return 'left';
  return reason === 'ping timeout' ? 'silent' : 'lost';
}
